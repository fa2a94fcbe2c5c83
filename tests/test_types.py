import pytest

from clashnlp import Analysis, DataError, Document, Relation, Span
from clashnlp.types import identity

TEXT = "Houthi fighters backed by Iran"
FACTION = Span(0, 15, "FACTION", "Houthi fighters", "F1")
PATRON = Span(26, 30, "PATRON", "Iran", "P1")


def test_json_form_is_that_of_the_guidelines():
    casualty = Span(0, 15, "CASUALTY", "Houthi fighters", "C1", 0.912345, {"outcome": "killed"})
    document = Analysis(TEXT, "d1", "en", (casualty, PATRON), (Relation(casualty, PATRON, "X", 0.5),), meta={"source": "s", "n": 3})
    assert document.to_dict() == {
        "id": "d1",
        "lang": "en",
        "text": TEXT,
        "spans": [
            {"id": "C1", "start": 0, "end": 15, "label": "CASUALTY", "text": "Houthi fighters", "outcome": "killed", "score": 0.9123},
            {"id": "P1", "start": 26, "end": 30, "label": "PATRON", "text": "Iran"},
        ],
        "relations": [{"head": "C1", "tail": "P1", "label": "X", "score": 0.5}],
        "source": "s",
        "n": 3,
    }


def test_json_form_reads_back():
    document = Document(TEXT, 7, "en", (FACTION, PATRON), (Relation(FACTION, PATRON, "BACKED_BY"),), ("FACTION", "PATRON"), {"url": "u"})
    assert Document.from_dict(document.to_dict()) == document


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spans": (Span(0, 5, "FACTION", "Houthi", "F1"),)}, "'F1' at 0-5 reads 'Houthi', but the text there is 'Houth'"),
        ({"spans": (Span(26, 31, "PATRON", "Iran", "P1"),)}, "lies outside the text of 30 characters"),
        ({"spans": (Span(3, 3, "PATRON", "", "P1"),)}, "is empty"),
        ({"spans": (FACTION, Span(26, 30, "PATRON", "Iran", "F1"))}, "'F1' stands 2 times"),
        ({"spans": (FACTION,), "relations": (Relation(FACTION, PATRON, "BACKED_BY"),)}, "refers to span 'P1'"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        Document(TEXT, **changes)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([], "a document is a JSON object"),
        ({}, "key 'text' is missing"),
        ({"text": 3}, "key 'text' must hold"),
        ({"text": "a", "spans": {}}, None),
        ({"text": "a", "spans": {"a": 1}}, "key 'spans' must hold a list"),
        ({"text": "ab", "spans": [{"start": "0", "end": 1, "label": "X"}]}, "must be whole numbers"),
        ({"text": "ab", "spans": [{"start": 0, "end": 1}]}, "has no label"),
        ({"text": "ab", "relations": [{"head": "a", "tail": "b", "label": "X"}]}, "not the id of a span"),
        ({"text": "ab", "labels": "X"}, "key 'labels' must list"),
        ({"text": "a\ud83d"}, "half of a surrogate pair .U.D83D. at character 1"),
    ],
)
def test_bad_json_forms_are_named(row, message):
    if message is None:
        assert Document.from_dict(row).spans == ()
        return
    with pytest.raises(DataError, match=message):
        Document.from_dict(row)


def test_a_text_must_be_a_str():
    with pytest.raises(TypeError, match="this is bytes"):
        Document(b"abc")


def test_ids_are_such_that_every_format_holds_them():
    values = [None, float("nan"), "", "x", "سرت", 7, 10**30, True, 1.5, "a\ud800"]
    assert [identity(value) for value in values] == ["", "", "", "x", "سرت", 7, 10**30, "True", "1.5", "a?"]
