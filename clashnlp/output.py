"""How is what was found written? Spans and relations as JSON Lines, or the clash records in the shape that was asked for."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from clashnlp.errors import MissingDependencyError
from clashnlp.formats import jsonl
from clashnlp.records import read
from clashnlp.rows import SHAPES, cells, full, geojson
from clashnlp.types import Analysis, ClashRecord, Document

OUTPUT_FORMATS = ("jsonl", "records", "acled", "ucdp", "geojson", "csv", "parquet")
Pairs = Iterator[tuple[ClashRecord, Document]]


def write(analyses: Iterable[Analysis], out: IO[bytes], *, format: str, published: datetime.date | None = None) -> int:
    """How many reports were read and written, in one of OUTPUT_FORMATS.

    `jsonl` is a line a report; the others are a row, line or feature a clash record: `records` all of it with its evidence (JSON Lines),
    `acled` and `ucdp` CSV with these columns, `csv` and `parquet` the wide row of `clashnlp.rows`, `geojson` one FeatureCollection. CSV is
    UTF-8, and no cell of it runs as a formula.

    Args:
        analyses: the reports.
        out: a file to write to.
        format: one of OUTPUT_FORMATS.
        published: the day of reports that bear no date.

    Raises:
        MissingDependencyError: Parquet is asked for, and pyarrow is not installed.
    """
    done = 0

    def counted() -> Iterator[Analysis]:
        nonlocal done
        for analysis in analyses:
            done += 1
            yield analysis

    if format == "jsonl":
        for analysis in counted():
            out.write(jsonl.write(analysis).encode())
        return done
    pairs = ((record, analysis) for analysis in counted() for record in read(analysis, published=published))
    _WRITERS[format](pairs, out)
    return done


def _records(pairs: Pairs, out: IO[bytes]) -> None:
    for record, document in pairs:
        out.write((json.dumps(full(record, document), ensure_ascii=False) + "\n").encode())


def _geojson(pairs: Pairs, out: IO[bytes]) -> None:
    out.write((json.dumps(geojson(pairs), ensure_ascii=False, indent=1) + "\n").encode())


def _table(shape: str) -> Callable[[Pairs, IO[bytes]], None]:
    def write_table(pairs: Pairs, out: IO[bytes]) -> None:
        text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
        writer = csv.DictWriter(text, _columns(shape))
        writer.writeheader()
        for record, document in pairs:
            writer.writerow(cells(SHAPES[shape](record, document)))
        text.detach()  # The file is the caller's to close.

    return write_table


def _columns(shape: str) -> list[str]:
    empty = ClashRecord(document="", number=0, sides=())
    return list(SHAPES[shape](empty, Document("")))


def _parquet(pairs: Pairs, out: IO[bytes]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingDependencyError("Parquet needs pyarrow; install it with: pip install clashnlp[parquet]") from None
    names = _columns("wide")
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(_type(name))) for name in names])
    with parquet.ParquetWriter(out, schema) as writer:
        batch: list[dict[str, Any]] = []
        for record, document in pairs:
            batch.append({**SHAPES["wide"](record, document), "document": str(document.id)})
            if len(batch) == 10_000:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
                batch = []
        writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))


def _type(name: str) -> str:
    if name in ("latitude", "longitude", "score"):
        return "double"
    if name == "denied":
        return "bool"
    counts = ("killed", "wounded", "captured", "missing")
    return "int64" if name.startswith(counts) else "string"


_WRITERS: dict[str, Callable[[Pairs, IO[bytes]], None]] = {
    "records": _records,
    "geojson": _geojson,
    "parquet": _parquet,
    "acled": _table("acled"),
    "ucdp": _table("ucdp"),
    "csv": _table("wide"),
}
