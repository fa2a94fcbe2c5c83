"""Which spans and relations did people mark in doccano? JSON Lines of sequence labelling projects, with relations or without.

doccano gives no texts of spans to check offsets against, and counts as the browser does: UTF-16 units, or graphemes if the project says so.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import tokenizers
from tokenizers.pre_tokenizers import Split

from clashnlp.errors import DataError
from clashnlp.formats.conll import label_with_value, replacing, split_value
from clashnlp.formats.exchange import Account, build, locate
from clashnlp.formats.prodigy import json_text, number, objects, rows, text_values
from clashnlp.tokens import split_words
from clashnlp.types import Document, Span, identity

# A span as files give it: start, end, and its text where the file repeats it.
Mark = tuple[int, int, str | None]
Offsets = Literal["auto", "codepoints", "utf16", "graphemes"]
_SPAN_KEYS = ("entities", "label", "labels", "annotations")
_ENTITY_KEYS = (
    "id",
    "span_id",
    "label",
    "start_offset",
    "end_offset",
    "text",
    "score",
    "user",
    "created_at",
    "updated_at",
    "prob",
    "manual",
)
_GRAPHEME = Split(tokenizers.Regex(r"\X"), behavior="isolated")
_KEYS = ("id", "text", "data", "lang", "relations", *_SPAN_KEYS)
# doccano's names for files of no single annotator.
_EVERYONE, _NOBODY = "all", "unknown"


def read(path: Path, *, account: Account, on_error: Callable[[DataError], None], offsets: Offsets = "auto") -> Iterator[Document]:
    """The documents of an export: a .jsonl file, or a .zip or folder with one such file an annotator.

    Args:
        path: the file or folder.
        account: what was used, repaired and left out.
        on_error: called with what cannot be read.
        offsets: what offsets count. `auto` takes them as code points unless UTF-16, or graphemes, put more spans' ends at ends of words.
    """
    for place, annotator, lines in _files(path, on_error):
        for at, row in rows(lines, place, on_error):
            name = f"{Path(place).stem}-{at.rpartition(':')[2]}"
            for who, part in _by_user(row, annotator):
                if who == _NOBODY and not _marks(part)[1]:
                    account.drop("documents that nobody annotated", str(row.get("id", name)))
                    continue
                try:
                    yield _document({"id": name, **part}, who, account, offsets)
                except DataError as error:
                    on_error(DataError(f"{at}: {error}"))


def write(documents: Iterable[Document], path: Path, *, relations: bool = True, values: Literal["keys", "labels"] = "keys") -> Account:
    """What was written: one line a document, as doccano imports it; nested spans need a project that allows overlaps.

    Args:
        documents: the documents.
        path: the .jsonl file.
        relations: write the shape of projects with relations; without, spans are `[start, end, label]`.
        values: attributes as keys of their own, which doccano forgets when it imports, or inside labels such as `CASUALTY:killed`.
    """
    account = Account()
    # doccano's ids are whole numbers, each given once in a file.
    first = 1
    with replacing(path) as file:
        for document in documents:
            labels = [span.label for span in document.spans]
            if values == "labels" or not relations:
                labels = [label_with_value(span, account, f"{document.id}/{span.id}") for span in document.spans]
            row: dict[str, Any] = {"id": document.id, "text": document.text, "lang": document.lang}
            if relations:
                row |= _with_relations(document, labels, first, with_keys=values == "keys")
            else:
                row["label"] = [[span.start, span.end, label] for span, label in zip(document.spans, labels, strict=True)]
            row |= {f"{key}_" if key in _KEYS else key: value for key, value in document.meta.items()}
            file.write(json_text(row) + "\n")
            first += len(document.spans)
            _account(document, account, relations=relations)
    return account


def _account(document: Document, account: Account, *, relations: bool) -> None:
    """Counts the document, and what its shape does not hold."""
    for link in document.relations:
        if not relations or link.score is not None:
            why = "scores of relations" if relations else "relations, in the shape without"
            account.drop(why, f"{document.id}/{link.head.id}-{link.tail.id}")
    if not relations and document.labels is not None:
        account.drop("labels that the document was annotated for, in the shape without relations", str(document.id))
    for span in document.spans:
        if not relations and span.score is not None:
            account.drop("scores, in the shape without relations", f"{document.id}/{span.id}")
    account.use(document if relations else replace(document, relations=()))


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
        if with_keys:
            row |= {f"{key}_" if key in _ENTITY_KEYS else key: value for key, value in span.attributes.items()}
        entities.append(row)
    links = [
        {"id": at, "from_id": numbers[link.head.id], "to_id": numbers[link.tail.id], "type": link.label}
        for at, link in enumerate(document.relations)
    ]
    own = {} if document.labels is None else {"labels": list(document.labels)}
    return {"entities": entities, "relations": links, **own}


def _files(path: Path, on_error: Callable[[DataError], None]) -> Iterator[tuple[str, str | None, Iterable[bytes]]]:
    """Place, annotator where the file names one, and lines of every file of the export."""
    try:
        if path.is_dir():
            files = sorted(path.glob("*.jsonl"))
            if not files:
                on_error(DataError(f"{path}: the folder holds no .jsonl file; unpack doccano's export into it"))
            for file in files:
                with file.open("rb") as stream:
                    yield str(file), _annotator(file.name), stream
        elif path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = sorted(name for name in archive.namelist() if name.endswith(".jsonl") and not name.startswith("__MACOSX/"))
                if not names:
                    on_error(DataError(f"{path}: the archive holds no .jsonl file; export from doccano as JSONL"))
                for name in names:
                    # Read whole, so that damage shows here.
                    yield f"{path}/{name}", _annotator(name), io.BytesIO(archive.read(name))
        else:
            with path.open("rb") as stream:
                yield str(path), None, stream
    except OSError as error:
        on_error(DataError(f"{path}: {error.strerror or error}"))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        on_error(DataError(f"{path}: the archive cannot be read ({error}); unpack it and read the folder"))


def _annotator(name: str) -> str | None:
    stem = PurePosixPath(name).stem
    return None if stem == _EVERYONE else stem


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
    return build(
        row_id,
        text,
        _spans(text, str(row_id), entities, account, offsets),
        _links(row, str(row_id), entities, account),
        account,
        lang=row.get("lang") if isinstance(row.get("lang"), str) else None,
        labels=None if labels is None else tuple(labels),
        meta=meta,
    )


def _spans(text: str, row_id: str, entities: list[dict[str, Any]], account: Account, offsets: Offsets) -> list[Span]:
    reading, table = _table(text, entities, offsets)
    if table is not None and entities:
        account.repair(reading, row_id)
    spans = []
    for entity in entities:
        place = f"{row_id}/{entity['name']}"
        if not isinstance(entity["label"], str) or not entity["label"]:
            account.drop("spans whose label is a number or missing; export with label texts", place)
            continue
        start, end = entity["start_offset"], entity["end_offset"]
        if table is not None and entity.get("text") is None:
            # -1 stands for an offset that splits a character, and fits nowhere.
            start, end = table.get(start, -1), table.get(end, -1)
        where = locate(text, (start, end), entity.get("text"), account=account, place=place)
        if where is not None:
            label, values = split_value(entity["label"])
            values |= text_values(entity, (*_ENTITY_KEYS, "name"))
            spans.append(Span(*where, label, text[slice(*where)], entity["name"], number(entity.get("score")), values))
    return spans


def _links(row: Mapping[str, Any], row_id: str, entities: list[dict[str, Any]], account: Account) -> list[tuple[str, str, str]]:
    """Head id, tail id and label of the relations, by the names of the spans that stand under doccano's numbers."""
    names = {str(entity.get("id", entity["name"])): entity["name"] for entity in entities}
    links = []
    for link in objects(row, "relations"):
        if not isinstance(link.get("type"), str):
            account.drop("relations without a type", f"{row_id}/{link!r:.40}")
        else:
            head, tail = str(link.get("from_id")), str(link.get("to_id"))
            links.append((names.get(head, head), names.get(tail, tail), link["type"]))
    return links


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


def _table(text: str, entities: list[dict[str, Any]], offsets: Offsets) -> tuple[str, Mapping[int, int] | None]:
    """What the offsets count, and the code point of each; None where they are code points."""
    if offsets == "graphemes":
        return "offsets in graphemes", _graphemes(text)
    if offsets == "utf16":
        return "offsets in UTF-16", offset_table(text, utf16=True)
    if offsets == "codepoints":
        return "offsets in code points", None
    marks: list[Mark] = [(entity["start_offset"], entity["end_offset"], None) for entity in entities if entity.get("text") is None]
    return best_reading(text, marks, graphemes=True)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# What follows is about browsers, and shared with Label Studio.


def offset_table(text: str, *, utf16: bool = False, line_feeds: bool = False) -> dict[int, int]:
    """The code point at every offset that a browser counts: in UTF-16 units, or with each CRLF as one character, or both."""
    table: dict[int, int] = {}
    at = 0
    for place, char in enumerate(text):
        table.setdefault(at, place)
        if not (line_feeds and char == "\r" and text[place + 1 : place + 2] == "\n"):
            at += 2 if utf16 and ord(char) > 0xFFFF else 1
    table.setdefault(at, len(text))
    return table


def _graphemes(text: str) -> dict[int, int]:
    """The code point at every offset in grapheme clusters."""
    return dict(enumerate([0, *(end for _, (_, end) in _GRAPHEME.pre_tokenize_str(text))]))


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in white space only, which browsers collapse and exports escape."""
    return "".join(one.replace("\\n", "\n").split()) == "".join(other.replace("\\n", "\n").split())


def best_reading(text: str, marks: Iterable[Mark], *, graphemes: bool = False) -> tuple[str, dict[int, int] | None]:
    """What the offsets of a document count, and the code point for each; None for code points, which need no table and win a draw.

    A reading is better that fits more of the spans' texts, or, where the file has none, puts more of their ends at the ends of words.
    """
    marks = list(marks)
    wide, returns = any(ord(char) > 0xFFFF for char in text), "\r\n" in text
    readings: list[tuple[str, dict[int, int] | None]] = [("offsets in code points", None)]
    if marks and wide:
        readings.append(("offsets in UTF-16", offset_table(text, utf16=True)))
    if marks and returns:
        readings.append(("offsets over LF line breaks", offset_table(text, line_feeds=True)))
    if marks and wide and returns:
        readings.append(("offsets in UTF-16 over LF line breaks", offset_table(text, utf16=True, line_feeds=True)))
    if marks and graphemes and len(table := _graphemes(text)) <= len(text):
        readings.append(("offsets in graphemes", table))
    if len(readings) == 1:
        return readings[0]
    words = split_words(text)
    starts, ends = set(words[:, 0].tolist()), set(words[:, 1].tolist())

    def fit(reading: tuple[str, dict[int, int] | None]) -> tuple[int, int]:
        same = edges = 0
        for first, last, surface in marks:
            start, end = (first, last) if reading[1] is None else (reading[1].get(first, -1), reading[1].get(last, -1))
            if 0 <= start < end <= len(text):
                same += surface is not None and same_words(text[start:end], surface)
                edges += (start in starts) + (end in ends) if surface is None else 0
        return same, edges

    return max(readings, key=fit)


class _Plain(HTMLParser):
    """Collects the text of HTML that a browser shows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes where what is not shown begins."""
        self.hidden += tag in ("script", "style", "head")

    def handle_endtag(self, tag: str) -> None:
        """Notes where it ends."""
        self.hidden -= tag in ("script", "style", "head") and self.hidden > 0

    def handle_data(self, data: str) -> None:
        """Keeps the text."""
        if not self.hidden:
            self.pieces.append(data)


def plain_html(html: str) -> str:
    """The text of HTML, as a browser holds it: without what is not shown, white space as it stands."""
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return "".join(parser.pieces)
