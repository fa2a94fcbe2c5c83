"""Plain text: one report a file, in UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from clashnlp.errors import DataError
from clashnlp.types import Document


def accept(document: Document) -> None:
    """Refuses nothing."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader is told of what it reads.

    Attributes:
        place: how problems name it.
        name: how documents without an id are named, together with their line or row.
        skipped: lines (or rows of a Parquet file) that are left out before the first one that is read; they count in line numbers.
        rows: rows to read of a Parquet file; None reads all.
        longest: characters that a field of a CSV file may have.
        check: called with each document; refuses it by a DataError, to which the reader adds the line.
    """

    place: str
    name: str
    skipped: int = 0
    rows: int | None = None
    longest: int = 2**31 - 1
    check: Callable[[Document], None] = accept


def read(stream: BinaryIO, source: Source, *, on_error: Callable[[DataError], None]) -> Iterator[Document]:
    """The file's text as one document whose id is the file's name."""
    try:
        document = Document(decode(stream.read(), source.place), id=source.name)
        source.check(document)
    except DataError as error:
        on_error(error if str(error).startswith(source.place) else DataError(f"{source.place}: {error}"))
    else:
        yield document


def decode(data: bytes, place: str) -> str:
    """The text of bytes in UTF-8, with or without a byte order mark; line ends stay as they are, since offsets count them.

    Raises:
        DataError: the bytes are binary or of another encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{place}: is UTF-16, not UTF-8; convert it, for example with: iconv -f UTF-16 -t UTF-8")
    if b"\0" in data:
        raise DataError(f"{place}: holds a zero byte at {data.index(0)}, so it is a binary file and not a text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{place}: is not UTF-8 (byte 0x{data[error.start]:02x} at {error.start}); "
            "convert it, for example with: iconv -f WINDOWS-1256 -t UTF-8"
        ) from None
