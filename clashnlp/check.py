"""What is wrong in an annotated document? The rules of the annotation guidelines that a machine can hold it to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from clashnlp.actors import state
from clashnlp.numerals import fold
from clashnlp.schema import Schema
from clashnlp.tokens import sentence_bounds, split_words
from clashnlp.types import Analysis, Document, Span

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
# What each kind of finding means, in the order of the report. An error is lost on training or spoils a measurement.
KINDS: dict[str, str] = {
    "unreadable": "parts of files that cannot be used",
    "unknown name": "labels, values and relations that the schema lacks",
    "cut word": "spans that begin or end inside a word",
    "loose edge": "spans with white space or punctuation at an edge",
    "overlap": "spans that overlap one of their label",
    "signature": "relations between spans that the schema does not allow",
    "leak": "the same text in several files",
    "near leak": "nearly the same text in several files",
    "repeat": "the same text twice in a file",
    "near repeat": "nearly the same text twice in a file",
    "same id": "different texts under one id in a file",
    "no text": "reports without a word",
    "relation twice": "relations that stand twice",
    "no value": "spans without the attribute of their label",
    "no backer": "patrons that back nobody, and other spans without the one relation that their label is for",
    "unmarked sentence": "sentences without a span that repeat what is marked elsewhere in their report",
    "missed": "spans that the model finds where nothing is marked",
    "disagreement": "reports that two annotations read differently",
    "two labels": "names that stand under two labels",
}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should look at: what, how bad it is, and where.

    `text` is what stands there, cut short; `others` are documents that it concerns as well, as file and id.
    """

    severity: Severity
    kind: str
    message: str
    document: str | int | None = None
    start: int | None = None
    end: int | None = None
    text: str = ""
    file: str = ""
    line: int | None = None
    others: tuple[tuple[str, str | int], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON values."""
        place = {"file": self.file, "line": self.line, "document": self.document, "start": self.start, "end": self.end, "text": self.text}
        row: dict[str, Any] = {"severity": self.severity, "kind": self.kind, "message": self.message, **place}
        if self.others:
            row["others"] = [{"file": file, "document": document} for file, document in self.others]
        return row


def check_document(document: Document, schema: Schema) -> list[Finding]:
    """What is wrong in a document, taken by itself, in the order of `KINDS`; the findings name no file."""
    if not any(map(str.isalnum, document.text)):
        return [Finding("warning", "no text", "the report holds no word", document.id)]
    if not document.spans:
        return []
    words = _Words(document.text)
    found = [
        *_unknown_names(document, schema),
        *(finding for span in document.spans for finding in _edges(document, span, words)),
        *_overlaps(document),
        *_relations(document, schema),
        *_missing_values(document, schema),
        *_patrons(document, schema),
        *_unmarked_sentences(document, schema, words),
    ]
    order = {kind: at for at, kind in enumerate(KINDS)}
    return sorted(found, key=lambda finding: (order[finding.kind], finding.start or 0))


def at_span(severity: Severity, kind: str, message: str, document: Document, span: Span) -> Finding:
    """A finding at a span."""
    return Finding(severity, kind, message, document.id, span.start, span.end, shorten(span.text))


def missed_spans(document: Document, analysis: Analysis, *, score: float) -> list[Finding]:
    """The spans that a model is as sure of as `score`, where the document has none of any label."""
    known = {span.label for span in analysis.spans} if document.labels is None else set(document.labels)
    return [
        Finding(
            "info",
            "missed",
            f"nothing is marked, but the model reads {quoted(span.text)} as {span.label} ({span.score:.2f})",
            document.id,
            span.start,
            span.end,
            _around(document.text, span.start, span.end),
        )
        for span in analysis.spans
        if span.label in known
        and (span.score or 0.0) >= score
        and not any(other.start < span.end and span.start < other.end for other in document.spans)
    ]


def shorten(text: str) -> str:
    """The text on one line, cut in the middle where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 20]} … {text[-17:]}"


def quoted(text: str) -> str:
    """The text as it stands in a message."""
    return f"'{shorten(text)}'"


def _around(text: str, start: int, end: int) -> str:
    """What stands at a place, with some words on either side."""
    low, high = max(0, start - 25), min(len(text), end + 25)
    before, behind = "…" if low else "", "…" if high < len(text) else ""
    return " ".join(f"{before}{text[low:start]}{shorten(text[start:end])}{text[end:high]}{behind}".split())


class _Words:
    """The words of a text: where each starts and ends."""

    def __init__(self, text: str) -> None:
        rows = split_words(text)
        self.text = text
        self.starts: list[int] = rows[:, 0].tolist()
        self.ends: list[int] = rows[:, 1].tolist()

    def inside(self, start: int, end: int) -> range:
        """The words that lie in a stretch of the text, at least in part."""
        return range(bisect_right(self.ends, start), bisect_left(self.starts, end))

    def folded(self, which: range) -> tuple[str, ...]:
        """The folded forms of words."""
        return tuple(
            fold(self.text[start:end])
            for start, end in zip(self.starts[which.start : which.stop], self.ends[which.start : which.stop], strict=True)
        )


def _unknown_names(document: Document, schema: Schema) -> Iterator[Finding]:
    """Each name that the schema lacks, once, at its first place."""
    relations = {relation.label for relation in schema.relations}
    found: dict[str, list[Span]] = {}
    for span in document.spans:
        for what in _unknown_of(span, schema):
            found.setdefault(what, []).append(span)
    for relation in document.relations:
        if relation.label not in relations:
            found.setdefault(f"relation {relation.label!r}", []).append(relation.head)
    for label in document.labels or ():
        if label not in schema.labels:
            yield Finding("error", "unknown name", f"'labels' names {label!r}, which is not in the schema", document.id)
    for what, spans in found.items():
        times = f" ({len(spans)} times in the report)" if len(spans) > 1 else ""
        yield at_span("error", "unknown name", f"{what} is not in the schema{times}", document, spans[0])


def _unknown_of(span: Span, schema: Schema) -> Iterator[str]:
    if span.label not in schema.labels:
        yield f"label {span.label!r}"
        return
    for attribute in schema.attributes:
        value = span.attributes.get(attribute.name)
        if value is not None and span.label not in attribute.labels:
            yield f"{attribute.name} of {span.label}"
        elif value is not None and value not in attribute.values:
            yield f"{attribute.name} {value!r}"


def _edges(document: Document, span: Span, words: _Words) -> Iterator[Finding]:
    """A span begins where a word begins, and ends where one ends."""
    inside = words.inside(span.start, span.end)
    if not inside:
        yield at_span("error", "loose edge", f"{span.label} holds no word", document, span)
        return
    start, end = words.starts[inside[0]], words.ends[inside[-1]]
    if start < span.start or end > span.end:
        whole = quoted(document.text[min(start, span.start) : max(end, span.end)])
        yield at_span("error", "cut word", f"{span.label} {quoted(span.text)} cuts a word; whole words: {whole}", document, span)
    if start > span.start or end < span.end:
        sides = " and ".join(side for side, loose in (("begins", start > span.start), ("ends", end < span.end)) if loose)
        message = f"{span.label} {quoted(span.text)} {sides} with white space or punctuation"
        yield at_span("error", "loose edge", message, document, span)


def _overlaps(document: Document) -> Iterator[Finding]:
    reaching: dict[str, Span] = {}
    for span in sorted(document.spans, key=lambda span: (span.start, -span.end)):
        before = reaching.get(span.label)
        if before is not None and span.start < before.end:
            how = "stands twice" if (span.start, span.end) == (before.start, before.end) else f"overlaps {quoted(before.text)}"
            yield at_span("error", "overlap", f"{span.label} {quoted(span.text)} {how}", document, span)
        if before is None or span.end > before.end:
            reaching[span.label] = span


def _relations(document: Document, schema: Schema) -> Iterator[Finding]:
    kinds = {kind.label: kind for kind in schema.relations}
    seen = set()
    for relation in document.relations:
        head, tail = relation.head, relation.tail
        kind = kinds.get(relation.label)
        message = f"{relation.label} from {head.label} {quoted(head.text)} to {tail.label} {quoted(tail.text)}"
        if kind is None:
            continue
        labels = (head.label, tail.label)
        if labels not in kind.signatures and not (kind.symmetric and labels[::-1] in kind.signatures):
            yield at_span("error", "signature", f"{message} is not allowed", document, head)
        elif head.id == tail.id:
            yield at_span("error", "signature", f"{message} links a span to itself", document, head)
        ends = (head.id, tail.id)
        key = (relation.label, *(sorted(ends) if kind.symmetric else ends))
        if key in seen:
            yield at_span("warning", "relation twice", f"{message} stands twice", document, head)
        seen.add(key)


def _missing_values(document: Document, schema: Schema) -> Iterator[Finding]:
    for span in document.spans:
        for attribute in schema.attributes:
            if span.label in attribute.labels and attribute.name not in span.attributes:
                yield at_span("warning", "no value", f"{span.label} {quoted(span.text)} has no {attribute.name}", document, span)


def _patrons(document: Document, schema: Schema) -> Iterator[Finding]:
    """Spans of a label that the schema has only as the tail of one relation, and which is the tail of none."""
    if not document.relations:
        return  # Annotated without relations, as it seems.
    roles: dict[str, set[tuple[str, int]]] = {}
    for kind in schema.relations:
        for pair in kind.signatures:
            for side, label in enumerate(pair):
                roles.setdefault(label, set()).add((kind.label, side))
    tails = {(relation.label, relation.tail.id) for relation in document.relations}
    for span in document.spans:
        role = roles.get(span.label, set())
        name, side = next(iter(role)) if len(role) == 1 else ("", 0)
        if side == 1 and (name, span.id) not in tails:
            yield at_span("warning", "no backer", f"{span.label} {quoted(span.text)} has no {name}", document, span)


def _unmarked_sentences(document: Document, schema: Schema, words: _Words) -> Iterator[Finding]:
    """Sentences without any span in which a name stands that is marked elsewhere in the document.

    States are passed over, since they speak and mediate as often as they fight, and so are victims, who are people outside their death.
    """
    marked = np.array([(span.start, span.end) for span in document.spans])
    bounds = sentence_bounds(document.text)
    bare = [at for at, (start, end) in enumerate(bounds.tolist()) if not np.any((marked[:, 0] < end) & (marked[:, 1] > start))]
    if not bare:
        return
    victims = {label for attribute in schema.attributes for label in attribute.labels}
    names: dict[str, dict[tuple[str, ...], Span]] = {}
    for span in document.spans:
        if span.label not in victims and not state(span.text, lang=document.lang):
            key = words.folded(words.inside(span.start, span.end))
            names.setdefault("".join(key[:1]), {}).setdefault(key, span)
    for start, end in bounds[bare].tolist():
        inside = words.inside(start, end)
        keys = words.folded(inside)
        for at, first in enumerate(inside):
            here = [span for key, span in names.get(keys[at], {}).items() if keys[at : at + len(key)] == key]
            # A name in capitals is not the common word of the same letters.
            here = [span for span in here if document.text[words.starts[first]].isupper() >= span.text[0].isupper()]
            if here:
                span = max(here, key=lambda span: len(span.text))
                length = len(words.inside(span.start, span.end))
                begin, stop = words.starts[first], words.ends[first + length - 1]
                message = f"nothing is marked in the sentence, but {quoted(span.text)} is {span.label} elsewhere in the report"
                yield Finding("info", "unmarked sentence", message, document.id, begin, stop, _around(document.text, begin, stop))
                break
