from collections import Counter

import pytest

from clashnlp import CLASH, Document, Relation, Span
from clashnlp.agreement import agreement, kappa

TEXT = "Houthi fighters killed two soldiers near Marib city today again"
HOUTHI = Span(0, 6, "FACTION", "Houthi", "F1")
FIGHTERS = Span(0, 15, "FACTION", "Houthi fighters", "F1")
KILLED = Span(23, 35, "CASUALTY", "two soldiers", "C1", attributes={"outcome": "killed"})
WOUNDED = Span(23, 35, "CASUALTY", "two soldiers", "C1", attributes={"outcome": "wounded"})
MARIB = Span(41, 46, "LOCATION", "Marib", "L1")


def document(*spans, **options):
    return Document(TEXT, "d", "en", spans, **options)


def test_kappa_is_that_of_the_textbook():
    # Two raters, 50 items: 20 yes both, 15 no both, 5 and 10 split; agreement 0.7, by chance 0.5.
    assert kappa(Counter({(1, 1): 20, (1, 0): 5, (0, 1): 10, (0, 0): 15})) == 0.4
    assert kappa(Counter({(1, 0): 5, (0, 1): 5})) == -1
    assert kappa(Counter({(0, 0): 9})) is None
    assert kappa(Counter()) is None


def test_figures_that_were_counted_by_hand():
    one = document(HOUTHI, KILLED, relations=(Relation(KILLED, HOUTHI, "INFLICTED_BY"),))
    other = document(FIGHTERS, WOUNDED, MARIB)
    row = agreement([(one, other)], CLASH)
    assert (row["pairs"], row["words"]) == (1, 10)
    assert row["span_f1"] == 0.4  # One span of two and three.
    assert row["labels"]["FACTION"]["spans"] == [1, 1]
    assert (row["labels"]["FACTION"]["f1"], row["labels"]["CASUALTY"]["f1"]) == (0, 1)
    # FACTION: one word both, one word of the second only; agreement 0.9, by chance (1 * 2 + 9 * 8) / 100 = 0.74.
    assert row["labels"]["FACTION"]["kappa"] == pytest.approx(0.16 / 0.26, abs=1e-4)
    assert row["labels"]["CASUALTY"]["kappa"] == 1
    # All labels: 8 of 10 words agree; by chance (1 * 2 + 2 * 2 + 7 * 5) / 100 = 0.41.
    assert row["kappa"] == pytest.approx(0.39 / 0.59, abs=1e-4)
    assert (row["relation_f1"], row["attributes"]) == (0, 0)
    assert "PATRON" not in row["labels"]
    assert agreement([(other, one)], CLASH)["kappa"] == row["kappa"]


def test_the_same_annotation_agrees_wholly():
    row = agreement([(document(HOUTHI, KILLED), document(HOUTHI, KILLED))], CLASH)
    assert (row["span_f1"], row["kappa"], row["attributes"], row["relation_f1"]) == (1, 1, 1, None)


def test_labels_that_one_did_not_annotate_for_are_left_out():
    row = agreement([(document(HOUTHI, MARIB), document(MARIB, labels=("LOCATION",)))], CLASH)
    assert (row["span_f1"], row["kappa"], list(row["labels"])) == (1, 1, ["LOCATION"])
