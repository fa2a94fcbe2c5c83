"""Which files can be read and written? One module a format; this one finds the right module for a path."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from clashnlp.errors import DataError
from clashnlp.formats import brat, cas, conll, docbin, doccano, inline, jsonl, labelstudio, plain, prodigy, table, webanno
from clashnlp.formats.exchange import Account, OnError
from clashnlp.formats.guess import SUFFIXES, TOOL_SUFFIXES, files_of, format_of, format_of_folder
from clashnlp.formats.plain import Source
from clashnlp.types import Document

__all__ = [
    "FORMATS",
    "READERS",
    "SUFFIXES",
    "WRITERS",
    "Account",
    "OnError",
    "name_of",
    "raise_error",
    "read",
    "read_documents",
    "reader",
    "report_sources",
    "sources",
    "write",
]

STANDARD_INPUT = "-"
# Readers of a stream: the documents of one file.
_STREAMS: dict[str, Callable[..., Iterator[Document]]] = {
    "text": plain.read,
    "jsonl": jsonl.read,
    "inline": inline.read,
    "csv": table.read_csv,
    "parquet": table.read_parquet,
}
# Readers of a path, which may be a folder or a zip.
_TOOLS: dict[str, Callable[..., Iterator[Document]]] = {
    "labelstudio": labelstudio.read,
    "doccano": doccano.read,
    "prodigy": prodigy.read,
    "brat": brat.read,
    "webanno": webanno.read,
    "cas": cas.read,
    "docbin": docbin.read,
    "conll": conll.read,
}
READERS = _STREAMS | _TOOLS
WRITERS: dict[str, Callable[..., Account]] = {
    "jsonl": jsonl.write_all,
    "inline": inline.write_all,
    "labelstudio": labelstudio.write,
    "doccano": doccano.write,
    "prodigy": prodigy.write,
    "brat": brat.write,
    "webanno": webanno.write,
    "cas": cas.write,
    "docbin": docbin.write,
    "conll": conll.write,
}
FORMATS = tuple(READERS)


def raise_error(error: DataError) -> None:
    """The default for `on_error`: the first problem ends the reading."""
    raise error


def read(
    path: str | Path, *, format: str | None = None, account: Account | None = None, on_error: OnError = raise_error, **options: Any
) -> Iterator[Document]:
    """The annotated documents of a file or folder, in any of FORMATS.

    Args:
        path: the file or folder.
        format: its format, where the suffix and the beginning of the file do not tell.
        account: is told what was used, repaired and dropped, with the ids; without one, a warning says what was dropped.
        on_error: called with each problem, which names the file and the line; by default it is raised.
        **options: what the reader of the format takes further, such as `predictions=True` for Label Studio.

    Raises:
        DataError: through `on_error`.
    """
    for file, kind in sources(path, format=format, on_error=on_error):
        yield from _read(file, Path(path), partial(READERS[kind], on_error=on_error, **options), account)


def sources(path: str | Path, *, format: str | None = None, on_error: OnError = raise_error) -> Iterator[tuple[Path, str]]:
    """What `read` reads one by one, with its format: the path, or the files of a folder whose files are of several formats.

    Raises:
        DataError: through `on_error`.
    """
    path, given = Path(path), _checked(format)

    def told(file: Path) -> str | None:
        try:
            return given or (format_of_folder(file) if file.is_dir() else format_of(file))
        except OSError as error:
            on_error(DataError(f"{error.filename}: {error.strerror or error}"))
            return ""

    if path.is_dir() and (given in _STREAMS or not told(path)):
        files = [file for file in files_of(path) if given is None or file.suffix.lower() in SUFFIXES]
        if not files:
            on_error(DataError(f"{path}: the folder holds no {', '.join([*SUFFIXES, *TOOL_SUFFIXES])} file"))
        yield from ((file, kind) for file in files if (kind := told(file)))
    elif kind := told(path):
        yield path, kind
    elif kind is None:
        unknown = path.suffix or "a file without suffix"
        remedy = "unpack it" if path.suffix.lower() == ".zip" else "rename it"
        on_error(DataError(f"{path}: no reader for {unknown}; {remedy}, or name its format with --input-format: {', '.join(FORMATS)}"))


def write(documents: Iterable[Document], path: str | Path, *, format: str | None = None, **options: Any) -> Account:
    """What was written, and what of the documents the format could not hold; the file or folder is whole or absent.

    Args:
        documents: the documents.
        path: the file; for brat, WebAnno TSV and UIMA CAS a folder or `.zip`, or for one document a file.
        format: one of WRITERS, where the path's suffix does not tell.
        **options: what the writer of the format takes further.

    Raises:
        DataError: the format cannot be told, or written.
    """
    return WRITERS[format_to_write(path, format)](documents, Path(path), **options)


def format_to_write(path: str | Path, format: str | None = None) -> str:
    """The format that is given, or that the path's suffix names.

    Raises:
        DataError: there is none.
    """
    suffix = Path(path).suffix.lower()
    kind = format or {**SUFFIXES, **TOOL_SUFFIXES, ".tsv": "webanno"}.get(suffix)
    if kind not in WRITERS:
        why = f"there is no writer for {kind}" if kind else f"{suffix or 'no suffix'} may be several formats"
        raise DataError(f"{path}: {why}; name one of {', '.join(WRITERS)}")
    return kind


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
        path: a file of any of FORMATS, or a folder of these.
        format: read the file as this format whatever its name; standard input is text unless told otherwise.
        text_column: the column that holds the reports, for tables, and for JSON Lines that are read without annotations.
        annotated: read annotations; without, those of JSON Lines are passed over, whatever they hold, and folders are searched for
            reports and not for exports of annotation tools.
        on_error: called with each problem, which names the file and the line; by default it is raised.

    Raises:
        DataError: through `on_error`.
    """
    kind = _checked(format)
    reader_of = partial(reader, text_column=text_column, annotated=annotated, on_error=on_error)
    if str(path) == STANDARD_INPUT:
        if sys.stdin is None:
            raise DataError("standard input is closed")
        if kind in _TOOLS:
            raise DataError(f"standard input cannot be read as {kind}; name a file")
        yield from reader_of(kind or "text")(sys.stdin.buffer, Source("standard input", ""))
        return
    path = Path(path)
    found = (sources if annotated else report_sources)(path, format=kind, on_error=on_error)
    for file, each in found:
        yield from _read(file, path, reader_of(each))


def reader(kind: str, *, text_column: str, annotated: bool, on_error: OnError) -> partial[Iterator[Document]]:
    """The reader of a format, with the options of `read_documents`: called with a stream and its `Source`; a tool's, with a path."""
    options: dict[str, Any] = {"text_column": text_column} if kind in ("csv", "parquet") else {}
    if kind == "jsonl" and not annotated:
        options["make"] = partial(jsonl.report, text_column=text_column)
    return partial(READERS[kind], on_error=on_error, **options)


def report_sources(path: Path, *, format: str | None = None, on_error: OnError = raise_error) -> Iterator[tuple[Path, str]]:
    """The files that hold reports to predict, with their formats, whether somebody annotated them or not.

    Raises:
        DataError: through `on_error`.
    """
    if format in _TOOLS or not path.is_dir():
        yield from sources(path, format=format or SUFFIXES.get(path.suffix.lower()), on_error=on_error)
        return
    files = [file for file in files_of(path) if file.suffix.lower() in SUFFIXES]
    if not files:
        on_error(DataError(f"{path}: the folder holds no {', '.join(SUFFIXES)} file"))
    yield from ((file, format or SUFFIXES[file.suffix.lower()]) for file in files)


def _checked(format: str | None) -> str | None:
    if format is not None and format not in READERS:
        raise DataError(f"there is no format {format!r}; choose one of {', '.join(FORMATS)}")
    return format


def _read(file: Path, root: Path, reader: partial[Iterator[Document]], account: Account | None = None) -> Iterator[Document]:
    """The documents of a source, counted; where nobody holds an account, a warning says what was dropped."""
    own = Account() if account is None else account
    on_error = reader.keywords["on_error"]
    if reader.func in _TOOLS.values():
        yield from reader(file, account=own)
    else:
        try:
            with file.open("rb") as stream:
                yield from map(own.use, reader(stream, Source(str(file), name_of(file, root))))
        except OSError as error:
            on_error(DataError(f"{file}: {error.strerror or error}"))
    if account is None and own.dropped:
        logging.getLogger(__name__).warning("%s: %s", file, own)


def name_of(file: Path, path: Path) -> str:
    """What a file's documents without an id are called after, as valid Unicode: names of files are bytes, and may be none."""
    name = file.stem if file == path else file.relative_to(path).with_suffix("").as_posix()
    return os.fsencode(name).decode("utf-8", errors="replace")
