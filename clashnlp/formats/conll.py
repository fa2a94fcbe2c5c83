"""Which spans do the tags of a token-per-line file mark? CoNLL columns in IOB1, IOB2, BILOU, BIOES or bare labels; no relations.

The format has no text of its own: `# text =` lines give it back, else words are joined by spaces.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from clashnlp.errors import DataError
from clashnlp.formats.exchange import Account, OnError, build, label_with_value, ordered, report_of, split_value
from clashnlp.formats.offsets import tokenize
from clashnlp.formats.plain import decode
from clashnlp.formats.storage import open_files, write_text
from clashnlp.tokens import sentence_of
from clashnlp.types import Document, Span

Division = Literal["auto", "sentence", "file"]
_SUFFIXES = (".conll", ".iob", ".iob2", ".bio")
_TAG = re.compile(r"([BIOELSUM])[-_](.+)")
_OUTSIDE = ("O", "_")
_ONE_FOR_ALL = "-DOCSTART- -X- O"
_COMMENT = re.compile(r"#\s*([\w. -]*\w)\s*=\s*(.*)|#\s*(id)\s+(\S+).*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ID_KEYS = ("newdoc id", "newdoc_id", "id", "sent_id")
_ARABIC = re.compile(r"[\u0620-\u064a\u066e-\u06d3]+")
# From so many words in Arabic script on, all but a tenth of one letter each, a file is taken for one that was cut into letters.
_LETTERS = 8


@dataclass(slots=True)
class _Block:
    """Rows up to an empty line: line number, word and tag of each, with the comments before them."""

    line: int
    begins: bool = False
    broken: bool = False
    comments: dict[str, str] = field(default_factory=dict)
    rows: list[tuple[int, str, str]] = field(default_factory=list)

    def at(self, line: int) -> _Block:
        """The block, which begins at that line if nothing is in it yet."""
        if not (self.begins or self.broken or self.comments or self.rows):
            self.line = line
        return self


def read(path: Path, *, account: Account, on_error: OnError, documents: Division = "auto", column: int = -1) -> Iterator[Document]:
    """The documents of a file, or of the `.conll`, `.iob` and `.bio` files of a folder or zip.

    `documents` says what one document is: `auto` goes by `# newdoc`, `-DOCSTART-` or `SAMPLE_START` where the file has them, and else takes
    each sentence for one, since such files are mostly shuffled. The tags stand in `column`, the last one by default.
    """
    for name, place, data in open_files(path, _SUFFIXES, on_error).each(on_error):
        blocks = list(_blocks(data, place, column, on_error))
        tags = [[tag for _, _, tag in block.rows] for block in blocks]
        if _tags_first(blocks):
            on_error(DataError(f"{place}: the first column holds the tags; name it with column=0 (convert: --from-option column=0)"))
            continue
        prefixed = any(_TAG.fullmatch(tag) for row in tags for tag in row)
        loose = _opens_with_inside(tags)
        for group in _groups(blocks, documents):
            at = f"{place}:{group[0].line}"
            if any(block.broken for block in group):
                account.drop("documents with broken lines", at)
                continue
            try:
                yield _document(group, f"{PurePosixPath(name).stem}-{group[0].line}", prefixed, loose, account)
            except DataError as error:
                on_error(DataError(f"{at}: {error}"))


def write(documents: Iterable[Document], path: Path, *, comments: bool = True) -> Account:
    """What was written: word and IOB2 tag a line, sentences apart, attributes of the schema inside the labels.

    Documents begin with their id, language, meta data and text behind `#`. Without `comments`, for tools that stumble over them, only words
    and tags are left, and reading gives neither the text nor the offsets back.
    """
    account = Account()

    def blocks() -> Iterator[str]:
        for document in documents:
            kept = _flat(document, account)
            header = _header(document) if comments else ["-DOCSTART-\tO", ""]
            if not comments:
                account.drop("ids, texts and meta data, without comments", str(document.id))
            account.use(replace(document, spans=tuple(kept), relations=()))
            yield "\n".join([*header, *_rows(document, kept, account)]) + "\n\n"

    write_text(path, blocks())
    return account


def _header(document: Document) -> list[str]:
    lines = [f"# newdoc id = {_scalar(document.id)}"]
    if document.lang is not None:
        lines.append(f"# lang = {_scalar(document.lang)}")
    if document.labels is not None:
        lines.append(f"# labels = {json.dumps(list(document.labels), ensure_ascii=False)}")
    if document.meta:
        lines.append(f"# meta = {json.dumps(dict(document.meta), default=str)}")
    return [*lines, f"# text = {_scalar(document.text)}"]


def _scalar(value: str | int) -> str:
    """The value as it is where that is read back, else as JSON: texts with line breaks, or that look like JSON."""
    if isinstance(value, str) and value and value == value.strip() and not _CONTROLS.search(value) and _value(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _value(written: str) -> str | int:
    """The text or whole number that a comment holds, as JSON or as it stands."""
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(written)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return value
    return written


def _flat(document: Document, account: Account) -> list[Span]:
    """The spans that one column holds: the longest where they overlap, and none that is white space."""
    taken: list[Span] = []
    for span in sorted(document.spans, key=lambda span: span.start - span.end):
        place = f"{document.id}/{span.id}"
        if not span.text.strip():
            account.drop("spans of white space", place)
        elif any(span.start < other.end and other.start < span.end for other in taken):
            account.drop("spans that overlap a longer one", place)
        else:
            taken.append(span)
    for span in taken:
        if span.text != span.text.strip():
            account.drop("white space at the ends of spans", f"{document.id}/{span.id}")
        if span.score is not None:
            account.drop("scores", f"{document.id}/{span.id}")
    for relation in document.relations:
        account.drop("relations", f"{document.id}/{relation.head.id}-{relation.tail.id}")
    return ordered(taken)


def _rows(document: Document, spans: list[Span], account: Account) -> Iterator[str]:
    """A line for every token, and an empty one between sentences where no span crosses."""
    labels = [label_with_value(span, account, f"{document.id}/{span.id}") for span in spans]
    tokens = tokenize(document.text, [edge for span in spans for edge in (span.start, span.end)])
    sentences = sentence_of(document.text, [start for start, _ in tokens]).tolist()
    at = 0
    for count, (start, end) in enumerate(tokens):
        while at < len(spans) and spans[at].end <= start:
            at += 1
        inside = at < len(spans) and spans[at].start <= start
        first = inside and not document.text[spans[at].start : start].strip()
        if count and sentences[count] != sentences[count - 1] and (first or not inside):
            yield ""
        tag = f"{'B' if first else 'I'}-{labels[at]}" if inside else "O"
        yield f"{document.text[start:end]}\t{tag}"


def _blocks(data: bytes, place: str, column: int, on_error: OnError) -> Iterator[_Block]:
    block = _Block(1)
    for number, raw in enumerate(io.BytesIO(data), start=1):
        try:
            line = _line(raw, f"{place}:{number}", first=number == 1)
            word, tag = _row(line, column, f"{place}:{number}")
        except DataError as error:
            on_error(error)
            block.at(number).broken = True
            continue
        comment = _COMMENT.fullmatch(line) if word is None else None
        # Label Studio begins its file so, and sets its documents apart as sentences.
        mark = word in ("-DOCSTART-", "SAMPLE_START") and line != _ONE_FOR_ALL
        begins = mark or (word is None and line.startswith("# newdoc"))
        ends = not line.strip() or word == "[SEP]" or begins or (word is None and block.rows)
        if ends:
            yield block
            block = _Block(number, begins)
        if comment is not None:
            block.at(number).comments.setdefault(comment[1] or comment[3], comment[2] or comment[4] or "")
        elif word is not None and tag is not None and not begins and word != "[SEP]" and line != _ONE_FOR_ALL:
            block.at(number).rows.append((number, word, tag))
    yield block


def _line(raw: bytes, place: str, *, first: bool) -> str:
    """The line's text without its end. A mark U+FEFF goes where a file begins, and is a character elsewhere."""
    text = decode(raw, place)
    return ("\ufeff" if not first and raw.startswith(b"\xef\xbb\xbf") else "") + text.rstrip("\r\n")


def _row(line: str, column: int, place: str) -> tuple[str | None, str | None]:
    """Word and tag of a line; no word for an empty line or a comment, which differs from hash signs by having no tag; no tag to skip it.

    Raises:
        DataError: the line has one column, or fewer than the tags' column asks for.
    """
    if not line.strip():
        return None, None
    columns = line.split("\t") if "\t" in line else line.split(" ")
    columns = columns if "\t" in line else [part for part in columns if part]
    tag = columns[-1].strip()
    tagged = len(columns) > 1 and (tag in _OUTSIDE or _TAG.fullmatch(tag) is not None)
    if line.startswith("#") and (" " in columns[0] or "=" in columns or not tagged):
        return None, None
    numbered = len(columns) > 2 and bool(re.fullmatch(r"\d+([-.]\d+)?", columns[0])) and not columns[1].isdigit()
    if numbered and not columns[0].isdigit():
        return "", None  # CoNLL-U: a range of words that follow one by one, or a word that the text has not.
    if len(columns) < 2 or not -len(columns) <= column < len(columns) or not columns[0]:
        raise DataError(f"{place}: {line!r:.60} has no word and tag; each line must hold both, apart by a tab or spaces")
    tagged_first = column % len(columns) == numbered
    return columns[numbered + tagged_first], columns[column].strip()


def _groups(blocks: list[_Block], documents: Division) -> list[list[_Block]]:
    """The blocks of each document."""
    if documents == "file":
        return [blocks]
    if documents == "sentence" or not any(block.begins for block in blocks):
        return [[block] for block in blocks if block.rows or "text" in block.comments or block.broken]
    groups: list[list[_Block]] = []
    for block in blocks:
        if block.begins or not groups:
            groups.append([])
        groups[-1].append(block)
    return [group for group in groups if any(block.rows or block.comments or block.broken for block in group)]


def _tags_first(blocks: list[_Block]) -> bool:
    """Whether the tags stand where the words are looked for: all of these are tags, and what is taken for tags are none."""
    rows = [row for block in blocks for row in block.rows]
    words = {word for _, word, _ in rows}.difference(_OUTSIDE)
    return bool(words) and all(map(_TAG.fullmatch, words)) and not any(_TAG.fullmatch(tag) for _, _, tag in rows)


def _opens_with_inside(sentences: list[list[str]]) -> bool:
    """Whether spans begin with I- by right: no B- stands but between two spans of one label, as in IOB1, or there are none."""
    for tags in sentences:
        for before, tag in zip(["O", *tags], tags, strict=False):
            if tag[:1] in "BSU" and _TAG.fullmatch(tag) and before[1:] != tag[1:]:
                return False
    return True


def _document(group: list[_Block], name: str, prefixed: bool, loose: bool, account: Account) -> Document:
    comments = group[0].comments
    given = next((comments[key] for key in _ID_KEYS if key in comments), None)
    row_id = name if given is None else _value(given)
    notes = (account, str(row_id))
    text = ""
    spans: list[Span] = []
    for part in _parts(group):
        rows = [row for block in part for row in block.rows]
        found, places = _rebuild(part[0].comments.get("text"), [word for _, word, _ in rows], notes)
        text += "\n" if text else ""
        at = 0
        for block in part:
            marks = _decode(block.rows, prefixed, None if loose else notes)
            for first, last, label in marks:
                start, end = places[at + first][0] + len(text), places[at + last][1] + len(text)
                base, values = split_value(label)
                spans.append(Span(start, end, base, found[start - len(text) : end - len(text)], f"T{len(spans) + 1}", attributes=values))
            at += len(block.rows)
        text += found
    meta: dict[str, Any] = {key: value for key, value in comments.items() if key not in (*_ID_KEYS, "text", "lang", "labels", "meta")}
    with contextlib.suppress(ValueError):
        held = json.loads(comments.get("meta", "{}"))
        meta |= held if isinstance(held, dict) else {"meta": held}
    labels = None
    with contextlib.suppress(ValueError):
        labels = json.loads(comments["labels"]) if "labels" in comments else None
    lang = str(_value(comments["lang"])) if "lang" in comments else None
    return build(report_of(row_id, text, {"lang": lang, "labels": labels}, meta), spans, (), account)


def _parts(group: list[_Block]) -> list[list[_Block]]:
    """The blocks that share a text line; blocks without one go to the block before."""
    parts: list[list[_Block]] = []
    texts = any("text" in block.comments for block in group)
    for block in group:
        if not parts or "text" in block.comments or not texts:
            parts.append([])
        parts[-1].append(block)
    return [part for part in parts if part[0].comments.get("text") is not None or any(block.rows for block in part)]


def _rebuild(line: str | None, words: list[str], notes: tuple[Account, str]) -> tuple[str, list[tuple[int, int]]]:
    """The text and where its words stand: found in order in the text line, else joined by spaces.

    Raises:
        DataError: there is no text line, and the words are single letters.
    """
    for text in [] if line is None else dict.fromkeys([str(_value(line)), line]):
        at, places = 0, []
        for word in words:
            start = text.find(word, at)
            if start < 0:
                break
            at = start + len(word)
            places.append((start, at))
        if len(places) == len(words):
            return text, places
    if line is not None:
        notes[0].repair("texts that do not hold their words, joined by spaces", notes[1])
    arabic = [word for word in words if _ARABIC.fullmatch(word)]
    if len(arabic) >= _LETTERS and sum(len(word) == 1 for word in arabic) * 10 >= len(arabic) * 9:
        raise DataError("the words are cut into single letters, so the text cannot be known; take the data from where they came from")
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    return " ".join(words), [(start, start + len(word)) for start, word in zip(starts, words, strict=False)]


def _decode(rows: list[tuple[int, str, str]], prefixed: bool, notes: tuple[Account, str] | None) -> list[tuple[int, int, str]]:
    """First row, last row and label of every span.

    Raises:
        DataError: a tag is none, in a file whose others have prefixes.
    """
    marks: list[tuple[int, int, str]] = []
    is_open = False
    for at, (line, _, tag) in enumerate(rows):
        match = _TAG.fullmatch(tag)
        if tag in _OUTSIDE:
            is_open = False
            continue
        if match is None and (prefixed or not tag or re.fullmatch(r"[BI][-_]?", tag)):
            raise DataError(f"line {line} has the tag {tag!r}; tags read O, or B- or I- with a label")
        prefix, label = match.groups() if match else ("I", tag)
        goes_on = is_open and prefix not in "BSU" and marks[-1][2] == label
        if goes_on:
            marks[-1] = (marks[-1][0], at, label)
        else:
            if prefix not in "BSU" and notes is not None:
                notes[0].repair("spans that begin with I-", f"{notes[1]}/{line}")
            marks.append((at, at, label))
        is_open = prefix not in "ELSU"
    return marks
