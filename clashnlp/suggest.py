"""Which reports should people correct next? Those where the model expects most mistakes for the work, and that are unlike each other."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clashnlp.model import ClashModel, Reading
from clashnlp.spans import BEGIN, SINGLE, TAGS, log_softmax
from clashnlp.tokens import split_words
from clashnlp.types import Analysis, Document

# A report costs its annotator the reading of its words, and as much as this many more for opening and closing it.
_OPENING = 50
# Arabic reports with a tenth of their words replaced are as like as 0.78 to 0.95; different reports of one event stay below 0.72.
NEAR_DUPLICATE = 0.75
_OTHERS = 1000
_READ_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A report to correct: what the model says of it, how many mistakes it expects there, and how many words an annotator would read."""

    analysis: Analysis
    mistakes: float
    words: int

    @property
    def gain(self) -> float:
        """Expected mistakes for the work of a word (Settles and Craven 2008 found that totals favour long documents)."""
        return self.mistakes / (self.words + _OPENING)


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Reports to correct, the most useful first, and the ids of those left out: near-duplicates of these, or of reports that are done."""

    chosen: tuple[Suggestion, ...]
    duplicates: tuple[str | int, ...] = ()
    done: tuple[str | int, ...] = ()


def suggest(model: ClashModel, documents: Iterable[Document], *, number: int | None = None, done: Iterable[Document] = ()) -> Suggestions:
    """The reports whose correction would teach the model most, the most useful first.

    Next comes the report with the most expected mistakes a word, times how unlike it is to the likest one that is chosen or done (after
    the maximal marginal relevance of Carbonell and Goldstein 1998). Likeness is the cosine of word counts, weighted by how rare words are.

    Args:
        model: reads the reports.
        documents: reports; ids, languages and meta data are kept.
        number: how many to choose; None orders all.
        done: reports that have been annotated before; what is near them is left out.
    """
    candidates = [expected_mistakes(model, reading) for reading in _readings(model, documents)]
    texts = [one.analysis.text for one in candidates]
    earlier = [document.text for document in done]
    likeness = _Likeness([*texts, *earlier])
    nearest = np.zeros(len(texts) + len(earlier), np.float32)
    for at in range(len(texts), len(nearest)):
        np.maximum(nearest, likeness.to(at), out=nearest)
    nearest = nearest[: len(texts)]
    gains = np.array([one.gain for one in candidates], np.float32)
    free = nearest < NEAR_DUPLICATE
    done_ids = [candidates[at].analysis.id for at in np.flatnonzero(~free)]
    chosen: list[Suggestion] = []
    duplicates: list[str | int] = []
    while free.any() and (number is None or len(chosen) < number):
        best = int(np.where(free, gains * (1 - nearest), -1).argmax())
        chosen.append(candidates[best])
        free[best] = False
        near = likeness.to(best)[: len(texts)]
        duplicates += [candidates[at].analysis.id for at in np.flatnonzero(free & (near >= NEAR_DUPLICATE))]
        free &= near < NEAR_DUPLICATE
        np.maximum(nearest, near, out=nearest)
    return Suggestions(tuple(chosen), tuple(duplicates), tuple(done_ids))


def expected_mistakes(model: ClashModel, reading: Reading) -> Suggestion:
    """How many spans and relations the model expects to have invented or missed in a document.

    Scores are probabilities of being right, so a span or relation that is returned counts 1 - score, and one that is not, score; a word
    where no span begins counts its probability of beginning one. The sum is the expected loss of the output, which Culotta and McCallum
    (2005, "Reducing labeling effort for structured prediction tasks") choose by as the least confidence in a sequence.
    """
    config, analysis = model.config, model.decode(reading)
    schema = config.schema
    every = model.with_config(
        config.replace(span_thresholds={}, relation_thresholds={relation.label: 0.0 for relation in schema.relations})
    ).decode(reading)
    kept = {(span.start, span.end, span.label) for span in analysis.spans}
    related = {(link.head.start, link.head.end, link.tail.start, link.tail.end, link.label) for link in analysis.relations}
    mistakes = 0.0
    for span in every.spans:
        score = span.score or 0.0
        mistakes += 1 - score if (span.start, span.end, span.label) in kept else score
    for link in every.relations:
        score = link.score or 0.0
        ends = (link.head.start, link.head.end, link.tail.start, link.tail.end, link.label)
        mistakes += 1 - score if ends in related else score
    words = len(reading.tokens.words)
    probabilities = np.exp(log_softmax(reading.tags.reshape(words, len(schema.labels), len(TAGS)) / config.tag_temperature))
    begins = probabilities[..., BEGIN] + probabilities[..., SINGLE]
    word_at = {int(start): at for at, start in enumerate(reading.tokens.words[:, 0])}
    for span in every.spans:
        begins[word_at[span.start], schema.labels.index(span.label)] = 0.0
    return Suggestion(analysis, mistakes + float(begins.sum()), words)


def pre_annotated(suggestions: Suggestions) -> Iterator[Analysis]:
    """The analyses to correct, in order, with `rank` and `expected_mistakes` among their meta data for tools to show and sort by."""
    for rank, one in enumerate(suggestions.chosen, start=1):
        yield replace(one.analysis, meta={**one.analysis.meta, "rank": rank, "expected_mistakes": round(one.mistakes, 1)})


def _readings(model: ClashModel, documents: Iterable[Document]) -> Iterator[Reading]:
    # A part at a time, since the states of all words would take a kilobyte each.
    waiting = iter(documents)
    while part := list(itertools.islice(waiting, _READ_AT_ONCE)):
        yield from model.read(part)


class _Likeness:
    """The cosines between texts of their words, each weighted by (1 + log times) log(texts / texts with it).

    `near` asks another thing, whether one text could leak into the other: there a round-up is near each report that it repeats, although
    most of it would be new to the model (of 62 round-ups of four reports all are, here 3), and it grades no pair that is less than near.

    As if beside many texts without any of these words, so that a word's weight, and what is a near-duplicate, hardly depend on how few
    texts there are.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(text[start:end].casefold() for start, end in split_words(text).tolist()) for text in texts]
        found_in = Counter(word for row in counts for word in row)
        rows: list[dict[str, float]] = []
        for row in counts:
            weights = {word: (1 + math.log(times)) * math.log((len(texts) + _OTHERS) / found_in[word]) for word, times in row.items()}
            length = math.sqrt(sum(weight**2 for weight in weights.values()))
            rows.append({word: weight / length for word, weight in weights.items()})
        places: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for at, weights in enumerate(rows):
            for word, weight in weights.items():
                places[word].append((at, weight))
        self._rows = rows
        self._places = {
            word: (np.array([at for at, _ in pairs]), np.array([weight for _, weight in pairs], np.float32))
            for word, pairs in places.items()
        }

    def to(self, index: int) -> NDArray[np.float32]:
        """The likeness of every text to that one (texts,), between 0 and 1."""
        result = np.zeros(len(self._rows), np.float32)
        for word, weight in self._rows[index].items():
            at, weights = self._places[word]
            result[at] += weight * weights
        return np.minimum(result, 1.0)
