"""How far can a score be trusted? Fits temperatures and thresholds on development documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clashnlp.config import RELATION_THRESHOLD, ModelConfig
from clashnlp.evaluate import scored_keys, span_key
from clashnlp.model import ClashModel
from clashnlp.types import Document

_TEMPERATURES = [round(float(value), 3) for value in np.geomspace(0.5, 4.0, 25)]
_NEVER = 2.0  # No score reaches it.
# With fewer annotated examples a threshold would be chance; and more are needed to change what was fitted on many.
_LEAST_GOLD, _LEAST_TO_CHANGE = 20, 100


def calibrate(model: ClashModel, documents: Sequence[Document]) -> ModelConfig:
    """The model's configuration with fitted temperatures and two thresholds, one of all spans and one of all relations.

    The spans' is that of the highest F1, the relations' half of their highest F1. A temperature is the one under which the log loss of the
    scores, as probabilities of being right, is least (Guo et al. 2017): of the spans that are returned, and of all pairs of these that the
    schema allows. Where the model was calibrated before, that is kept as far as the documents hold too little to do better.
    """
    config, schema = model.config, model.config.schema
    earlier, least = dict(config.relation_thresholds), _LEAST_TO_CHANGE if config.span_thresholds else _LEAST_GOLD
    if config.span_thresholds and sum(len(document.spans) for document in documents) < least:
        return config
    readings = model.read(documents)
    config = config.replace(span_thresholds={})
    trials = []
    for temperature in _TEMPERATURES:
        trial = model.with_config(config.replace(tag_temperature=temperature, relation_thresholds=_all(config, _NEVER)))
        keys = scored_keys(documents, found := [trial.decode(reading) for reading in readings], schema)
        scored = [
            (span.score or 0.0, span_key(span) in gold)
            for document, gold, known in zip(found, keys.gold_spans, keys.spans, strict=True)
            for span in document.spans
            if span_key(span) in known
        ]
        trials.append(_columns(scored, width=2))
    best = int(np.argmin([_log_loss(scores, right > 0) for scores, right in trials]))
    gold_count = sum(map(len, keys.gold_spans))
    # Expected F1 is highest where spans less sure than half of it are left out (Lipton et al. 2014, "Optimal thresholding of classifiers
    # to maximize F1 measure"), so never more than 0.5.
    threshold = _best_threshold(trials[best][0], trials[best][1] > 0, gold_count)
    config = config.replace(tag_temperature=_TEMPERATURES[best], span_thresholds=dict.fromkeys(schema.labels, threshold))
    if not schema.relations:
        return config

    # One decoding that keeps every pair gives every logit.
    every = model.with_config(config.replace(relation_temperature=1.0, relation_thresholds=_all(config, 0.0)))
    keys = scored_keys(documents, found := [every.decode(reading) for reading in readings], schema)
    pairs: list[tuple[float, float, bool]] = []
    for document, gold, known in zip(found, keys.gold_relations, keys.relations, strict=True):
        for relation in document.relations:
            ends = (span_key(relation.head), span_key(relation.tail))
            if (*ends, relation.label) in known:
                both = (relation.head.score or 0.0) * (relation.tail.score or 0.0)
                pairs.append((relation.score or 0.0, both, (*ends, relation.label) in gold))
    scores, both, right = _columns(pairs, width=3)
    losses = [_log_loss(_heat(scores, both, temperature), right > 0) for temperature in _TEMPERATURES]
    temperature = _TEMPERATURES[int(np.argmin(losses))]
    thresholds = {relation.label: earlier.get(relation.label, RELATION_THRESHOLD) for relation in schema.relations}
    if (gold_count := sum(map(len, keys.gold_relations))) >= least and right.any():  # Half of nothing would let every pair through.
        thresholds = _all(config, _half_of_best(_heat(scores, both, temperature), right > 0, gold_count))
    return config.replace(relation_temperature=temperature, relation_thresholds=thresholds)


def _all(config: ModelConfig, threshold: float) -> dict[str, float]:
    return {relation.label: threshold for relation in config.schema.relations}


def _columns(rows: Sequence[tuple[float, ...]], *, width: int) -> NDArray[np.float64]:
    return np.array(rows, dtype=np.float64).reshape(-1, width).T


def _heat(scores: NDArray[np.float64], both: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """What relations' scores are once their logits are divided by the temperature; `both` are the products of their spans' scores."""
    clipped = np.clip(scores / both, 1e-9, 1 - 1e-9)
    logits = np.log(clipped) - np.log1p(-clipped)
    heated: NDArray[np.float64] = both / (1.0 + np.exp(-logits / temperature))
    return heated


def _log_loss(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    return float(-np.log(np.where(right, clipped, 1 - clipped)).mean()) if len(scores) else 0.0


def _best_threshold(scores: NDArray[np.float64], right: NDArray[np.bool_], gold: int) -> float:
    """The threshold of the highest F1, halfway between neighbouring scores, from 0.1 to 0.5; 0 where there is too little to choose by."""
    if gold < _LEAST_GOLD or not len(scores):
        return 0.0
    scores, f1 = _f1_curve(scores, right, gold)
    # A mean over a few neighbours, since the peak of so short a curve is chance.
    smooth = np.convolve(np.pad(f1, 3, mode="edge"), np.full(7, 1 / 7), mode="valid")
    best = int(np.argmax(smooth))
    following = scores[best + 1] if best + 1 < len(scores) else 0.0
    return round(float(np.clip((scores[best] + following) / 2, 0.1, 0.5)), 3)


def _half_of_best(scores: NDArray[np.float64], right: NDArray[np.bool_], gold: int) -> float:
    """Half of the highest F1 that a threshold brings: what the best threshold is for probabilities (Lipton et al. 2014).

    F1 is so flat about its peak that the peak itself is chance, and more so for each label by itself: training/EXPERIMENTS.md has both.
    """
    _, f1 = _f1_curve(scores, right, gold)
    return round(float(f1.max(initial=0.0)) / 2, 3)


def _f1_curve(scores: NDArray[np.float64], right: NDArray[np.bool_], gold: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores from the highest on, and the F1 of what is at least as sure as each, of `gold` annotations."""
    order = np.argsort(-scores, kind="stable")
    return scores[order], 2 * np.cumsum(right[order]) / (np.arange(1, len(scores) + 1) + gold)
