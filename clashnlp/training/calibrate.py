"""How far can a score be trusted? Fits temperatures and thresholds on development documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clashnlp.config import ModelConfig
from clashnlp.evaluate import RelationKey, relation_keys, span_key
from clashnlp.model import ClashModel, Reading
from clashnlp.types import Analysis, Document

_TEMPERATURES = np.geomspace(0.5, 4.0, 13)
_LEAST_SCORE = 0.05


def calibrate(model: ClashModel, documents: Sequence[Document]) -> ModelConfig:
    """The model's configuration with fitted temperatures, and for each relation the threshold of the highest F1.

    A temperature is the one under which the log loss of the returned scores, as probabilities of being right, is least (Guo et al. 2017).
    Thresholds of spans stay 0: the tags' grammar has decided already.
    """
    config = model.config
    schema = config.schema
    readings = model.read(documents)
    gold_spans = [{span_key(span) for span in document.spans} for document in documents]
    losses = []
    for temperature in _TEMPERATURES:
        found = _decode(model, config.replace(tag_temperature=float(temperature), relation_thresholds=_all(config, 2.0)), readings)
        scored = [(span.score, span_key(span) in gold) for one, gold in zip(found, gold_spans, strict=True) for span in one.spans]
        losses.append(_log_loss(scored))
    config = config.replace(tag_temperature=round(float(_TEMPERATURES[int(np.argmin(losses))]), 4))
    if not schema.relations:
        return config

    gold_relations = [relation_keys(document, schema) for document in documents]
    losses = []
    for temperature in _TEMPERATURES:
        trial = config.replace(relation_temperature=float(temperature), relation_thresholds=_all(config, _LEAST_SCORE))
        found = _decode(model, trial, readings)
        losses.append(_log_loss([(score, right) for _, score, right in _scored_relations(found, gold_relations)]))
    config = config.replace(relation_temperature=round(float(_TEMPERATURES[int(np.argmin(losses))]), 4))
    found = _decode(model, config.replace(relation_thresholds=_all(config, _LEAST_SCORE)), readings)
    scored_relations = _scored_relations(found, gold_relations)
    thresholds = {}
    for relation in schema.relations:
        gold = sum(key[-1] == relation.label for keys in gold_relations for key in keys)
        of_label = [(score, right) for label, score, right in scored_relations if label == relation.label]
        thresholds[relation.label] = _best_threshold(of_label, gold)
    return config.replace(relation_thresholds=thresholds)


def _all(config: ModelConfig, threshold: float) -> dict[str, float]:
    return {relation.label: threshold for relation in config.schema.relations}


def _decode(model: ClashModel, config: ModelConfig, readings: Sequence[Reading]) -> list[Analysis]:
    return [model.with_config(config).decode(reading) for reading in readings]


def _scored_relations(found: Sequence[Document], gold: Sequence[set[RelationKey]]) -> list[tuple[str, float, bool]]:
    return [
        (relation.label, float(relation.score or 0), (span_key(relation.head), span_key(relation.tail), relation.label) in keys)
        for document, keys in zip(found, gold, strict=True)
        for relation in document.relations
    ]


def _log_loss(scored: Sequence[tuple[float | None, bool]]) -> float:
    if not scored:
        return 0.0
    scores = np.clip(np.array([score for score, _ in scored], dtype=float), 1e-6, 1 - 1e-6)
    right = np.array([yes for _, yes in scored])
    return float(-np.log(np.where(right, scores, 1 - scores)).mean())


def _best_threshold(scored: Sequence[tuple[float, bool]], gold: int, *, least_gold: int = 20) -> float:
    """The threshold of the highest F1, halfway between neighbouring scores; 0.5 where there is too little to choose by."""
    if gold < least_gold or not scored:
        return 0.5
    ordered = sorted(scored, reverse=True)
    scores = np.array([score for score, _ in ordered])
    right = np.cumsum([yes for _, yes in ordered])
    f1 = 2 * right / (np.arange(1, len(ordered) + 1) + gold)
    # A mean over a few neighbours, since the peak of so short a curve is chance.
    smooth = np.convolve(np.pad(f1, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    best = int(np.argmax(smooth))
    following = scores[best + 1] if best + 1 < len(scores) else _LEAST_SCORE
    return round(float(np.clip((scores[best] + following) / 2, 0.2, 0.8)), 3)
