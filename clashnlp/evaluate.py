"""How good is it? Compares predicted documents with annotated ones; plain counts, so that every figure can be checked by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from clashnlp import mistakes
from clashnlp.errors import DataError
from clashnlp.mistakes import RelationKey, SpanKey
from clashnlp.schema import Schema
from clashnlp.tokens import sentence_of
from clashnlp.types import Document, Relation, Span


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean from counts; `right` may be fractional where partial matches count half."""

    right: float
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """The share of what was predicted that is right; 0 where nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The share of what was annotated that was found; 0 where nothing was annotated."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """2PR / (P + R), which is 2 right / (predicted + gold)."""
        return 2 * self.right / (self.predicted + self.gold) if self.predicted + self.gold else 0.0

    def to_dict(self) -> dict[str, float]:
        """The figures as JSON values."""
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        counts = {"right": self.right, "predicted": self.predicted, "gold": self.gold}
        return {**{name: round(value, 4) for name, value in rates.items()}, **counts}


def span_key(span: Span) -> SpanKey:
    """What must agree for a span to be right."""
    return (span.start, span.end, span.label)


def relation_key(relation: Relation, schema: Schema) -> RelationKey:
    """What must agree for a relation to be right: both spans and the label. The head of a symmetric relation is the earlier span."""
    ends = [span_key(relation.head), span_key(relation.tail)]
    if any(kind.symmetric and kind.label == relation.label for kind in schema.relations):
        ends.sort()
    return (ends[0], ends[1], relation.label)


def relation_keys(document: Document, schema: Schema) -> set[RelationKey]:
    """The keys of a document's relations, see `relation_key`."""
    return {relation_key(relation, schema) for relation in document.relations}


class ScoredKeys(NamedTuple):
    """The keys of each document that are scored, annotated and predicted."""

    gold_spans: list[set[SpanKey]]
    spans: list[set[SpanKey]]
    gold_relations: list[set[RelationKey]]
    relations: list[set[RelationKey]]


def scored_keys(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema) -> ScoredKeys:
    """What is scored of each pair of documents.

    A document that was annotated for some labels only is scored on the spans of those, and on relations only if it has any.

    Raises:
        DataError: a prediction is for another text than its gold document.
    """
    result = ScoredKeys([], [], [], [])
    for want, have in zip(gold, predicted, strict=True):
        if want.text != have.text:
            raise DataError(f"the prediction for document {want.id!r} is for another text")
        known = set(schema.labels if want.labels is None else want.labels)
        related = want.labels is None or want.relations
        for document, spans, relations in (
            (want, result.gold_spans, result.gold_relations),
            (have, result.spans, result.relations),
        ):
            spans.append({span_key(span) for span in document.spans if span.label in known})
            keys = relation_keys(document, schema) if related else set()
            relations.append({key for key in keys if {key[0][2], key[1][2]} <= known})
    return result


def strict_score(gold: Iterable[set[Any]], predicted: Iterable[set[Any]]) -> Score:
    """The score over documents of sets of keys, where only equal keys match."""
    right = total_predicted = total_gold = 0
    for want, have in zip(gold, predicted, strict=True):
        right += len(want & have)
        total_predicted += len(have)
        total_gold += len(want)
    return Score(right, total_predicted, total_gold)


def partial_score(gold: Iterable[set[SpanKey]], predicted: Iterable[set[SpanKey]]) -> Score:
    """The score where a span that overlaps one of its label counts half (MUC-5's partial credit, Chinchor and Sundheim 1993); each once."""
    return _overlap_score(gold, predicted, credit=0.5)


def type_score(gold: Iterable[set[SpanKey]], predicted: Iterable[set[SpanKey]]) -> Score:
    """The score where any overlap with a span of the same label counts (the type match of SemEval-2013 task 9 and of nervaluate)."""
    return _overlap_score(gold, predicted, credit=1.0)


def _overlap_score(gold: Iterable[set[SpanKey]], predicted: Iterable[set[SpanKey]], *, credit: float) -> Score:
    right, total_predicted, total_gold = 0.0, 0, 0
    for want, have in zip(gold, predicted, strict=True):
        right += len(want & have)
        total_predicted += len(have)
        total_gold += len(want)
        left = sorted(want - have)
        for start, end, label in sorted(have - want):
            match = next((key for key in left if key[2] == label and key[0] < end and start < key[1]), None)
            if match is not None:
                left.remove(match)
                right += credit
    return Score(right, total_predicted, total_gold)


def evaluate(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema) -> dict[str, Any]:
    """Metrics of predictions, as JSON values: spans (strict, partial, type), attributes, relations, false relations, mistakes, calibration.

    F1 is broken down by label, language and, where documents have one, `source`; strict F1 comes with its 95 % `interval`, see `bootstrap`.
    `relation_confusion` counts annotated against predicted relations, see `mistakes.relation_confusion`.
    Relations are scored on predicted spans: both ends must be right as well. See `scored_keys` for documents that were annotated for some
    labels only, and `false_relations` for what is counted there.

    Raises:
        DataError: a prediction is for another text than its gold document.
    """
    keys = scored_keys(gold, predicted, schema)
    gold_spans, spans, gold_relations, relations = keys.gold_spans, keys.spans, keys.gold_relations, keys.relations
    langs = [document.lang or "unknown" for document in gold]
    groups = {"langs": langs}
    if any("source" in document.meta for document in gold):
        groups["sources"] = [str(document.meta.get("source", "unknown")) for document in gold]
    relation_labels = [relation.label for relation in schema.relations]
    result: dict[str, Any] = {"documents": len(gold)}
    result["spans"] = _breakdown(strict_score, gold_spans, spans, groups, schema.labels)
    result["spans_partial"] = _breakdown(partial_score, gold_spans, spans, groups, schema.labels)
    result["spans_type"] = _breakdown(type_score, gold_spans, spans, groups, schema.labels)
    result["relations"] = _breakdown(strict_score, gold_relations, relations, groups, relation_labels)
    result["attributes"] = {attribute.name: _accuracy(gold, predicted, attribute.name, langs) for attribute in schema.attributes}
    result["false_relations"] = false_relations(gold, predicted, schema)
    wrong_spans = [mistakes.span_mistakes(*pair) for pair in zip(gold_spans, spans, strict=True)]
    wrong_relations = [mistakes.relation_mistakes(*row) for row in zip(gold_relations, relations, gold_spans, spans, strict=True)]
    result["mistakes"] = {
        "spans": mistakes.count((one for row in wrong_spans for one in row), mistakes.SPAN_CLASSES),
        "relations": mistakes.count((one for row in wrong_relations for one in row), mistakes.RELATION_CLASSES),
    }
    result["relation_confusion"] = mistakes.relation_confusion(gold_relations, relations, gold_spans, spans)
    result["calibration"] = _calibrations(predicted, keys)
    return result


def false_relations(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema) -> dict[str, float]:
    """Of the pairs that are named together but unrelated, the share that the model relates.

    A pair counts where two annotated spans stand in one sentence, the model found both, the schema allows a relation between their labels,
    and the annotators saw none.
    """
    allowed = {frozenset(pair) for relation in schema.relations for pair in relation.signatures}
    pairs = related = 0
    for want, have in zip(gold, predicted, strict=True):
        linked = {frozenset(key[:2]) for key in relation_keys(want, schema)}
        claimed = {frozenset(key[:2]) for key in relation_keys(have, schema)}
        found = {span_key(span) for span in have.spans}
        both = [span_key(span) for span in want.spans if span_key(span) in found]
        sentence = dict(zip(both, sentence_of(want.text, [key[0] for key in both]).tolist(), strict=True))
        for at, one in enumerate(both):
            for other in both[at + 1 :]:
                pair = frozenset((one, other))
                if sentence[one] == sentence[other] and frozenset((one[2], other[2])) in allowed and pair not in linked:
                    pairs += 1
                    related += pair in claimed
    return {"pairs": pairs, "related": related, "rate": round(related / pairs, 4) if pairs else 0.0}


def _breakdown(
    score: Callable[[list[set[Any]], list[set[Any]]], Score],
    gold: list[set[Any]],
    predicted: list[set[Any]],
    groups: dict[str, list[str]],
    labels: Sequence[str],
) -> dict[str, Any]:
    def only(sets: list[set[Any]], label: str) -> list[set[Any]]:
        return [{key for key in keys if key[-1] == label} for keys in sets]

    def row(gold: list[set[Any]], predicted: list[set[Any]]) -> dict[str, Any]:
        return score(gold, predicted).to_dict() | ({"interval": _interval(gold, predicted)} if score is strict_score else {})

    result = row(gold, predicted)
    result["labels"] = {label: row(only(gold, label), only(predicted, label)) for label in labels}
    for group, names in groups.items():
        result[group] = {}
        for name in sorted(set(names)):
            chosen = [at for at, other in enumerate(names) if other == name]
            result[group][name] = row([gold[at] for at in chosen], [predicted[at] for at in chosen])
    return result


def _calibrations(predicted: Sequence[Document], keys: ScoredKeys) -> dict[str, Any]:
    """The calibration of span and of relation scores; empty where predictions carry none."""
    spans: list[tuple[float, bool]] = []
    relations: list[tuple[float, bool]] = []
    for document, gold_spans, known, gold_relations, related in zip(
        predicted, keys.gold_spans, keys.spans, keys.gold_relations, keys.relations, strict=True
    ):
        spans += [
            (span.score, span_key(span) in gold_spans) for span in document.spans if span.score is not None and span_key(span) in known
        ]
        for relation in document.relations:
            ends = span_key(relation.head), span_key(relation.tail)
            key = next((key for key in ((*ends, relation.label), (*ends[::-1], relation.label)) if key in related), None)
            if relation.score is not None and key is not None:
                relations.append((relation.score, key in gold_relations))
    return {name: calibration(rows) for name, rows in (("spans", spans), ("relations", relations)) if rows}


def calibration(rows: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """How far scores can be trusted: their mean, the share that is right, the expected calibration error, and the bins that it is made of.

    The error is the mean gap between score and share right over ten bins of equal width, weighted by their sizes (Guo et al. 2017,
    section 2). A bin is its lower end, its size, its mean score and its share right; empty bins are left out.
    """
    scores, right = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    at = np.minimum((scores * 10).astype(int), 9)
    bins = [
        [int(one) / 10, int((at == one).sum()), float(scores[at == one].mean()), float(right[at == one].mean())] for one in np.unique(at)
    ]
    error = sum(size * abs(mean - share) for _, size, mean, share in bins) / len(scores)
    return {
        "mean_score": round(float(scores.mean()), 4),
        "right": round(float(right.mean()), 4),
        "error": round(error, 4),
        "bins": [[round(value, 4) for value in row] for row in bins],
    }


def _interval(gold: Sequence[set[Any]], predicted: Sequence[set[Any]]) -> list[float]:
    counts = [(len(want & have), len(have), len(want)) for want, have in zip(gold, predicted, strict=True)]
    return [round(end, 4) for end in bootstrap(counts)]


def _accuracy(gold: Sequence[Document], predicted: Sequence[Document], name: str, langs: Sequence[str]) -> dict[str, Any]:
    """The share of right values among the spans that were found and carry the attribute in the gold document."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    by_value: dict[str, Counter[str]] = {}
    for want, have, lang in zip(gold, predicted, langs, strict=True):
        said = {span_key(span): span.attributes.get(name) for span in have.spans}
        for span in want.spans:
            value = span.attributes.get(name)
            if value is not None and span_key(span) in said:
                total[lang] += 1
                right[lang] += said[span_key(span)] == value
                by_value.setdefault(value, Counter())[str(said[span_key(span)])] += 1
    count = sum(total.values())
    return {
        "accuracy": round(sum(right.values()) / count, 4) if count else 0.0,
        "spans": count,
        "confusion": {value: dict(row.most_common()) for value, row in sorted(by_value.items())},
        "langs": {lang: {"accuracy": round(right[lang] / total[lang], 4), "spans": total[lang]} for lang in sorted(total)},
    }


def summary(metrics: dict[str, Any]) -> str:
    """The metrics as a table for people."""
    lines = [f"{metrics['documents']} documents", f"{'':24}{'precision':>10}{'recall':>10}{'F1':>10}{'gold':>8}"]

    def add(name: str, row: dict[str, Any]) -> None:
        lines.append(f"{name:24}{row['precision']:10.3f}{row['recall']:10.3f}{row['f1']:10.3f}{row['gold']:8}")

    titles = {"spans": "spans, strict", "spans_partial": "spans, partial", "spans_type": "spans, type", "relations": "relations, strict"}
    for key, title in titles.items():
        add(title, metrics[key])
        if "interval" in metrics[key]:
            low, high = metrics[key]["interval"]
            lines.append(f"  95 % of resampled document sets have an F1 between {low:.3f} and {high:.3f}")
        for group in () if key == "spans_type" else ("labels", "langs", "sources"):
            for name, row in metrics[key].get(group, {}).items():
                if row["gold"] or row["predicted"]:
                    add(f"  {name}", row)
    for name, row in metrics["attributes"].items():
        parts = ", ".join(f"{lang} {value['accuracy']:.3f}" for lang, value in row["langs"].items())
        lines.append(f"{name} accuracy {row['accuracy']:.3f} of {row['spans']} found spans ({parts})")
    for name, row in metrics["calibration"].items():
        lines.append(f"{name}: mean score {row['mean_score']:.3f}, right {row['right']:.3f}, calibration error {row['error']:.3f}")
    for name, table in metrics["mistakes"].items():
        lines.append(f"mistakes in {name}: " + ", ".join(f"{kind} {number}" for kind, number in table["all"].items()))
    row = metrics["false_relations"]
    lines.append(f"false relations {row['rate']:.3f} of {row['pairs']} unrelated pairs in one sentence")
    return "\n".join(lines)


def bootstrap(values: Sequence[tuple[float, int, int]], *, repeats: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of F1 over documents drawn with replacement, from (right, predicted, gold) of each document.

    Percentile bootstrap (Efron 1979) over documents, since the spans of one document stand or fall together.
    """
    table = np.array(values, dtype=float)
    draws = np.random.default_rng(seed).integers(len(table), size=(repeats, len(table)))
    right, predicted, gold = table[draws].sum(axis=1).T
    scores = 2 * right / np.maximum(predicted + gold, 1)
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)
