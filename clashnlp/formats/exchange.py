"""What do readers and writers of annotation tools' formats share? Offsets that are checked, and an account of what was used and lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clashnlp.types import Document, Relation, Span

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


def locate(text: str, extent: tuple[int, int], surface: str | None, *, account: Account, place: str) -> tuple[int, int] | None:
    r"""The code-point offsets of a span whose file gives these offsets and perhaps its surface text; None, and counted, where nothing fits.

    Offsets are taken as they are where they fit the surface; else as UTF-16 units, or as counted over a text with `\r\n` line breaks; else
    the surface is looked up, if it stands in the text exactly once.
    """
    start, end = extent
    if 0 <= start < end <= len(text) and (surface is None or text[start:end] == surface):
        return start, end
    if surface:
        readings = {"offsets in UTF-16": _from_utf16(text, start, end), "offsets over CRLF line breaks": _from_crlf(text, start, end)}
        for what, moved in readings.items():
            if moved is not None and text[moved[0] : moved[1]] == surface:
                account.repair(what, place)
                return moved
        if text.count(surface) == 1:
            account.repair("offsets that did not fit, found by the span's text", place)
            found = text.index(surface)
            return found, found + len(surface)
        account.drop("spans whose text does not stand at their offsets", place)
    else:
        account.drop("spans outside their text", place)
    return None


def utf16_offsets(text: str) -> list[int]:
    """The UTF-16 offset of every code point of the text, and of its end."""
    offsets = [0]
    for char in text:
        offsets.append(offsets[-1] + (2 if ord(char) > 0xFFFF else 1))
    return offsets


def _from_utf16(text: str, start: int, end: int) -> tuple[int, int] | None:
    places = {offset: at for at, offset in enumerate(utf16_offsets(text))}
    return (places[start], places[end]) if start in places and end in places else None


def _from_crlf(text: str, start: int, end: int) -> tuple[int, int] | None:
    def moved(place: int) -> int:
        at = counted = 0
        while at < len(text) and counted < place:
            counted += 2 if text[at] == "\n" else 1
            at += 1
        return at

    return (moved(start), moved(end)) if "\n" in text and start < end else None


def ordered(spans: Iterable[Span]) -> list[Span]:
    """The spans in the order of the text, outer ones first."""
    return sorted(spans, key=lambda span: (span.start, -span.end, span.label))


def build(
    row_id: str | int, text: str, spans: Iterable[Span], relations: Iterable[tuple[str, str, str]], account: Account, **options: object
) -> Document:
    """A counted document from its spans and its relations as head id, tail id and label.

    Relations of absent spans are dropped and counted.
    """
    kept = ordered(spans)
    by_id = {span.id: span for span in kept}
    links = []
    for head, tail, label in relations:
        if head in by_id and tail in by_id:
            links.append(Relation(by_id[head], by_id[tail], label))
        else:
            account.drop("relations of a span that is not there", f"{row_id}/{head}-{tail}")
    return account.use(Document(text=text, id=row_id, spans=tuple(kept), relations=tuple(links), **options))  # type: ignore[arg-type]
