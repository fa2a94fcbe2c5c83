"""Which report goes into which part of a data set? Near repetitions stay together, and every part is like the whole."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clashnlp.corpus import DOCUMENTS, EMPTY, tally
from clashnlp.near import NEAR, near_groups
from clashnlp.schema import Schema
from clashnlp.types import Document

# A language, or none for all of them, and what is counted of it.
Feature = tuple[str, str]
_ROUNDS = 5


def split(
    documents: Sequence[Document], schema: Schema, groups: Sequence[Sequence[int]], *, shares: Mapping[str, float], seed: int = 0
) -> list[str]:
    """The part that each document goes into, in order.

    The documents of a group, by their places, go into one part; `together` makes groups. They are dealt out in the manner of
    iterative stratification (Sechidis et al. 2011): those with the rarest feature first, which is the hardest to spread. Each goes to the
    part that it brings nearest to its share of the documents, and of the spans, values and relations in each language. Which part a
    document gets hangs on the documents, the shares and the seed, and not on the documents' order.
    """
    digests = [_digest(document, seed) for document in documents]
    groups = sorted(groups, key=lambda group: sorted(digests[at] for at in group))
    features = [features_of(document, schema) for document in documents]
    names = sorted(set().union(*features))
    column = {name: at for at, name in enumerate(names)}
    has = np.zeros((len(groups), len(names)), dtype=np.int64)
    for row, group in zip(has, groups, strict=True):
        for at in group:
            for name, count in features[at].items():
                row[column[name]] += count
    parts = list(shares)
    result = [""] * len(documents)
    for group, part in zip(groups, _deal(has, np.array(list(shares.values()))), strict=True):
        for at in group:
            result[at] = parts[part]
    return result


def together(documents: Sequence[Document], *, threshold: float = NEAR) -> list[list[int]]:
    """All documents in groups, by their places: what says nearly the same, and each other document by itself."""
    # Texts without a word are near to none; the same ones must not part all the same.
    groups = [list(group.members) for group in near_groups([document.text for document in documents], threshold=threshold)]
    grouped = {at for group in groups for at in group}
    alone: dict[str, list[int]] = {}
    for at, document in enumerate(documents):
        if at not in grouped:
            alone.setdefault(document.text, []).append(at)
    return groups + list(alone.values())


def features_of(document: Document, schema: Schema) -> Counter[Feature]:
    """What is to be spread evenly: the document, in its language, and in that language its spans, values and relations."""
    lang = document.lang or "unknown"
    features = Counter({(lang, name): count for name, count in tally(document, schema).items()})
    features["", DOCUMENTS] = features[lang, DOCUMENTS] = 1
    features[lang, EMPTY] = int(not document.spans)
    return +features


def _digest(document: Document, seed: int) -> bytes:
    """A number that draws the document's lot: its content under the seed."""
    return hashlib.blake2b(repr((seed, document.to_dict())).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _deal(has: NDArray[np.int64], shares: NDArray[np.float64]) -> list[int]:
    """The part of each group, from what it has of each feature (groups, features) and the parts' shares (parts,).

    The gap of a part is the sum over features of (held - wanted)² / wanted, and over the feature's mean number in the groups that its
    units stand in: what chance would make it is the same for all features. A group goes where it adds least to the gaps, and is moved
    where that lowers them.
    """
    total = has.sum(axis=0)
    wants = shares[:, None] * total
    scale = wants * ((has**2).sum(axis=0) / total)
    held = np.zeros_like(wants)
    parts = np.full(len(has), -1)

    def place(group: int) -> bool:
        """Puts a group where it adds least; tells whether that is another part than before."""
        row, before = has[group], int(parts[group])
        if before >= 0:
            held[before] -= row
        part = int((row * (row + 2 * (held - wants)) / scale).sum(axis=1).argmin())
        held[part] += row
        parts[group] = part
        return part != before

    left = total
    while left.any():
        feature = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        chosen = np.flatnonzero((parts < 0) & (has[:, feature] > 0))
        # Large groups first, while there is room for them everywhere.
        for group in chosen[np.argsort(-has[chosen].sum(axis=1), kind="stable")].tolist():
            place(group)
        left = left - has[chosen].sum(axis=0)
    for _ in range(_ROUNDS):
        if not sum([place(group) for group in range(len(has))]):
            break
    return parts.tolist()
