"""What does a shard hold? The analyses of its rows, and beside it the rows that could not be used, each with its reason."""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from clashnlp.errors import DataError
from clashnlp.formats import reader
from clashnlp.formats.plain import Source
from clashnlp.formats.storage import written_whole
from clashnlp.jobs.plan import Settings, Slice, file_digest, lines
from clashnlp.model import ClashModel
from clashnlp.output import write
from clashnlp.types import Analysis, Document

_SUFFIXES = {"acled": ".csv", "ucdp": ".csv", "csv": ".csv", "geojson": ".geojson", "parquet": ".parquet"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a shard's rows: `documents` were read, `rejected` were not.

    `size` and `sha256` are those of the shard's file, `ids` are digests of the documents' ids, 8 bytes each.
    """

    number: int
    documents: int
    rejected: int
    size: int
    sha256: str
    ids: bytes


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard to run: the folder that it belongs to, its number, where its rows stand and what to do with them."""

    folder: Path
    number: int
    parts: list[Slice]
    settings: Settings

    @property
    def path(self) -> Path:
        """The file of the shard."""
        return self.folder / f"shard-{self.number:05d}{_SUFFIXES.get(self.settings.format, '.jsonl')}"

    def run(self, model: ClashModel, done: Callable[[int], object] = lambda _: None) -> Outcome:
        """Predicts and writes the shard. Equal rows, settings and models give equal bytes, whatever ran before.

        Args:
            model: the model.
            done: called with numbers of rows that are done.

        Raises:
            DataError: a file is not the one that the plan was made of.
        """
        settings = self.settings
        rejected: list[dict[str, Any]] = []
        ids = bytearray()

        def documents() -> Iterator[Document]:
            for document in self.documents(rejected.append):
                ids.extend(_id_digest(document))
                yield document

        def counted(analyses: Iterable[Analysis]) -> Iterator[Analysis]:
            for analysis in analyses:
                yield analysis
                done(1)

        published = None if settings.published is None else datetime.date.fromisoformat(settings.published)
        with written_whole(self.path) as out:
            analyses = counted(model.predict_many(documents(), batch_tokens=settings.batch_tokens))
            written = write(analyses, out, format=settings.format, published=published)
        if rejected:
            with written_whole(self.folder / f"rejects-{self.number:05d}.jsonl") as out:
                out.writelines((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", errors="replace") for row in rejected)
        refused = sum(row.get("rows", 1) for row in rejected)
        done(refused)
        return Outcome(self.number, written, refused, self.path.stat().st_size, file_digest(self.path), bytes(ids))

    def documents(self, reject: Callable[[dict[str, Any]], None]) -> Iterator[Document]:
        """The documents of the shard; `reject` is called with file, line and reason of each row that is none.

        Raises:
            DataError: a file is not the one that the plan was made of.
        """
        for part in self.parts:
            errors: list[DataError] = []
            count = 0
            for document in _read_slice(part, self.settings, errors.append):
                count += 1
                yield document
            refused = [_rejected(error, part.file) for error in errors]
            missing = part.rows - count - len(refused)
            if missing < 0 or (missing and not refused):
                raise DataError(f"{part.file}: was changed while the job ran; put it back as it was, or start in another folder")
            if missing:
                # A break in the file hides the rows behind it.
                refused[-1]["rows"] = missing + 1
            for row in refused:
                reject(row)


def _id_digest(document: Document) -> bytes:
    """Eight bytes that stand for a document's id; among a hundred million ids, two share them with a probability of 3 in 10,000."""
    return hashlib.blake2b(repr(document.id).encode("utf-8", errors="replace"), digest_size=8).digest()


def _read_slice(part: Slice, settings: Settings, on_error: Callable[[DataError], None]) -> Iterator[Document]:
    def check(document: Document) -> None:
        if not document.text.strip():
            raise DataError("the report holds no text")
        if len(document.text) > settings.max_characters:
            raise DataError(f"the report has {len(document.text)} characters, more than --max-characters {settings.max_characters}")

    source = Source(part.file, part.name, skipped=part.skipped, rows=part.rows, longest=settings.longest, check=check)
    read = reader(part.kind, text_column=settings.text_column, annotated=False, on_error=on_error)
    if part.kind == "text" and part.end > settings.longest:
        on_error(DataError(f"{part.file}: the report has {part.end} bytes, more than {settings.longest}"))
        return
    with Path(part.file).open("rb") as stream:
        if part.kind in ("jsonl", "csv"):
            head = io.BytesIO(stream.read(part.head))
            stream.seek(part.start)
            yield from read(itertools.chain(head, _lines_until(stream, part, settings.longest, on_error)), source)
        else:
            yield from read(stream, source)


def _lines_until(stream: BinaryIO, part: Slice, longest: int, on_error: Callable[[DataError], None]) -> Iterator[bytes]:
    position = part.start
    for number, (line, size) in enumerate(lines(stream, longest), start=part.skipped + 1):
        position += size
        if size == len(line):
            yield line
        elif part.kind == "csv":
            raise csv.Error(f"a line of more than {longest} bytes")
        else:
            on_error(DataError(f"{part.file}:{number}: the line has {size} bytes, more than {longest}"))
            yield b"\n"
        if position >= part.end:
            return


def _rejected(error: DataError, file: str) -> dict[str, Any]:
    """The row of a reader's problem, which begins with the file's name and the line."""
    place, _, reason = str(error).removeprefix(file).partition(": ")
    row: dict[str, Any] = {"file": file}
    if place.startswith(":"):
        row["line"] = int(place[1:])
    row["reason"] = reason
    return row
