"""JSON Lines: one document a line, in the form of the annotation guidelines. Other keys are kept as the document's meta data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from clashnlp.errors import DataError
from clashnlp.formats.exchange import Account, OnError
from clashnlp.formats.plain import Source, decode
from clashnlp.formats.storage import write_text
from clashnlp.types import Document

ANNOTATION_KEYS = ("spans", "relations", "labels")
_BLANK = re.compile(rb"(\xef\xbb\xbf)?\s*\Z")


def blank(line: bytes) -> bool:
    """Whether nothing stands on the line, so that it is no row."""
    return _BLANK.match(line) is not None


def read(
    stream: Iterable[bytes],
    source: Source,
    *,
    make: Callable[[Any], Document] = Document.from_dict,
    on_error: OnError,
) -> Iterator[Document]:
    """The documents of the lines, each made of its line's value; one without an id gets the file's name and its line."""
    for at, row in rows(stream, source.place, on_error, skipped=source.skipped):
        if row.get("id") is None:
            line = at.rpartition(":")[2]
            row["id"] = f"{source.name}-{line}" if source.name else line
        try:
            document = make(row)
            source.check(document)
        except DataError as error:
            on_error(DataError(f"{at}: {error}"))
        else:
            yield document


def rows(lines: Iterable[bytes], place: str, on_error: OnError, *, skipped: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and value of every line that holds a JSON object; lines skipped before the first one are counted."""
    for count, line in enumerate(lines, start=skipped + 1):
        at = f"{place}:{count}"
        try:
            if blank(line):
                continue
            text = decode(line, at)
            # NaN is what tools write where a table has no value; it is no JSON, and would make none of the output.
            row = json.loads(text, parse_constant=lambda _: None)
            if not isinstance(row, dict):
                raise DataError(f"{at}: each line must hold one JSON object, this one holds {text.strip()!r:.40}")
        except DataError as error:
            on_error(error)
        except (ValueError, RecursionError) as error:
            on_error(DataError(f"{at}: broken JSON ({error}); each line must hold one JSON object"))
        else:
            yield at, row


def report(row: dict[str, Any], *, text_column: str) -> Document:
    """A report to predict from its JSON form: annotations are about to be replaced, and are not looked at.

    Raises:
        DataError: the value holds no text.
    """
    if text_column not in row:
        raise DataError(f"there is no key {text_column!r}; name the report's key with --text-column: {', '.join(map(str, row))}")
    document = Document.from_dict({"text": row[text_column], "id": row.get("id"), "lang": row.get("lang")})
    # What stands under the name of an annotation and is none is kept as meta data, as everything else is.
    passed = {text_column, "id", "lang", *(key for key in ANNOTATION_KEYS if isinstance(row.get(key), list))}
    return replace(document, meta={key: value for key, value in row.items() if key not in passed})


def write(document: Document) -> str:
    """The document's line, with its line end."""
    return json_text(document.to_dict()) + "\n"


def write_all(documents: Iterable[Document], path: Path) -> Account:
    """What was written: a line a document."""
    account = Account()
    write_text(path, (write(account.use(document)) for document in documents))
    return account


def json_text(value: Any) -> str:
    """The value as JSON on one line; what JSON has no form for, dates say, as text, and numbers that are none as null."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        return json_text(json.loads(json.dumps(value, default=str), parse_constant=lambda _: None))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Meta data may hold half of a surrogate pair, which JSON can write and UTF-8 cannot.
        text = json.dumps(value, default=str)
    return text
