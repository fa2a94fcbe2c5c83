"""JSON Lines: one document a line, in the form of the annotation guidelines. Other keys are kept as the document's meta data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import BinaryIO

from clashnlp.errors import DataError
from clashnlp.formats.plain import decode
from clashnlp.types import Document


def read(
    stream: BinaryIO, place: str, name: str, *, text_column: str = "text", on_error: Callable[[DataError], None]
) -> Iterator[Document]:
    """The documents of the file; one without an id gets the file's name and its line."""
    for number, line in enumerate(stream, start=1):
        at = f"{place}:{number}"
        try:
            text = decode(line, at)
            if not text.strip():
                continue
            row = json.loads(text)
            if isinstance(row, dict):
                if text_column != "text" and text_column in row:
                    row["text"] = row.pop(text_column)
                if row.get("id") is None:
                    row["id"] = f"{name}-{number}" if name else str(number)
            document = Document.from_dict(row)
        except DataError as error:
            on_error(error if str(error).startswith(at) else DataError(f"{at}: {error}"))
        except (json.JSONDecodeError, RecursionError) as error:
            on_error(DataError(f"{at}: broken JSON ({error}); each line must hold one JSON object"))
        else:
            yield document


def write(document: Document) -> str:
    """The document's line, with its line end."""
    return json.dumps(document.to_dict(), ensure_ascii=False) + "\n"
