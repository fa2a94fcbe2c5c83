import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import DataError, Document, Relation, Span
from clashnlp.formats import brat
from clashnlp.formats.exchange import Account

TEXT = "🚨 Houthi fighters backed by Iran killed two soldiers near Marib."
PIECES = [
    *("Houthi", "قتل", "ستة", "لروسيا", "🚨", "👨‍👩‍👧", "می‌جنگند", "مُقاتل", "-", "12", "e\u0301", "#Text=a", "x->y"),
    *("[a]|_*;\\", "\\n", "\n", "\r\n", "\t", "\u2028", "\u00a0", "'s", "T1"),
]
VALUES = ["killed", "wounded", "a b", "Wikidata:Q1", "قتيل", "x|y[1]", "*", "_", "\\"]


@st.composite
def documents(draw, *, whole=lambda text: True, lang=None, scores=False, values=VALUES, first=""):
    """Documents whose spans nest, cross and share extents, as far as a format holds their surface."""
    separators = st.sampled_from(["", " "])
    pieces = draw(st.lists(st.tuples(st.sampled_from(PIECES), separators), min_size=0, max_size=12))
    text = first + "".join(piece + separator for piece, separator in pieces)
    numbers = st.none() | st.floats(0, 1)
    spans = []
    for _ in range(draw(st.integers(0, 5)) if text else 0):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        if spans and draw(st.booleans()):
            start, end = spans[-1].start, spans[-1].end
        if whole(text[start:end]):
            attributes = draw(st.dictionaries(st.sampled_from(["outcome", "kind"]), st.sampled_from(values)))
            label = draw(st.sampled_from(["FACTION", "PATRON", "CASUALTY", "A_b-c"]))
            score = draw(numbers) if scores else None
            spans.append(Span(start, end, label, text[start:end], f"T{len(spans) + 1}", score, attributes))
    relations = []
    for head, tail in draw(st.lists(st.tuples(st.sampled_from(spans), st.sampled_from(spans)), max_size=4)) if spans else ():
        relations.append(Relation(head, tail, draw(st.sampled_from(["BACKED_BY", "AT"])), draw(numbers) if scores else None))
    return Document(text, id="d1", lang=None if lang is None else draw(lang), spans=tuple(spans), relations=tuple(relations))


def keys(document, *, ids=False):
    """What must survive, whatever the order."""

    def key(span):
        return span.start, span.end, span.label, tuple(sorted(span.attributes.items())), repr(span.score), span.id if ids else ""

    links = sorted((key(r.head), key(r.tail), r.label, repr(r.score)) for r in document.relations)
    return document.text, document.id, document.lang, dict(document.meta), sorted(map(key, document.spans)), links


def holds(surface):
    """brat has no place for line breaks at the edges of a span."""
    return not brat._BREAKS.search(surface[0] + surface[-1])


def reading(path, module=brat, **options):
    account, problems = Account(), []
    found = list(module.read(path, account=account, on_error=problems.append, **options))
    return found, account, [str(problem) for problem in problems]


def put(folder, name, text, lines):
    path = folder / f"{name}.ann"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    path.write_bytes("\n".join(lines).encode() + b"\n")
    return path


SAMPLE = [
    "T1\tFACTION 2 17\tHouthi fighters",
    "T2\tPATRON 28 32\tIran",
    "T3\tCASUALTY 40 52\ttwo soldiers",
    "T4\tLOCATION 58 63\tMarib",
    "T5\tCLASH 33 39\tkilled",
    "T6\tFACTION 2 8\tHouthi",
    "R1\tBACKED_BY Arg1:T1 Arg2:T2",
    "R2\tINFLICTED who:E1 whom:T3",
    "E1\tCLASH:T5 Side1:T1 Loc:T4",
    "A1\tAlleged R1",
    "A2\toutcome T3 killed",
    "A3\tAlleged E1",
    "M1\tDenied T1",
    "N1\tReference T1 Wikidata:Q1234\tHouthis",
    "*\tEquiv T1 T6",
    "#1\tAnnotatorNotes T3\tdisputed",
]


def test_every_kind_of_line(tmp_path):
    [document], account, problems = reading(put(tmp_path, "x", TEXT, SAMPLE))
    assert problems == []
    assert (document.id, document.text) == ("x", TEXT)
    spans = {span.id: span for span in document.spans}
    assert [(s.id, s.label, s.text) for s in document.spans][:3] == [
        ("T1", "FACTION", "Houthi fighters"),
        ("T6", "FACTION", "Houthi"),
        ("T2", "PATRON", "Iran"),
    ]
    assert spans["T3"].attributes == {"outcome": "killed", "AnnotatorNotes": "disputed"}
    assert spans["T1"].attributes == {"Denied": "true", "Reference": "Wikidata:Q1234"}
    assert spans["T5"].attributes == {"Alleged": "true"}
    assert {(r.head.id, r.label, r.tail.id) for r in document.relations} == {
        ("T1", "BACKED_BY", "T2"),
        ("T5", "INFLICTED", "T3"),
        ("T5", "Side1", "T1"),
        ("T5", "Loc", "T4"),
    }
    assert account.dropped == {
        "attributes and notes of what is no span": ["x/A1"],
        "names of what a span is normalised to": ["x/N1"],
        "equivalences": ["x/* Equiv T1 T6"],
    }
    assert account.repaired == {"roles of events, read as relations from the trigger": ["x/E1", "x/E1"]}
    assert (account.documents, account.spans, account.relations) == (1, 6, 4)


def test_what_is_read_is_written_again(tmp_path):
    [document], _, _ = reading(put(tmp_path, "x", TEXT, SAMPLE))
    account = brat.write([document], tmp_path / "out")
    assert not account.dropped
    [back], _, problems = reading(tmp_path / "out")
    assert problems == []
    assert keys(back, ids=True) == keys(document, ids=True)
    lines = (tmp_path / "out" / "x.ann").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line[0] in "#N"] == ["N2\tReference T1 Wikidata:Q1234\t", "#5\tAnnotatorNotes T3\tdisputed"]


@pytest.mark.parametrize(
    ("text", "line", "extent", "repaired"),
    [
        (TEXT, "T1\tX 3 18\tHouthi fighters", (2, 17), "offsets in UTF-16"),
        (TEXT, "T1\tX 9 24\tHouthi fighters", (2, 17), "offsets that did not fit, found by the span's text"),
        (TEXT, "T1\tX 2 17", (2, 17), None),
        (TEXT, "T1\tX 33 39;53 57\tkilled near", (33, 57), "discontinuous spans, taken from their first to their last character"),
        (TEXT, "T1\tX 33 39;53 57\tkillednear", (33, 57), "discontinuous spans, taken from their first to their last character"),
        ("a b\nc d", "T1\tX 2 3;4 5\tb c", (2, 5), None),
        ("a b\nc d", "T1\tX 2 5\tb c", (2, 5), None),
        ("a b\nc d\ne", "T1\tX 5 11\tc d e", (4, 9), "offsets over CRLF line breaks"),
        ("a\r\nb c", "T1\tX 3 4\tb", (3, 4), None),
        ("a\u2028b", "T1\tX 0 3\ta b", (0, 3), None),
        (b"\xef\xbb\xbfa b", "T1\tX 3 4\tb", (2, 3), None),
        (b"\xef\xbb\xbfa b", "T1\tX 2 3\tb", (2, 3), None),
        (b"\xef\xbb\xbfa b", "T1\tX 3 4", (2, 3), None),
    ],
)
def test_offsets(tmp_path, text, line, extent, repaired):
    [document], account, problems = reading(put(tmp_path, "x", text, [line]))
    assert problems == []
    [span] = document.spans
    assert (span.start, span.end) == extent
    assert account.repaired == ({repaired: ["x/T1"]} if repaired else {})


def test_offsets_that_fit_nothing(tmp_path):
    lines = ["T1\tX 0 3\tMoscow", "T2\tX 60 99", "T3\tX 2 8\tHouthi", "R1\tAT Arg1:T3 Arg2:T1", "T4\tX 1 1\t"]
    [document], account, problems = reading(put(tmp_path, "x", TEXT, lines))
    assert problems == []
    assert [span.id for span in document.spans] == ["T3"]
    assert account.dropped == {
        "spans whose text does not stand at their offsets": ["x/T1"],
        "spans outside their text": ["x/T2", "x/T4"],
        "relations of a span that is not there": ["x/T3-T1"],
    }


def test_damaged_lines_are_named_and_cost_nothing_else(tmp_path):
    lines = [
        "T1\tX 2 8\tHouthi\r",
        "T2 X 2 8 Houthi",
        "T1\tX 2 8\tHouthi",
        "",
        "Q1\tX T1",
        "R1\tX T1 T2",
        "T3\tCASUALTY:killed 40 52\ttwo soldiers",
    ]
    path = put(tmp_path, "x", TEXT, lines)
    [document], _, problems = reading(path)
    assert [(span.id, span.label, dict(span.attributes)) for span in document.spans] == [
        ("T1", "X", {}),
        ("T3", "CASUALTY", {"outcome": "killed"}),
    ]
    assert [problem.split(": ")[0] for problem in problems] == [f"{path}:{line}" for line in (2, 3, 5, 6)]
    assert "id T1 stands a second time" in problems[1]


def test_files_without_partner(tmp_path):
    put(tmp_path, "a", TEXT, SAMPLE[:1])
    (tmp_path / "b.ann").write_text("T1\tX 0 1\ta\n")
    (tmp_path / "c.txt").write_text("c")
    (tmp_path / "d.txt").write_bytes(b"\xff")
    (tmp_path / "d.ann").write_text("")
    found, account, problems = reading(tmp_path)
    assert [document.id for document in found] == ["a"]
    assert account.dropped == {"texts without an .ann file": ["c.txt"]}
    assert [problem.split(": ")[0] for problem in problems] == [f"{tmp_path}/b.ann", f"{tmp_path}/d.txt"]
    assert "put b.txt beside it" in problems[0]
    assert reading(tmp_path / "none")[2] == [f"{tmp_path}/none: there is no such file or folder"]
    (tmp_path / "e.zip").write_bytes(b"PK\x05\x06 broken")
    assert len(reading(tmp_path / "e.zip")[2]) == 1


def test_several_annotators(tmp_path):
    for who, line in (("alice", SAMPLE[0]), ("bob", SAMPLE[1])):
        put(tmp_path / "in", f"{who}/x", TEXT, [line])
    found, _, _ = reading(tmp_path / "in")
    assert [(document.id, document.meta, document.spans[0].label) for document in found] == [
        ("x", {"annotator": "alice"}, "FACTION"),
        ("x", {"annotator": "bob"}, "PATRON"),
    ]
    account = brat.write(found, tmp_path / "out.zip")
    assert (account.documents, account.dropped) == (2, {})
    assert "bob/x.ann" in zipfile.ZipFile(tmp_path / "out.zip").namelist()
    again, _, _ = reading(tmp_path / "out.zip")
    assert list(map(keys, again)) == list(map(keys, found))
    put(tmp_path / "in", "bob/x", "Another text.", [])
    assert [document.id for document in reading(tmp_path / "in")[0] if not document.meta] == ["alice/x", "bob/x"]
    assert [document.id for document in reading(tmp_path / "in", annotators=True)[0]] == ["x", "x"]


def test_what_the_format_cannot_hold_is_counted(tmp_path):
    text = "a b\nc"
    spans = (
        Span(2, 4, "two words", "b\n", "B1", 0.5, {"outcome": "x\ty"}),
        Span(3, 4, "X", "\n", "B2"),
        Span(0, 1, "X", "a", "B3", attributes={"my note": "n"}),
    )
    relations = (Relation(spans[2], spans[0], "AT"), Relation(spans[2], spans[1], "AT"))
    document = Document(text, "../d", "en", spans, relations, labels=("X",), meta={"url": "u"})
    account = brat.write([document, Document(text, "_/d"), Document("\0", "z")], tmp_path / "out")
    assert (account.documents, account.spans, account.relations) == (2, 2, 1)
    assert set(account.dropped) == {
        "languages",
        "lists of the labels annotated for",
        "meta data: url",
        "scores",
        "spans of line breaks alone",
        "attribute values that are empty or hold tabs or line breaks",
        "texts with zero bytes",
    }
    assert set(account.repaired) == {
        "ids that make no name of a file of their own",
        "line breaks at the edges of spans, left outside",
        "names with white space, written with _",
    }
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.ann")) == ["out/_/d-2.ann", "out/_/d.ann"]
    assert not list(tmp_path.rglob("*.part"))
    [one, _], _, problems = reading(tmp_path / "out")
    assert problems == []
    assert [(span.label, span.text) for span in one.spans] in ([("X", "a"), ("two_words", "b")], [])


def test_one_file(tmp_path):
    document = Document(TEXT, "x", spans=(Span(28, 32, "PATRON", "Iran", "T9"),))
    brat.write([document], tmp_path / "x.ann")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.ann", "x.txt"]
    assert reading(tmp_path / "x.ann")[0] == [document]
    with pytest.raises(DataError, match="holds one document, and there are several"):
        brat.write([document, document], tmp_path / "x.ann")
    with pytest.raises(DataError, match="is a file"):
        brat.write([document], tmp_path / "x.txt")


def test_labels_of_several_words_have_one_name_in_all_files(tmp_path):
    one, other = Span(0, 1, "ARMED GROUP", "a", "T1", attributes={"kind": "x"}), Span(2, 3, "STATE ACTOR", "b", "T2")
    brat.write([Document("a b", "d", None, (one, other), (Relation(one, other, "BACKED BY"),))], tmp_path / "out")
    text = (tmp_path / "out" / "annotation.conf").read_text(encoding="utf-8")
    assert "BACKED_BY\tArg1:ARMED_GROUP, Arg2:STATE_ACTOR\n" in text and "kind\tArg:ARMED_GROUP, Value:x\n" in text


def test_the_configuration_names_what_was_used(tmp_path):
    put(tmp_path, "x", TEXT, SAMPLE[:4] + SAMPLE[6:7] + ["A1\toutcome T3 killed"])
    brat.write(reading(tmp_path)[0], tmp_path / "out")
    text = (tmp_path / "out" / "annotation.conf").read_text(encoding="utf-8")
    assert "[entities]\nFACTION\nPATRON\nCASUALTY\nLOCATION\n" in text
    assert "BACKED_BY\tArg1:FACTION, Arg2:PATRON" in text
    assert "outcome\tArg:CASUALTY, Value:killed" in text
    (tmp_path / "out" / "annotation.conf").write_text("mine")
    brat.write(reading(tmp_path / "x.ann")[0], tmp_path / "out")
    assert (tmp_path / "out" / "annotation.conf").read_text() == "mine"


@given(documents(whole=holds))
@settings(max_examples=50, deadline=None)
def test_writing_then_reading_is_the_identity(tmp_path_factory, document):
    folder: Path = tmp_path_factory.mktemp("brat")
    account = brat.write([document], folder)
    assert (account.dropped, account.repaired) == ({}, {})
    [back], account, problems = reading(folder)
    assert (problems, account.dropped, account.repaired) == ([], {}, {})
    assert keys(back, ids=True) == keys(document, ids=True)
