"""JSON Lines: one document a line, in the form of the annotation guidelines. Other keys are kept as the document's meta data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from clashnlp.errors import DataError
from clashnlp.formats.plain import Source, decode
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
    on_error: Callable[[DataError], None],
) -> Iterator[Document]:
    """The documents of the lines, each made of its line's value; one without an id gets the file's name and its line."""
    for number, line in enumerate(stream, start=source.skipped + 1):
        at = f"{source.place}:{number}"
        try:
            if blank(line):
                continue
            text = decode(line, at)
            # NaN is what tools write where a table has no value; it is no JSON, and would make none of the output.
            row = json.loads(text, parse_constant=lambda _: None)
            if isinstance(row, dict) and row.get("id") is None:
                row["id"] = f"{source.name}-{number}" if source.name else str(number)
            document = make(row)
            source.check(document)
        except DataError as error:
            on_error(error if str(error).startswith(at) else DataError(f"{at}: {error}"))
        except (ValueError, RecursionError) as error:
            on_error(DataError(f"{at}: broken JSON ({error}); each line must hold one JSON object"))
        else:
            yield document


def report(row: Any, *, text_column: str) -> Document:
    """A report to predict from its JSON form: annotations are about to be replaced, and are not looked at.

    Raises:
        DataError: the value holds no text.
    """
    if not isinstance(row, dict):
        return Document.from_dict(row)
    if text_column not in row:
        raise DataError(f"there is no key {text_column!r}; name the report's key with --text-column: {', '.join(map(str, row))}")
    document = Document.from_dict({"text": row[text_column], "id": row.get("id"), "lang": row.get("lang")})
    # What stands under the name of an annotation and is none is kept as meta data, as everything else is.
    passed = {text_column, "id", "lang", *(key for key in ANNOTATION_KEYS if isinstance(row.get(key), list))}
    return replace(document, meta={key: value for key, value in row.items() if key not in passed})


def write(document: Document) -> str:
    """The document's line, with its line end."""
    line = json.dumps(document.to_dict(), ensure_ascii=False, default=str)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        # Meta data may hold half of a surrogate pair, which JSON can write and UTF-8 cannot.
        line = json.dumps(document.to_dict(), default=str)
    return line + "\n"
