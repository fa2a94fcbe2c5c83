import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clashnlp import spans

FOLLOWS = {"O": "OBS", "E": "OBS", "S": "OBS", "B": "IE", "I": "IE"}


def allowed(tags: str) -> bool:
    inside = all(after in FOLLOWS[before] for before, after in itertools.pairwise(tags))
    return tags[0] in "OBS" and tags[-1] in "OES" and inside


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(1), st.just(5)), elements=st.floats(-5, 5, width=32)))
@settings(max_examples=300, deadline=None)
def test_decoding_finds_the_best_allowed_sequence(logits):
    log_probs = spans.log_softmax(logits)[:, 0]
    best = max(
        sum(log_probs[at, "OBIES".index(tag)] for at, tag in enumerate(tags))
        for tags in itertools.product("OBIES", repeat=len(logits))
        if allowed("".join(tags))
    )
    found = spans.decode(logits, temperature=1.0, thresholds=[0.0])
    tags = spans.encode_tags([tuple(row) for row in found.rows.tolist()], len(logits), 1)[:, 0]
    # Words outside of spans carry no trace of O: the sequence is rebuilt from the spans.
    assert np.isclose(log_probs[np.arange(len(tags)), tags].sum(), best, atol=1e-4)


@st.composite
def span_sets(draw):
    words, rows = draw(st.integers(1, 30)), set()
    for label in range(3):
        at = 0
        while at < words and draw(st.booleans()):
            first = draw(st.integers(at, words - 1))
            last = draw(st.integers(first, min(first + 5, words - 1)))
            rows.add((first, last, label))
            at = last + 1
    return words, rows


@given(span_sets())
def test_tags_hold_nested_spans_of_different_labels(drawn):
    words, rows = drawn
    tags = spans.encode_tags(sorted(rows), words, 3)
    logits = np.where(tags[:, :, None] == np.arange(5), 9.0, 0.0).astype(np.float32)
    found = spans.decode(logits, temperature=1.0, thresholds=[0.0] * 3)
    assert {tuple(row) for row in found.rows.tolist()} == rows
    assert found.rows.tolist() == sorted(found.rows.tolist(), key=lambda row: (row[0], -row[1], row[2]))


def test_score_is_the_least_probability_and_thresholds_cut():
    logits = np.log(np.array([[[0.1, 0.7, 0.1, 0.05, 0.05]], [[0.1, 0.05, 0.05, 0.6, 0.2]]], dtype=np.float32))
    found = spans.decode(logits, temperature=1.0, thresholds=[0.0])
    assert found.rows.tolist() == [[0, 1, 0]]
    assert np.isclose(found.scores[0], 0.6)
    assert len(spans.decode(logits, temperature=1.0, thresholds=[0.61])) == 0


def test_no_words():
    assert len(spans.decode(np.zeros((0, 2, 5), np.float32), temperature=1.0, thresholds=[0.0, 0.0])) == 0
