"""Which reports say nearly the same? Word 5-grams shared, counted through an inverted index: exact, so nothing near is missed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clashnlp.numerals import fold

# The share of the shorter report's 5-grams that stand in the longer one as well, from which on the two count as nearly the same.
NEAR = 0.5
_WORDS = 5
# Two reports that share fewer 5-grams share a phrase (the full name of a source), unless the shorter one is no more than that.
_LEAST = 10
_WORD = re.compile(r"\w+")
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "0123456789" * 2)
# Odd numbers drawn once: the sum of a 5-gram's word numbers times these is its hash (multilinear hashing, modulo 2 ** 64).
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)


@dataclass(frozen=True, slots=True)
class Group:
    """Reports that hang together by near repetition, by their places in the sequence, in order.

    `share` is that of the weakest link that was needed to hold them together.
    """

    members: tuple[int, ...]
    share: float


def near_groups(texts: Sequence[str], *, threshold: float = NEAR) -> list[Group]:
    """The groups of at least two texts that are linked, directly or through others, by a share of 5-grams of `threshold` or more.

    The share is that of the shorter text's 5-grams which the longer one has too, so a report that was cut short is found. Words are
    compared without case, marks and the differences of Arabic and Persian spelling. Texts without a word are in no group. Which texts
    are grouped does not depend on their order.
    """
    places: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        key = " ".join(_WORD.findall(fold(text).translate(_DIGITS)))
        if key:
            places.setdefault(key, []).append(at)
    linked = _Index(_shingles(places), threshold).link()
    members = list(places.values())
    groups = [
        Group(tuple(sorted(at for key in keys for at in members[key])), share)
        for keys, share in linked
        if len(keys) > 1 or len(members[keys[0]]) > 1
    ]
    return sorted(groups, key=lambda group: group.members)


def _shingles(keys: Iterable[str]) -> list[NDArray[np.uint64]]:
    """The different 5-grams of each text, as hashes in ascending order; a text of fewer words is one as a whole."""
    numbers: dict[str, int] = {}
    rows = []
    for key in keys:
        words = np.array([numbers.setdefault(word, len(numbers) + 1) for word in key.split(" ")], dtype=np.uint64)
        count = max(len(words) - _WORDS + 1, 1)
        hashes = np.zeros(count, dtype=np.uint64)
        for at, factor in enumerate(_FACTORS[: len(words)]):
            hashes += words[at : at + count] * np.uint64(factor)
        rows.append(np.unique(hashes))
    return rows


class _Index:
    """Which texts hold each 5-gram, of those that more than one holds."""

    def __init__(self, rows: Sequence[NDArray[np.uint64]], threshold: float) -> None:
        self.sizes = np.array([len(row) for row in rows], dtype=np.int64)
        # How many 5-grams a text must share with a longer one.
        self.needed = [max(math.ceil(threshold * size), min(size, _LEAST)) for size in self.sizes.tolist()]
        owners = np.repeat(np.arange(len(rows)), self.sizes)
        _, grams, held = np.unique(np.concatenate([*rows, np.zeros(0, np.uint64)]), return_inverse=True, return_counts=True)
        shared = held[grams] > 1
        owners, grams = owners[shared], grams[shared]
        self.held = held
        self.grams = np.split(grams, np.searchsorted(owners, np.arange(1, len(rows)))) if rows else []
        order = np.argsort(grams, kind="stable")
        self.owners = owners[order]
        self.starts = np.searchsorted(grams[order], np.arange(len(held) + 1))

    def link(self) -> list[tuple[list[int], float]]:
        """Every text in its group, with the weakest share that holds it together.

        A text is compared with the longer ones. To share enough 5-grams with it, another text must hold one of any so many of them that
        what is left would not be enough; the rarest are taken (prefix filtering, Chaudhuri et al. 2006).
        """
        order = np.argsort(self.sizes, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        group = np.arange(len(order))
        groups = {at: ([at], 1.0) for at in range(len(order))}
        for one in order.tolist():
            grams = self.grams[one]
            # 5-grams that no other text has are the rarest of all.
            alone = int(self.sizes[one]) - len(grams)
            looked_up = int(self.sizes[one]) - self.needed[one] + 1 - alone
            if looked_up < 1:
                continue
            rarest = grams[np.argsort(self.held[grams], kind="stable")[:looked_up]]
            found = np.concatenate([self.owners[self.starts[gram] : self.starts[gram + 1]] for gram in rarest.tolist()])
            found = found[(rank[found] > rank[one]) & (group[found] != group[one])]
            for other in np.unique(found).tolist():
                if group[other] == group[one]:
                    continue
                common = len(np.intersect1d(grams, self.grams[other], assume_unique=True))
                if common >= self.needed[one]:
                    small, large = sorted((int(group[one]), int(group[other])), key=lambda at: len(groups[at][0]))
                    (moved, share), (kept, least) = groups.pop(small), groups[large]
                    group[moved] = large
                    kept.extend(moved)
                    groups[large] = kept, min(share, least, common / int(self.sizes[one]))
        return list(groups.values())
