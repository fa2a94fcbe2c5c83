"""Which spans and relations does a WebAnno TSV 3 file of INCEpTION or WebAnno hold? A row a token, offsets in UTF-16."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from clashnlp.errors import DataError
from clashnlp.formats import cas
from clashnlp.formats.exchange import Account, Link, OnError, build, note_losses, ordered
from clashnlp.formats.offsets import Extent, offset_table, tokenize, touched
from clashnlp.formats.plain import decode
from clashnlp.formats.storage import open_files, stems, store
from clashnlp.types import Document, Relation, Span

Unit = tuple[int, int, int]  # A token's number, and start and end of it or of a part.

_SPECIAL = re.compile(r"->|[\\\[\]|_;\t\n\r*]")
_LETTERS = {"\t": "t", "\n": "n", "\f": "f", "\r": "r", "\b": "b"}
_CONTROLS = {letter: control for control, letter in _LETTERS.items()}
_SUFFIX = re.compile(r"((?:[^\\\[]|\\.)*)\[(\d+(?:_\d+)?)\]", re.DOTALL)
_ROW = re.compile(r"(\d+-\d+(?:\.\d+)?)\t(\d+)-(\d+)\t(.*)", re.DOTALL)


def read(
    path: Path, *, account: Account, on_error: OnError, layers: Collection[str] | None = None, label: str | None = None
) -> Iterator[Document]:
    """The documents of a `.tsv` file, or of a folder or zip: single files, or a project export with `annotation/DOCUMENT/ANNOTATOR.tsv`.

    Slots of spans become relations, named by the role. White space between sentences is what the offsets leave room for.

    `layers` are the layers to read, by full or last name; None for named entities and all that the project made itself. `label` is the
    feature that holds the label; None for `label`, else `value`, else the first. The others become attributes.
    """
    for name, place, data in open_files(path, (".tsv",), on_error, zips=True).each(on_error):
        row_id, annotator = cas.identify(name)
        if annotator == "INITIAL_CAS":
            account.drop("states before any annotation (INITIAL_CAS)", name)
            continue
        try:
            document = _Sheet(place, row_id, account, on_error, layers=layers, label=label).document(decode(data, place))
            yield replace(document, meta={"annotator": annotator}) if annotator else document
        except DataError as error:
            on_error(error)


@dataclass(slots=True)
class _Column:
    layer: str
    kind: str  # SP, RL or CH
    feature: str  # Of slots: that of the role.
    use: str = "value"  # value, source, role or target
    base: str = ""


@dataclass(slots=True)
class _Mark:
    """A span or, with a source, a relation."""

    layer: str
    units: list[str] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    values: dict[str, str | None] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    source: str = ""
    base: str = ""


@dataclass(slots=True)
class _Row:
    number: int
    unit: str
    extent: Extent
    surface: str
    cells: list[str]


@dataclass(slots=True)
class _Sheet:
    """One file while it is read."""

    place: str
    row_id: str
    account: Account
    on_error: OnError
    layers: Collection[str] | None
    label: str | None
    columns: list[_Column] = field(default_factory=list)
    sentences: list[tuple[list[str], list[_Row]]] = field(default_factory=list)
    spans: dict[tuple[str, ...], _Mark] = field(default_factory=dict)
    links: dict[tuple[str, ...], _Mark] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)

    def document(self, data: str) -> Document:
        """The document of the file's text."""
        # Line by line as INCEpTION reads: other characters that Python takes for line ends may stand in a text.
        lines = [line.removesuffix("\r") for line in data.split("\n")]
        if not re.fullmatch(r"#FORMAT=.*\b3\.\d+ *", lines[0]):
            raise DataError(f"{self.place}:1: is no WebAnno TSV 3, which begins with #FORMAT=WebAnno TSV 3.3; export it in that format")
        at = 1
        while at < len(lines) and lines[at].startswith("#T_"):
            self._declare(lines[at])
            at += 1
        self._body(lines[at:], at + 1)
        text, table = self._text()
        for _, rows in self.sentences:
            for row in rows:
                self._marks(row)
        return self._build(text, table)

    def _declare(self, line: str) -> None:
        kind, (layer, *features) = line[3:5], line[6:].split("|")
        for feature in features or [""]:
            column = _Column(layer, kind, feature)
            if kind == "RL" and feature.startswith("BT_"):
                column.use, column.base = "source", feature[3:]
            elif kind == "SP" and feature.startswith("ROLE_"):
                column.use, column.feature = "role", feature.partition(":")[2].partition("_")[0] or feature
            elif kind == "SP" and self.columns and self.columns[-1].use == "role" and self.columns[-1].layer == layer:
                column.use, column.base = "target", feature
            self.columns.append(column)
        if kind == "CH" or not cas.is_wanted(layer, self.layers):
            self.account.drop("chains" if kind == "CH" else f"layers that are not read: {layer}", self.row_id)

    def _body(self, lines: list[str], first: int) -> None:
        open_ = False
        for number, line in enumerate(lines, start=first):
            if line.startswith("#"):
                if not open_ or self.sentences[-1][1]:
                    self.sentences.append(([], []))
                    open_ = True
                if line.startswith("#Text="):
                    self.sentences[-1][0].append(_unescape_text(line[6:]))
            elif not line:
                open_ = False
            else:
                match = _ROW.fullmatch(line)
                cells = match[4].split("\t") if match else []
                if match is None or len(cells) <= len(self.columns) or not open_:
                    form = f"UNIT, BEGIN-END, the token and {len(self.columns)} columns, with tabs between, below a line #Text="
                    self.on_error(DataError(f"{self.place}:{number}: a row must read: {form}; export again"))
                    continue
                self.sentences[-1][1].append(_Row(number, match[1], (int(match[2]), int(match[3])), cells[0], cells[1:]))

    def _text(self) -> tuple[str, dict[int, int]]:
        """The text, and the code point at each offset of the file, which counts UTF-16 units, or code points if only these fit."""
        found = []
        for wide in (True, False):
            text, filled = _assemble(self.sentences, wide=wide)
            table = offset_table(text, utf16=wide)
            found.append(([row for _, rows in self.sentences for row in rows if not _fits(text, table, row)], text, table, filled))
        wrong, text, table, filled = min(found, key=lambda reading: len(reading[0]))
        if table is not found[0][2]:
            self.account.repair("offsets in code points, where the format wants UTF-16", self.row_id)
        if filled:
            self.account.repair("text between sentences, which the format does not hold, filled with spaces", self.row_id)
        for row in wrong:
            self.wrong.add(row.unit)
            why = f"row {row.unit} reads {row.surface!r:.40}, the text at its offsets does not; export again"
            self.on_error(DataError(f"{self.place}:{row.number}: {why}"))
        return text, table

    def _marks(self, row: _Row) -> None:
        here: dict[tuple[str, int], tuple[str, ...]] = {}  # Columns of targets do not repeat the number of their span.
        for column, cell in zip(self.columns, row.cells, strict=False):
            if cell == "_" or column.kind == "CH" or not cas.is_wanted(column.layer, self.layers):
                continue
            for index, whole in enumerate(_split(cell, "|")):
                match = _SUFFIX.fullmatch(whole) if column.use in ("value", "role") else None
                value, own = (match[1], match[2]) if match else (whole, "")
                known = self.links if column.kind == "RL" else self.spans
                new = (column.layer, own) if own and column.kind == "SP" else (column.layer, row.unit, str(index))
                key = here.setdefault((column.layer, index), new)
                mark = known.setdefault(key, _Mark(column.layer))
                if row.unit not in mark.units:
                    mark.units.append(row.unit)
                    mark.extents.append(row.extent)
                _fill(mark, column, value)

    def _build(self, text: str, table: dict[int, int]) -> Document:
        made: dict[tuple[str, ...], Span] = {}
        for key, mark in self.spans.items():
            place = f"{self.row_id}/{mark.units[0]}"
            start, end = table.get(min(begin for begin, _ in mark.extents)), table.get(max(end for _, end in mark.extents))
            named = cas.labelled(mark.layer, mark.values, self._features(mark.layer), self.label)
            if not self.wrong.isdisjoint(mark.units):
                self.account.drop("spans on rows that do not fit the text", place)
            elif start is None or end is None or start >= end:
                self.account.drop("spans that are empty or outside the text", place)
            elif named is None:
                self.account.drop("spans without a label", place)
            else:
                made[key] = Span(start, end, named[0], text[start:end], "", named[2], named[1])
        order = sorted(made, key=lambda key: (made[key].start, -made[key].end, made[key].label))
        made = {key: replace(made[key], id=f"T{number}") for number, key in enumerate(order, start=1)}
        ids = {key: span.id for key, span in made.items()}
        links = [link for mark in self.links.values() if (link := self._link(mark, ids)) is not None]
        for key, mark in self.spans.items():
            for role, target in zip(mark.roles, mark.targets, strict=False):
                links.append((ids.get(key, mark.units[0]), self._id(target, mark.base, ids), role, None))
                if links[-1][1] != target:
                    self.account.repair("slots of spans, read as relations", f"{self.row_id}/{mark.units[0]}")
        return build(Document(text, self.row_id), made.values(), links, self.account)

    def _features(self, layer: str) -> list[str]:
        return [column.feature for column in self.columns if column.layer == layer and column.use == "value" and column.feature]

    def _link(self, mark: _Mark, ids: dict[tuple[str, ...], str]) -> Link | None:
        match = _SUFFIX.fullmatch(mark.source)
        unit, numbers = (match[1], match[2].split("_")) if match else (mark.source, ["0", "0"])
        ends = self._id(f"{unit}[{numbers[0]}]", mark.base, ids), self._id(f"{mark.units[0]}[{numbers[-1]}]", mark.base, ids)
        named = cas.labelled(mark.layer, mark.values, self._features(mark.layer), self.label)
        return cas.linked(ends, named, self.account, f"{self.row_id}/{mark.units[0]}")

    def _id(self, reference: str, base: str, ids: dict[tuple[str, ...], str]) -> str:
        """The id of the span that is referred to; what the file calls it, where there is none."""
        return ids.get(self._find(reference, base) or (), reference)

    def _find(self, reference: str, base: str) -> tuple[str, ...] | None:
        """The key of the span that `1-2`, `1-2[3]` or `1-2[0]` refers to; 0 stands for no number."""
        match = _SUFFIX.fullmatch(reference)
        unit, number = (match[1], match[2]) if match else (reference, "0")
        if number != "0":
            return next((key for key in ((base, number), *self.spans) if key in self.spans and key[1:] == (number,)), None)
        keys = [key for key, mark in self.spans.items() if unit in mark.units]
        return next((key for key in keys if key[0] == base), keys[0] if keys else None)


def _fill(mark: _Mark, column: _Column, value: str) -> None:
    if column.use == "source":
        mark.source, mark.base = value, column.base
    elif column.use == "role":
        mark.roles += [column.feature if role == "*" else _unescape(role) for role in _split(value, ";")] if len(mark.units) == 1 else []
    elif column.use == "target":
        mark.base = column.base
        mark.targets += _split(value, ";") if len(mark.units) == 1 else []
    elif column.feature:
        mark.values[column.feature] = None if value == "*" else _unescape(value)


def _assemble(sentences: list[tuple[list[str], list[_Row]]], *, wide: bool) -> tuple[str, bool]:
    """The text with each sentence where its first token begins, and whether there were gaps to fill."""
    pieces: list[str] = []
    length, filled = 0, False
    for lines, rows in sentences:
        begin = rows[0].extent[0] if rows else None
        # A line break between sentences, unless they stand closer, is how INCEpTION reads.
        if pieces and (begin is None or length < begin):
            pieces.append("\n")
            length += 1
        if begin is not None and length < begin <= length + 1_000_000:
            filled = True
            pieces.append(" " * (begin - length))
            length = begin
        pieces.append("\n".join(lines))
        length += len(pieces[-1].encode("utf-16-le")) // 2 if wide else len(pieces[-1])
    return "".join(pieces), filled


def _fits(text: str, table: dict[int, int], row: _Row) -> bool:
    start, end = (table.get(offset) for offset in row.extent)
    # INCEpTION writes tokens as they are; its guide says that they are escaped.
    return start is not None and end is not None and text[start:end] in (row.surface, _unescape_text(row.surface))


def _split(cell: str, separator: str) -> list[str]:
    pieces = []
    for match in re.finditer(rf"((?:[^\\{separator}]|\\.?)*)({re.escape(separator)}|$)", cell, re.DOTALL):
        pieces.append(match[1])
        if not match[2]:
            break
    return pieces


def _unescape(value: str) -> str:
    return re.sub(r"\\(->|.)", lambda match: {"t": "\t", "n": "\n", "r": "\r"}.get(match[1], match[1]), value, flags=re.DOTALL)


def _unescape_text(line: str) -> str:
    return re.sub(r"\\([\\tnfrb\x00-\x07\x0e-\x1f])", lambda match: _CONTROLS.get(match[1], match[1]), line)


def write(documents: Iterable[Document], path: Path) -> Account:
    """What was written: into a folder or `.zip`, or, for one document, a `.tsv` file; documents of annotators as INCEpTION exports them.

    Tokens are words and single signs; spans that begin or end inside one have a sub-token there. The layers are `webanno.custom.ClashSpan`
    and `webanno.custom.ClashRel`, with the features `label`, the attributes, and `score` where there are scores.
    """
    account = Account()
    store(path, _files(stems(documents, path, ".tsv", account, cas.file_stem), account))
    return account


def _files(documents: Iterable[tuple[str, Document]], account: Account) -> Iterator[tuple[str, bytes]]:
    for stem, document in documents:
        note_losses(document, account, meta=("annotator",), scores=True)
        yield f"{stem}.tsv", _written(document, account).encode()


def _written(document: Document, account: Account) -> str:
    text, tokens = document.text, tokenize(document.text)
    units = {span.id: found for span in ordered(document.spans) if (found := _units(span, tokens, account, f"{document.id}/{span.id}"))}
    spans = [span for span in ordered(document.spans) if span.id in units]
    relations = [relation for relation in document.relations if relation.head.id in units and relation.tail.id in units]
    account.use(replace(document, spans=tuple(spans), relations=tuple(relations)))
    over: dict[Unit, list[Span]] = {}
    for span in spans:
        for unit in units[span.id]:
            over.setdefault(unit, []).append(span)
    parts: dict[int, list[Unit]] = {}
    for unit in sorted(over, key=lambda unit: (unit[1], -unit[2])):
        if unit[1:] != tokens[unit[0]]:
            parts.setdefault(unit[0], []).append(unit)
    ambiguous = [span.id for span in spans if len(units[span.id]) > 1 or len(over[units[span.id][0]]) > 1]
    numbers = {span_id: number for number, span_id in enumerate(ambiguous, start=1)}
    sentences = cas.sentences_of(text, tokens, spans)
    ids: dict[Unit, str] = {}
    for number, sentence in enumerate(sentences, start=1):
        for place, at in enumerate(sentence, start=1):
            ids[(at, *tokens[at])] = f"{number}-{place}"
            ids.update({part: f"{number}-{place}.{n}" for n, part in enumerate(parts.get(at, ()), start=1)})
    features = ["label", *cas.names_of_attributes(document, spans, account), *_scores(spans)]
    linked = ["label", *_scores(relations)] if relations else []
    lines = ["#FORMAT=WebAnno TSV 3.3", f"#T_SP={'|'.join([cas.SPAN_LAYER, *features])}"]
    lines += [f"#T_RL={'|'.join([cas.RELATION_LAYER, *linked, f'BT_{cas.SPAN_LAYER}'])}", ""] if relations else [""]
    into: dict[Unit, list[Relation]] = {}
    for relation in relations:
        into.setdefault(units[relation.tail.id][0], []).append(relation)
    utf16 = list(offset_table(text, utf16=True))
    bodies = _bodies(text, [tokens[sentence[0]][0] for sentence in sentences], account, str(document.id))
    for body, sentence in zip(bodies, sentences or [[]], strict=True):
        lines += ["", *(f"#Text={_escape_text(line)}" for line in body.split("\n"))]
        for unit in ((at, *rest) for at in sentence for rest in (tokens[at], *(part[1:] for part in parts.get(at, ())))):
            cells = [ids[unit], f"{utf16[unit[1]]}-{utf16[unit[2]]}", text[unit[1] : unit[2]]]
            here, ending = over.get(unit, []), into.get(unit, [])
            cells += [_joined([_cell(_value(span, name), numbers.get(span.id)) for span in here]) for name in features]
            cells += [_joined([_cell(_value(relation, name)) for relation in ending]) for name in linked]
            ends = [(ids[units[r.head.id][0]], numbers.get(r.head.id, 0), numbers.get(r.tail.id, 0)) for r in ending]
            cells += [_joined([f"{unit}[{head}_{tail}]" if head or tail else unit for unit, head, tail in ends])] if relations else []
            lines.append("\t".join([*cells, ""]))
    return "".join(f"{line}\n" for line in lines)


def _joined(cells: list[str]) -> str:
    return "|".join(cells) if cells else "_"


def _units(span: Span, tokens: list[Extent], account: Account, place: str) -> list[Unit]:
    """The tokens of a span, as number, start and end: that of the span where it begins or ends inside a token."""
    found = [(at, max(tokens[at][0], span.start), min(tokens[at][1], span.end)) for at in touched(span, tokens)]
    if not found:
        account.drop("spans of white space alone", place)
    elif (found[0][1], found[-1][2]) != (span.start, span.end):
        account.repair("white space at the edges of spans, left outside", place)
    return found


def _bodies(text: str, starts: list[int], account: Account, place: str) -> list[str]:
    """The text of each sentence, with the white space behind it, unless that is the line break that readers put there."""
    if not starts:
        return [text]
    if text[: starts[0]].strip(" "):
        account.repair("white space at the start of texts, written as spaces", place)
    bodies = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    plain = (body.removesuffix("\n") if body[-2:-1].strip() else body for body in bodies[:-1])
    return [*plain, bodies[-1]]


def _cell(value: str | None, number: int | None = None) -> str:
    written = "*" if value is None else _SPECIAL.sub(lambda match: "\\" + _LETTERS.get(match[0], match[0]), value)
    return f"{written}[{number}]" if number else written


def _value(one: Span | Relation, name: str) -> str | None:
    if name == "score":
        return None if one.score is None else repr(one.score)
    return one.label if name == "label" else one.attributes.get(name) if isinstance(one, Span) else None


def _scores(some: Iterable[Span | Relation]) -> list[str]:
    return ["score"] if any(one.score is not None for one in some) else []


def _escape_text(line: str) -> str:
    return re.sub(r"[\\\t\n\f\r\b\x00-\x07\x0e-\x1f]", lambda match: "\\" + _LETTERS.get(match[0], match[0]), line)
