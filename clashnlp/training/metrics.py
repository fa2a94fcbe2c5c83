"""The library's metrics as `evaluate` metrics, for users whose tools speak that interface. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from clashnlp.evaluate import partial_score, strict_score
from clashnlp.mistakes import RelationKey, SpanKey

_CITATION = "Scores as in clashnlp.evaluate."


def _info(description: str, item: dict[str, datasets.Value]) -> evaluate.MetricInfo:
    features = datasets.Features({"predictions": datasets.List(item), "references": datasets.List(item)})
    return evaluate.MetricInfo(description=description, citation=_CITATION, inputs_description="Lists of documents.", features=features)


_SPAN = {"start": datasets.Value("int64"), "end": datasets.Value("int64"), "label": datasets.Value("string")}


def span_rows(documents: Sequence[set[SpanKey]]) -> list[list[dict[str, Any]]]:
    """The spans of each document in the form that `SpanMetric` takes."""
    return [[{"start": start, "end": end, "label": label} for start, end, label in sorted(keys)] for keys in documents]


def relation_rows(documents: Sequence[set[RelationKey]]) -> list[list[dict[str, Any]]]:
    """The relations of each document in the form that `RelationMetric` takes."""
    names = [f"{end}_{name}" for end in ("head", "tail") for name in _SPAN]
    return [[dict(zip([*names, "label"], (*head, *tail, label), strict=True)) for head, tail, label in sorted(keys)] for keys in documents]


class SpanMetric(evaluate.Metric):  # type: ignore[misc]
    """Strict and partial precision, recall and F1 of spans; predictions and references are a list of spans for each document."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("F1 of labelled spans", _SPAN)

    def _compute(self, predictions: list[list[dict[str, Any]]], references: list[list[dict[str, Any]]]) -> dict[str, float]:
        def keys(documents: list[list[dict[str, Any]]]) -> list[set[SpanKey]]:
            return [{(span["start"], span["end"], span["label"]) for span in spans} for spans in documents]

        have, want = keys(predictions), keys(references)
        strict, partial = strict_score(want, have), partial_score(want, have)
        return {"precision": strict.precision, "recall": strict.recall, "f1": strict.f1, "partial_f1": partial.f1}


class RelationMetric(evaluate.Metric):  # type: ignore[misc]
    """Strict precision, recall and F1 of relations: both spans and the label must agree."""

    def _info(self) -> evaluate.MetricInfo:
        ends = {f"{end}_{name}": value for end in ("head", "tail") for name, value in _SPAN.items()}
        return _info("F1 of relations between labelled spans", {**ends, "label": datasets.Value("string")})

    def _compute(self, predictions: list[list[dict[str, Any]]], references: list[list[dict[str, Any]]]) -> dict[str, float]:
        have, want = ([{tuple(row.values()) for row in rows} for rows in documents] for documents in (predictions, references))
        score = strict_score(want, have)
        return {"precision": score.precision, "recall": score.recall, "f1": score.f1}
