"""Which spans and relations did people mark in doccano? JSON Lines of sequence labelling projects, with relations or without.

doccano gives no texts of spans to check offsets against, and counts as the browser does: UTF-16 units, or graphemes if the project says so.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from clashnlp.errors import DataError
from clashnlp.formats.exchange import (
    Account,
    Link,
    OnError,
    beside,
    build,
    label_with_value,
    note_losses,
    number,
    objects,
    report_of,
    split_value,
    text_values,
)
from clashnlp.formats.jsonl import json_text, rows
from clashnlp.formats.offsets import CODE_POINTS, Mark, Reading, best_reading, graphemes, locate, moved, offset_table
from clashnlp.formats.storage import open_files, write_text
from clashnlp.types import Document, Span, identity

Offsets = Literal["auto", "codepoints", "utf16", "graphemes"]
_SPAN_KEYS = ("entities", "label", "labels", "annotations")
_ENTITY_KEYS = (
    *("id", "span_id", "name", "label", "start_offset", "end_offset", "text", "score"),
    *("user", "created_at", "updated_at", "prob", "manual"),
    *("uuid", "example_uuid"),  # On attributes of these names doccano's importer would fail.
)
_KEYS = ("id", "text", "data", "lang", "relations", *_SPAN_KEYS)
# doccano's names for files of no single annotator.
_EVERYONE, _NOBODY = "all", "unknown"


def read(path: Path, *, account: Account, on_error: OnError, offsets: Offsets = "auto") -> Iterator[Document]:
    """The documents of an export: a .jsonl file, or a .zip or folder with one such file an annotator.

    `offsets` says what these count; `auto` takes code points unless UTF-16, or graphemes, put more spans' ends at ends of words.
    """
    files = open_files(path, (".jsonl",), on_error)
    for name, place, data in files.each(on_error):
        stem = PurePosixPath(name).stem
        # A file of its own says nothing about who annotated it.
        annotator = None if stem == _EVERYONE or files.root != str(path) else stem
        for at, row in rows(io.BytesIO(data), place, on_error):
            row_id = f"{stem}-{at.rpartition(':')[2]}"
            for who, part in _by_user(row, annotator):
                if who == _NOBODY and not _marks(part)[1]:
                    account.drop("documents that nobody annotated", str(row.get("id", row_id)))
                    continue
                try:
                    yield _document({"id": row_id, **part}, who, account, offsets)
                except DataError as error:
                    on_error(DataError(f"{at}: {error}"))


def write(documents: Iterable[Document], path: Path, *, relations: bool = True, values: Literal["keys", "labels"] = "keys") -> Account:
    """What was written: one line a document, as doccano imports it; nested spans need a project that allows overlaps.

    Without `relations`, the shape is that of other projects: spans are `[start, end, label]`. Attributes are keys of their own, which
    doccano forgets when it imports, or with `values="labels"` inside labels such as `CASUALTY:killed`.
    """
    account = Account()

    def lines() -> Iterator[str]:
        first = 1  # doccano's ids are whole numbers, each given once in a file.
        for document in documents:
            labels = [span.label for span in document.spans]
            if values == "labels" or not relations:
                labels = [label_with_value(span, account, f"{document.id}/{span.id}") for span in document.spans]
            row: dict[str, Any] = {"id": document.id, "text": document.text, "lang": document.lang}
            if relations:
                row |= _with_relations(document, labels, first, with_keys=values == "keys")
            else:
                row["label"] = [[span.start, span.end, label] for span, label in zip(document.spans, labels, strict=True)]
                note_losses(document, account, meta=tuple(document.meta), lang=True)
                for link in document.relations:
                    account.drop("relations", f"{document.id}/{link.head.id}-{link.tail.id}")
            first += len(document.spans)
            account.use(document if relations else replace(document, relations=()))
            yield json_text(row | beside(document.meta, _KEYS)) + "\n"

    write_text(path, lines())
    return account


def _with_relations(document: Document, labels: list[str], first: int, *, with_keys: bool) -> dict[str, Any]:
    """Spans and relations as doccano has them; the keys that it does not know hold what only this library reads."""
    numbers = {span.id: number for number, span in enumerate(document.spans, start=first)}
    entities = []
    for span, label in zip(document.spans, labels, strict=True):
        row: dict[str, Any] = {
            "id": numbers[span.id],
            "label": label,
            "start_offset": span.start,
            "end_offset": span.end,
            "text": span.text,
        }
        if span.id != str(numbers[span.id]):
            row["span_id"] = span.id
        if span.score is not None:
            row["score"] = span.score
        entities.append(row | (beside(span.attributes, _ENTITY_KEYS) if with_keys else {}))
    links = []
    for at, link in enumerate(document.relations):
        own = {} if link.score is None else {"score": link.score}
        links.append({"id": at, "from_id": numbers[link.head.id], "to_id": numbers[link.tail.id], "type": link.label, **own})
    return {"entities": entities, "relations": links} | ({} if document.labels is None else {"labels": list(document.labels)})


def _by_user(row: dict[str, Any], annotator: str | None) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """The row once for each annotator: versions before 1.1 name a user with each annotation of one row."""
    marks = row.get("annotations")
    if not isinstance(marks, list) or not any(isinstance(mark, dict) and mark.get("user") is not None for mark in marks):
        yield annotator, row
        return
    shares: dict[str | None, list[Any]] = {}
    for mark in marks:
        user = mark.get("user") if isinstance(mark, dict) else None
        shares.setdefault(annotator if user is None else str(user), []).append(mark)
    for who, share in shares.items():
        yield who, {**row, "annotations": share}


def _marks(row: Mapping[str, Any]) -> tuple[str | None, list[Any]]:
    """The key that holds the spans, and what stands under it; texts under `label` are categories of the whole document."""
    for key in _SPAN_KEYS:
        if isinstance(row.get(key), list) and all(isinstance(mark, list | tuple | dict) for mark in row[key]):
            return key, row[key]
    return None, []


def _document(row: Mapping[str, Any], annotator: str | None, account: Account, offsets: Offsets) -> Document:
    text = row.get("text", row.get("data"))
    if not isinstance(text, str):
        raise DataError(f"document {row['id']!r} has no text under 'text' or 'data'; export the project as JSONL")
    row_id = identity(row["id"])
    key, found = _marks(row)
    entities = [_fields(entity, at) for at, entity in enumerate(found, start=1)]
    labels = row["labels"] if key == "entities" and _texts(row.get("labels")) else None
    kept = ("id", "text" if "text" in row else "data", "lang", "relations", key, "labels" if labels is not None else None)
    meta = {name: value for name, value in row.items() if name not in kept and (value or name != "Comments")}
    if isinstance(meta.get("meta"), dict):
        meta |= meta.pop("meta")
    if annotator not in (None, _NOBODY):
        meta["annotator"] = annotator
    spans = _spans(text, str(row_id), entities, account, offsets)
    report = report_of(row_id, text, {"lang": row.get("lang"), "labels": labels}, meta)
    return build(report, spans, _links(row, str(row_id), entities, account), account)


def _spans(text: str, row_id: str, entities: list[dict[str, Any]], account: Account, offsets: Offsets) -> list[Span]:
    reading = _reading(text, entities, offsets)
    if reading[1] is not None and entities:
        account.repair(reading[0], row_id)
    spans = []
    for entity in entities:
        place = f"{row_id}/{entity['name']}"
        if not isinstance(entity["label"], str) or not entity["label"]:
            account.drop("spans whose label is a number or missing; export with label texts", place)
            continue
        extent, surface = (entity["start_offset"], entity["end_offset"]), entity.get("text")
        where = locate(text, (*(moved(extent, reading) if surface is None else extent), surface), account=account, place=place)
        if where is not None:
            label, values = split_value(entity["label"])
            values |= text_values(entity, _ENTITY_KEYS)
            spans.append(Span(*where, label, text[slice(*where)], entity["name"], number(entity.get("score")), values))
    return spans


def _links(row: Mapping[str, Any], row_id: str, entities: list[dict[str, Any]], account: Account) -> Iterator[Link]:
    """The relations, by the names of the spans that stand under doccano's numbers."""
    names = {str(entity.get("id", entity["name"])): entity["name"] for entity in entities}
    for link in objects(row, "relations"):
        if not isinstance(link.get("type"), str):
            account.drop("relations without a type", f"{row_id}/{link!r:.40}")
        else:
            head, tail = str(link.get("from_id")), str(link.get("to_id"))
            yield names.get(head, head), names.get(tail, tail), link["type"], number(link.get("score"))


def _fields(entity: Any, at: int) -> dict[str, Any]:
    """The span's fields by name, with `name` for its id.

    Raises:
        DataError: it has no whole numbers for offsets.
    """
    fields = dict(entity) if isinstance(entity, dict) else dict(zip(("start_offset", "end_offset", "label"), entity, strict=False))
    given = fields.get("span_id", fields.get("id"))
    fields["name"] = f"T{at}" if given is None else str(given)
    fields.setdefault("label", None)
    for key in ("start_offset", "end_offset"):
        if not isinstance(fields.get(key), int) or isinstance(fields[key], bool):
            raise DataError(f"span {fields['name']!r} has no whole number for {key}: {entity!r:.60}")
    return fields


def _reading(text: str, entities: list[dict[str, Any]], offsets: Offsets) -> Reading:
    if offsets == "graphemes":
        return "offsets in graphemes", graphemes(text)
    if offsets == "utf16":
        return "offsets in UTF-16", offset_table(text, utf16=True)
    if offsets == "codepoints":
        return CODE_POINTS
    marks: list[Mark] = [(entity["start_offset"], entity["end_offset"], None) for entity in entities if entity.get("text") is None]
    return best_reading(text, marks, clusters=True)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
