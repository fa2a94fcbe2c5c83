"""Which spans and relations does a spaCy DocBin (`.spacy`) hold? Read and written without a pipeline, and without unpickling."""

from __future__ import annotations

import gc
import itertools
import json
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from clashnlp.errors import DataError
from clashnlp.formats.exchange import SPAN_FIELDS, Account, Link, OnError, beside, build, needed, ordered, report_of, split_value
from clashnlp.formats.offsets import Extent
from clashnlp.formats.storage import open_files, replacing
from clashnlp.types import Document, Span, identity

# Where we keep what spaCy has no place for: ids, languages, meta data, relations between spans that begin at one token. JSON text.
_KEY = "clashnlp"
_GROUP = "sc"
# The relation component looks at pairs of entities no more than 100 tokens apart. All pairs of a long document would fill the memory.
_NEAR = 100
_BROKEN = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, struct.error, zlib.error, RecursionError)


def read(path: Path, *, account: Account, on_error: OnError, spans_key: str | None = None) -> Iterator[Document]:
    """The documents of a `.spacy` file, or of all in a folder or zip; spans are those of `doc.spans` and of `doc.ents`, equal ones once.

    Relations are `doc._.rel`, by the first token of each span, as far as their value is at least one half.

    `spans_key` is the one group of `doc.spans` to read, without the entities; None for all.

    Raises:
        MissingDependencyError: spaCy is not installed.
    """
    spacy = needed("spacy", extra="spacy")
    for name, place, data in open_files(path, (".spacy",), on_error).each(on_error):
        try:
            # The strings of the file are those of its documents; a vocabulary of its own keeps them from piling up.
            docs = spacy.tokens.DocBin().from_bytes(data).get_docs(spacy.blank("xx").vocab)
            for number, doc in enumerate(docs, start=1):
                try:
                    yield _document(doc, f"{PurePosixPath(name).stem}-{number}", account, spans_key)
                except _BROKEN as error:
                    why = error if isinstance(error, DataError) else f"its spans or user data are damaged ({error!r:.120})"
                    on_error(DataError(f"{place}: document {number}: {why}"))
        except _BROKEN as error:
            if isinstance(error, DataError):
                raise
            on_error(DataError(f"{place}: is no DocBin, or a damaged one ({error!r:.120}); write it again with DocBin.to_disk"))
        finally:
            gc.enable()  # srsly leaves the collector switched off when it meets a damaged file.


def _document(doc: Any, name: str, account: Account, spans_key: str | None) -> Document:
    ours = _ours(doc)
    row_id = identity(ours.get("id", name))
    if doc.has_unknown_spaces:
        account.repair("texts whose spaces are not known, put together with a space between words", str(row_id))
    spans = _spans(doc, spans_key, f"{row_id}/", account)
    if isinstance(ours.get("relations"), list):
        links: Iterable[Link] = ((head, tail, label, score) for head, tail, label, score in ours["relations"])
    else:
        links = _links(doc, spans, str(row_id), account)
    meta = {**_meta(doc, str(row_id), account), **ours.get("meta", {})}
    return build(report_of(row_id, doc.text, ours, meta), spans, links, account)


def _ours(doc: Any) -> dict[str, Any]:
    """What the writer below noted."""
    note = doc.user_data.get(_KEY)
    found = json.loads(note) if isinstance(note, str) else note
    return dict(found) if isinstance(found, Mapping) else {}


def _meta(doc: Any, place: str, account: Account) -> dict[str, Any]:
    """The user data and custom attributes of the document that JSON can hold."""
    meta = {}
    for key, value in doc.user_data.items():
        extension = isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and key[2] is None
        name = key[1] if extension else key
        if not isinstance(name, str) or name in (_KEY, "rel"):
            continue
        try:
            meta[name] = json.loads(json.dumps(value))
        except (TypeError, ValueError):
            account.drop(f"user data that is no JSON: {name}", place)
    return meta


def _spans(doc: Any, spans_key: str | None, place: str, account: Account) -> list[Span]:
    found: dict[tuple[int, int, str], list[Span]] = {}
    groups = {key: group for key, group in doc.spans.items() if spans_key in (None, key)}
    source = doc.text, _extensions(doc)
    for group in groups.values():
        scores, attributes = group.attrs.get("scores"), group.attrs.get("attributes")
        here: dict[tuple[int, int, str], list[Span]] = {}
        for at, marked in enumerate(group):
            score = float(scores[at]) if scores is not None and len(scores) == len(group) and scores[at] is not None else None
            values = attributes[at] if isinstance(attributes, list | tuple) and len(attributes) == len(group) else None
            _add(here, _span(source, marked, score, values), f"{place}{marked.start_char}", account)
        for key, spans in here.items():
            found.setdefault(key, spans)
    if spans_key is None:
        for marked in doc.ents:
            if (marked.start_char, marked.end_char, split_value(marked.label_)[0]) not in found:
                _add(found, _span(source, marked, None, None), f"{place}{marked.start_char}", account)
    spans = ordered(span for equal in found.values() for span in equal)
    ids = [span.id for span in spans]
    if len(set(ids)) < len(ids) or "" in ids:
        spans = [replace(span, id=f"T{number}") for number, span in enumerate(spans, start=1)]
    return spans


def _add(found: dict[tuple[int, int, str], list[Span]], span: Span | None, place: str, account: Account) -> None:
    if span is None:
        account.drop("spans that are empty or have no label", place)
    else:
        found.setdefault((span.start, span.end, span.label), []).append(span)


def _extensions(doc: Any) -> dict[Extent, dict[str, str]]:
    """The custom attributes of spans, such as `span._.outcome`, by the extent of their span."""
    found: dict[Extent, dict[str, str]] = {}
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and None not in key and isinstance(value, str):
            found.setdefault((key[2], key[3]), {}).update(beside({key[1]: value}, SPAN_FIELDS))
    return found


def _span(source: tuple[str, dict[Extent, dict[str, str]]], marked: Any, score: float | None, values: dict[str, str] | None) -> Span | None:
    text, extensions = source
    start, end = marked.start_char, marked.end_char
    label, extra = split_value(marked.label_)
    if not label or start >= end:
        return None
    if values is None:
        values = extensions.get((start, end), {})
    return Span(start, end, label, text[start:end], marked.id_ or "", score, {**extra, **values})


def _links(doc: Any, spans: list[Span], place: str, account: Account) -> Iterator[Link]:
    """The relations of `doc._.rel`; the key names the first token of each span."""
    data = doc.user_data
    table: Mapping[tuple[int, int], Mapping[str, float]] = data.get(("._.", "rel", None, None), data.get("rel", {}))
    entities = {(ent.start_char, ent.end_char) for ent in doc.ents}
    at_token: dict[int, list[Span]] = {}
    starts = {token.idx: token.i for token in doc}
    # The relation component knows entities only, so these come before spans that begin at the same token, and longer ones first.
    for span in sorted(spans, key=lambda span: ((span.start, span.end) not in entities, -span.end)):
        at_token.setdefault(starts.get(span.start, -1), []).append(span)
    for (head, tail), labels in table.items():
        for label, value in labels.items():
            if float(value) < 0.5:
                continue
            if head not in at_token or tail not in at_token:
                account.drop("relations of a span that is not there", f"{place}/{head}-{tail}")
                continue
            if len(at_token[head]) > 1 or len(at_token[tail]) > 1:
                account.repair(
                    "relations of a token where several spans begin, given to the entity or the longest", f"{place}/{head}-{tail}"
                )
            yield at_token[head][0].id, at_token[tail][0].id, label, None if float(value) == 1 else float(value)


def write(documents: Iterable[Document], path: Path) -> Account:
    """What was written, into one `.spacy` file.

    All spans go to `doc.spans["sc"]` with their ids, the longest that do not overlap to `doc.ents` too; attributes to `span._.outcome` and
    the like; relations to `doc._.rel`, unless several spans begin at one of its tokens; all that, and the rest, to `doc.user_data` as well.

    Raises:
        MissingDependencyError: spaCy is not installed.
    """
    spacy = needed("spacy", extra="spacy")
    account = Account()
    docs = spacy.tokens.DocBin(store_user_data=True)
    pipelines: dict[str, Any] = {}
    for document in documents:
        docs.add(_doc(account.use(document), _pipeline(document.lang, pipelines, spacy), spacy))
    with replacing(path) as part:
        part.write_bytes(docs.to_bytes())
    return account


def _pipeline(lang: str | None, known: dict[str, Any], spacy: Any) -> Any:
    """A tokenizer for the language; that for any language where spaCy has none, or needs further packages for it."""
    name = lang or "xx"
    if name not in known:
        try:
            known[name] = spacy.blank(name)
        except (ImportError, ValueError, OSError):
            known[name] = spacy.blank("xx")
        known[name].max_length = 2**31
    return known[name]


def _doc(document: Document, pipeline: Any, spacy: Any) -> Any:
    words, spaces = _words(document, pipeline)
    doc = spacy.tokens.Doc(pipeline.vocab, words=words, spaces=spaces)
    spans = list(document.spans)
    marked = [doc.char_span(span.start, span.end, label=span.label, span_id=span.id, alignment_mode="strict") for span in spans]
    attrs: dict[str, Any] = {"attributes": [dict(span.attributes) for span in spans]}
    if any(span.score is not None for span in spans):
        attrs["scores"] = [span.score for span in spans]
    doc.spans[_GROUP] = spacy.tokens.SpanGroup(doc, name=_GROUP, spans=marked, attrs=attrs)
    # Entities are flat, and may not begin or end with white space.
    doc.set_ents(spacy.util.filter_spans([one for one in marked if one.text == one.text.strip()]))
    values: dict[tuple[str, str, int, int], set[str]] = {}
    for span in spans:
        for name, value in span.attributes.items():
            values.setdefault(("._.", name, span.start, span.end), set()).add(value)
    # spaCy tells spans of equal extent not apart; what differs between them stands in the group alone.
    doc.user_data.update({key: found.pop() for key, found in values.items() if len(found) == 1})
    doc.user_data["._.", "rel", None, None] = _table(document, {token.idx: token.i for token in doc})
    relations = [(r.head.id, r.tail.id, r.label, r.score) for r in document.relations]
    ours = {"id": document.id, "lang": document.lang, "labels": document.labels, "meta": dict(document.meta), "relations": relations}
    doc.user_data[_KEY] = json.dumps(ours, default=str)
    return doc


def _words(document: Document, pipeline: Any) -> tuple[list[str], list[bool]]:
    """The pipeline's tokens, cut where a span begins or ends inside one, and whether a space stands behind each."""
    starts = {span.start for span in document.spans}
    ends = {span.end for span in document.spans}
    edges = sorted(starts | ends)
    words: list[str] = []
    spaces: list[bool] = []
    for token in pipeline.make_doc(document.text):
        first, last = token.idx, token.idx + len(token.text)
        cuts = [first, *edges[bisect_right(edges, first) : bisect_left(edges, last)], last]
        words += [document.text[start:end] for start, end in itertools.pairwise(cuts)]
        spaces += [False] * (len(cuts) - 1)
        if token.whitespace_:
            # A space at the edge of a span is a token of its own.
            if last in starts or last + 1 in ends:
                words.append(" ")
                spaces.append(False)
            else:
                spaces[-1] = True
    return words, spaces


def _table(document: Document, tokens: Mapping[int, int]) -> dict[tuple[int, int], dict[str, float]]:
    """The relations as spaCy's relation component wants them: pairs of first tokens, near ones all, with a value for every label."""
    times = Counter(tokens[span.start] for span in document.spans)
    firsts = sorted(times)
    labels = list(dict.fromkeys(relation.label for relation in document.relations))
    table: dict[tuple[int, int], dict[str, float]] = {}
    for head in firsts if labels else ():
        near = firsts[bisect_left(firsts, head - _NEAR) : bisect_right(firsts, head + _NEAR)]
        table.update({(head, tail): dict.fromkeys(labels, 0.0) for tail in near if head != tail})
    for relation in document.relations:
        pair = tokens[relation.head.start], tokens[relation.tail.start]
        if times[pair[0]] == times[pair[1]] == 1:
            table.setdefault(pair, dict.fromkeys(labels, 0.0))[relation.label] = 1.0 if relation.score is None else relation.score
    return table
