"""What do readers and writers of annotation tools' formats share? Documents made of what files say, and an account of what was lost."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clashnlp.errors import DataError, MissingDependencyError
from clashnlp.schema import CLASH
from clashnlp.types import Document, Relation, Span

# What a reader does with a part of a file that it cannot use. Readers go on with the rest when it returns.
OnError = Callable[[DataError], None]
# A relation before its spans are known: head id, tail id, label, score.
Link = tuple[str, str, str, float | None]

# What attributes of spans may not be called.
SPAN_FIELDS = ("id", "start", "end", "label", "text", "score")
_SHOWN = 5


@dataclass(slots=True)
class Account:
    """What became of a file's annotations.

    Attributes:
        documents, spans, relations: how many were used.
        repaired: for each repair, where it was made (`document/span`).
        dropped: for each reason, what was left out.
    """

    documents: int = 0
    spans: int = 0
    relations: int = 0
    repaired: dict[str, list[str]] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)

    def use(self, document: Document) -> Document:
        """The document, counted."""
        self.documents += 1
        self.spans += len(document.spans)
        self.relations += len(document.relations)
        return document

    def repair(self, what: str, place: str) -> None:
        """Notes a repair, such as `offsets in UTF-16`."""
        self.repaired.setdefault(what, []).append(place)

    def drop(self, why: str, place: str) -> None:
        """Notes something that could not be used, or that a format cannot hold."""
        self.dropped.setdefault(why, []).append(place)

    def __str__(self) -> str:
        lines = [f"{self.documents} documents, {self.spans} spans, {self.relations} relations"]
        for title, table in (("repaired", self.repaired), ("dropped", self.dropped)):
            for reason, places in table.items():
                more = ", ..." if len(places) > _SHOWN else ""
                lines.append(f"  {title} {len(places)}: {reason} ({', '.join(places[:_SHOWN])}{more})")
        return "\n".join(lines)


def report_of(row_id: str | int, text: str, row: Mapping[str, Any], meta: Mapping[str, Any]) -> Document:
    """A document without annotations, with the language and the labels annotated for of a row; what is no text or no list is none."""
    lang, labels = row.get("lang"), row.get("labels")
    return Document(
        text=text,
        id=row_id,
        lang=lang if isinstance(lang, str) else None,
        labels=tuple(map(str, labels)) if isinstance(labels, list) else None,
        meta=meta,
    )


def build(report: Document, spans: Iterable[Span], links: Iterable[Link], account: Account) -> Document:
    """The report with its annotations, spans in order, counted; links to spans that are absent are dropped and counted."""
    kept = ordered(spans)
    by_id = {span.id: span for span in kept}
    relations = []
    for head, tail, label, score in links:
        if head in by_id and tail in by_id:
            relations.append(Relation(by_id[head], by_id[tail], label, score))
        else:
            account.drop("relations of a span that is not there", f"{report.id}/{head}-{tail}")
    return account.use(replace(report, spans=tuple(kept), relations=tuple(relations)))


def ordered(spans: Iterable[Span]) -> list[Span]:
    """The spans in the order of the text, outer ones first."""
    return sorted(spans, key=lambda span: (span.start, -span.end, span.label))


def note_losses(document: Document, account: Account, *, meta: Collection[str] = (), lang: bool = False, scores: bool = False) -> None:
    """Notes what of a document has no place in the format, which keeps the meta data, language and scores that it is said to."""
    place = str(document.id)
    if document.lang is not None and not lang:
        account.drop("languages", place)
    if document.labels is not None:
        account.drop("lists of the labels annotated for", place)
    for key in document.meta:
        if key not in meta:
            account.drop(f"meta data: {key}", place)
    if not scores:
        for span in document.spans:
            if span.score is not None:
                account.drop("scores", f"{place}/{span.id}")
        for link in document.relations:
            if link.score is not None:
                account.drop("scores", f"{place}/{link.head.id}-{link.tail.id}")


def joined(heads: Sequence[str], tails: Sequence[str], label: str, spans: Mapping[str, Span]) -> tuple[str, str]:
    """The two of these spans that a relation may hold between by their labels, else the first of each; `spans` by their ids."""
    pairs = list(itertools.product(heads, tails))
    allowed = {pair for relation in CLASH.relations if relation.label == label for pair in relation.signatures}
    fitting = (pair for pair in pairs if all(end in spans for end in pair) and (spans[pair[0]].label, spans[pair[1]].label) in allowed)
    return next(fitting, pairs[0])


def split_value(label: str) -> tuple[str, dict[str, str]]:
    """The label and its attribute, for labels such as `CASUALTY:killed`; any other label as it is."""
    base, _, value = label.partition(":")
    for attribute in CLASH.attributes:
        if base in attribute.labels and value in attribute.values:
            return base, {attribute.name: value}
    return label, {}


def label_with_value(span: Span, account: Account, place: str) -> str:
    """The label with the attribute that `split_value` finds again; other attributes are counted as dropped."""
    held = {a.name: v for a in CLASH.attributes if span.label in a.labels and (v := span.attributes.get(a.name)) in a.values}
    for name in span.attributes:
        if name not in held:
            account.drop(f"attributes that a label cannot hold: {name}", place)
    return ":".join([span.label, *(str(value) for value in held.values())])


def beside(values: Mapping[str, Any], taken: Collection[str]) -> dict[str, Any]:
    """The values under names that may stand beside the format's own: those that are taken get a `_` behind."""
    return {f"{name}_" if name in taken else name: value for name, value in values.items()}


def text_values(row: Mapping[str, Any], taken: Collection[str]) -> dict[str, str]:
    """The attributes of a span: texts under names that the format does not know, as `beside` put them there."""
    return {
        key[:-1] if key.endswith("_") and key[:-1] in taken else key: value
        for key, value in row.items()
        if key not in taken and isinstance(value, str)
    }


def needed(module: str, *, extra: str) -> Any:
    """The module of an optional package.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        remedy = f"this format needs {module.partition('.')[0]}; install it with: pip install 'clashnlp[{extra}]'"
        raise MissingDependencyError(remedy, name=error.name) from error


def number(value: object) -> float | None:
    """The score that a value stands for, None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def objects(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list under a key, none where there is no such key.

    Raises:
        DataError: something else stands there.
    """
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise DataError(f"key {key!r} must hold a list of objects, it holds {value!r:.60}")
    return value
