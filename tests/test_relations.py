import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import CLASH, RelationType, Schema, relations

LIMITS = {"max_distance": 12, "max_sentences": 1}


@st.composite
def documents(draw):
    words = draw(st.integers(1, 60))
    sentences = np.cumsum(draw(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=words, max_size=words)))
    rows = set()
    for _ in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, words - 1))
        rows.add((first, draw(st.integers(first, min(words - 1, first + 4))), draw(st.integers(0, 3))))
    return np.array(sorted(rows, key=lambda row: (row[0], -row[1], row[2])), dtype=np.int64).reshape(-1, 3), sentences


@given(documents())
@settings(max_examples=300, deadline=None)
def test_candidates_are_the_close_pairs_of_the_schema(drawn):
    spans, sentences = drawn
    found = relations.candidates(spans, sentences, CLASH, **LIMITS)
    expected = {}
    for head, one in enumerate(spans.tolist()):
        for tail, other in enumerate(spans.tolist()):
            early, late = (one, other) if head < tail else (other, one)
            gap = late[0] - early[1] - 1
            if head == tail or gap > LIMITS["max_distance"] or sentences[late[0]] - sentences[early[1]] > LIMITS["max_sentences"]:
                continue
            names = (CLASH.labels[one[2]], CLASH.labels[other[2]])
            fits = [names in kind.signatures and (head < tail or not kind.symmetric) for kind in CLASH.relations]
            if any(fits):
                expected[head, tail] = fits
    assert {(int(h), int(t)): row.tolist() for (h, t), row in zip(found.pairs, found.allowed, strict=True)} == expected
    assert (found.features >= 0).all()
    assert (found.features < np.array(relations.FEATURE_SIZES)).all()


def test_features_of_a_known_case():
    # Words:  0 F  1 -  2 L  3 .  4 C(4-6)  5 F inside   7 L
    spans = np.array([[0, 0, 0], [2, 2, 2], [4, 6, 3], [5, 5, 0], [7, 7, 2]])
    sentences = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = relations.candidates(spans, sentences, CLASH, max_distance=64, max_sentences=2)
    rows = {tuple(pair): row for pair, row in zip(found.pairs.tolist(), found.features.tolist(), strict=True)}
    # distance, sentences, head's label between, tail's label between, order, nesting
    assert rows[0, 1] == [2, 0, 0, 0, 0, 0]
    assert rows[2, 3] == [0, 0, 0, 0, 0, 1]
    assert rows[2, 4] == [1, 0, 0, 0, 0, 0]
    assert rows[0, 4] == [3, 1, 1, 1, 0, 0]
    assert rows[2, 0] == [3, 1, 0, 0, 1, 0]


@given(documents())
@settings(max_examples=100, deadline=None)
def test_blocks_hold_every_pair_once(drawn):
    spans, sentences = drawn
    found = relations.candidates(spans, sentences, CLASH, **LIMITS)
    old, relations._BLOCK, relations._PAIRS = (relations._BLOCK, relations._PAIRS), 7, 5
    try:
        parts = list(relations.blocks(spans, found.pairs))
    finally:
        relations._BLOCK, relations._PAIRS = old
    assert all(len(chosen) <= 5 for _, _, chosen in parts)
    assert sorted(pair for _, _, chosen in parts for pair in chosen.tolist()) == list(range(len(found.pairs)))
    assert {span for _, members, _ in parts for span in members.tolist()} == set(range(len(spans)))
    for words, members, chosen in parts:
        assert set(found.pairs[chosen].ravel().tolist()) <= set(members.tolist())
        assert words.start <= spans[members, 0].min()
        assert words.stop > spans[members, 1].max()


def test_symmetric_relations_of_two_labels_hold_in_either_order():
    schema = Schema(("PER", "ORG"), relations=(RelationType("KNOWS", (("PER", "ORG"),), symmetric=True),))
    for labels in ((0, 1), (1, 0)):
        spans = np.array([[0, 0, labels[0]], [2, 2, labels[1]]])
        found = relations.candidates(spans, np.zeros(3, dtype=np.int64), schema, **LIMITS)
        assert found.pairs.tolist() == [[0, 1]]


def test_decoding_keeps_what_the_schema_allows():
    logits = np.array([[2.0, 2.0], [-1.0, 0.1]], dtype=np.float32)
    pairs = np.array([[0, 1], [0, 2]])
    found = relations.Candidates(pairs=pairs, features=np.zeros((2, 2), dtype=np.int64), allowed=np.array([[True, False], [True, True]]))
    kept = relations.decode(logits, found, np.ones(2, np.float32), temperature=1.0, thresholds=[0.5, 0.5])
    assert [(pair, kind) for pair, kind, _ in kept] == [(0, 0), (1, 1)]
    # A relation is no surer than its spans.
    [(pair, kind, score)] = relations.decode(logits, found, np.array([0.6, 0.6], np.float32), temperature=1.0, thresholds=[0.5, 0.5])
    assert (pair, kind) == (0, 0)
    assert np.isclose(score, 0.6 / (1 + np.exp(-2)))


def test_of_a_relation_in_both_directions_the_surer_holds():
    pairs = np.array([[0, 1], [1, 0], [1, 2]])
    found = relations.Candidates(pairs=pairs, features=np.zeros((3, 2), dtype=np.int64), allowed=np.ones((3, 2), dtype=bool))
    for first, second in ((1.0, 2.0), (2.0, 1.0)):
        logits = np.array([[first, 1.0], [second, -9.0], [1.0, 1.0]], dtype=np.float32)
        kept = relations.decode(logits, found, np.ones(3, np.float32), temperature=1.0, thresholds=[0.5, 0.5])
        assert [(pair, kind) for pair, kind, _ in kept] == sorted([(int(second > first), 0), (0, 1), (2, 0), (2, 1)])
