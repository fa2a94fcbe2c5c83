import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clashnlp.batching import make_batches
from clashnlp.windows import make_windows, stitch


@given(st.integers(0, 2000), st.integers(1, 300), st.data())
def test_kept_parts_divide_the_tokens(count, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    windows = make_windows(count, size=size, overlap=overlap)
    assert [token for window in windows for token in range(window.keep_start, window.keep_end)] == list(range(count))
    for window in windows:
        assert 0 <= window.start <= window.keep_start < window.keep_end <= window.end <= count
        assert window.end - window.start <= size
    # As few as can be, and all of one length.
    assert len(windows) == (0 if not count else max(1, -(-(count - overlap) // (size - overlap))))
    assert len({window.end - window.start for window in windows}) <= 1
    for one, other in itertools.pairwise(windows):
        assert one.end - other.start >= overlap
        # Both neighbours read half of what they share beyond the border.
        assert min(one.end - one.keep_end, other.keep_start - other.start) >= overlap // 2


def test_impossible_overlap():
    with pytest.raises(ValueError, match="overlap"):
        make_windows(10, size=4, overlap=4)


@given(st.integers(1, 400), st.integers(2, 50), st.data())
def test_stitching_gives_each_word_its_token_once(count, size, data):
    first = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1)))), dtype=np.int64)
    tokens = np.arange(count, dtype=np.float32).reshape(-1, 1)
    out = np.full((len(first), 1), -1, dtype=np.float32)
    for window in make_windows(count, size=size, overlap=size // 2):
        stitch(tokens[window.start : window.end], window, first, out)
    assert out[:, 0].tolist() == first.tolist()


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 2000))
def test_batches_hold_each_item_once_within_the_budget(lengths, budget):
    batches = make_batches(lengths, budget=budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget
        assert lengths[batch[0]] == max(lengths[index] for index in batch)
