"""What can be predicted? Labels, attributes and relation types, as data that is read from a model's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clashnlp.errors import DataError, ModelError
from clashnlp.types import Document

_MOST_VALUES = 20


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of the spans of some labels, with one of several values: the outcome of a casualty."""

    name: str
    labels: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelationType:
    """A relation with the pairs of span labels (head, tail) that it may hold between.

    A symmetric relation has no direction: its head is the span that begins first. The ends of a distinct one never bear one name: nobody
    fights himself (of 4,004 annotated clashes none is between two mentions of one form).
    """

    label: str
    signatures: tuple[tuple[str, str], ...]
    symmetric: bool = False
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The labels, attributes and relation types that a model knows.

    Raises:
        ModelError: a name stands twice, or a relation or an attribute names a label that the schema lacks.
    """

    labels: tuple[str, ...]
    attributes: tuple[Attribute, ...] = ()
    relations: tuple[RelationType, ...] = ()

    def __post_init__(self) -> None:
        if not self.labels:
            raise ModelError("a schema needs at least one span label")
        for kind, names in (
            ("label", self.labels),
            ("attribute", tuple(attribute.name for attribute in self.attributes)),
            ("relation", tuple(relation.label for relation in self.relations)),
        ):
            if not all(isinstance(name, str) and name for name in names):
                raise ModelError(f"the schema has a {kind} without a name: {names}")
            if len(set(names)) != len(names):
                raise ModelError(f"the schema names a {kind} twice: {', '.join(names)}")
        for attribute in self.attributes:
            if not attribute.values or len(set(attribute.values)) != len(attribute.values):
                raise ModelError(f"attribute {attribute.name} of the schema needs values, each once; it has {attribute.values}")
        used = {label for attribute in self.attributes for label in attribute.labels}
        used |= {label for relation in self.relations for signature in relation.signatures for label in signature}
        if unknown := sorted(used - set(self.labels)):
            raise ModelError(f"the schema's relations or attributes use labels that it does not list: {', '.join(unknown)}")

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """Every (attribute name, value), in the order of the attribute head's outputs."""
        return tuple((attribute.name, value) for attribute in self.attributes for value in attribute.values)

    def relation(self, label: str) -> RelationType:
        """The relation type of that label.

        Raises:
            KeyError: the schema has none.
        """
        for relation in self.relations:
            if relation.label == label:
                return relation
        raise KeyError(label)

    def id_prefixes(self) -> dict[str, str]:
        """The shortest beginning of each label that no other label shares: F, P, L, C for the clash schema."""
        prefixes = {}
        for label in self.labels:
            others = [other for other in self.labels if other != label]
            lengths = (size for size in range(1, len(label) + 1) if not any(other.startswith(label[:size]) for other in others))
            prefixes[label] = label[: next(lengths, len(label))]
            if prefixes[label][-1].isdigit():
                prefixes[label] += "-"  # Or the first span of LOC2 would share its id with the 21st of LOC.
        return prefixes

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values; `from_dict` reads it back."""
        return {
            "labels": list(self.labels),
            "attributes": [{"name": a.name, "labels": list(a.labels), "values": list(a.values)} for a in self.attributes],
            "relations": [
                {"label": r.label, "signatures": [list(pair) for pair in r.signatures], "symmetric": r.symmetric, "distinct": r.distinct}
                for r in self.relations
            ],
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Schema:
        """A schema from its JSON form.

        Raises:
            ModelError: a key is missing or unknown, or the values contradict each other.
        """
        try:
            if unknown := sorted(set(row) - {"labels", "attributes", "relations"}):
                raise ModelError(f"unknown key in the schema: {', '.join(unknown)}")
            if not isinstance(row["labels"], list):
                raise ModelError(f"the schema's labels must be a list, they are {row['labels']!r:.60}")
            return cls(
                labels=tuple(row["labels"]),
                attributes=tuple(
                    Attribute(name=a["name"], labels=tuple(a["labels"]), values=tuple(a["values"])) for a in row.get("attributes", ())
                ),
                relations=tuple(
                    RelationType(
                        label=r["label"],
                        signatures=tuple((head, tail) for head, tail in r["signatures"]),
                        symmetric=bool(r.get("symmetric", False)),
                        distinct=bool(r.get("distinct", False)),
                    )
                    for r in row.get("relations", ())
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"the schema is malformed: {error!r}; it needs labels, attributes and relations") from None

    @classmethod
    def from_documents(cls, documents: Iterable[Document]) -> Schema:
        """The schema that annotated documents use: their labels, attribute values, and relations with the signatures seen.

        What has more than 20 different values is taken for a note and is no attribute.

        Raises:
            DataError: the documents hold no span.
        """
        labels: dict[str, None] = {}
        values: dict[str, dict[str, None]] = {}
        carriers: dict[str, dict[str, None]] = {}
        signatures: dict[str, dict[tuple[str, str], None]] = {}
        for document in documents:
            for span in document.spans:
                labels[span.label] = None
                for name, value in span.attributes.items():
                    values.setdefault(name, {})[value] = None
                    carriers.setdefault(name, {})[span.label] = None
            for relation in document.relations:
                signatures.setdefault(relation.label, {})[relation.head.label, relation.tail.label] = None
        if not labels:
            raise DataError("the training documents hold no span, so there is no label to learn")
        return cls(
            labels=tuple(sorted(labels)),
            attributes=tuple(
                Attribute(name, tuple(sorted(carriers[name])), tuple(sorted(values[name])))
                for name in sorted(values)
                if len(values[name]) <= _MOST_VALUES
            ),
            relations=tuple(RelationType(label, tuple(sorted(signatures[label]))) for label in sorted(signatures)),
        )


# The schema of the annotation guidelines.
CLASH = Schema(
    labels=("FACTION", "PATRON", "LOCATION", "CASUALTY"),
    attributes=(Attribute("outcome", ("CASUALTY",), ("killed", "wounded", "captured", "missing", "mixed")),),
    relations=(
        RelationType("BACKED_BY", (("FACTION", "PATRON"),)),
        RelationType("CLASHED_WITH", (("FACTION", "FACTION"),), symmetric=True, distinct=True),
        RelationType("PART_OF", (("FACTION", "FACTION"),)),
        RelationType("SUFFERED_BY", (("CASUALTY", "FACTION"),)),
        RelationType("INFLICTED_BY", (("CASUALTY", "FACTION"),)),
        RelationType("LOCATED_IN", (("FACTION", "LOCATION"), ("CASUALTY", "LOCATION"), ("LOCATION", "LOCATION"))),
    ),
)
