"""Plain text: one report a file, in UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import BinaryIO

from clashnlp.errors import DataError
from clashnlp.types import Document


def read(stream: BinaryIO, place: str, name: str, *, on_error: Callable[[DataError], None]) -> Iterator[Document]:
    """The file's text as one document whose id is the file's name."""
    try:
        yield Document(decode(stream.read(), place), id=name)
    except DataError as error:
        on_error(error)


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
