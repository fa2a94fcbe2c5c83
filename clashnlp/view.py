"""What does an analysis look like to a person? A summary for the terminal, and HTML for notebooks and pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape
from importlib import resources

from clashnlp.schema import CLASH, Schema
from clashnlp.types import Document, Relation, Span

_COLOURS = (36, 35, 32, 31, 33, 34)  # ANSI cyan, magenta, green, red, yellow, blue
# Keeps an arrow between two Arabic names from being laid out right to left with them.
_LEFT_TO_RIGHT = "\u200e"
_CLASSES = 5  # The style sheet's colours, l0 to l4.


def summary(analysis: Document, schema: Schema, *, colour: bool) -> str:
    """The spans of each label and the relations of each type, a line each; text of the report cannot control the terminal."""
    paint = dict(zip(schema.labels, (_COLOURS[at % len(_COLOURS)] for at in range(len(schema.labels))), strict=True))
    width = max(len(name) for name in (*schema.labels, *(relation.label for relation in schema.relations))) + 2

    def show(span: Span) -> str:
        values = "".join(f" ({value})" for value in span.attributes.values())
        text = one_line(span.text)
        return (f"\x1b[{paint[span.label]}m{text}\x1b[0m" if colour else text) + _LEFT_TO_RIGHT + values

    title = one_line(str(analysis.id) or "report")
    lines = [f"\x1b[1m{title}\x1b[0m" if colour else title]
    for label in schema.labels:
        counts = Counter(show(span) for span in analysis.of(label))
        if counts:
            lines.append(f"  {label:{width}}" + ", ".join(text if times == 1 else f"{text} ×{times}" for text, times in counts.items()))
    for kind in schema.relations:
        arrow = f" {_LEFT_TO_RIGHT}{'↔' if kind.symmetric else '→'} "
        pairs: dict[str, float] = {}
        for relation in analysis.relations:
            if relation.label == kind.label:
                text = show(relation.head) + arrow + show(relation.tail)
                pairs[text] = max(pairs.get(text, 0.0), relation.score or 0.0)
        for text, score in pairs.items():
            lines.append(f"  {kind.label:{width}}{text}  {score:.2f}")
    if len(lines) == 1:
        lines.append("  no clash found")
    return "\n".join(lines) + "\n"


def html(document: Document, schema: Schema = CLASH) -> str:
    """The document as a piece of HTML that brings its style sheet along: what a notebook shows for an analysis."""
    title = f"<small>{escape(str(document.id))}</small>" if document.id != "" else ""
    return f'<style>{_style()}</style><div class="clash">{title}{key(schema, document)}{marked(document, schema)}</div>'


def page(title: str, body: str) -> str:
    """A whole HTML page around a body of HTML; browsers load nothing for it and run no script in it, whatever the body holds."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en" class="clash clash-page">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def key(schema: Schema, document: Document | None = None) -> str:
    """The colours of the labels as HTML: those of the schema, and those that the document has besides."""
    return f'<div class="clash-key">{"".join(f"<b {of}>{escape(label)}</b>" for label, of in _classes(schema, document).items())}</div>'


def marked(document: Document, schema: Schema = CLASH, *, notes: Mapping[Span | Relation, str] | None = None) -> str:
    """The text with its spans marked, nested ones inside each other, and below it the relations, as HTML without a style sheet.

    Args:
        document: what people annotated or a model said.
        schema: gives the order of the labels' colours, and says which relations have no direction.
        notes: what is wrong with a span or a relation; those are outlined, and the note stands beside them.
    """
    notes = notes or {}
    classes = _classes(schema, document)
    lang = f' lang="{escape(document.lang)}"' if document.lang else ""
    parts = [f'<div class="clash-text" dir="auto"{lang}>', _text(document, classes, notes), "</div>"]
    if document.relations:
        symmetric = {kind.label for kind in schema.relations if kind.symmetric}
        lines = (_relation(relation, symmetric, classes, notes.get(relation)) for relation in document.relations)
        parts += ['<ul class="clash-relations">', *lines, "</ul>"]
    return "".join(parts)


def _text(document: Document, classes: Mapping[str, str], notes: Mapping[Span | Relation, str]) -> str:
    """The escaped text with a `mark` around every span; where two spans cross, the inner one is cut in two."""
    # The next one stands last; outer spans come before inner ones, and equal ones in the order of the document.
    waiting = sorted(document.spans, key=lambda span: (span.start, -span.end))[::-1]
    opened: list[Span] = []
    parts: list[str] = []
    here = 0
    while waiting or opened:
        there = min([span.end for span in opened] + [span.start for span in waiting[-1:]])
        parts.append(escape(document.text[here:there]))
        here = there
        cut: list[Span] = []
        while any(span.end == here for span in opened):
            span = opened.pop()
            if span.end == here:
                parts.append(_chip(span, notes.get(span)))
            else:
                cut.append(span)
            parts.append("</mark>")
        while waiting and waiting[-1].start == here:
            cut.insert(0, waiting.pop())
        for span in reversed(cut):
            parts.append(f"<mark {_with(classes[span.label], span in notes)}{_title(span)}>")
            opened.append(span)
    return "".join([*parts, escape(document.text[here:])])


def _relation(relation: Relation, symmetric: set[str], classes: Mapping[str, str], note: str | None) -> str:
    ends = (
        f"<mark {classes[span.label]}><bdi>{escape(one_line(span.text))}</bdi>{_chip(span, None)}</mark>"
        for span in (relation.head, relation.tail)
    )
    score = "" if relation.score is None else f" <small>{relation.score:.2f}</small>"
    wrong = f" <em>{escape(note)}</em>" if note else ""
    arrow = " ↔ " if relation.label in symmetric else " → "
    return f"<li{' class=wrong' if note else ''}><code>{escape(relation.label)}</code> {arrow.join(ends)}{score}{wrong}</li>"


def _chip(span: Span, note: str | None) -> str:
    """What stands behind a span: its id, by which relations name it, its values, and what is wrong with it."""
    words = [" ".join([span.id or span.label, *span.attributes.values()]), *([note] if note else [])]
    return f'<span class="clash-chip">{escape(" · ".join(words))}</span>'


def _title(span: Span) -> str:
    score = "" if span.score is None else f" {span.score:.2f}"
    return f' title="{escape(span.label)}{score}"'


def _classes(schema: Schema, document: Document | None) -> dict[str, str]:
    labels = dict.fromkeys([*schema.labels, *(span.label for span in (document.spans if document else ()))])
    return {label: f'class="l{at % _CLASSES}"' for at, label in enumerate(labels)}


def _with(css: str, wrong: bool) -> str:
    return css[:-1] + ' wrong"' if wrong else css


def _style() -> str:
    return resources.files("clashnlp").joinpath("data", "view.css").read_text(encoding="utf-8")


def one_line(text: str) -> str:
    """The text on one line, without characters that control a terminal."""
    return "".join(character if character.isprintable() or character == "\u200c" else " " for character in text)
