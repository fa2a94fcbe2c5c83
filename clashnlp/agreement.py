"""How far do two annotators agree? F1 over spans and relations, and Cohen's kappa over words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clashnlp.evaluate import relation_keys, span_key, strict_score
from clashnlp.schema import Schema
from clashnlp.tokens import split_words
from clashnlp.types import Document


def agreement(pairs: Sequence[tuple[Document, Document]], schema: Schema) -> dict[str, Any]:
    """The agreement over pairs of annotations of one text, as JSON values.

    F1 is the same whichever annotator is held for right. The kappa of a label compares which words lie in a span of it; the kappa of all
    labels compares for each word the labels of the spans that it lies in. It is None where it is not defined: both annotators put every
    word into one and the same category. Labels that one of the two did not annotate for are left out.
    """
    spans: list[tuple[set[Any], set[Any]]] = []
    relations: list[tuple[set[Any], set[Any]]] = []
    values: Counter[bool] = Counter()
    together: Counter[tuple[Hashable, Hashable]] = Counter()
    by_label: dict[str, Counter[tuple[Hashable, Hashable]]] = {label: Counter() for label in schema.labels}
    for pair in pairs:
        one, other = pair
        known = [label for label in schema.labels if all(document.labels is None or label in document.labels for document in pair)]
        first, second = ({span_key(span): dict(span.attributes) for span in document.spans if span.label in known} for document in pair)
        spans.append((set(first), set(second)))
        relations.append((relation_keys(one, schema), relation_keys(other, schema)))
        values.update(first[key] == second[key] for key in first.keys() & second.keys() if first[key] or second[key])
        words = split_words(one.text)
        left, right = ({label: _covered(document, label, words) for label in known} for document in pair)
        rows = [[tuple(label for label in known if bool(side[label][at])) for at in range(len(words))] for side in (left, right)]
        together.update(zip(*rows, strict=True))
        for label in known:
            by_label[label].update(zip(left[label].tolist(), right[label].tolist(), strict=True))
    labels = {label: _of_label(spans, label, counts) for label, counts in by_label.items()}
    return {
        "pairs": len(pairs),
        "words": sum(together.values()),
        "span_f1": _f1(spans),
        "kappa": kappa(together),
        "relation_f1": _f1(relations),
        "attributes": round(values[True] / sum(values.values()), 4) if values else None,
        "labels": {label: row for label, row in labels.items() if any(row["spans"])},
    }


def kappa(pairs: Counter[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa (1960) from how often two annotators chose each pair of categories; None where chance alone would agree always."""
    total = sum(pairs.values())
    first: Counter[Hashable] = Counter()
    second: Counter[Hashable] = Counter()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    chance = sum(first[category] * second[category] for category in first)
    if chance == total**2:
        return None
    agreed = sum(count for (one, other), count in pairs.items() if one == other)
    return round((agreed * total - chance) / (total**2 - chance), 4)


def _covered(document: Document, label: str, words: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which words (n words,) lie in a span of the label, at least in part."""
    covered = np.zeros(len(words), dtype=bool)
    for span in document.of(label):
        covered |= (words[:, 0] < span.end) & (words[:, 1] > span.start)
    return covered


def _of_label(spans: Sequence[tuple[set[Any], set[Any]]], label: str, counts: Counter[tuple[Hashable, Hashable]]) -> dict[str, Any]:
    chosen = [({key for key in one if key[2] == label}, {key for key in other if key[2] == label}) for one, other in spans]
    return {"spans": [sum(len(keys) for keys in column) for column in zip(*chosen, strict=True)], "f1": _f1(chosen), "kappa": kappa(counts)}


def _f1(pairs: Sequence[tuple[set[Any], set[Any]]]) -> float | None:
    """The strict F1; None where neither annotator marked anything."""
    score = strict_score([one for one, _ in pairs], [other for _, other in pairs])
    return round(score.f1, 4) if score.gold + score.predicted else None
