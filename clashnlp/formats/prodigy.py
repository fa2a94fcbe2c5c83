"""Which spans and relations did people accept in Prodigy? JSON Lines, as db-out writes them and rel.manual and ner.manual load them.

Relations point at tokens, by the index of a span's last token; newer rows repeat the spans that they join.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from clashnlp.errors import DataError
from clashnlp.formats.conll import replacing, split_value, tokenize
from clashnlp.formats.exchange import Account, build, locate
from clashnlp.formats.plain import decode
from clashnlp.types import Document, Relation, Span, identity

Source = Literal["head", "child"]
Extents = list[tuple[int, int]]
_SPAN_KEYS = (
    *("id", "start", "end", "token_start", "token_end", "label", "text", "type", "score", "source", "pattern", "input_hash"),
    *("color", "priority", "rank", "answer", "ws", "disabled"),
)
_ROW_KEYS = (
    *("text", "id", "lang", "labels", "meta", "tokens", "spans", "relations", "answer", "html", "image", "config", "options", "versions"),
    *("score", "priority", "view_id"),
)


def read(
    path: Path,
    *,
    account: Account,
    on_error: Callable[[DataError], None],
    source: Source = "head",
    tokenizer: Callable[[str], Extents] | None = None,
) -> Iterator[Document]:
    """The documents of a .jsonl file whose answer is accept; rows without an answer count as accepted.

    Args:
        path: the file.
        account: what was used, repaired and left out.
        on_error: called with what cannot be read.
        source: which end of an arrow is a relation's head; annotators choose, and Prodigy does not know.
        tokenizer: start and end of each token of a text, for rows without tokens whose relations have nothing but token numbers.
    """
    try:
        with path.open("rb") as stream:
            for at, row in rows(stream, str(path), on_error):
                try:
                    if _accepted(row, at, account):
                        yield _document(row, at, account, source, tokenizer)
                except DataError as error:
                    on_error(DataError(f"{at}: {error}"))
    except OSError as error:
        on_error(DataError(f"{path}: {error.strerror or error}"))


def write(documents: Iterable[Document], path: Path, *, source: Source = "head") -> Account:
    """What was written: one accepted row a document, with tokens that end where spans end.

    Args:
        documents: the documents.
        path: the .jsonl file.
        source: which end of an arrow stands for a relation's head.
    """
    account = Account()
    with replacing(path) as file:
        for document in documents:
            file.write(json_text(_row(document, source)) + "\n")
            account.use(document)
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
    return row | {f"{key}_" if key in _SPAN_KEYS else key: value for key, value in span.attributes.items()}


def _tokens(text: str, spans: Iterable[Span]) -> list[dict[str, Any]]:
    """The tokens, as spaCy makes them: a space behind a token is its `ws`; other white space, or some at a span's end, is a token."""
    starts, ends = {span.start for span in spans}, {span.end for span in spans}
    extents: Extents = []
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


def _document(row: dict[str, Any], at: str, account: Account, source: Source, tokenizer: Callable[[str], Extents] | None) -> Document:
    given = row["id"] if row.get("id") is not None else row.get("_input_hash")
    row_id = identity(f"{Path(at.rpartition(':')[0]).stem}-{at.rpartition(':')[2]}" if given is None else given)
    tokens = _token_extents(row, tokenizer)
    text = row.get("text")
    if not isinstance(text, str):
        text = _text_of_tokens(row)
        account.repair("texts joined from their tokens", str(row_id))
    spans: list[Span] = []
    lasts: dict[str, int | None] = {}
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
        where = locate(text, extent, surface if isinstance(surface, str) else None, account=account, place=place)
        if where is None:
            continue
        label, values = split_value(fields["label"])
        spans.append(Span(*where, label, text[slice(*where)], name, number(fields.get("score")), values | text_values(fields, _SPAN_KEYS)))
        last = fields.get("token_end")
        lasts[name] = last if isinstance(last, int) else next((n for n, token in enumerate(tokens) if token[1] == where[1]), None)
    links, scores = _links(row, str(row_id), spans, lasts, account)
    if source == "child":
        links = [(tail, head, label) for head, tail, label in links]
        scores = {(tail, head, label): score for (head, tail, label), score in scores.items()}
    labels = row.get("labels")
    return with_scores(
        build(
            row_id,
            text,
            spans,
            links,
            account,
            lang=row["lang"] if isinstance(row.get("lang"), str) else None,
            labels=tuple(map(str, labels)) if isinstance(labels, list) else None,
            meta=_meta(row),
        ),
        scores,
    )


def _links(
    row: Mapping[str, Any], row_id: str, spans: list[Span], lasts: Mapping[str, int | None], account: Account
) -> tuple[list[tuple[str, str, str]], dict[tuple[str, str, str], float | None]]:
    """The row's relations as ids of head and child with a label, and their scores."""
    links: list[tuple[str, str, str]] = []
    scores: dict[tuple[str, str, str], float | None] = {}
    for fields in objects(row, "relations"):
        place = f"{row_id}/{fields.get('head')}-{fields.get('child')}"
        if not isinstance(fields.get("label"), str) or not fields["label"]:
            account.drop("relations without a label", place)
            continue
        ends = []
        for end in ("head", "child"):
            found = _end(fields.get(f"{end}_span"), fields.get(end), spans, lasts)
            if len(found) > 1:
                account.repair("relations at a token where several spans end, given to the longest", place)
            ends.append(found[0].id if found else "")
        if not all(ends):
            account.drop("relations of tokens where no span ends; give a tokenizer where the file has no tokens", place)
            continue
        links.append((ends[0], ends[1], fields["label"]))
        scores[links[-1]] = number(fields.get("score"))
    return links, scores


def _end(repeated: Any, token: Any, spans: list[Span], lasts: Mapping[str, int | None]) -> list[Span]:
    """The spans that an end of a relation may mean, the longest first: what it repeats, else the spans that end with its token."""
    if isinstance(repeated, dict):
        same = [s for s in spans if (s.start, s.end) == (repeated.get("start"), repeated.get("end"))]
        named = [s for s in same if s.id == repeated.get("id")] or [
            s for s in same if s.label == split_value(str(repeated.get("label")))[0]
        ]
        if named:
            return named[:1]
    if not isinstance(token, int):
        return []
    return sorted((s for s in spans if lasts[s.id] == token), key=lambda s: s.start - s.end)


def _token_extents(row: Mapping[str, Any], tokenizer: Callable[[str], Extents] | None) -> Extents:
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


def _extent(fields: Mapping[str, Any], tokens: Extents) -> tuple[int, int] | None:
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


# What follows is shared with the other formats in JSON.


def rows(lines: Iterable[bytes], place: str, on_error: Callable[[DataError], None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and value of every line that holds a JSON object."""
    for count, line in enumerate(lines, start=1):
        at = f"{place}:{count}"
        try:
            text = decode(line, at)
            if not text.strip():
                continue
            row = json.loads(text, parse_constant=lambda _: None)
            if not isinstance(row, dict):
                raise DataError(f"{at}: each line must hold one JSON object, this one holds {text.strip()!r:.40}")
        except DataError as error:
            on_error(error)
        except (ValueError, RecursionError) as error:
            on_error(DataError(f"{at}: broken JSON ({error}); each line must hold one JSON object"))
        else:
            yield at, row


def objects(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list under a key, none where there is no such key.

    Raises:
        DataError: something else stands there.
    """
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise DataError(f"key {key!r} must hold a list of objects, it holds {value!r:.60}")
    return value


def json_text(value: Any) -> str:
    """The value as JSON on one line; what JSON has no form for, dates say, as text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Meta data may hold half of a surrogate pair, which JSON can write and UTF-8 cannot.
        text = json.dumps(value, default=str)
    return text


def text_values(row: Mapping[str, Any], known: Iterable[str]) -> dict[str, str]:
    """The attributes of a span: texts under keys that the format does not know; a name that it knows was written with a `_` behind."""
    known = set(known)
    return {
        key[:-1] if key.endswith("_") and key[:-1] in known else key: value
        for key, value in row.items()
        if key not in known and isinstance(value, str)
    }


def number(value: Any) -> float | None:
    """The number as a score, None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def with_scores(document: Document, scores: Mapping[tuple[str, str, str], float | None]) -> Document:
    """The document, its relations with the scores that stand under their head id, tail id and label."""
    if not any(score is not None for score in scores.values()):
        return document

    def scored(link: Relation) -> Relation:
        return replace(link, score=scores.get((link.head.id, link.tail.id, link.label)))

    return replace(document, relations=tuple(map(scored, document.relations)))
