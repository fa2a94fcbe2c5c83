"""What does a format hold? Found out by writing documents that have it, and reading them again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clashnlp.errors import MissingDependencyError
from clashnlp.formats import WRITERS, read, write
from clashnlp.formats.exchange import Account
from clashnlp.types import Document, Relation, Span

_TEXT = "🚨 قُتل جنديان near Marib, by Iran-backed می‌جنگند."
_LINES = "  🚨 قُتل\tجنديان\r\n\r\nnear  Marib.\n"
# Files for formats that are not folders; the suffix does not matter, since the format is named.
_FOLDERS = ("brat", "webanno", "cas")
# Label Studio takes what carries scores for predictions, which are read on demand.
_OPTIONS: Mapping[str, Mapping[str, Any]] = {"labelstudio": {"predictions": False}}


def _span(surface: str, label: str, text: str = _TEXT, **known: Any) -> Span:
    start = text.index(surface)
    return Span(start, start + len(surface), label, surface, f"{label}{start}", **known)


def _document(*spans: Span, text: str = _TEXT, **known: Any) -> Document:
    return Document(text, id="d1", spans=spans, **known)


def _linked(score: float | None = None) -> Document:
    head, tail = _span("جنديان", "CASUALTY"), _span("Iran", "PATRON")
    return _document(head, tail, relations=(Relation(head, tail, "INFLICTED_BY", score),))


def _spans(document: Document) -> object:
    return sorted((span.start, span.end, span.label) for span in document.spans)


def _attributes(document: Document) -> object:
    return sorted((span.start, span.end, *sorted(span.attributes.items())) for span in document.spans)


def _relations(document: Document) -> object:
    return sorted((link.head.start, link.tail.start, link.label) for link in document.relations)


# For each thing, a document that has it, and what of that document must come back.
PROBES: dict[str, tuple[Document, Callable[[Document], object]]] = {
    "texts, with their white space": (_document(text=_LINES), lambda document: document.text),
    "emoji and right-to-left": (_document(_span("جنديان", "CASUALTY"), _span("می‌جنگند", "FACTION")), _spans),
    "nested spans": (_document(_span("near Marib", "LOCATION"), _span("Marib", "FACTION")), _spans),
    "crossing spans": (_document(_span("near Marib", "LOCATION"), _span("Marib, by", "FACTION")), _spans),
    "two labels on one extent": (_document(_span("Iran", "FACTION"), _span("Iran", "PATRON")), _spans),
    "parts of words": (_document(_span("rib", "LOCATION")), _spans),
    "spans over line breaks": (_document(_span("جنديان\r\n\r\nnear", "CASUALTY", _LINES), text=_LINES), _spans),
    "outcomes": (_document(_span("جنديان", "CASUALTY", attributes={"outcome": "killed"})), _attributes),
    "other attributes": (_document(_span("Iran", "PATRON", attributes={"note": "disputed"})), _attributes),
    "relations": (_linked(), _relations),
    "scores of spans": (_document(_span("Iran", "PATRON", score=0.75)), lambda document: [span.score for span in document.spans]),
    "scores of relations": (_linked(0.75), lambda document: [link.score for link in document.relations]),
    "languages": (_document(lang="ar"), lambda document: document.lang),
    "annotators": (_document(meta={"annotator": "amal"}), lambda document: document.meta.get("annotator")),
    "other meta data": (_document(meta={"url": "https://example.org"}), lambda document: document.meta.get("url")),
    "labels annotated for": (_document(labels=("CASUALTY",)), lambda document: document.labels),
}


def holds(format: str, thing: str) -> tuple[bool, Account]:
    """Whether the format gives back what one of PROBES is about, and the account of the writing.

    Raises:
        MissingDependencyError: the format needs a package that is not installed.
    """
    document, aspect = PROBES[thing]
    documents = [document]
    if thing == "annotators":
        documents.append(replace(document, meta={"annotator": "omar"}))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("probe" if format in _FOLDERS else "probe.dat")
        account = write(documents, path, format=format, **_OPTIONS.get(format, {}))
        found = list(read(path, format=format, account=Account(), on_error=lambda error: None))
    return list(map(aspect, found)) == list(map(aspect, documents)), account


def table() -> str:
    """The table of formats and what they hold, in Markdown."""
    columns: dict[str, list[str]] = {}
    missing: list[str] = []
    for format in WRITERS:
        try:
            columns[format] = ["yes" if holds(format, thing)[0] else "no" for thing in PROBES]
        except MissingDependencyError as error:
            missing.append(f"{format} is left out: {error}")
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[thing, *(cells[at] for cells in columns.values())] for at, thing in enumerate(PROBES)]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), *missing])
