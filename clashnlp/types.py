"""What are the nouns? Spans and relations of a document, as annotated or as predicted, and what is read out of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal

from clashnlp.errors import DataError

# The keys of the JSON form that are not meta data of a document (ANNOTATION.md, "JSON Lines").
_DOCUMENT_KEYS = ("id", "lang", "text", "spans", "relations", "labels")
_SPAN_KEYS = ("id", "start", "end", "label", "text", "score")


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of a text: `text[start:end]`, in code points, end-exclusive.

    `score` is the model's calibrated probability that the span is right (None where people annotated). `attributes` holds values
    such as `{"outcome": "killed"}`. `id` is unique in its document.
    """

    start: int
    end: int
    label: str
    text: str
    id: str = ""
    score: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """The span in the JSON form of the annotation guidelines; attributes stand beside the other keys, whose names get a `_` there."""
        row: dict[str, Any] = {"id": self.id, "start": self.start, "end": self.end, "label": self.label, "text": self.text}
        row.update({f"{key}_" if key in _SPAN_KEYS else key: value for key, value in self.attributes.items()})
        if self.score is not None:
            row["score"] = round(self.score, 4)
        return row


@dataclass(frozen=True, slots=True)
class Relation:
    """A labelled link from one span to another of the same document."""

    head: Span
    tail: Span
    label: str
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The relation in the JSON form of the annotation guidelines: its ends by span id."""
        row: dict[str, Any] = {"head": self.head.id, "tail": self.tail.id, "label": self.label}
        if self.score is not None:
            row["score"] = round(self.score, 4)
        return row


@dataclass(frozen=True, slots=True)
class Document:
    """A report, with annotations where it has them.

    `labels` names the span labels that the document was annotated for, where these are fewer than the schema's: the others are
    unknown, not absent. `meta` keeps whatever else came with the document (source, url, columns of a table), in order.

    Raises:
        DataError: a span lies outside the text, does not match it or shares its id; a relation's end is not among the spans.
    """

    text: str
    id: str | int = ""
    lang: str | None = None
    spans: tuple[Span, ...] = ()
    relations: tuple[Relation, ...] = ()
    labels: tuple[str, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _check_text(self.text)
        for span in self.spans:
            _check_span(span, self.text)
        known = {span.id: span for span in self.spans}
        if len(known) < len(self.spans):
            span_id, times = Counter(span.id for span in self.spans).most_common(1)[0]
            raise DataError(f"span id {span_id!r} stands {times} times; make span ids unique in the document")
        for relation in self.relations:
            for end in (relation.head, relation.tail):
                if known.get(end.id) != end:
                    raise DataError(f"relation {relation.label} refers to span {end.id!r}, which is not among the document's spans")

    def of(self, label: str) -> list[Span]:
        """The spans of one label, in the order of the text."""
        return [span for span in self.spans if span.label == label]

    def to_dict(self) -> dict[str, Any]:
        """The document in the JSON form of the annotation guidelines; meta data stand beside the other keys."""
        row: dict[str, Any] = {"id": self.id, "lang": self.lang, "text": self.text}
        row["spans"] = [span.to_dict() for span in self.spans]
        row["relations"] = [relation.to_dict() for relation in self.relations]
        if self.labels is not None:
            row["labels"] = list(self.labels)
        # Meta data never stand in for the report's own keys: a column called text, say, becomes text_.
        row.update({f"{key}_" if key in _DOCUMENT_KEYS else key: value for key, value in self.meta.items()})
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Document:
        """A document from its JSON form; see `to_dict`.

        Raises:
            DataError: a value is missing or of the wrong type, or a span does not match its text.
        """
        if not isinstance(row, Mapping):
            raise DataError(f"a document is a JSON object, this is {type(row).__name__}")
        text = row.get("text")
        if not isinstance(text, str):
            raise DataError(f"key 'text' must hold the report's text, it holds {text!r:.60}" if "text" in row else "key 'text' is missing")
        spans = tuple(_span_from_dict(span, text, at) for at, span in enumerate(_rows(row, "spans"), start=1))
        by_id = {span.id: span for span in spans}
        relations = tuple(_relation_from_dict(relation, by_id) for relation in _rows(row, "relations"))
        labels = row.get("labels")
        if labels is not None and not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
            raise DataError(f"key 'labels' must list the labels that the document was annotated for, it holds {labels!r:.60}")
        lang = row.get("lang")
        return cls(
            text=text,
            id=identity(row.get("id")),
            lang=None if lang is None else str(lang),
            spans=spans,
            relations=relations,
            labels=None if labels is None else tuple(labels),
            meta={key: value for key, value in row.items() if key not in _DOCUMENT_KEYS},
        )


@dataclass(frozen=True, slots=True)
class Analysis(Document):
    """What a model says about a report: a document whose spans and relations carry scores."""


Kind = Literal["civilian", "combatant", "unknown"]


@dataclass(frozen=True, slots=True)
class Count:
    """How many victims a casualty span states: at least `low`, at most `high` (None: the text sets no bound).

    `outcome` is what befell them, `kind` who they were, `names` those whom the span names.
    """

    low: int
    high: int | None
    outcome: str | None = None
    kind: Kind = "unknown"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Actor:
    """An armed actor or a state, the same whatever script and spelling a report uses.

    `id` is its key in the table; `kind` one of `state`, `state_force`, `rebel`, `militia`, `jihadist`, `external`, `police`, `gang`;
    `countries` the ISO 3166-1 alpha-2 codes of where it fights, or of the state itself.
    """

    id: str
    name: str
    kind: str
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the map: degrees north and east (WGS 84), and how exactly they say where it is.

    `precision` is one of `exact` (a town or village), `area` (around it, or a named region), `province`, `country`; `admin1` the name of
    the first-level division, `country` the ISO 3166-1 alpha-2 code, `geonameid` the key in GeoNames where it is one of its cities.
    Where no table has the name, `inside` is the place around it that the position is of.
    """

    name: str
    country: str
    latitude: float
    longitude: float
    precision: str
    admin1: str | None = None
    geonameid: int | None = None
    inside: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """One side's force in a clash, or a patron: what it is called, and the spans that name it.

    `name` is that of the actor where the table knows it, else the fullest of its mentions. `patrons` are those that the text names for it.
    """

    name: str
    spans: tuple[Span, ...]
    actor: Actor | None = None
    patrons: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """Where a clash was: the spans that name the place, and the place on the map where it is known."""

    name: str
    spans: tuple[Span, ...]
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Toll:
    """What one source says of one side's victims with one outcome.

    `side` and `by` are indices into the record's sides: whose members they were (None: civilians, or not said) and who caused them (None:
    not said). `claimant` is the source that the sentence names; None is the report itself.
    """

    count: Count
    side: int | None
    by: int | None
    claimant: str | None
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ClashRecord:
    """One clash of a report, with the evidence for every value.

    Attributes:
        document: the report's id.
        number: which clash of the report, from 1.
        sides: the parties of each side; one side where the text names only who attacked, none where it names nobody.
        sites: where it was, the narrowest place first.
        tolls: the victims, claim by claim; repeated statements are one.
        denials: sentences that deny something about it, as (start, end).
        sentences: the sentences that the record rests on, as (start, end) into the report's text.
        date: the day, ISO 8601, where the text gives it or counts it from the report's own date.
        claimants: the sources that these sentences name.
        score: the least sure relation between two sides; None where there is none or people annotated.
    """

    document: str | int
    number: int
    sides: tuple[tuple[Party, ...], ...]
    sites: tuple[Site, ...] = ()
    tolls: tuple[Toll, ...] = ()
    denials: tuple[tuple[int, int], ...] = ()
    sentences: tuple[tuple[int, int], ...] = ()
    date: str | None = None
    claimants: tuple[str, ...] = ()
    score: float | None = None


def identity(value: Any) -> str | int:
    """The id that a value of a file stands for: whole numbers as they are, nothing as an empty text, else text that every format holds."""
    if value is None or (isinstance(value, float) and math.isnan(value)):  # As tables have it where nothing stands.
        return ""
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value).encode("utf-8", "replace").decode()


def _score(row: Mapping[str, Any], name: str) -> float | None:
    score = row.get("score")
    if score is not None and (not isinstance(score, Real) or isinstance(score, bool)):
        raise DataError(f"{name}: 'score' must be a number, it is {score!r:.60}")
    return None if score is None else float(score)


def _rows(row: Mapping[str, Any], key: str) -> list[Any]:
    value = row.get(key) or []
    if not isinstance(value, list):
        raise DataError(f"key {key!r} must hold a list, it holds {value!r:.60}")
    return value


def _span_from_dict(row: Any, text: str, at: int) -> Span:
    if not isinstance(row, Mapping):
        raise DataError(f"span {at} is {row!r:.60}, not a JSON object")
    name = f"span {row.get('id', at)!r}"
    start, end, label = row.get("start"), row.get("end"), row.get("label")
    if not isinstance(label, str) or not label:
        raise DataError(f"{name} has no label")
    if not (isinstance(start, int) and isinstance(end, int)) or isinstance(start, bool) or isinstance(end, bool):
        raise DataError(f"{name}: 'start' and 'end' must be whole numbers, they are {start!r} and {end!r}")
    surface = row.get("text")
    if surface is None:
        surface = text[start:end]
    return Span(
        start=start,
        end=end,
        label=label,
        text=surface,
        id=str(row.get("id", f"T{at}")),
        score=_score(row, name),
        attributes={
            key[:-1] if key[-1:] == "_" and key[:-1] in _SPAN_KEYS else key: value
            for key, value in row.items()
            if key not in _SPAN_KEYS and isinstance(value, str)
        },
    )


def _relation_from_dict(row: Any, by_id: Mapping[str, Span]) -> Relation:
    if not isinstance(row, Mapping) or not isinstance(row.get("label"), str):
        raise DataError(f"relation {row!r:.80} must be a JSON object with 'head', 'tail' and 'label'")
    ends = []
    for end in ("head", "tail"):
        span = by_id.get(str(row.get(end)))
        if span is None:
            raise DataError(f"relation {row['label']}: its {end} {row.get(end)!r} is not the id of a span of the document")
        ends.append(span)
    return Relation(head=ends[0], tail=ends[1], label=row["label"], score=_score(row, f"relation {row['label']}"))


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"a report's text is a str, this is {type(text).__name__}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text holds half of a surrogate pair (U+{ord(text[error.start]):04X}) at character {error.start}; "
            "it was decoded wrongly, decode it again or replace that character"
        ) from None


def _check_span(span: Span, text: str) -> None:
    if not 0 <= span.start < span.end <= len(text):
        raise DataError(f"span {span.id!r} at {span.start}-{span.end} is empty or lies outside the text of {len(text)} characters")
    if text[span.start : span.end] != span.text:
        raise DataError(
            f"span {span.id!r} at {span.start}-{span.end} reads {span.text!r:.60}, but the text there is "
            f"{text[span.start : span.end]!r:.60}; offsets count Unicode code points, end-exclusive"
        )
