import pytest

from clashnlp import CLASH, DataError, Document, Relation, Span
from clashnlp.evaluate import bootstrap, evaluate, scored_keys, summary
from clashnlp.training.metrics import RelationMetric, SpanMetric, relation_rows, span_rows

TEXT = "Houthi fighters killed two soldiers near Marib. Iran denied."
HOUTHI = Span(0, 6, "FACTION", "Houthi", "F1")
FIGHTERS = Span(0, 15, "FACTION", "Houthi fighters", "F1")
KILLED = Span(23, 35, "CASUALTY", "two soldiers", "C1", attributes={"outcome": "killed"})
WOUNDED = Span(23, 35, "CASUALTY", "two soldiers", "C1", attributes={"outcome": "wounded"})
MARIB = Span(41, 46, "LOCATION", "Marib", "L1")
IRAN = Span(48, 52, "PATRON", "Iran", "P1")


def document(*spans, relations=(), **options):
    return Document(TEXT, "d", "en", spans, relations, **options)


GOLD = document(HOUTHI, KILLED, MARIB, relations=(Relation(KILLED, HOUTHI, "INFLICTED_BY"), Relation(KILLED, MARIB, "LOCATED_IN")))
FOUND = document(
    FIGHTERS, WOUNDED, MARIB, IRAN, relations=(Relation(WOUNDED, FIGHTERS, "INFLICTED_BY"), Relation(WOUNDED, MARIB, "LOCATED_IN"))
)


def test_figures_that_were_counted_by_hand():
    metrics = evaluate([GOLD], [FOUND], CLASH)
    assert {key: metrics["spans"][key] for key in ("right", "predicted", "gold", "f1")} == {
        "right": 2,
        "predicted": 4,
        "gold": 3,
        "f1": round(4 / 7, 4),
    }
    assert metrics["spans_partial"]["right"] == 2.5
    assert metrics["spans_type"]["right"] == 3
    assert metrics["spans"]["labels"]["LOCATION"]["interval"] == [1, 1]
    assert metrics["spans"]["labels"]["FACTION"]["f1"] == 0
    assert metrics["spans"]["langs"]["en"]["gold"] == 3
    assert (metrics["relations"]["right"], metrics["relations"]["predicted"], metrics["relations"]["gold"]) == (1, 2, 2)
    assert (metrics["attributes"]["outcome"]["accuracy"], metrics["attributes"]["outcome"]["spans"]) == (0.0, 1)
    assert metrics["attributes"]["outcome"]["confusion"] == {"killed": {"wounded": 1}}
    assert "relations, strict" in summary(metrics)


def test_perfect_and_empty_predictions():
    perfect, empty = evaluate([GOLD], [GOLD], CLASH), evaluate([GOLD], [document()], CLASH)
    assert (perfect["spans"]["f1"], perfect["relations"]["f1"], perfect["attributes"]["outcome"]["accuracy"]) == (1, 1, 1)
    assert (empty["spans"]["f1"], empty["relations"]["f1"]) == (0, 0)


def test_false_relations_are_counted_among_unrelated_pairs_of_a_sentence():
    said = document(HOUTHI, KILLED, MARIB, relations=(Relation(HOUTHI, MARIB, "LOCATED_IN"),))
    assert evaluate([GOLD], [said], CLASH)["false_relations"] == {"pairs": 1, "related": 1, "rate": 1.0}
    assert evaluate([GOLD], [GOLD], CLASH)["false_relations"] == {"pairs": 1, "related": 0, "rate": 0.0}


def test_symmetric_relations_have_no_direction():
    army = Span(27, 35, "FACTION", "soldiers", "F2")
    one = document(HOUTHI, army, relations=(Relation(HOUTHI, army, "CLASHED_WITH"),))
    other = document(HOUTHI, army, relations=(Relation(army, HOUTHI, "CLASHED_WITH"),))
    assert evaluate([one], [other], CLASH)["relations"]["f1"] == 1
    part = document(HOUTHI, army, relations=(Relation(HOUTHI, army, "PART_OF"),))
    whole = document(HOUTHI, army, relations=(Relation(army, HOUTHI, "PART_OF"),))
    assert evaluate([part], [whole], CLASH)["relations"]["f1"] == 0


def test_labels_that_were_not_annotated_are_not_scored():
    for gold in (document(MARIB, labels=("LOCATION",)), document(HOUTHI, MARIB, labels=("LOCATION",))):
        metrics = evaluate([gold], [FOUND], CLASH)
        assert (metrics["spans"]["predicted"], metrics["spans"]["gold"], metrics["spans"]["f1"]) == (1, 1, 1)
        assert metrics["relations"]["predicted"] == 0


def test_predictions_for_another_text():
    with pytest.raises(DataError, match="another text"):
        evaluate([GOLD], [Document("x")], CLASH)


def test_bootstrap_interval_holds_the_figure():
    low, high = bootstrap([(3, 4, 5), (1, 3, 2), (0, 1, 1), (5, 5, 5)] * 5)
    assert low < 2 * 45 / (65 + 65) < high
    assert bootstrap([(2, 2, 2)] * 3) == (1, 1)


def test_metrics_for_evaluate_give_the_same_figures():
    keys = scored_keys([GOLD], [FOUND], CLASH)
    metrics = evaluate([GOLD], [FOUND], CLASH)
    ours = SpanMetric().compute(predictions=span_rows(keys.spans), references=span_rows(keys.gold_spans))
    assert round(ours["f1"], 4) == metrics["spans"]["f1"]
    assert round(ours["partial_f1"], 4) == metrics["spans_partial"]["f1"]
    ours = RelationMetric().compute(predictions=relation_rows(keys.relations), references=relation_rows(keys.gold_relations))
    assert round(ours["f1"], 4) == metrics["relations"]["f1"]
