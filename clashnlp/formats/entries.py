"""Documents with the place where each stands: its file, and for JSON Lines its line as it was written."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clashnlp.errors import DataError
from clashnlp.formats import jsonl, read_documents, sources
from clashnlp.formats.plain import Source
from clashnlp.types import Document


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of a file; `line` counts from 1, and `row` is that line without its end. Both are None for other formats."""

    document: Document
    file: str
    line: int | None = None
    row: bytes | None = None


def read_entries(
    paths: Iterable[str], *, format: str | None = None, rows: bool = False, on_error: Callable[[str, DataError], None]
) -> Iterator[Entry]:
    """The documents of files and folders, in order; `rows` keeps the lines. `on_error` gets the file and the problem."""
    for path in paths:
        for file, kind in sources(path, format=format, on_error=lambda error, path=path: on_error(path, error)):  # type: ignore[misc]
            name = str(file)

            def refuse(error: DataError, name: str = name) -> None:
                on_error(name, error)

            if kind != "jsonl":
                yield from (Entry(document, name) for document in read_documents(file, format=kind, on_error=refuse))
                continue
            try:
                with file.open("rb") as stream:
                    lines = _Lines(stream)
                    for document in jsonl.read(lines, Source(name, file.stem), on_error=refuse):
                        yield Entry(document, name, lines.number, lines.last.rstrip(b"\r\n") if rows else None)
            except OSError as error:
                refuse(DataError(f"{file}: {error.strerror or error}"))


class _Lines:
    """The lines of a stream; remembers the last one that was given out."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream
        self.number = 0
        self.last = b""

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self.number += 1
            self.last = line.removeprefix(codecs.BOM_UTF8)
            yield line
