"""Which spans and relations did people mark in brat? A text file and a standoff file for each document (`x.txt`, `x.ann`)."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

from clashnlp.errors import DataError
from clashnlp.formats.exchange import SPAN_FIELDS, Account, Link, OnError, beside, build, note_losses, ordered, split_value
from clashnlp.formats.offsets import Extent, locate
from clashnlp.formats.plain import decode
from clashnlp.formats.storage import Files, Names, open_files, part_name, stems, store
from clashnlp.types import Document, Span

Fragments = list[Extent]

_TEXT_BOUND = re.compile(r"(?P<label>\S+) (?P<offsets>\d+ \d+(?:;\d+ \d+)*)")
_EVENT = re.compile(r"(?P<label>[^\s:]+):(?P<trigger>\S+)(?P<roles>(?: [^\s:]+:\S+)*) *")
_RELATION = re.compile(r"(?P<label>\S+) [^\s:]+:(?P<head>\S+) [^\s:]+:(?P<tail>\S+) *")
_NOTE, _REFERENCE, _FLAG = "AnnotatorNotes", "Reference", "true"
# What ends a line for brat itself, which reads its files with Python's idea of a line: a span that holds one is written in fragments.
_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def read(path: Path, *, account: Account, on_error: OnError, annotators: bool | None = None) -> Iterator[Document]:
    """The documents of an `.ann` file with its `.txt` beside it, or of a folder or zip of these; ids are the names of the files.

    Events become relations from their trigger, named by the role; attributes, notes and normalisations become attributes of the span.

    With `annotators`, the uppermost folders are annotators; None finds out whether they hold files of the same names with the same texts.
    """
    files = open_files(path, (".ann",), on_error, zips=True)
    marked = files.asked
    by_annotator = _share_texts(files, marked) if annotators is None else annotators
    if files.root == str(path):
        for name in files.load:
            if name.lower().endswith(".txt") and f"{name[:-4]}.ann" not in files.load:
                account.drop("texts without an .ann file", name)
    for name in marked:
        stem = name[:-4]
        who, _, rest = stem.partition("/") if by_annotator else ("", "", stem)
        try:
            document = _document(files, stem, rest or stem, account, on_error)
            yield replace(document, meta={"annotator": who}) if rest and who else document
        except DataError as error:
            on_error(error)


@dataclass(slots=True)
class _Sheet:
    """What the lines of one standoff file say."""

    spans: dict[str, Span] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    relations: list[Link] = field(default_factory=list)
    triggers: dict[str, str] = field(default_factory=dict)


def _document(files: Files, stem: str, row_id: str, account: Account, on_error: OnError) -> Document:
    if f"{stem}.txt" not in files.load:
        raise DataError(f"{files.place(stem)}.ann: its text is missing; put {PurePosixPath(stem).name}.txt beside it")
    data = files.read(f"{stem}.txt")
    text = decode(data, files.place(f"{stem}.txt"))
    place = files.place(f"{stem}.ann")
    sheet = _Sheet()
    late = []
    lines = enumerate(decode(files.read(f"{stem}.ann"), place).split("\n"), start=1)
    for number, parts in ((number, line.removesuffix("\r").split("\t", 2)) for number, line in lines if line.strip()):
        try:
            if parts[0].startswith("T"):
                _text_bound(parts, (text, data.startswith(codecs.BOM_UTF8)), sheet, account, row_id)
            elif parts[0].startswith("E") and len(parts) > 1 and (event := _EVENT.fullmatch(parts[1])):
                sheet.triggers[parts[0]] = event["trigger"]
                late.append((number, parts))
            else:
                late.append((number, parts))
        except DataError as error:
            on_error(DataError(f"{place}:{number}: {error}"))
    for number, parts in late:  # Lines may refer to what stands below them.
        try:
            _reference(parts, sheet, account, row_id)
        except DataError as error:
            on_error(DataError(f"{place}:{number}: {error}"))
    spans = [replace(span, attributes={**span.attributes, **sheet.attributes.get(span.id, {})}) for span in sheet.spans.values()]
    return build(Document(text, row_id), spans, sheet.relations, account)


def _text_bound(parts: list[str], source: tuple[str, bool], sheet: _Sheet, account: Account, row_id: str) -> None:
    match = _TEXT_BOUND.fullmatch(parts[1].rstrip(" ")) if len(parts) > 1 else None
    if match is None:
        raise DataError(f"{parts[0]!r:.40} must read: T1, a tab, LABEL START END, a tab, the text; mend or delete the line")
    if parts[0] in sheet.spans:
        raise DataError(f"id {parts[0]} stands a second time; give the annotation an id of its own")
    text, marked = source
    place = f"{row_id}/{parts[0]}"
    pairs = (offsets.split(" ") for offsets in match["offsets"].split(";"))
    fragments = sorted((int(start), int(end)) for start, end in pairs)
    surface = parts[2] if len(parts) > 2 and parts[2] else None
    if marked:  # brat counts the byte order mark, which is no part of the text.
        moved = [(max(0, start - 1), end - 1) for start, end in fragments]
        fragments = moved if surface is None or _fits(text, moved, surface) else fragments
    extent = _extent(text, fragments, surface, account, place)
    if extent is not None:
        label, values = split_value(match["label"])
        sheet.spans[parts[0]] = Span(*extent, label, text[slice(*extent)], parts[0], attributes=values)


def _extent(text: str, fragments: Fragments, surface: str | None, account: Account, place: str) -> Extent | None:
    start, end = fragments[0][0], max(end for _, end in fragments)
    if _fits(text, fragments, surface):
        # brat cuts spans at line breaks, which takes nothing out of them.
        if any(text[before[1] : behind[0]].strip() for before, behind in itertools.pairwise(fragments)):
            account.repair("discontinuous spans, taken from their first to their last character", place)
        return start, end
    if surface and surface not in text:
        # brat writes a line break inside a span as a space.
        readings = set(re.findall(r"\s+".join(map(re.escape, surface.split())), text)) if surface.split() else set()
        surface = readings.pop() if len(readings) == 1 else surface
    return locate(text, (start, end, surface), account=account, place=place)


def _fits(text: str, fragments: Fragments, surface: str | None) -> bool:
    if not all(0 <= start < end <= len(text) for start, end in fragments):
        return False
    pieces = [text[start:end] for start, end in fragments]
    # Before brat 1.3 fragments were joined without a space.
    return surface is None or _flat(surface) in (_flat(" ".join(pieces)), _flat("".join(pieces)))


def _flat(text: str) -> str:
    return _BREAKS.sub(" ", text)


def _reference(parts: list[str], sheet: _Sheet, account: Account, row_id: str) -> None:
    name, data, tail = (*parts, "", "")[:3]
    place = f"{row_id}/{name}"
    fields = data.split(" ", 2)
    if name.startswith("R") and (relation := _RELATION.fullmatch(data)):
        sheet.relations.append((_end(relation["head"], sheet), _end(relation["tail"], sheet), relation["label"], None))
    elif name in sheet.triggers and (event := _EVENT.fullmatch(data)):
        for role, target in (item.split(":", 1) for item in event["roles"].split()):
            account.repair("roles of events, read as relations from the trigger", place)
            sheet.relations.append((sheet.triggers[name], _end(target, sheet), role, None))
    elif name[:1] in ("A", "M") and len(fields) > 1:
        _attribute(sheet, fields[1], (fields[0], fields[2] if len(fields) > 2 else _FLAG), account, place)
    elif name.startswith("N") and len(fields) > 2:
        _attribute(sheet, fields[1], (fields[0], fields[2]), account, place)
        if tail:
            account.drop("names of what a span is normalised to", place)
    elif name.startswith("#") and len(fields) > 1:
        _attribute(sheet, fields[1], (fields[0], tail), account, place)
    elif name == "*" and len(fields) > 1:
        account.drop("equivalences", f"{place} {data}")
    else:
        raise DataError(f"{name!r:.40} is no annotation that brat writes (T, R, E, A, M, N, #, *); mend or delete the line")


def _end(target: str, sheet: _Sheet) -> str:
    """The span that an id stands for: its own, or the trigger of the event."""
    return sheet.triggers.get(target, target)


def _attribute(sheet: _Sheet, target: str, pair: tuple[str, str], account: Account, place: str) -> None:
    span = _end(target, sheet)
    if span not in sheet.spans:
        account.drop("attributes and notes of what is no span", place)
        return
    for name, value in beside(dict([pair]), SPAN_FIELDS).items():
        if sheet.attributes.setdefault(span, {}).setdefault(name, value) != value:
            account.drop("further values of an attribute", place)


def _share_texts(files: Files, names: Collection[str]) -> bool:
    """Whether files of one name lie in several folders, and all of them with one text."""
    texts: dict[str, list[bytes]] = {}
    for name in names:
        rest = name.partition("/")[2]
        if rest and f"{name[:-4]}.txt" in files.load:
            with contextlib.suppress(DataError):  # It is told when the file is read.
                texts.setdefault(rest, []).append(sha256(files.read(f"{name[:-4]}.txt")).digest())
    several = [found for found in texts.values() if len(found) > 1]
    return bool(several) and all(len(set(found)) == 1 for found in several)


def write(documents: Iterable[Document], path: Path) -> Account:
    """What was written: into a folder or `.zip`, or, for one document, an `.ann` file with its `.txt` beside it.

    Documents of annotators lie in a folder of the annotator's name. A folder without `annotation.conf` gets one with the labels used.
    """
    account = Account()
    store(path, _files(documents, path, account))
    return account


def _files(documents: Iterable[Document], path: Path, account: Account) -> Iterator[tuple[str, bytes]]:
    used: list[Document] = []
    shared: dict[str, list[str]] = {}
    for stem, document in stems(documents, path, ".ann", account, _stem):
        note_losses(document, account, meta=("annotator",))
        if document.meta.get("annotator"):
            shared.setdefault(stem.partition("/")[2], []).append(str(document.id))
        lines, kept = _lines(document, account)
        used.append(kept)
        yield f"{stem}.txt", document.text.encode()
        yield f"{stem}.ann", lines.encode()
    if all(len(ids) == 1 for ids in shared.values()):
        for row_id in itertools.chain.from_iterable(shared.values()):
            account.drop("annotators, which only annotators=true finds again where no two annotated one text", row_id)
    if path.suffix.lower() != ".ann" and not (path / "annotation.conf").exists():
        yield "annotation.conf", _configuration(used).encode()


def _stem(document: Document, names: Names) -> str:
    who = document.meta.get("annotator")
    return names.of(document.id, f"{part_name(str(who))}/" if who else "")


def _lines(document: Document, account: Account) -> tuple[str, Document]:
    spans = ordered(document.spans)
    own = all(re.fullmatch(r"T\d+", span.id) for span in spans)
    ids = {span.id: span.id if own else f"T{number}" for number, span in enumerate(spans, start=1)}
    lines, kept = [], []
    for span in spans:
        place = f"{document.id}/{span.id}"
        fragments = [(m.start() + span.start, m.end() + span.start) for m in re.finditer(rf"[^{_BREAKS.pattern[1:-1]}]+", span.text)]
        if not fragments:
            account.drop("spans of line breaks alone", place)
            continue
        if (fragments[0][0], fragments[-1][1]) != (span.start, span.end):
            account.repair("line breaks at the edges of spans, left outside", place)
        offsets = ";".join(f"{start} {end}" for start, end in fragments)
        surface = " ".join(document.text[start:end] for start, end in fragments)
        lines.append(f"{ids[span.id]}\t{_word(span.label, account, place)} {offsets}\t{surface}")
        kept.append(span)
    lost = {span.id for span in spans} - {span.id for span in kept}
    relations = [relation for relation in document.relations if not lost & {relation.head.id, relation.tail.id}]
    for number, relation in enumerate(relations, start=1):
        label = _word(relation.label, account, f"{document.id}/R{number}")
        lines.append(f"R{number}\t{label} Arg1:{ids[relation.head.id]} Arg2:{ids[relation.tail.id]}")
    pairs = [(span, name, value) for span in kept for name, value in span.attributes.items()]
    for number, (span, name, value) in enumerate(pairs, start=1):
        if not value or "\t" in value or _BREAKS.search(value):
            account.drop("attribute values that are empty or hold tabs or line breaks", f"{document.id}/{span.id}")
            continue
        word = _word(name, account, f"{document.id}/{span.id}")
        if name == _NOTE:
            lines.append(f"#{number}\t{word} {ids[span.id]}\t{value}")
        elif name == _REFERENCE and re.fullmatch(r"\S+:\S+", value):
            lines.append(f"N{number}\t{word} {ids[span.id]} {value}\t")
        else:
            lines.append(f"A{number}\t{word} {ids[span.id]} {value}")
    written = account.use(replace(document, spans=tuple(kept), relations=tuple(relations)))
    return "".join(f"{line}\n" for line in lines), written


def _word(name: str, account: Account, place: str) -> str:
    word = _plain(name)
    if word != name:
        account.repair("names with white space, written with _", place)
    return word


def _plain(name: str) -> str:
    return re.sub(r"\s+", "_", name) or "_"


def _configuration(documents: Iterable[Document]) -> str:
    """What brat needs to show the documents: their labels, and what stands between which."""
    labels: dict[str, None] = {}
    ends: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    values: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for document in documents:
        for span in document.spans:
            labels[_plain(span.label)] = None
            for name, value in span.attributes.items():
                if name not in (_NOTE, _REFERENCE):
                    carriers, found = values.setdefault(_plain(name), ({}, {}))
                    carriers[_plain(span.label)] = found[value] = None
        for relation in document.relations:
            heads, tails = ends.setdefault(_plain(relation.label), ({}, {}))
            heads[_plain(relation.head.label)] = tails[_plain(relation.tail.label)] = None
    relations = [f"{label}\tArg1:{'|'.join(heads)}, Arg2:{'|'.join(tails)}" for label, (heads, tails) in ends.items()]
    attributes = [f"{name}\tArg:{'|'.join(carriers)}, Value:{'|'.join(found)}" for name, (carriers, found) in values.items()]
    sections = {"entities": list(labels), "relations": relations, "events": [], "attributes": attributes}
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())
