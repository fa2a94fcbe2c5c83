"""What can be learned from annotated documents? Checks them, and turns them into examples of token ids and word positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clashnlp.config import ModelConfig
from clashnlp.errors import DataError
from clashnlp.formats import read_documents
from clashnlp.relations import Candidates, candidates
from clashnlp.schema import Schema
from clashnlp.tokens import Tokenizer, Tokens, split_words
from clashnlp.types import Document, Span

# Examples of more words are cut at a sentence end, so that a step's memory has a bound. Prediction knows no such limit.
MAX_WORDS = 1024
_SHOWN = 3


@dataclass(slots=True)
class DataReport:
    """What was found in a data set, and what of it a model can never predict."""

    name: str
    documents: int = 0
    langs: Counter[str] = field(default_factory=Counter)
    spans: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    relations: Counter[str] = field(default_factory=Counter)
    lost: dict[str, list[str]] = field(default_factory=dict)

    def lose(self, reason: str, place: str) -> None:
        """Counts an annotation that the model can never predict."""
        self.lost.setdefault(reason, []).append(place)

    def __str__(self) -> str:
        def counts(counter: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"

        lines = [
            f"{self.name}: {self.documents} documents ({counts(self.langs)})",
            f"  spans      {sum(self.spans.values())}: {counts(self.spans)}",
            f"  attributes {sum(self.values.values())}: {counts(self.values)}",
            f"  relations  {sum(self.relations.values())}: {counts(self.relations)}",
        ]
        if not self.lost:
            lines.append("  the model can predict every one of these annotations")
        for reason, places in self.lost.items():
            more = ", ..." if len(places) > _SHOWN else ""
            lines.append(f"  never predictable: {len(places)} {reason} ({', '.join(places[:_SHOWN])}{more})")
        return "\n".join(lines)


def read_annotated(paths: Iterable[str | Path], *, format: str | None = None) -> list[Document]:
    """The documents of annotated files, in order, read as this format or as they look.

    Raises:
        DataError: a line cannot be used; every such line of all files is named.
    """
    problems: list[str] = []
    read = partial(read_documents, format=format, on_error=lambda error: problems.append(str(error)))
    documents = [document for path in paths for document in read(path)]
    if problems:
        more = f"\n... and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise DataError("the data cannot be used as they are:\n" + "\n".join(problems[:20]) + more)
    return documents


def make_examples(
    documents: Sequence[Document], tokenizer: Tokenizer, config: ModelConfig, *, name: str
) -> tuple[list[dict[str, Any]], DataReport]:
    """One example a document (several for a very long one), and the report of what was found.

    An example holds plain lists: token `ids`; of each word its `first` token and its `sentences` number;
    `spans` as first word, last word and label; `values`, an index for each attribute or -1; `relations` as head, tail and relation type;
    `known`, whether the document was annotated for each label; `related`, whether for relations.

    Raises:
        DataError: a label, an attribute's value or a relation is not in the schema.
    """
    report = DataReport(name)
    examples: list[dict[str, Any]] = []
    for document, tokens in zip(documents, tokenizer.encode_many([document.text for document in documents]), strict=True):
        place = f"{name}:{document.id}"
        _check_names(document, config.schema, place)
        _count(document, report)
        example = _make_example(document, tokens, config, report, place)
        examples.extend(_cut(example, report, place))
    return examples, report


def _check_names(document: Document, schema: Schema, place: str) -> None:
    known = {attribute.name: attribute for attribute in schema.attributes}
    remedy = "correct it, or learn the data's own labels with --schema data"
    for label in document.labels or ():
        if label not in schema.labels:
            raise DataError(f"{place}: 'labels' names {label!r}, which the schema lacks ({', '.join(schema.labels)}); {remedy}")
    for span in document.spans:
        if span.label not in schema.labels:
            raise DataError(f"{place}, span {span.id}: unknown label {span.label!r}; the schema has {', '.join(schema.labels)}; {remedy}")
        for attribute, value in span.attributes.items():
            if attribute in known and value not in known[attribute].values:
                values = ", ".join(known[attribute].values)
                raise DataError(f"{place}, span {span.id}: unknown {attribute} {value!r}; the schema has {values}; {remedy}")
    labels = [relation.label for relation in schema.relations]
    for relation in document.relations:
        if relation.label not in labels:
            raise DataError(f"{place}: unknown relation {relation.label!r}; the schema has {', '.join(labels)}; {remedy}")


def _count(document: Document, report: DataReport) -> None:
    report.documents += 1
    report.langs[document.lang or "unknown"] += 1
    report.spans.update(span.label for span in document.spans)
    report.values.update(f"{name}={value}" for span in document.spans for name, value in span.attributes.items())
    report.relations.update(relation.label for relation in document.relations)


def _make_example(document: Document, tokens: Tokens, config: ModelConfig, report: DataReport, place: str) -> dict[str, Any]:
    schema = config.schema
    starts = {int(start): at for at, start in enumerate(tokens.words[:, 0])}
    ends = {int(end): at for at, end in enumerate(tokens.words[:, 1])}
    edges = {int(edge) for edge in split_words(document.text).ravel()}
    spans: dict[str, tuple[int, int, int]] = {}
    taken = np.full((len(schema.labels), len(tokens.words)), False)
    for span in sorted(document.spans, key=lambda one: (one.start, -one.end, schema.labels.index(one.label))):
        label = schema.labels.index(span.label)
        if span.start not in starts or span.end not in ends:
            where = "inside a token of this tokenizer" if span.start in edges and span.end in edges else "off a word boundary"
            report.lose(f"spans that begin or end {where}", f"{document.id}/{span.id}")
            continue
        first, last = starts[span.start], ends[span.end]
        if taken[label, first : last + 1].any():
            report.lose("spans that overlap another one of their label", f"{document.id}/{span.id}")
            continue
        taken[label, first : last + 1] = True
        spans[span.id] = (first, last, label)
    order = {span_id: at for at, span_id in enumerate(spans)}
    by_id = {span.id: span for span in document.spans}
    rows = np.array(list(spans.values()), dtype=np.int64).reshape(-1, 3)
    found = candidates(rows, tokens.sentences, schema, max_distance=config.max_distance, max_sentences=config.max_sentences)
    return {
        "ids": tokens.ids.tolist(),
        "first": tokens.first.tolist(),
        "sentences": tokens.sentences.tolist(),
        "spans": rows.tolist(),
        "values": [_values(by_id[span_id], schema, report, f"{document.id}/{span_id}") for span_id in spans],
        "relations": _relations(document, order, found, config, report),
        "known": [document.labels is None or label in document.labels for label in schema.labels],
        "related": document.labels is None or bool(document.relations),
    }


def _values(span: Span, schema: Schema, report: DataReport, place: str) -> list[int]:
    """The index of the span's value for each attribute, -1 where it has none."""
    values = []
    for attribute in schema.attributes:
        value = span.attributes.get(attribute.name)
        if value is not None and span.label not in attribute.labels:
            report.lose(f"{attribute.name} values on a label that carries none", place)
            value = None
        values.append(-1 if value is None else attribute.values.index(value))
    return values


def _relations(document: Document, order: dict[str, int], found: Candidates, config: ModelConfig, report: DataReport) -> list[list[int]]:
    schema = config.schema
    allowed = {(int(head), int(tail)): row for (head, tail), row in zip(found.pairs, found.allowed, strict=True)}
    labels = [relation.label for relation in schema.relations]
    kept: list[list[int]] = []
    for relation in document.relations:
        at, kind = labels.index(relation.label), schema.relation(relation.label)
        name = f"{document.id}/{relation.head.id}-{relation.tail.id}"
        if relation.head.id not in order or relation.tail.id not in order:
            report.lose("relations of a span that is never predictable", name)
            continue
        head, tail = order[relation.head.id], order[relation.tail.id]
        if kind.symmetric and head > tail:
            head, tail = tail, head
        names = (relation.head.label, relation.tail.label)
        if names not in kind.signatures and not (kind.symmetric and names[::-1] in kind.signatures):
            report.lose(f"{relation.label} relations between labels that the schema does not allow", name)
        elif head == tail:
            report.lose("relations of a span with itself", name)
        elif (head, tail) not in allowed or not allowed[head, tail][at]:
            reason = f"relations over more than {config.max_distance} words or {config.max_sentences} sentence ends"
            report.lose(reason, name)
        elif [head, tail, at] in kept:
            report.lose("relations that stand twice", name)
        else:
            kept.append([head, tail, at])
    return kept


def _cut(example: dict[str, Any], report: DataReport, place: str) -> list[dict[str, Any]]:
    """The example in parts of at most MAX_WORDS words, cut where no span is, if possible at a sentence end."""
    total = len(example["first"])
    if total <= MAX_WORDS:
        return [example] if total else []
    crossed = {word for first, last, _ in example["spans"] for word in range(first + 1, last + 1)}
    parts, start = [], 0
    while start < total:
        stop = min(start + MAX_WORDS, total)
        if stop < total:
            places = [word for word in range(stop, start, -1) if word not in crossed]
            ends = [word for word in places if example["sentences"][word] != example["sentences"][word - 1]]
            stop = (ends or places or [stop])[0]
        parts.append(_part(example, start, stop))
        start = stop
    kept = sum(len(part["relations"]) for part in parts)
    for _ in range(len(example["relations"]) - kept):
        report.lose("relations across a cut of a very long training document", place)
    return parts


def _part(example: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    first = example["first"]
    low, high = first[start], first[stop] if stop < len(first) else len(example["ids"])
    members = [at for at, span in enumerate(example["spans"]) if start <= span[0] and span[1] < stop]
    index = {at: new for new, at in enumerate(members)}
    return {
        "ids": example["ids"][low:high],
        "first": [token - low for token in first[start:stop]],
        "sentences": example["sentences"][start:stop],
        "spans": [[example["spans"][at][0] - start, example["spans"][at][1] - start, example["spans"][at][2]] for at in members],
        "values": [example["values"][at] for at in members],
        "relations": [[index[head], index[tail], kind] for head, tail, kind in example["relations"] if head in index and tail in index],
        "known": example["known"],
        "related": example["related"],
    }
