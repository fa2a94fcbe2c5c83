"""The inline notation of the annotation guidelines: `[[F1|text]]`, then `---`, then one relation a line. For writing by hand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from clashnlp.errors import DataError
from clashnlp.formats.exchange import Account, OnError, note_losses
from clashnlp.formats.plain import Source, decode
from clashnlp.formats.storage import write_text
from clashnlp.schema import CLASH, Schema
from clashnlp.types import Document, Relation, Span

_HEADER = re.compile(r"^=====[ \t]+id=(?P<id>\S+)[ \t]+lang=(?P<lang>\S+)(?:[ \t]+source=(?P<source>.*\S))?[ \t]*$", re.MULTILINE)
# A line that is meant for a header, well made or not.
_BEGIN = re.compile(r"^=====[ \t]*(?:id|lang)=.*$", re.MULTILINE)
_OPEN = re.compile(r"\[\[(?P<id>(?P<prefix>[A-Z]+)\d+)(?::(?P<value>\w+))?\|")


def read(stream: BinaryIO, source: Source, *, schema: Schema = CLASH, on_error: OnError) -> Iterator[Document]:
    """The documents of the file, each behind its header line `===== id=… lang=…`."""
    place = source.place
    try:
        data = decode(stream.read(), place).replace("\r\n", "\n")
    except DataError as error:
        on_error(error)
        return
    headers = list(_BEGIN.finditer(data))
    if data[: headers[0].start() if headers else None].strip():
        on_error(DataError(f"{place}:1: text before the first header line; a header reads: ===== id=NAME lang=CODE"))
    ends = [header.start() for header in headers[1:]] + [len(data)]
    for header, end in zip(headers, ends, strict=False):
        line = data.count("\n", 0, header.start()) + 1
        if (named := _HEADER.fullmatch(header[0])) is None:
            on_error(DataError(f"{place}:{line}: the header {header[0]!r:.60} must read: ===== id=NAME lang=CODE, the id without spaces"))
            continue
        body = data[header.end() : end].strip("\n")
        try:
            meta = {"source": named["source"]} if named["source"] else {}
            document = parse(body, id=named["id"], lang=named["lang"], meta=meta, schema=schema)
        except DataError as error:
            on_error(DataError(f"{place}:{line}: document {named['id']}: {error}"))
        else:
            yield document


def parse(body: str, *, id: str = "", lang: str | None = None, meta: dict[str, str] | None = None, schema: Schema = CLASH) -> Document:
    """The document that a marked text stands for, with the relations behind its last line `---`.

    Raises:
        DataError: a bracket has no partner, a mark names no label of the schema, or a relation has an unknown end.
    """
    marked, separator, tail = body.rpartition("\n---")
    if not separator:
        marked, tail = body, ""
    labels = {prefix: label for label, prefix in schema.id_prefixes().items()}
    pieces: list[str] = []
    length = at = 0
    opened: list[tuple[re.Match[str], int]] = []
    spans: list[tuple[re.Match[str], int, int]] = []
    for match in re.finditer(rf"{_OPEN.pattern}|\]\]", marked):
        pieces.append(marked[at : match.start()])
        length += len(pieces[-1])
        at = match.end()
        if match[0] == "]]":
            if not opened:
                raise DataError(f"a ]] closes nothing near {marked[max(0, match.start() - 20) : match.end()]!r}")
            mark, start = opened.pop()
            spans.append((mark, start, length))
        elif match["prefix"] not in labels:
            raise DataError(f"mark {match['id']} has no label: ids begin with {', '.join(labels)}")
        else:
            opened.append((match, length))
    if opened:
        raise DataError(f"mark {opened[-1][0]['id']} is not closed with ]]")
    text = "".join([*pieces, marked[at:]])
    made = [
        Span(start, end, labels[mark["prefix"]], text[start:end], mark["id"], attributes=_attributes(mark, labels[mark["prefix"]], schema))
        for mark, start, end in spans
    ]
    made.sort(key=lambda span: (span.start, -span.end))
    by_id = {span.id: span for span in made}
    relations = []
    for line in filter(None, map(str.strip, tail.split("\n"))):
        parts = line.split()
        if len(parts) != 3 or parts[0] not in by_id or parts[2] not in by_id:
            raise DataError(f"relation line {line!r} must read: HEAD-ID LABEL TAIL-ID, with ids marked in the text")
        relations.append(Relation(by_id[parts[0]], by_id[parts[2]], parts[1]))
    return Document(text=text, id=id, lang=lang, spans=tuple(made), relations=tuple(relations), meta=meta or {})


def _attributes(mark: re.Match[str], label: str, schema: Schema) -> dict[str, str]:
    if mark["value"] is None:
        return {}
    for attribute in schema.attributes:
        if label in attribute.labels and mark["value"] in attribute.values:
            return {attribute.name: mark["value"]}
    raise DataError(f"mark {mark['id']} carries the value {mark['value']!r}, which no attribute of {label} has")


def write(document: Document, *, schema: Schema = CLASH) -> str:
    """The document in inline notation, with its header line and line end.

    Raises:
        DataError: the notation cannot hold the document: spans cross, or the text holds marks of its own.
    """
    if re.search(r"\[\[|\]\]|\n---|^=====", document.text, re.MULTILINE):
        raise DataError(f"document {document.id!r}: its text holds [[, ]], ===== or ---, which the inline notation uses for itself")
    if unknown := sorted({span.label for span in document.spans}.difference(schema.labels)):
        raise DataError(f"document {document.id!r}: there is no mark for {', '.join(unknown)}, but only for {', '.join(schema.labels)}")
    prefixes = schema.id_prefixes()
    counts = dict.fromkeys(schema.labels, 0)
    names: dict[str, str] = {}
    spans = sorted(document.spans, key=lambda span: (span.start, -span.end, schema.labels.index(span.label)))
    pieces: list[str] = []
    at = 0
    opened: list[Span] = []

    def close(until: int) -> None:
        nonlocal at
        while opened and opened[-1].end <= until:
            pieces.append(document.text[at : opened[-1].end] + "]]")
            at = opened.pop().end

    for span in spans:
        close(span.start)
        if opened and span.end > opened[-1].end:
            raise DataError(f"document {document.id!r}: spans {opened[-1].id} and {span.id} cross, which the inline notation cannot write")
        counts[span.label] += 1
        names[span.id] = f"{prefixes[span.label]}{counts[span.label]}"
        value = "".join(f":{value}" for value in span.attributes.values())
        pieces.append(f"{document.text[at : span.start]}[[{names[span.id]}{value}|")
        at = span.start
        opened.append(span)
    close(len(document.text))
    pieces.append(document.text[at:])
    lines = [f"{names[relation.head.id]} {relation.label} {names[relation.tail.id]}" for relation in document.relations]
    source = f" source={document.meta['source']}" if "source" in document.meta else ""
    written = "\n".join([f"===== id={document.id} lang={document.lang}{source}", "".join(pieces), "---", *lines, ""])
    if not _same(document, list(read(io.BytesIO(written.encode()), Source("", ""), schema=schema, on_error=lambda _: None))):
        raise DataError(
            f"document {document.id!r} does not survive the inline notation, which needs an id without spaces, a language, a text without "
            "line breaks at its edges or carriage returns, and no bracket right behind a span; keep it as JSON Lines"
        )
    return written


def write_all(documents: Iterable[Document], path: Path, *, schema: Schema = CLASH) -> Account:
    """What was written, document by document; those that the notation cannot hold are left out and counted."""
    account = Account()

    def pieces() -> Iterator[str]:
        for document in documents:
            note_losses(document, account, meta=("source",), lang=True)
            if document.lang is None:
                account.repair("documents without a language, written as und", str(document.id))
            source = {key: value for key, value in document.meta.items() if key == "source"}
            kept = replace(document, lang=document.lang or "und", labels=None, meta=source)
            try:
                yield write(kept, schema=schema)
            except DataError as error:
                account.drop(f"documents that the inline notation cannot hold: {error}", str(document.id))
            else:
                account.use(kept)

    write_text(path, pieces())
    return account


def _same(document: Document, found: list[Document]) -> bool:
    """Whether a document was read back: its text, its spans and attributes, its relations, and all that is known of it."""

    def content(one: Document) -> tuple[object, ...]:
        spans = {(span.start, span.end, span.label, tuple(sorted(span.attributes.items()))) for span in one.spans}
        ends = {(r.head.start, r.head.end, r.head.label, r.tail.start, r.tail.end, r.tail.label, r.label) for r in one.relations}
        return one.text, str(one.id), one.lang, one.labels, dict(one.meta), spans, ends

    return len(found) == 1 and content(found[0]) == content(document)
