"""Where in the text is it? Offsets of other programs are checked against the text and read as what they count; words are cut at spans."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

import tokenizers
from tokenizers.pre_tokenizers import Split

from clashnlp.formats.exchange import Account
from clashnlp.tokens import split_words
from clashnlp.types import Span

Extent = tuple[int, int]
# A span as files give it: start, end, and its text where the file repeats it.
Mark = tuple[int, int, str | None]
# What offsets count, and the code point at each of them; no table for code points.
Reading = tuple[str, Mapping[int, int] | None]

_GRAPHEME = Split(tokenizers.Regex(r"\X"), behavior="isolated")
CODE_POINTS: Reading = ("offsets in code points", None)


def offset_table(text: str, *, utf16: bool = False, line_break: int | None = None) -> dict[int, int]:
    r"""The code point at every offset that another program counts.

    Args:
        text: the text.
        utf16: it counts UTF-16 units.
        line_break: how many characters it takes a line break for: 1 where browsers swallow `\r`, 2 where `\r\n` was made `\n`.
    """
    table: dict[int, int] = {}
    at = 0
    for place, char in enumerate(text):
        table.setdefault(at, place)
        if char == "\r" and line_break == 1 and text[place + 1 : place + 2] == "\n":
            continue
        at += 2 if (char == "\n" and line_break == 2) or (utf16 and ord(char) > 0xFFFF) else 1
    table.setdefault(at, len(text))
    return table


def graphemes(text: str) -> dict[int, int]:
    """The code point at every offset in grapheme clusters."""
    return dict(enumerate([0, *(end for _, (_, end) in _GRAPHEME.pre_tokenize_str(text))]))


def moved(extent: Extent, reading: Reading) -> Extent:
    """The extent in code points; -1 stands for an offset inside a character, and fits nowhere."""
    table = reading[1]
    return extent if table is None else (table.get(extent[0], -1), table.get(extent[1], -1))


def locate(text: str, mark: Mark, *, account: Account, place: str) -> Extent | None:
    r"""The code-point offsets of a mark; None, and counted, where nothing fits.

    Offsets are taken as they are where they fit the mark's own text; else as UTF-16 units, or as counted over a text with `\r\n` line
    breaks; else the mark's text is looked up, if it stands in the document exactly once.
    """
    start, end, surface = mark
    if 0 <= start < end <= len(text) and (surface is None or text[start:end] == surface):
        return start, end
    if not surface:
        account.drop("spans outside their text", place)
        return None
    for reading in (
        ("offsets in UTF-16", offset_table(text, utf16=True)),
        ("offsets over CRLF line breaks", offset_table(text, line_break=2)),
    ):
        found = moved((start, end), reading)
        if 0 <= found[0] < found[1] and text[slice(*found)] == surface:
            account.repair(reading[0], place)
            return found
    if text.count(surface) == 1:
        account.repair("offsets that did not fit, found by the span's text", place)
        return text.index(surface), text.index(surface) + len(surface)
    account.drop("spans whose text does not stand at their offsets", place)
    return None


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in white space only, which browsers collapse and exports escape."""
    return "".join(one.replace("\\n", "\n").split()) == "".join(other.replace("\\n", "\n").split())


def best_reading(text: str, marks: Iterable[Mark], *, clusters: bool = False) -> Reading:
    """What the offsets of a document count; code points win a draw.

    A reading is better that fits more of the spans' texts, or, where the file has none, puts more of their ends at the ends of words.
    With `clusters`, they may be graphemes.
    """
    marks = list(marks)
    wide, returns = any(ord(char) > 0xFFFF for char in text), "\r\n" in text
    readings = [CODE_POINTS]
    if marks and wide:
        readings.append(("offsets in UTF-16", offset_table(text, utf16=True)))
    if marks and returns:
        readings.append(("offsets over LF line breaks", offset_table(text, line_break=1)))
    if marks and wide and returns:
        readings.append(("offsets in UTF-16 over LF line breaks", offset_table(text, utf16=True, line_break=1)))
    if marks and clusters and len(table := graphemes(text)) <= len(text):
        readings.append(("offsets in graphemes", table))
    if len(readings) == 1:
        return readings[0]
    words = split_words(text)
    starts, ends = set(words[:, 0].tolist()), set(words[:, 1].tolist())

    def fit(reading: Reading) -> Extent:
        same = edges = 0
        for first, last, surface in marks:
            start, end = moved((first, last), reading)
            if 0 <= start < end <= len(text):
                same += surface is not None and same_words(text[start:end], surface)
                edges += (start in starts) + (end in ends) if surface is None else 0
        return same, edges

    return max(readings, key=fit)


def tokenize(text: str, edges: Iterable[int] = ()) -> list[Extent]:
    """Start and end of every word and of every other character but white space, cut at the edges too, so that spans end with tokens."""
    cuts = set(edges)
    tokens: list[Extent] = []
    at = 0
    for start, end in [*split_words(text).tolist(), (len(text), len(text))]:
        tokens.extend((place, place + 1) for place in range(at, start) if not text[place].isspace())
        tokens.extend(itertools.pairwise([start, *sorted(cut for cut in cuts if start < cut < end), end]))
        at = end
    return [token for token in tokens if token[0] < token[1]]


def touched(span: Span, tokens: Sequence[Extent]) -> range:
    """The numbers of the tokens that a span holds a part of."""
    first = bisect_right(tokens, span.start, key=lambda token: token[1])
    return range(first, bisect_left(tokens, span.end, lo=first, key=lambda token: token[0]))
