"""Which spans and relations did people accept in Prodigy? JSON Lines, as db-out writes them and rel.manual and ner.manual load them.

Relations point at tokens, by the index of a span's last token; newer rows repeat the spans that they join.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from clashnlp.errors import DataError
from clashnlp.formats.exchange import Account, Link, OnError, beside, build, joined, number, objects, report_of, split_value, text_values
from clashnlp.formats.jsonl import json_text, rows
from clashnlp.formats.offsets import Extent, locate, tokenize
from clashnlp.formats.storage import open_files, write_text
from clashnlp.types import Document, Span, identity

Source = Literal["head", "child"]
Tokenizer = Callable[[str], list[Extent]]
# Spans, each with the number of its last token.
Ending = list[tuple[Span, int | None]]
_SPAN_KEYS = (
    *("id", "start", "end", "token_start", "token_end", "label", "text", "type", "score", "source", "pattern", "input_hash"),
    *("color", "priority", "rank", "answer", "ws", "disabled"),
)
_ROW_KEYS = (
    *("text", "id", "lang", "labels", "meta", "tokens", "spans", "relations", "answer", "html", "image", "config", "options", "versions"),
    *("score", "priority", "view_id"),
)


def read(
    path: Path, *, account: Account, on_error: OnError, source: Source = "head", tokenizer: Tokenizer | None = None
) -> Iterator[Document]:
    """The documents of a .jsonl file, or of a folder or zip of these, whose answer is accept; no answer counts as accept.

    `source` is the end of an arrow that is a relation's head; annotators choose, and Prodigy does not know. `tokenizer` gives start and end
    of each token of a text, for rows without tokens whose relations have nothing but token numbers.
    """
    for _, place, data in open_files(path, (".jsonl",), on_error).each(on_error):
        for at, row in rows(io.BytesIO(data), place, on_error):
            try:
                if _accepted(row, at, account):
                    yield _document(row, at, account, source, tokenizer)
            except DataError as error:
                on_error(DataError(f"{at}: {error}"))


def write(documents: Iterable[Document], path: Path, *, source: Source = "head") -> Account:
    """What was written: one accepted row a document, with tokens that end where spans end.

    `source` is the end of an arrow that stands for a relation's head.
    """
    account = Account()
    write_text(path, (json_text(_row(account.use(document), source)) + "\n" for document in documents))
    return account


def _row(document: Document, source: Source) -> dict[str, Any]:
    tokens = _tokens(document.text, document.spans)
    starts = {token["start"]: token["id"] for token in tokens}
    ends = {token["end"]: token["id"] for token in tokens}
    spans = {span.id: _span(span, starts[span.start], ends[span.end]) for span in document.spans}
    relations = []
    for link in document.relations:
        head, child = (link.head, link.tail) if source == "head" else (link.tail, link.head)
        numbers = {"head": ends[head.end], "child": ends[child.end]}
        known = ("start", "end", "token_start", "token_end", "label", "id")
        ended = {f"{name}_span": {key: spans[end.id][key] for key in known} for name, end in (("head", head), ("child", child))}
        relations.append({**numbers, "label": link.label, **ended, **({} if link.score is None else {"score": link.score})})
    meta = dict(document.meta)
    annotator = meta.pop("annotator", None)
    row: dict[str, Any] = {"text": document.text, "id": document.id, "lang": document.lang, "meta": meta, "tokens": tokens}
    row |= {"spans": list(spans.values()), "relations": relations, "answer": "accept"}
    if document.labels is not None:
        row["labels"] = list(document.labels)
    if annotator is not None:
        row["_annotator_id"] = annotator
    return row


def _span(span: Span, first: int, last: int) -> dict[str, Any]:
    row: dict[str, Any] = {"start": span.start, "end": span.end, "token_start": first, "token_end": last, "label": span.label}
    row |= {"type": "span", "text": span.text, "id": span.id}
    if span.score is not None:
        row["score"] = span.score
    return row | beside(span.attributes, _SPAN_KEYS)


def _tokens(text: str, spans: Iterable[Span]) -> list[dict[str, Any]]:
    """The tokens, as spaCy makes them: a space behind a token is its `ws`; other white space, or some at a span's end, is a token."""
    starts, ends = {span.start for span in spans}, {span.end for span in spans}
    extents: list[Extent] = []
    spaced: set[int] = set()
    at = 0
    for start, end in [*tokenize(text, starts | ends), (len(text), len(text))]:
        for place in range(at, start):
            plain = text[place] == " " and place not in starts and place + 1 not in ends
            if plain and extents and extents[-1][1] == place and len(extents) - 1 not in spaced:
                spaced.add(len(extents) - 1)
            else:
                extents.append((place, place + 1))
        if start < end:
            extents.append((start, end))
        at = end
    return [{"text": text[s:e], "start": s, "end": e, "id": number, "ws": number in spaced} for number, (s, e) in enumerate(extents)]


def _accepted(row: Mapping[str, Any], at: str, account: Account) -> bool:
    """Whether the row is a whole annotation: accepted, and not the yes to a single suggestion."""
    answer = row.get("answer", "accept")
    if answer != "accept":
        account.drop(f"rows answered {answer}", str(row.get("id", at)))
    elif row.get("_is_binary") is True:
        account.drop("yes or no answers about one span, which say nothing about the rest of the text", str(row.get("id", at)))
        return False
    return bool(answer == "accept")


def _document(row: dict[str, Any], at: str, account: Account, source: Source, tokenizer: Tokenizer | None) -> Document:
    given = row["id"] if row.get("id") is not None else row.get("_input_hash")
    row_id = identity(f"{Path(at.rpartition(':')[0]).stem}-{at.rpartition(':')[2]}" if given is None else given)
    tokens = _token_extents(row, tokenizer)
    text = row.get("text")
    if not isinstance(text, str):
        text = _text_of_tokens(row)
        account.repair("texts joined from their tokens", str(row_id))
    spans: list[Span] = []
    ending: Ending = []
    for at_span, fields in enumerate(objects(row, "spans"), start=1):
        name = str(fields["id"]) if fields.get("id") is not None else f"T{at_span}"
        place = f"{row_id}/{name}"
        extent = _extent(fields, tokens)
        if not isinstance(fields.get("label"), str) or not fields["label"]:
            account.drop("spans without a label", place)
            continue
        if extent is None:
            account.drop("spans without offsets", place)
            continue
        surface = fields.get("text")
        where = locate(text, (*extent, surface if isinstance(surface, str) else None), account=account, place=place)
        if where is None:
            continue
        label, values = split_value(fields["label"])
        spans.append(Span(*where, label, text[slice(*where)], name, number(fields.get("score")), values | text_values(fields, _SPAN_KEYS)))
        last = fields.get("token_end")
        known = last if isinstance(last, int) else next((n for n, token in enumerate(tokens) if token[1] == where[1]), None)
        ending.append((spans[-1], known))
    links = _links(row, (str(row_id), account), ending, source)
    return build(report_of(row_id, text, row, _meta(row)), spans, links, account)


def _links(row: Mapping[str, Any], notes: tuple[str, Account], spans: Ending, source: Source) -> Iterator[Link]:
    """The row's relations by the ids of their spans."""
    row_id, account = notes
    by_id = {span.id: span for span, _ in spans}
    for fields in objects(row, "relations"):
        place = f"{row_id}/{fields.get('head')}-{fields.get('child')}"
        if not isinstance(fields.get("label"), str) or not fields["label"]:
            account.drop("relations without a label", place)
            continue
        both = ("head", "child") if source == "head" else ("child", "head")
        heads, tails = (_end(fields.get(f"{end}_span"), fields.get(end), spans) for end in both)
        if not heads or not tails:
            account.drop("relations of tokens where no span ends; give a tokenizer where the file has no tokens", place)
            continue
        if len(heads) + len(tails) > 2:
            account.repair("relations at a token where several spans end, given to the longest that it may hold between", place)
        ends = joined([head.id for head in heads], [tail.id for tail in tails], fields["label"], by_id)
        yield *ends, fields["label"], number(fields.get("score"))


def _end(repeated: Any, token: Any, spans: Ending) -> list[Span]:
    """The spans that an end of a relation may mean, the longest first: what it repeats, else the spans that end with its token."""
    if isinstance(repeated, dict):
        same = [s for s, _ in spans if (s.start, s.end) == (repeated.get("start"), repeated.get("end"))]
        named = [s for s in same if s.id == repeated.get("id")] or [
            s for s in same if s.label == split_value(str(repeated.get("label")))[0]
        ]
        if named:
            return named[:1]
    if not isinstance(token, int):
        return []
    return sorted((s for s, last in spans if last == token), key=lambda s: s.start - s.end)


def _token_extents(row: Mapping[str, Any], tokenizer: Tokenizer | None) -> list[Extent]:
    tokens = row.get("tokens")
    if isinstance(tokens, list) and all(
        isinstance(t, dict) and isinstance(t.get("start"), int) and isinstance(t.get("end"), int) for t in tokens
    ):
        return [(token["start"], token["end"]) for token in tokens]
    return tokenizer(row["text"]) if tokenizer is not None and isinstance(row.get("text"), str) else []


def _text_of_tokens(row: Mapping[str, Any]) -> str:
    tokens = row.get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, dict) and isinstance(token.get("text"), str) for token in tokens):
        raise DataError("the row has no 'text'; export the dataset with db-out")
    return "".join(token["text"] + " " * bool(token.get("ws", True)) for token in tokens)


def _extent(fields: Mapping[str, Any], tokens: list[Extent]) -> Extent | None:
    """The span's offsets, or those of its tokens, the last of which belongs to it."""
    start, end = fields.get("start"), fields.get("end")
    if isinstance(start, int) and isinstance(end, int):
        return start, end
    first, last = fields.get("token_start"), fields.get("token_end")
    if isinstance(first, int) and isinstance(last, int) and 0 <= first <= last < len(tokens):
        return tokens[first][0], tokens[last][1]
    return None


def _meta(row: Mapping[str, Any]) -> dict[str, Any]:
    """What else came with the row; Prodigy's own keys begin with `_`, and two of them name the annotator."""
    meta = {key: value for key, value in row.items() if key not in _ROW_KEYS and not key.startswith("_")}
    given = row.get("meta")
    meta |= given if isinstance(given, dict) else {} if given is None else {"meta": given}
    annotator = next((row[key] for key in ("_annotator_id", "_session_id") if row.get(key) is not None), None)
    return meta if annotator is None else meta | {"annotator": annotator}
