"""Which spans are related? Candidate pairs that the schema allows, and the decoding of their logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clashnlp.schema import Schema

# Discrete features of a pair, with the number of values each has. The guidelines mark the closest pair of mentions, in one sentence or
# the next: so what stands between two spans says most about them.
#   distance: 0 nested, else 1 + log2 bucket of the words between    sentences: sentence ends between, up to 2
#   heads, tails: spans of the head's or the tail's label that begin between, up to 3     order: 0 the head begins first, 1 the tail
#   nesting: 0 none, 1 the head holds the tail, 2 the tail holds the head, 3 one extent
FEATURE_SIZES = (9, 3, 4, 4, 2, 4)

# Pairs are weighed in blocks of words, so that memory does not grow with the length of a text.
_BLOCK = 4096
# A list of names may have a hundred pairs a word where reports have two; each takes some 13 KB.
_PAIRS = 1 << 15


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of spans that some relation type allows.

    Attributes:
        pairs: head and tail (p, 2), as indices into the spans.
        features: (p, len(FEATURE_SIZES)).
        allowed: whether each relation type may hold for the pair (p, R).
    """

    pairs: NDArray[np.int64]
    features: NDArray[np.int64]
    allowed: NDArray[np.bool_]


def candidates(
    spans: NDArray[np.int64], sentences: NDArray[np.int64], schema: Schema, *, max_distance: int, max_sentences: int
) -> Candidates:
    """The pairs that a relation may hold between.

    Args:
        spans: first word, last word and label of each span (s, 3), sorted by first word, longest first.
        sentences: sentence of each word (n,).
        schema: gives the signatures.
        max_distance: words that may lie between the spans of a pair.
        max_sentences: sentence ends that may lie between them.
    """
    left, right = _close_pairs(spans, sentences, max_distance=max_distance, max_sentences=max_sentences)
    heads, tails = np.concatenate([left, right]), np.concatenate([right, left])
    forward = np.arange(len(heads)) < len(left)
    allowed = np.zeros((len(heads), len(schema.relations)), dtype=bool)
    index = {label: at for at, label in enumerate(schema.labels)}
    for at, relation in enumerate(schema.relations):
        for head_label, tail_label in relation.signatures:
            fits = (spans[heads, 2] == index[head_label]) & (spans[tails, 2] == index[tail_label])
            if relation.symmetric:
                # Without a direction the earlier span is the head, whichever of the two labels it bears.
                fits |= (spans[heads, 2] == index[tail_label]) & (spans[tails, 2] == index[head_label])
                fits &= forward
            allowed[:, at] |= fits
    keep = allowed.any(axis=1)
    heads, tails, forward, allowed = heads[keep], tails[keep], forward[keep], allowed[keep]
    return Candidates(
        pairs=np.stack([heads, tails], axis=1),
        features=_features(spans, sentences, heads, tails, forward),
        allowed=allowed,
    )


def _close_pairs(
    spans: NDArray[np.int64], sentences: NDArray[np.int64], *, max_distance: int, max_sentences: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, last = spans[:, 0], spans[:, 1]
    # Spans are sorted by first word, so those close behind a span are a run of indices.
    reach = np.searchsorted(first, last + max_distance + 1, side="right")
    left = np.repeat(np.arange(len(spans)), np.maximum(reach - np.arange(len(spans)) - 1, 0))
    right = np.concatenate([np.arange(at + 1, stop) for at, stop in enumerate(reach.tolist())]) if len(spans) else left
    near = sentences[first[right]] - sentences[last[left]] <= max_sentences
    return left[near], right[near].astype(np.int64)


def _features(
    spans: NDArray[np.int64],
    sentences: NDArray[np.int64],
    heads: NDArray[np.int64],
    tails: NDArray[np.int64],
    forward: NDArray[np.bool_],
) -> NDArray[np.int64]:
    first, last, labels = spans[:, 0], spans[:, 1], spans[:, 2]
    left, right = np.minimum(heads, tails), np.maximum(heads, tails)
    gap = first[right] - last[left] - 1
    distance = np.where(gap < 0, 0, 1 + np.minimum(np.floor(np.log2(np.maximum(gap, 0) + 1)), 7)).astype(np.int64)
    crossed = np.clip(sentences[first[right]] - sentences[last[left]], 0, 2)
    # Running counts of each label over the sorted spans: what begins between two spans is a difference of two of them.
    counts = np.zeros((len(spans) + 1, int(labels.max()) + 1 if len(spans) else 1), dtype=np.int64)
    counts[np.arange(1, len(spans) + 1), labels] = 1
    counts = counts.cumsum(axis=0)
    between = [np.minimum(counts[right, labels[end]] - counts[left + 1, labels[end]], 3) for end in (heads, tails)]
    holds = (first[left] <= first[right]) & (last[left] >= last[right])
    same = (first[left] == first[right]) & (last[left] == last[right])
    nesting = np.where(same, 3, np.where(holds, np.where(forward, 1, 2), 0))
    return np.stack([distance, crossed, *between, np.where(forward, 0, 1), nesting], axis=1).reshape(-1, len(FEATURE_SIZES))


def blocks(spans: NDArray[np.int64], pairs: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """Parts of a document that can be weighed one after the other: its words (a slice), its spans and its pairs (as indices).

    Every pair is in one block, every span in at least one; a block's words hold all that stands in and between its spans.
    """
    first, last = spans[:, 0], spans[:, 1]
    of_pair = first[pairs].min(axis=1) // _BLOCK
    of_span = first // _BLOCK
    for block in np.unique(of_span).tolist():
        held = np.flatnonzero(of_pair == block)
        for at in range(0, max(len(held), 1), _PAIRS):
            chosen = held[at : at + _PAIRS]
            members = np.unique(np.concatenate([np.flatnonzero(of_span == block), pairs[chosen].ravel()]))
            yield slice(int(first[members].min()), int(last[members].max()) + 1), members, chosen


def decode(
    logits: NDArray[np.float32], found: Candidates, ends: NDArray[np.float32], *, temperature: float, thresholds: Sequence[float]
) -> list[tuple[int, int, float]]:
    """The relations that hold: pair, relation type (indices) and score. Of a relation in both directions, the surer one holds.

    Args:
        logits: of each pair and relation type (p, R), for the case that both spans are right.
        found: the pairs, with what the schema allows.
        ends: the product of the scores of each pair's spans (p,): a relation is right only if both of its spans are.
        temperature: what the logits are divided by.
        thresholds: least score of a relation, by type.
    """
    scores = ends[:, None] / (1.0 + np.exp(-np.clip(logits / temperature, -50, 50)))
    kept = found.allowed & (scores >= np.array(thresholds, dtype=np.float32).reshape(1, -1))
    # A place does not lie in one that lies in it. (Symmetric relations are candidates in one direction only.)
    best: dict[tuple[int, ...], tuple[int, int, float]] = {}
    for pair, relation in np.argwhere(kept).tolist():
        score = float(scores[pair, relation])
        one = (*sorted(found.pairs[pair].tolist()), relation)
        if one not in best or score > best[one][2]:
            best[one] = (pair, relation, score)
    return sorted(best.values())
