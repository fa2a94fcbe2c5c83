"""Tables: one report a row, in CSV, TSV or Parquet. Columns other than text, id and lang are kept as meta data."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from clashnlp.errors import DataError, MissingDependencyError
from clashnlp.formats.plain import Source, decode
from clashnlp.types import Document, identity


def read_csv(
    stream: Iterable[bytes], source: Source, *, text_column: str = "text", on_error: Callable[[DataError], None]
) -> Iterator[Document]:
    """The rows of a CSV or TSV file with a header line, behind which the lines that the source skips are left out."""
    place, number = source.place, source.skipped + 1
    try:
        columns, reader = open_csv(stream, place, text_column=text_column, longest=source.longest)
        for row in reader:
            number = reader.line_num + source.skipped
            if not row:
                continue
            if len(row) != len(columns):
                fields = f"{len(row)} fields, the header {len(columns)}"
                on_error(DataError(f"{place}:{number}: the row has {fields}; quote fields that hold a {reader.dialect.delimiter!r}"))
                continue
            yield from _document(dict(zip(columns, row, strict=True)), number, source, text_column, on_error)
    except csv.Error as error:
        on_error(DataError(f"{place}: broken CSV behind line {number} ({error}); the rows from there on were not read"))
    except DataError as error:
        on_error(error)


def open_csv(stream: Iterable[bytes], place: str, *, text_column: str, longest: int) -> tuple[list[str], Any]:
    """The columns, and the csv reader that stands behind them.

    Raises:
        DataError: the header is not one of reports.
        csv.Error: the header is broken.
    """
    # A report may be longer than the 128 KiB that the csv module takes for a field by default.
    csv.field_size_limit(min(sys.maxsize, longest))
    lines = iter(stream)
    header = decode(next(lines, b""), f"{place}:1")
    # Spreadsheets write semicolons where the comma is the decimal sign, in Turkey for one.
    delimiter = max(",\t;", key=header.count)
    # Bytes that are no UTF-8 become halves of surrogate pairs, so that their row is refused and not the file.
    texts = (line.decode("utf-8", errors="surrogateescape") for line in lines)
    reader = csv.reader(_chain(header, texts), delimiter=delimiter, strict=True)
    columns = next(reader, [])
    _check_columns(place, text_column, columns)
    return columns, reader


def read_parquet(
    stream: BinaryIO, source: Source, *, text_column: str = "text", on_error: Callable[[DataError], None]
) -> Iterator[Document]:
    """The rows of a Parquet file, or those of them that the source names."""
    place = source.place
    try:
        file = open_parquet(stream, place, text_column=text_column)
    except DataError as error:
        on_error(error)
        return
    import pyarrow

    try:
        number = 0
        groups: list[int] = []
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if not groups and number + size <= source.skipped:
                number += size
            else:
                groups.append(group)
        last = file.metadata.num_rows if source.rows is None else source.skipped + source.rows
        for batch in file.iter_batches(batch_size=256, row_groups=groups):
            wanted = batch.slice(max(source.skipped - number, 0))
            number += len(batch) - len(wanted)
            for row in wanted.to_pylist():
                number += 1
                yield from _document(row, number, source, text_column, on_error)
                if number == last:
                    return
    except (pyarrow.ArrowException, OSError) as error:
        on_error(DataError(f"{place}: broken Parquet file ({error})"))


def open_parquet(stream: BinaryIO, place: str, *, text_column: str) -> Any:
    """The Parquet file.

    Raises:
        DataError: it is broken, or has no column of that name.
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        remedy = "Parquet files need pyarrow; install it with: pip install 'clashnlp[parquet]'"
        raise MissingDependencyError(remedy, name=error.name) from error
    # Standard input cannot be searched, and Parquet keeps its index at the end.
    try:
        file = ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read()))
    except (ArrowException, OSError) as error:
        raise DataError(f"{place}: broken Parquet file ({error})") from None
    _check_columns(place, text_column, file.schema_arrow.names)
    return file


def _document(
    row: Mapping[str, Any], number: int, source: Source, text_column: str, on_error: Callable[[DataError], None]
) -> Iterator[Document]:
    text = row[text_column]
    given = identity(row.get("id"))
    try:
        if not isinstance(text, str):
            raise DataError(f"column {text_column!r} holds {text!r:.60}, not a text")
        document = Document(
            text=text,
            id=f"{source.name}-{number}" if given == "" else given,
            lang=str(row["lang"]) if row.get("lang") else None,
            meta={key: value for key, value in row.items() if key not in (text_column, "id", "lang")},
        )
        source.check(document)
    except DataError as error:
        on_error(DataError(f"{source.place}:{number}: {error}"))
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
