"""Which rows belong to which shard? A shard is so many rows that follow each other in the input, whether they can be used or not."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from clashnlp.errors import DataError
from clashnlp.formats import STANDARD_INPUT, jsonl, name_of, report_sources, table

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a job is to do with each report; all of it shapes the output, so it must be the same when the job is taken up again.

    Attributes:
        shard_size: input rows of a shard.
        format: one of `clashnlp.output.OUTPUT_FORMATS`.
        published: the day of reports that bear no date, YYYY-MM-DD.
        text_column: the column or key that holds the reports.
        input_format: the format of all inputs, whatever their names.
        batch_tokens: tokens that the encoder reads at once.
        max_characters: longer reports are rejected.
    """

    shard_size: int
    format: str
    published: str | None
    text_column: str
    input_format: str | None
    batch_tokens: int
    max_characters: int

    @property
    def longest(self) -> int:
        """Bytes of a line, and characters of a field, beyond which nothing of it is kept: six of JSON may stand for one."""
        return 8 * self.max_characters + _BLOCK


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one file that follow each other.

    Attributes:
        file: the file.
        kind: its format.
        name: how its documents without an id are named.
        head: bytes of the header, which is read before the rows.
        skipped: lines between the header and the rows; rows before them in a Parquet file.
        start, end: where the rows begin and end, in bytes; in a Parquet file, their numbers.
        rows: how many there are.
    """

    file: str
    kind: str
    name: str
    head: int
    skipped: int
    start: int
    end: int
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The shards of a job, and what tells whether its inputs are still the same: size and digest of each."""

    inputs: list[dict[str, Any]]
    shards: list[list[Slice]]

    def rows(self, number: int) -> int:
        """The rows of a shard."""
        return sum(part.rows for part in self.shards[number])


def make_plan(inputs: Sequence[str], settings: Settings) -> Plan:
    """The plan for all rows of the inputs, which are read once in full; no row is held.

    Raises:
        DataError: an input is not there, cannot be read twice or piece by piece.
    """
    found: list[dict[str, Any]] = []
    shards: list[list[Slice]] = []
    room = 0
    for given in inputs:
        if given == STANDARD_INPUT:
            raise DataError("a job reads its input more than once, so it cannot be standard input; write it to a file first")
        if not Path(given).exists():
            raise DataError(f"there is no file or folder {given}")
        digest, size = hashlib.sha256(), 0
        for file, kind in report_sources(Path(given), format=settings.input_format):
            if kind not in _ROWS:
                raise DataError(f"{file}: a job reads {', '.join(_ROWS)}, not {kind}; `clashnlp predict` without --output-dir reads it")
            name = name_of(file, Path(given))
            size += file.stat().st_size
            digest.update(f"{name}\0{file_digest(file)}\n".encode())
            for head, skipped, start, end in _rows(file, kind, settings):
                if room == 0:
                    shards.append([])
                    room = settings.shard_size
                room -= 1
                last = shards[-1][-1] if shards[-1] else None
                if last is None or last.file != str(file):
                    shards[-1].append(Slice(str(file), kind, name, head, skipped, start, end, 1))
                else:
                    shards[-1][-1] = Slice(last.file, kind, name, head, last.skipped, last.start, end, last.rows + 1)
        found.append({"path": given, "bytes": size, "sha256": digest.hexdigest()})
    return Plan(found, shards)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def lines(stream: BinaryIO, longest: int) -> Iterator[tuple[bytes, int]]:
    """Each line, cut off behind `longest` bytes, and the bytes that it takes in the file: more than it has where it was cut."""
    while line := stream.readline(longest):
        size = len(line)
        rest = line
        while len(rest) > 0 and not rest.endswith(b"\n"):
            rest = stream.readline(_BLOCK)
            size += len(rest)
        yield line, size


# Each row of a file, as (head, skipped, start, end) of a slice. Nothing of a row is looked at that its bounds do not depend on.
Rows = Iterator[tuple[int, int, int, int]]


def _rows(file: Path, kind: str, settings: Settings) -> Rows:
    with file.open("rb") as stream:
        yield from _ROWS[kind](stream, file, settings)


def _text_rows(stream: BinaryIO, file: Path, settings: Settings) -> Rows:
    yield 0, 0, 0, file.stat().st_size


def _jsonl_rows(stream: BinaryIO, file: Path, settings: Settings) -> Rows:
    position = 0
    for number, (line, size) in enumerate(lines(stream, settings.longest)):
        if size > len(line) or not jsonl.blank(line):
            yield 0, number, position, position + size
        position += size


def _csv_rows(stream: BinaryIO, file: Path, settings: Settings) -> Rows:
    position = 0

    def counted() -> Iterator[bytes]:
        nonlocal position
        for line, size in lines(stream, settings.longest):
            position += size
            if size > len(line):
                raise csv.Error("line too long")
            yield line

    head = skipped = start = 0
    try:
        _, reader = table.open_csv(counted(), str(file), text_column=settings.text_column, longest=settings.longest)
        head = start = position
        before = reader.line_num
        for row in reader:
            if row:
                yield head, skipped, start, position
            skipped, start = reader.line_num - before, position
    except (DataError, csv.Error):
        # What the reader will refuse with all that follows is one row.
        yield head, skipped, start, file.stat().st_size


def _parquet_rows(stream: BinaryIO, file: Path, settings: Settings) -> Rows:
    try:
        rows = table.open_parquet(stream, str(file), text_column=settings.text_column).metadata.num_rows
    except DataError:
        rows = 1  # The refusal of the file.
    yield from ((0, row, row, row + 1) for row in range(rows))


_ROWS = {"text": _text_rows, "jsonl": _jsonl_rows, "csv": _csv_rows, "parquet": _parquet_rows}
