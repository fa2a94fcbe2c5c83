"""What might the same report look like elsewhere? Training examples with other names, lost typography and hidden words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clashnlp.config import ModelConfig
from clashnlp.schema import Schema
from clashnlp.tokens import Tokenizer
from clashnlp.training.data import make_examples
from clashnlp.types import Document, Relation, Span

# Conjunctions and prepositions that Arabic writes on the next word; a name with one is swapped for another that begins with it.
_CLITICS = "وفبلك"
# What publishers lose: commas and semicolons before a space, and line breaks.
_MARKS = re.compile(r"[,،;؛](?=\s)")
_BREAKS = re.compile(r"\n+")
_SWAPPED = 0.5  # Share of a document's names that another name replaces, and of its marks that are dropped.

Edit = tuple[int, int, str]


class Augmenter:
    """Makes changed copies of annotated documents.

    A name is a span that holds no other and lies on no other's extent, of a label without attributes; a swapped one is replaced in all its
    places by one of the same label, language and first letter's kind, taken from the documents given here.
    """

    def __init__(self, documents: Iterable[Document], schema: Schema) -> None:
        self._fixed = {label for attribute in schema.attributes for label in attribute.labels}
        names: dict[tuple[Any, ...], dict[str, None]] = {}
        for document in documents:
            for span in self._names_of(document):
                names.setdefault(_kind(span, document), {})[span.text] = None
        self._table = {kind: list(texts) for kind, texts in names.items()}

    def __call__(self, document: Document, random: np.random.Generator) -> Document:
        """A copy of the document with about half of its names swapped, and half of its commas or line breaks lost at times."""
        edits: list[Edit] = []
        swaps: dict[tuple[str, str], str] = {}
        for span in self._names_of(document):
            name = (span.label, span.text)
            if name not in swaps:
                others = self._table.get(_kind(span, document), [span.text])
                swaps[name] = others[random.integers(len(others))] if random.random() < _SWAPPED else span.text
            if swaps[name] != span.text:
                edits.append((span.start, span.end, swaps[name]))
        swapped = [(start, end) for start, end, _ in edits]
        for pattern, replacement in ((_MARKS, ""), (_BREAKS, " ")):
            if random.random() < _SWAPPED:
                places = [match.span() for match in pattern.finditer(document.text) if random.random() < _SWAPPED]
                free = [place for place in places if not any(start < place[1] and place[0] < end for start, end in swapped)]
                edits += [(start, end, replacement) for start, end in free]
        return edit(document, edits)

    def _names_of(self, document: Document) -> list[Span]:
        spans = sorted(document.spans, key=lambda span: (span.start, -span.end))
        # Spans are in order, so one that overlaps a later one overlaps the next or holds it.
        alone = []
        for at, span in enumerate(spans):
            later = at + 1 < len(spans) and spans[at + 1].start < span.end
            equal = at > 0 and spans[at - 1].start == span.start and spans[at - 1].end == span.end
            partial = any(other.start < span.start < other.end < span.end for other in spans[:at])
            if not later and not equal and not partial and span.label not in self._fixed:
                alone.append(span)
        return alone


def _kind(span: Span, document: Document) -> tuple[Any, ...]:
    first = span.text[0]
    return span.label, document.lang, first if document.lang == "ar" and first in _CLITICS else "", first.isupper()


def edit(document: Document, edits: Sequence[Edit]) -> Document:
    """The document with stretches of its text replaced, and its spans where they now stand.

    Args:
        document: an annotated document.
        edits: start, end and new text of each stretch; they do not overlap, and no span begins or ends inside one.
    """
    pieces, at = [], 0
    ordered = sorted(edits)
    for start, end, new in ordered:
        pieces += [document.text[at:start], new]
        at = end
    text = "".join([*pieces, document.text[at:]])
    ends = np.array([end for _, end, _ in ordered], dtype=np.int64)
    shifts = np.concatenate([[0], np.cumsum([len(new) - (end - start) for start, end, new in ordered])]).astype(np.int64)

    def moved(place: int) -> int:
        return place + int(shifts[np.searchsorted(ends, place, side="right")])

    spans = {}
    for span in document.spans:
        start, end = moved(span.start), moved(span.end)
        spans[span] = Span(start, end, span.label, text[start:end], id=span.id, attributes=span.attributes)
    return Document(
        text=text,
        id=document.id,
        lang=document.lang,
        spans=tuple(spans.values()),
        relations=tuple(Relation(spans[one.head], spans[one.tail], one.label) for one in document.relations),
        labels=document.labels,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How much of the training examples is changed: shares of the examples drawn and of their words, see `Reports`."""

    changed: float
    hidden: float
    seed: int


class Reports(torch.utils.data.Dataset[dict[str, Any]]):
    """The training examples, see `make_examples`. Every draw hides some words, and some draws are of a changed copy of the document.

    What is changed depends on the seed, the pass over the data and the example alone, so a run that is cut and resumed sees the same.
    """

    def __init__(self, documents: Sequence[Document], tokenizer: Tokenizer, config: ModelConfig, noise: Noise) -> None:
        self.epoch = 0
        self._documents = documents
        self._tokenizer = tokenizer
        self._config = config
        self._noise = noise
        self._augmenter = Augmenter(documents, config.schema)
        self._examples: list[tuple[int, int, dict[str, Any]]] = []
        for at, document in enumerate(documents):
            parts, _ = make_examples([document], tokenizer, config, name="train")
            self._examples += [(at, part, example) for part, example in enumerate(parts)]
        vocabulary = tokenizer.backend.get_vocab()
        self._mask = next((vocabulary[token] for token in ("[MASK]", "<mask>") if token in vocabulary), None)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = np.random.default_rng((self._noise.seed, self.epoch, index))
        at, part, example = self._examples[index]
        if random.random() < self._noise.changed:
            parts, _ = make_examples([self._augmenter(self._documents[at], random)], self._tokenizer, self._config, name="train")
            example = parts[min(part, len(parts) - 1)]
        return self._hide(example, random)

    def _hide(self, example: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
        """The example with a share of its words, and the marks behind them, as mask tokens; the annotation stays."""
        if self._mask is None or not self._noise.hidden:
            return example
        first = np.array(example["first"])
        hidden = random.random(len(first)) < self._noise.hidden
        word_of = np.searchsorted(first, np.arange(len(example["ids"])), side="right") - 1
        ids = np.where((word_of >= 0) & hidden[np.maximum(word_of, 0)], self._mask, np.array(example["ids"]))
        return {**example, "ids": ids.tolist()}
