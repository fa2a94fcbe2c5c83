"""Where are the tokens and the words of a text? Offsets always count code points of the raw text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import ArrayLike, NDArray
from tokenizers.pre_tokenizers import Split

from clashnlp.errors import ModelError

# A word is a maximal run of letters, digits and combining marks; a zero-width non-joiner inside does not end it (ANNOTATION.md, rule 1).
_WORD = Split(tokenizers.Regex(r"[\p{L}\p{N}\p{M}]+(?:\x{200C}+[\p{L}\p{N}\p{M}]+)*"), behavior="removed", invert=True)
# A sentence ends once at a run of line breaks, or at a run of full stops, question and exclamation marks, with what closes behind them,
# before white space. (A run that does not end one is not tried again from its middle: that would take the square of its length.)
_SENTENCE_END = re.compile(r"(?<![.!?؟۔…।])[.!?؟۔…।]+(?![.!?؟۔…।])[\"'”’»)\]]*\s+|\n\s*")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens and words of one text.

    A word here is the least unit that a span can hold: a run of letters as the guidelines define it, or several where the tokenizer puts
    them into one token.

    Attributes:
        ids: token ids (n tokens,), without special tokens.
        words: start and end of each word (n words, 2).
        first: the first token of each word (n words,), strictly increasing.
        sentences: the sentence that each word stands in (n words,), counted from 0.
    """

    ids: NDArray[np.int64]
    words: NDArray[np.int64]
    first: NDArray[np.int64]
    sentences: NDArray[np.int64]


class Tokenizer:
    """A tokenizer.json of any kind: WordPiece, Unigram or byte-level BPE; it normalises inside, and its offsets are into the raw text."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        # Truncation and padding are state of the fast tokenizer, shared between threads, and cut texts in silence: windows do that work.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.backend = tokenizer
        frame = tokenizer.encode("a")
        inner = [at for at, special in enumerate(frame.special_tokens_mask) if not special]
        if not inner:
            raise ModelError("the tokenizer turns the letter a into no token; it cannot be used")
        self.prefix: tuple[int, ...] = tuple(frame.ids[: inner[0]])
        self.suffix: tuple[int, ...] = tuple(frame.ids[inner[-1] + 1 :])

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """The tokenizer in that tokenizer.json.

        Raises:
            ModelError: the file is not one.
        """
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)))
        except ModelError:
            raise
        except Exception as error:  # The Rust library raises bare Exception.
            raise ModelError(f"{path}: not a tokenizer.json that tokenizers {tokenizers.__version__} reads ({error})") from None

    def save(self, path: Path) -> None:
        """Writes tokenizer.json."""
        self.backend.save(str(path))

    def encode_many(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens and words of each text, in order."""
        encodings = self.backend.encode_batch(list(texts), add_special_tokens=False)
        return [_align(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def encode(self, text: str) -> Tokens:
        """The tokens and words of a text."""
        return self.encode_many([text])[0]


def split_words(text: str) -> NDArray[np.int64]:
    """Start and end (n words, 2) of every word of the text, as the annotation guidelines define a word."""
    return np.array([offsets for _, offsets in _WORD.pre_tokenize_str(text)], dtype=np.int64).reshape(-1, 2)


def sentence_of(text: str, positions: ArrayLike) -> NDArray[np.int64]:
    """The sentence that each character stands in, counted from 0, in the shape of `positions`."""
    breaks = np.array([match.end() for match in _SENTENCE_END.finditer(text)], dtype=np.int64)
    return np.searchsorted(breaks, np.asarray(positions, dtype=np.int64), side="right")


def sentence_bounds(text: str) -> NDArray[np.int64]:
    """Start and end of every sentence (n, 2); together they are the whole text, so an end is the next one's start."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if not ends or ends[-1] < len(text):
        ends.append(len(text))
    return np.array([[0, *ends[:-1]], ends], dtype=np.int64).T


def _align(text: str, encoding: tokenizers.Encoding) -> Tokens:
    ids = np.array(encoding.ids, dtype=np.int64)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    words = split_words(text)
    # A word's first token is the first that reaches past the word's start. Tokens without characters of their own (a lone word
    # marker) must not be found: they are given the end of the token before.
    ends = np.maximum.accumulate(np.where(offsets[:, 1] > offsets[:, 0], offsets[:, 1], 0)) if len(offsets) else offsets[:, 1]
    first = np.searchsorted(ends, words[:, 0], side="right")
    # Words that the normaliser drops whole (a lone tatweel) have no token.
    covered = first < len(ids)
    covered[covered] = offsets[first[covered], 0] < words[covered, 1]
    words, first = words[covered], first[covered]
    if len(words) and np.any(first[1:] == first[:-1]):
        begins = np.flatnonzero(np.concatenate([[True], first[1:] != first[:-1]]))
        lasts = np.concatenate([begins[1:] - 1, [len(first) - 1]])
        words = np.stack([words[begins, 0], words[lasts, 1]], axis=1)
        first = first[begins]
    return Tokens(ids=ids, words=words, first=first, sentences=sentence_of(text, words[:, 0]))
