"""Which ids stand twice? Found in a file of digests, with as much memory for a hundred million as for a million."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ROW = np.dtype([("id", "<u8"), ("place", "<u8")])
_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Duplicates:
    """How many documents bear the id of an earlier one, and the places of the first of them."""

    count: int
    first: list[int]


def find_duplicates(path: Path, *, named: int = 10) -> Duplicates:
    """The duplicates among the rows (digest of an id, place) of the file."""
    passes = -(-path.stat().st_size // (_AT_ONCE * _ROW.itemsize)) or 1
    count = 0
    first: list[int] = []
    for part in range(passes):
        # Digests are evenly spread, so each pass holds about a pass's share of them.
        rows = np.concatenate([block[block["id"] % passes == part] for block in _blocks(path)] or [np.empty(0, _ROW)])
        rows.sort(order=("id", "place"))
        again = rows["place"][1:][rows["id"][1:] == rows["id"][:-1]]
        count += len(again)
        first = heapq.nsmallest(named, [*first, *again.tolist()])
    return Duplicates(count, first)


def _blocks(path: Path) -> Iterator[NDArray[np.void]]:
    with path.open("rb") as file:
        while block := file.read(_AT_ONCE * _ROW.itemsize):
            yield np.frombuffer(block, _ROW)
