"""Each mistake is counted once, in the class that a reader would name."""

from clashnlp.mistakes import RELATION_CLASSES, SPAN_CLASSES, Mistake, count, relation_mistakes, span_mistakes

A, B, C = (0, 4, "FACTION"), (10, 14, "FACTION"), (20, 24, "LOCATION")


def test_right_spans_are_no_mistakes():
    assert span_mistakes({A, C}, {A, C}) == []


def test_span_classes():
    gold = {(0, 4, "FACTION"), (10, 14, "PATRON"), (20, 24, "LOCATION")}
    predicted = {(0, 6, "FACTION"), (10, 14, "FACTION"), (30, 33, "CASUALTY")}
    assert span_mistakes(gold, predicted) == [
        Mistake("wrong edges", "FACTION", 0, 4),
        Mistake("wrong label", "PATRON", 10, 14),
        Mistake("missed", "LOCATION", 20, 24),
        Mistake("invented", "CASUALTY", 30, 33),
    ]


def test_a_second_label_on_a_right_extent_is_invented():
    assert span_mistakes({A}, {A, (0, 4, "PATRON")}) == [Mistake("invented", "PATRON", 0, 4)]


def test_relation_classes():
    spans = {A, B, C}
    gold = {(A, B, "CLASHED_WITH"), (A, C, "LOCATED_IN"), (B, C, "LOCATED_IN")}
    predicted = {(A, B, "PART_OF"), (C, (30, 33, "LOCATION"), "LOCATED_IN")}
    assert relation_mistakes(gold, predicted, spans, {A, B, (30, 33, "LOCATION")}) == [
        Mistake("other relation", "CLASHED_WITH", 0, 14),
        Mistake("span not found", "LOCATED_IN", 0, 24),
        Mistake("span not found", "LOCATED_IN", 10, 24),
        Mistake("wrong span", "LOCATED_IN", 20, 33),
    ]
    assert [one.kind for one in relation_mistakes(gold, set(), spans, spans)] == ["not related"] * 3
    assert [one.kind for one in relation_mistakes(set(), gold, spans, spans)] == ["invented"] * 3


def test_count_by_label():
    mistakes = span_mistakes({A, B}, {(0, 3, "FACTION"), C})
    assert count(mistakes, SPAN_CLASSES) == {
        "all": {"wrong edges": 1, "wrong label": 0, "missed": 1, "invented": 1},
        "FACTION": {"wrong edges": 1, "wrong label": 0, "missed": 1, "invented": 0},
        "LOCATION": {"wrong edges": 0, "wrong label": 0, "missed": 0, "invented": 1},
    }
    assert count([], RELATION_CLASSES) == {"all": dict.fromkeys(RELATION_CLASSES, 0)}
