"""Which files can be read and written? One module a format; this one finds the right module for a path."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from clashnlp.errors import DataError
from clashnlp.formats import inline, jsonl, plain, table
from clashnlp.formats.plain import Source
from clashnlp.types import Document

# What a reader does with a part of a file that it cannot use. Readers go on with the rest when it returns.
OnError = Callable[[DataError], None]

STANDARD_INPUT = "-"
_READERS: dict[str, Callable[..., Iterator[Document]]] = {
    "text": plain.read,
    "jsonl": jsonl.read,
    "inline": inline.read,
    "csv": table.read_csv,
    "parquet": table.read_parquet,
}
SUFFIXES = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".inline": "inline",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
FORMATS = tuple(_READERS)


def raise_error(error: DataError) -> None:
    """The default for `on_error`: the first problem ends the reading."""
    raise error


def read_documents(
    path: str | Path,
    *,
    format: str | None = None,
    text_column: str = "text",
    annotated: bool = True,
    on_error: OnError = raise_error,
) -> Iterator[Document]:
    """The documents of a file, of a folder's files in the order of their names (subfolders too), or of standard input for "-".

    Args:
        path: .txt (one report a file), .jsonl, .csv, .tsv, .parquet, .inline, or a folder of these.
        format: read the file as this format whatever its name; standard input is text unless told otherwise.
        text_column: the column that holds the reports, for tables, and for JSON Lines that are read without annotations.
        annotated: read the annotations of JSON Lines; without, they are passed over, whatever they hold.
        on_error: called with each problem, which names the file and the line; by default it is raised.

    Raises:
        DataError: through `on_error`.
    """
    if format is not None and format not in _READERS:
        raise DataError(f"there is no format {format!r}; choose one of {', '.join(FORMATS)}")
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise DataError("standard input is closed")
        read = reader(format or "text", text_column=text_column, annotated=annotated, on_error=on_error)
        yield from read(sys.stdin.buffer, Source("standard input", ""))
        return
    for file, kind, name in list_files(Path(path), format=format, on_error=on_error):
        try:
            with file.open("rb") as stream:
                yield from reader(kind, text_column=text_column, annotated=annotated, on_error=on_error)(stream, Source(str(file), name))
        except OSError as error:
            on_error(DataError(f"{file}: {error.strerror or error}"))


def list_files(path: Path, *, format: str | None, on_error: OnError) -> Iterator[tuple[Path, str, str]]:
    """The files of a folder in the order of their names, or the file itself: each with its format and the name for its documents.

    Raises:
        DataError: through `on_error`, where there is no file or no reader for it.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SUFFIXES)
        if not files:
            on_error(DataError(f"{path}: the folder holds no {', '.join(SUFFIXES)} file"))
    else:
        files = [path]
    for file in files:
        kind = format or SUFFIXES.get(file.suffix.lower())
        if kind is None:
            on_error(DataError(f"{file}: no reader for {file.suffix or 'a file without suffix'}; rename it or name its --input-format"))
            continue
        yield file, kind, _text(file.relative_to(path).with_suffix("").as_posix() if path.is_dir() else file.stem)


def _text(name: str) -> str:
    """A file's name as valid Unicode: names are bytes, and may be none."""
    return os.fsencode(name).decode("utf-8", errors="replace")


def reader(kind: str, *, text_column: str, annotated: bool, on_error: OnError) -> Callable[..., Iterator[Document]]:
    """The reader of a format: called with a stream and its `Source`."""
    if kind == "jsonl":
        make = Document.from_dict if annotated else partial(jsonl.report, text_column=text_column)
        return partial(jsonl.read, make=make, on_error=on_error)
    if kind in ("csv", "parquet"):
        return partial(_READERS[kind], text_column=text_column, on_error=on_error)
    return partial(_READERS[kind], on_error=on_error)
