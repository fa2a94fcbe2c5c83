"""Tables: one report a row, in CSV, TSV or Parquet. Columns other than text, id and lang are kept as meta data."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from clashnlp.errors import DataError, MissingDependencyError
from clashnlp.formats.plain import decode
from clashnlp.types import Document, identity


def read_csv(
    stream: BinaryIO, place: str, name: str, *, text_column: str = "text", on_error: Callable[[DataError], None]
) -> Iterator[Document]:
    """The rows of a CSV or TSV file with a header line."""
    # A report may be longer than the 128 KiB that the csv module takes for a field by default.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    # Bytes that are no UTF-8 become halves of surrogate pairs, so that their row is refused and not the file.
    lines = (line.decode("utf-8", errors="surrogateescape") for line in stream)
    try:
        header = decode(next(stream, b""), f"{place}:1")
        delimiter = "\t" if header.count("\t") > header.count(",") else ","
        reader = csv.reader(_chain(header, lines), delimiter=delimiter, strict=True)
        columns = next(reader, [])
        _check_columns(place, text_column, columns)
        for row in reader:
            at = f"{place}:{reader.line_num}"
            if not row:
                continue
            if len(row) != len(columns):
                fields = f"{len(row)} fields, the header {len(columns)}"
                on_error(DataError(f"{at}: the row has {fields}; quote fields that hold a {delimiter!r}"))
                continue
            yield from _document(dict(zip(columns, row, strict=True)), at, f"{name}-{reader.line_num}", text_column, on_error)
    except csv.Error as error:
        on_error(DataError(f"{place}: broken CSV ({error}); the rows from there on were not read"))
    except DataError as error:
        on_error(error)


def read_parquet(
    stream: BinaryIO, place: str, name: str, *, text_column: str = "text", on_error: Callable[[DataError], None]
) -> Iterator[Document]:
    """The rows of a Parquet file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        remedy = "Parquet files need pyarrow; install it with: pip install 'clashnlp[parquet]'"
        raise MissingDependencyError(remedy, name=error.name) from error
    try:
        # Standard input cannot be searched, and Parquet keeps its index at the end.
        file = pyarrow.parquet.ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read()))
        _check_columns(place, text_column, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield from _document(row, f"{place}:{number}", f"{name}-{number}", text_column, on_error)
    except pyarrow.ArrowException as error:
        on_error(DataError(f"{place}: broken Parquet file ({error})"))
    except DataError as error:
        on_error(error)


def _document(row: Mapping[str, Any], at: str, name: str, text_column: str, on_error: Callable[[DataError], None]) -> Iterator[Document]:
    text = row[text_column]
    given = row.get("id")
    try:
        if not isinstance(text, str):
            raise DataError(f"column {text_column!r} holds {text!r:.60}, not a text")
        document = Document(
            text=text,
            id=name if given in (None, "") else identity(given),
            lang=str(row["lang"]) if row.get("lang") else None,
            meta={key: value for key, value in row.items() if key not in (text_column, "id", "lang")},
        )
    except DataError as error:
        on_error(DataError(f"{at}: {error}"))
    else:
        yield document


def _chain(header: str, lines: Iterator[str]) -> Iterator[str]:
    yield header
    yield from lines


def _check_columns(place: str, text_column: str, columns: list[str]) -> None:
    if not columns:
        raise DataError(f"{place}: is empty, it needs a header line with a column {text_column!r}")
    if text_column not in columns:
        raise DataError(f"{place}: there is no column {text_column!r}; name one with --text-column: {', '.join(columns)}")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise DataError(f"{place}: the header names a column twice: {', '.join(twice)}; rename one of each")
