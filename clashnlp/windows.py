"""Which tokens does the encoder read at once? A pure function of a token count, the same in training and prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """Tokens `start` to `end` are read together; of them, `keep_start` to `keep_end` lie deeper here than in any other window."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def make_windows(count: int, *, size: int, overlap: int) -> list[Window]:
    """Windows of at most `size` tokens whose kept parts divide `count` tokens between them without gap or overlap.

    Neighbours share at least `overlap` tokens and each keeps its half of what they share. There are as few windows as that allows, and
    all are equally long, so that little is read twice: of 600 tokens, two full windows of 510 would read 420 twice.

    Raises:
        ValueError: the overlap is negative or not less than the size.
    """
    if not 0 <= overlap < size:
        raise ValueError(f"the overlap must be at least 0 and less than the window's size {size}, it is {overlap}")
    if count <= 0:
        return []
    number = max(1, -(-(count - overlap) // (size - overlap)))
    length = -(-(count + (number - 1) * overlap) // number)
    # Spread evenly; what rounding leaves over is shared once more.
    starts = [at * (count - length) // max(number - 1, 1) for at in range(number)]
    ends = [start + length for start in starts]
    borders = [0, *((end + start) // 2 for end, start in zip(ends[:-1], starts[1:], strict=True)), count]
    return [Window(start, end, borders[at], borders[at + 1]) for at, (start, end) in enumerate(zip(starts, ends, strict=True))]


def stitch(rows: NDArray[np.float32], window: Window, first: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Copies what a window says of its kept tokens to the words that begin there.

    Args:
        rows: a row for each token of the window (at least window.end - window.start, ...).
        window: where the window lies in the document.
        first: the first token of each word of the document (n words,), increasing.
        out: a row for each word (n words, ...), filled where the word begins in the window's kept part.
    """
    low, high = np.searchsorted(first, (window.keep_start, window.keep_end))
    out[low:high] = rows[first[low:high] - window.start]
