"""What does an analysis look like to a person? A summary for the terminal."""

from __future__ import annotations

from collections import Counter

from clashnlp.schema import Schema
from clashnlp.types import Analysis, Span

_COLOURS = (36, 35, 32, 31, 33, 34)  # ANSI cyan, magenta, green, red, yellow, blue
# Keeps an arrow between two Arabic names from being laid out right to left with them.
_LEFT_TO_RIGHT = "\u200e"


def summary(analysis: Analysis, schema: Schema, *, colour: bool) -> str:
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


def one_line(text: str) -> str:
    """The text on one line, without characters that control a terminal."""
    return "".join(character if character.isprintable() or character == "\u200c" else " " for character in text)
