"""Which windows share a batch? Those of similar length, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Sequence


def make_batches(lengths: Sequence[int], *, budget: int) -> list[list[int]]:
    """Indices into `lengths`, in batches that padded to their longest member hold at most `budget` tokens (or one member).

    Longest first, so that the peak of memory comes at once and padding stays small.
    """
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = lengths[index]
        batches[-1].append(index)
    return batches
