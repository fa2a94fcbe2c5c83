"""Which spans does a document hold? Decoding of tag logits, once a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A label's tags: outside; begin, inside and end of a span of several words; a span of a single word.
TAGS = ("O", "B", "I", "E", "S")
OUT, BEGIN, INSIDE, END, SINGLE = range(5)


@dataclass(frozen=True, slots=True)
class WordSpans:
    """Spans of a document in words, sorted by first word, longest first.

    Attributes:
        rows: first word, last word and label index (s, 3).
        scores: the least probability among the tags of a span's words (s,).
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)


def decode(logits: NDArray[np.float32], *, temperature: float, thresholds: Sequence[float]) -> WordSpans:
    """The most probable spans of each label under the tags' grammar.

    Args:
        logits: tag logits of each word (n, labels, 5).
        temperature: what the logits are divided by.
        thresholds: least score of a span, by label.
    """
    log_probs = log_softmax(logits / temperature)
    rows: list[tuple[int, int, int, float]] = []
    for label in range(logits.shape[1]):
        scores = log_probs[:, label]
        tags = scores.argmax(axis=-1)
        if not _valid(tags):
            tags = _viterbi(scores)
        chosen = np.exp(scores[np.arange(len(tags)), tags])
        starts = np.flatnonzero((tags == BEGIN) | (tags == SINGLE))
        ends = np.flatnonzero((tags == END) | (tags == SINGLE))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            score = float(chosen[start : end + 1].min())
            if score >= thresholds[label]:
                rows.append((start, end, label, score))
    rows.sort(key=lambda row: (row[0], -row[1], row[2]))
    return WordSpans(
        rows=np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3),
        scores=np.array([row[3] for row in rows], dtype=np.float32),
    )


def thresholds_of(labels: Sequence[str], thresholds: Mapping[str, float], default: float) -> list[float]:
    """The threshold of each label, in order."""
    return [float(thresholds.get(label, default)) for label in labels]


def encode_tags(rows: Sequence[tuple[int, int, int]], words: int, labels: int) -> NDArray[np.int64]:
    """The tags (n words, labels) that `decode` turns into those spans (first word, last word, label index)."""
    tags = np.full((words, labels), OUT, dtype=np.int64)
    for first, last, label in rows:
        if first == last:
            tags[first, label] = SINGLE
        else:
            tags[first, label], tags[last, label] = BEGIN, END
            tags[first + 1 : last, label] = INSIDE
    return tags


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of the probabilities over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _valid(tags: NDArray[np.int64]) -> bool:
    """Whether begins and ends alternate: where the best tag of every word is allowed, the sequence is the best one."""
    if len(tags) == 0:
        return True
    opens = (tags == BEGIN) | (tags == INSIDE)
    continues = (tags == INSIDE) | (tags == END)
    return not opens[-1] and not continues[0] and bool((opens[:-1] == continues[1:]).all())


def _viterbi(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The best allowed tags (n,) of one label, from log-probabilities (n, 5).

    Two states are enough: after O, E or S a span is closed, after B or I it is open.
    """
    closing = np.where(scores[:, OUT] >= scores[:, SINGLE], OUT, SINGLE)
    stay = scores[np.arange(len(scores)), closing].tolist()
    begin, inside, end = (scores[:, tag].tolist() for tag in (BEGIN, INSIDE, END))
    closed, opened = 0.0, -np.inf
    was_open: list[tuple[bool, bool]] = []
    for at in range(len(scores)):
        from_closed, from_open = closed + stay[at], opened + end[at]
        to_open, still_open = closed + begin[at], opened + inside[at]
        was_open.append((from_open > from_closed, still_open > to_open))
        closed, opened = max(from_closed, from_open), max(to_open, still_open)
    tags = np.empty(len(scores), dtype=np.int64)
    is_open = False
    for at in range(len(scores) - 1, -1, -1):
        came_open = was_open[at][is_open]
        if is_open:
            tags[at] = INSIDE if came_open else BEGIN
        else:
            tags[at] = END if came_open else closing[at]
        is_open = came_open
    return tags
