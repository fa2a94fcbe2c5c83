"""Which spans and relations did people mark in brat? A text file and a standoff file for each document (`x.txt`, `x.ann`).

Below the format stands what all formats of one file a document share: folders, zips and single files.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath

from clashnlp.errors import DataError
from clashnlp.formats.docbin import Names, attribute_name, note_losses, part_name, replacing, split_label
from clashnlp.formats.exchange import Account, build, locate, ordered
from clashnlp.formats.plain import decode
from clashnlp.types import Document, Span

OnError = Callable[[DataError], None]
Fragments = list[tuple[int, int]]

_TEXT_BOUND = re.compile(r"(?P<label>\S+) (?P<offsets>\d+ \d+(?:;\d+ \d+)*)")
_EVENT = re.compile(r"(?P<label>[^\s:]+):(?P<trigger>\S+)(?P<roles>(?: [^\s:]+:\S+)*) *")
_RELATION = re.compile(r"(?P<label>\S+) [^\s:]+:(?P<head>\S+) [^\s:]+:(?P<tail>\S+) *")
_NOTE, _REFERENCE, _FLAG = "AnnotatorNotes", "Reference", "true"
# What ends a line for brat itself, which reads its files with Python's idea of a line: a span that holds one is written in fragments.
_BREAKS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def read(path: Path, *, account: Account, on_error: OnError, annotators: bool | None = None) -> Iterator[Document]:
    """The documents of an `.ann` file with its `.txt` beside it, or of a folder or zip of these; ids are the names of the files.

    Events become relations from their trigger, named by the role; attributes, notes and normalisations become attributes of the span.

    Args:
        path: the file, folder or zip.
        account: what was used, repaired and left out.
        on_error: called with each line or file that cannot be used.
        annotators: whether the uppermost folders are annotators; None where they hold files of the same names with the same texts.
    """
    files = open_files(path, on_error)
    names = files.named(".ann", ".txt")
    marked = [name for name in names if files.only or name.lower().endswith(".ann")]
    by_annotator = _share_texts(files, marked) if annotators is None else annotators
    for name in names:
        if name not in marked and f"{name[:-4]}.ann" not in files.load:
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
    relations: list[tuple[str, str, str]] = field(default_factory=list)
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
    return build(row_id, text, spans, sheet.relations, account)


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
        label, values = split_label(match["label"])
        sheet.spans[parts[0]] = Span(*extent, label, text[slice(*extent)], parts[0], attributes=values)


def _extent(text: str, fragments: Fragments, surface: str | None, account: Account, place: str) -> tuple[int, int] | None:
    start, end = fragments[0][0], max(end for _, end in fragments)
    if _fits(text, fragments, surface):
        # brat cuts spans at line breaks, which takes nothing out of them.
        if any(text[before[1] : behind[0]].strip() for before, behind in pairwise(fragments)):
            account.repair("discontinuous spans, taken from their first to their last character", place)
        return start, end
    if surface and surface not in text:
        # brat writes a line break inside a span as a space.
        readings = set(re.findall(r"\s+".join(map(re.escape, surface.split())), text)) if surface.split() else set()
        surface = readings.pop() if len(readings) == 1 else surface
    return locate(text, (start, end), surface, account=account, place=place)


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
        sheet.relations.append((_end(relation["head"], sheet), _end(relation["tail"], sheet), relation["label"]))
    elif name in sheet.triggers and (event := _EVENT.fullmatch(data)):
        for role, target in (item.split(":", 1) for item in event["roles"].split()):
            account.repair("roles of events, read as relations from the trigger", place)
            sheet.relations.append((sheet.triggers[name], _end(target, sheet), role))
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
    span, (name, value) = _end(target, sheet), pair
    if span not in sheet.spans:
        account.drop("attributes and notes of what is no span", place)
    elif sheet.attributes.setdefault(span, {}).setdefault(attribute_name(name), value) != value:
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
    store(path, _files(single(documents, path, ".ann"), path, account))
    return account


def _files(documents: Iterable[Document], path: Path, account: Account) -> Iterator[tuple[str, bytes]]:
    names = Names(account)
    used: list[Document] = []
    for document in documents:
        if "\0" in document.text:
            account.drop("texts with zero bytes", str(document.id))
            continue
        note_losses(document, account, meta=("annotator",))
        who = document.meta.get("annotator")
        stem = names.of(document.id, f"{part_name(str(who))}/" if who else "") if path.suffix.lower() != ".ann" else path.stem
        lines, kept = _lines(document, account)
        used.append(kept)
        yield f"{stem}.txt", document.text.encode()
        yield f"{stem}.ann", lines.encode()
    if path.suffix.lower() != ".ann" and not (path / "annotation.conf").exists():
        yield "annotation.conf", _configuration(used).encode()


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
    word = re.sub(r"\s+", "_", name) or "_"
    if word != name:
        account.repair("names with white space, written with _", place)
    return word


def _configuration(documents: Iterable[Document]) -> str:
    """What brat needs to show the documents: their labels, and what stands between which."""
    labels: dict[str, None] = {}
    ends: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    values: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for document in documents:
        for span in document.spans:
            labels[re.sub(r"\s+", "_", span.label)] = None
            for name, value in span.attributes.items():
                if name not in (_NOTE, _REFERENCE):
                    carriers, found = values.setdefault(re.sub(r"\s+", "_", name), ({}, {}))
                    carriers[span.label] = found[value] = None
        for relation in document.relations:
            heads, tails = ends.setdefault(re.sub(r"\s+", "_", relation.label), ({}, {}))
            heads[relation.head.label] = tails[relation.tail.label] = None
    relations = [f"{label}\tArg1:{'|'.join(heads)}, Arg2:{'|'.join(tails)}" for label, (heads, tails) in ends.items()]
    attributes = [f"{name}\tArg:{'|'.join(carriers)}, Value:{'|'.join(found)}" for name, (carriers, found) in values.items()]
    sections = {"entities": list(labels), "relations": relations, "events": [], "attributes": attributes}
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


# What follows is shared by the formats that hold a document in a file of its own.


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a folder or a zip, zips inside opened as folders; or one file with those beside it, of which `only` is asked for."""

    root: str
    load: Mapping[str, Callable[[], bytes]]
    only: str | None = None

    def named(self, *suffixes: str) -> list[str]:
        """The names of the files that are asked for and have one of these suffixes, in order; a file that is asked for has any."""
        if self.only is not None:
            return [self.only]
        return sorted(name for name in self.load if name.lower().endswith(suffixes))

    def place(self, name: str) -> str:
        """What messages call a file."""
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            DataError: it cannot be read.
        """
        try:
            return self.load[name]()
        except (OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError, KeyError) as error:
            raise DataError(f"{self.place(name)}: cannot be read ({error}); unpack or export it again") from None


def open_files(path: Path, on_error: OnError) -> Files:
    """The files of a path; none where it cannot be read, which `on_error` is told."""
    try:
        if path.is_dir():
            load: dict[str, Callable[[], bytes]] = {}
            for file in sorted(path.rglob("*")):
                name = file.relative_to(path).as_posix()
                if file.is_file() and file.suffix.lower() == ".zip":
                    load.update(_unzipped(file.read_bytes(), f"{name[:-4]}/"))
                elif file.is_file():
                    load[name] = file.read_bytes
            return Files(str(path), load)
        if path.suffix.lower() == ".zip":
            return Files(str(path), _unzipped(path.read_bytes(), ""))
        if not path.is_file():
            raise DataError(f"{path}: there is no such file or folder")
        return Files(str(path.parent), {file.name: file.read_bytes for file in path.parent.iterdir() if file.is_file()}, path.name)
    except (OSError, zipfile.BadZipFile) as error:
        on_error(DataError(f"{path}: cannot be read ({error})"))
    except DataError as error:
        on_error(error)
    return Files(str(path), {})


def _unzipped(data: bytes, prefix: str) -> dict[str, Callable[[], bytes]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    load: dict[str, Callable[[], bytes]] = {}
    for name in archive.namelist():
        if name.endswith("/") or name.startswith("__MACOSX/"):
            continue
        if name.lower().endswith(".zip"):
            with contextlib.suppress(zipfile.BadZipFile):
                load.update(_unzipped(archive.read(name), f"{prefix}{name[:-4]}/"))
        else:
            load[prefix + name] = partial(archive.read, name)
    return load


def store(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Writes the files into a folder, a `.zip`, or beside a path with a suffix; each takes its name once it is written.

    Raises:
        DataError: there is a file where a folder must be.
    """
    if path.suffix.lower() == ".zip":
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files:
                archive.writestr(name, data)
        return
    folder = path.parent if path.suffix.lower() in _SINGLE else path
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; name a folder, or a .zip")
    for name, data in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            part.write_bytes(data)


_SINGLE = (".ann", ".tsv", ".xmi", ".json")


def single(documents: Iterable[Document], path: Path, suffix: str) -> Iterable[Document]:
    """The documents; where the path has the suffix of one file, there may be only one.

    Raises:
        DataError: there are several.
    """
    if path.suffix.lower() != suffix:
        return documents
    first = list(islice(documents, 2))
    if len(first) > 1:
        raise DataError(f"{path}: holds one document, and there are several; name a folder or a .zip")
    return first
