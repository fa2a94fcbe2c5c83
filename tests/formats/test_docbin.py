import gc
import pickle
import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_brat import TEXT, VALUES, documents, keys
from test_brat import reading as read_with

from clashnlp import Document, MissingDependencyError, Relation, Span
from clashnlp.formats import docbin

spacy = pytest.importorskip("spacy")
srsly = pytest.importorskip("srsly")


def reading(path, **options):
    return read_with(path, docbin, **options)


def sample(nlp, *, ents=True):
    """The document that people make by spaCy's own documentation."""
    doc = nlp.make_doc(TEXT)
    marks = [(2, 17, "FACTION"), (28, 32, "PATRON"), (40, 52, "CASUALTY:killed")]
    spans = [doc.char_span(start, end, label=label, alignment_mode="strict") for start, end, label in marks]
    if ents:
        doc.ents = spans
    else:
        doc.spans["sc"] = [*spans, doc.char_span(2, 8, label="FACTION")]
    starts = [span.start for span in spans]
    table = {(head, tail): {"BACKED_BY": 0.0, "AT": 0.0} for head in starts for tail in starts if head != tail}
    table[starts[0], starts[1]]["BACKED_BY"] = 1.0
    table[starts[2], starts[0]]["AT"] = 0.75
    table[starts[2], starts[1]]["AT"] = 0.25
    doc.user_data["._.", "rel", None, None] = table
    return doc


def put(path, *docs, **options):
    spacy.tokens.DocBin(docs=docs, store_user_data=True, **options).to_disk(path)
    return path


def shape(document):
    spans = [(span.id, span.text, span.label, dict(span.attributes)) for span in document.spans]
    return spans, [(r.head.id, r.label, r.tail.id, r.score) for r in document.relations]


SPANS = [
    ("T1", "Houthi fighters", "FACTION", {}),
    ("T2", "Iran", "PATRON", {}),
    ("T3", "two soldiers", "CASUALTY", {"outcome": "killed"}),
]
LINKS = [("T1", "BACKED_BY", "T2", None), ("T3", "AT", "T1", 0.75)]


def test_entities_and_relations(tmp_path):
    nlp = spacy.blank("en")
    doc = sample(nlp)
    doc.user_data["._.", "outcome", 28, 32] = "backer"
    doc.user_data["._.", "url", None, None] = "u"
    doc.user_data.update({"day": [1, None], "odd": b"\0", 3: "x"})
    [document], account, problems = reading(put(tmp_path / "x.spacy", doc))
    assert problems == []
    assert (document.id, document.text, document.meta) == ("x-1", TEXT, {"url": "u", "day": [1, None]})
    assert shape(document) == ([SPANS[0], ("T2", "Iran", "PATRON", {"outcome": "backer"}), SPANS[2]], LINKS)
    assert account.dropped == {"user data that is no JSON: odd": ["x-1"]}
    assert (account.documents, account.spans, account.relations, account.repaired) == (1, 3, 2, {})


def test_groups_of_spans(tmp_path):
    doc = sample(spacy.blank("en"), ents=False)
    doc.ents = [doc.char_span(2, 17, label="FACTION"), doc.char_span(58, 63, label="LOCATION")]
    doc.spans["other"] = spacy.tokens.SpanGroup(
        doc, spans=[doc.char_span(2, 8, label="FACTION"), doc.char_span(2, 8)], attrs={"scores": [0.5, 1]}
    )
    path = put(tmp_path / "x.spacy", doc)
    [document], account, problems = reading(path)
    assert problems == []
    assert [(span.text, span.label) for span in document.spans] == [
        ("Houthi fighters", "FACTION"),
        ("Houthi", "FACTION"),
        ("Iran", "PATRON"),
        ("two soldiers", "CASUALTY"),
        ("Marib", "LOCATION"),
    ]
    assert [(r.head.text, r.label, r.tail.text) for r in document.relations] == [
        ("Houthi fighters", "BACKED_BY", "Iran"),
        ("two soldiers", "AT", "Houthi fighters"),
    ]
    assert len(account.repaired["relations of a token where several spans begin, given to the entity or the longest"]) == 2
    assert account.dropped == {"spans that are empty or have no label": ["x-1/2"]}
    [document], _, _ = reading(path, spans_key="other")
    assert [(span.text, span.score) for span in document.spans] == [("Houthi", 0.5)]


def test_an_entity_with_its_value_in_the_label_is_that_of_the_group(tmp_path):
    doc = sample(spacy.blank("en"), ents=False)
    doc.ents = [span for span in doc.spans["sc"] if span.label_ == "CASUALTY:killed"]
    [document], _, _ = reading(put(tmp_path / "x.spacy", doc))
    assert [span.attributes for span in document.spans if span.label == "CASUALTY"] == [{"outcome": "killed"}]


def test_words_without_known_spaces(tmp_path):
    doc = spacy.tokens.Doc(spacy.blank("xx").vocab, words=["a", "b"])
    [document], account, _ = reading(put(tmp_path / "x.spacy", doc))
    assert document.text == "a b "
    assert account.repaired == {"texts whose spaces are not known, put together with a space between words": ["x-1"]}


def test_relations_are_lost_without_user_data(tmp_path):
    spacy.tokens.DocBin(docs=[sample(spacy.blank("en"))]).to_disk(tmp_path / "x.spacy")
    [document], _, problems = reading(tmp_path / "x.spacy")
    assert (problems, shape(document)) == ([], (SPANS, []))


def test_spacy_reads_what_is_written(tmp_path):
    [document], _, _ = reading(put(tmp_path / "x.spacy", sample(spacy.blank("en"))))
    spans = (*document.spans, Span(2, 8, "UNIT", "Houthi", "T9", 0.5), Span(9, 12, "PART", "fig", "T10"))
    account = docbin.write([Document(document.text, "d", "en", spans, document.relations)], tmp_path / "y.spacy")
    assert (account.documents, account.spans, account.relations, account.dropped, account.repaired) == (1, 5, 2, {}, {})
    [doc] = spacy.tokens.DocBin().from_disk(tmp_path / "y.spacy").get_docs(spacy.blank("en").vocab)
    assert doc.text == TEXT
    assert [(ent.text, ent.label_) for ent in doc.ents] == [
        ("Houthi fighters", "FACTION"),
        ("Iran", "PATRON"),
        ("two soldiers", "CASUALTY"),
    ]
    assert [(span.text, span.id_) for span in doc.spans["sc"]][-2:] == [("Houthi", "T9"), ("fig", "T10")]
    assert doc.spans["sc"].attrs["scores"] == [None, None, None, 0.5, None]
    spacy.tokens.Span.set_extension("outcome", default=None, force=True)
    spacy.tokens.Doc.set_extension("rel", default={}, force=True)
    assert doc.ents[2]._.outcome == "killed"
    first = {span.id_: span.start for span in doc.spans["sc"]}
    # Two spans begin at the first token of the faction, so relations of that token are in the notes alone.
    assert doc._.rel[first["T2"], first["T3"]] == {"BACKED_BY": 0.0, "AT": 0.0}
    assert all(value == 0 for labels in doc._.rel.values() for value in labels.values())
    docbin.write([document], tmp_path / "z.spacy")
    [doc] = spacy.tokens.DocBin().from_disk(tmp_path / "z.spacy").get_docs(spacy.blank("en").vocab)
    first = {span.id_: span.start for span in doc.spans["sc"]}
    assert doc._.rel[first["T1"], first["T2"]] == {"BACKED_BY": 1.0, "AT": 0.0}
    assert doc._.rel[first["T3"], first["T1"]] == {"BACKED_BY": 0.0, "AT": 0.75}
    del doc.user_data["clashnlp"]
    [back], _, _ = reading(put(tmp_path / "again.spacy", doc))
    assert shape(back) == shape(document)


def test_several_annotators_and_a_folder(tmp_path):
    found = [Document(TEXT, "a", "ar", meta={"annotator": who, "url": "u"}) for who in ("alice", "bob")]
    docbin.write(found, tmp_path / "a.spacy")
    put(tmp_path / "b.spacy", sample(spacy.blank("xx")))
    again, account, problems = reading(tmp_path)
    assert problems == []
    assert again[:2] == found
    assert [document.meta["annotator"] for document in again[:2]] == ["alice", "bob"]
    assert (again[2].id, account.documents) == ("b-1", 3)
    (tmp_path / "empty").mkdir()
    assert reading(tmp_path / "empty")[2] == [f"{tmp_path}/empty: holds no .spacy file; name the folder or file that the tool exported"]
    assert not list(tmp_path.glob("*.part"))


class Trap:
    def __reduce__(self):
        return exec, ("import sys; sys.trapped = True",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        zlib.compress(b"\x81"),
        zlib.compress(srsly.msgpack_dumps([1, 2])),
        zlib.compress(srsly.msgpack_dumps({"attrs": [65], "strings": [], "lengths": b"\1", "spaces": b"", "tokens": b"\1"})),
        pickle.dumps(Trap()),
        zlib.compress(pickle.dumps(Trap())),
        zlib.compress(srsly.msgpack_dumps({b"nd": True, b"kind": b"O", b"type": "O", b"shape": (), b"data": pickle.dumps(Trap())})),
    ],
)
def test_damaged_files_and_pickles(tmp_path, data):
    (tmp_path / "a.spacy").write_bytes(data)
    put(tmp_path / "b.spacy", sample(spacy.blank("xx")))
    found, _, [problem] = reading(tmp_path)
    assert [document.id for document in found] == ["b-1"]
    assert problem.startswith(f"{tmp_path}/a.spacy: is no DocBin, or a damaged one")
    assert gc.isenabled()
    assert not hasattr(sys, "trapped")
    assert reading(tmp_path / "none.spacy")[2] == [f"{tmp_path}/none.spacy: there is no such file or folder"]


def test_a_damaged_document_costs_itself_alone(tmp_path):
    docs = [sample(spacy.blank("xx")) for _ in range(4)]
    docs[0].user_data["clashnlp"] = "{"
    docs[1].user_data["._.", "rel", None, None] = {3: {}}
    docs[2].user_data["clashnlp"] = '{"relations": [["T1", "T9", "AT", null]]}'
    found, account, problems = reading(put(tmp_path / "x.spacy", *docs))
    assert [document.id for document in found] == ["x-3", "x-4"]
    assert [problem.split(": ")[1] for problem in problems] == ["document 1", "document 2"]
    assert account.dropped == {"relations of a span that is not there": ["x-3/T1-T9"]}


def test_languages_that_spacy_does_not_know(tmp_path):
    found = [Document("ab c", "x", lang, (Span(1, 2, "X", "b", "1"),)) for lang in ("ar", "und", "ckb", "..", "ja")]
    docbin.write(found, tmp_path / "x.spacy")
    assert reading(tmp_path / "x.spacy")[0] == found


def test_attributes_of_equal_extents(tmp_path):
    spans = (Span(0, 1, "X", "a", "1", attributes={"k": "v"}), Span(0, 1, "Y", "a", "2", attributes={"k": "w"}))
    docbin.write([Document("a", "d", spans=spans)], tmp_path / "x.spacy")
    assert reading(tmp_path / "x.spacy")[0][0].spans == spans


def test_spacy_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    monkeypatch.setitem(sys.modules, "spacy.tokens", None)
    with pytest.raises(MissingDependencyError, match="pip install 'clashnlp\\[spacy]'"):
        reading(tmp_path)
    with pytest.raises(MissingDependencyError, match="pip install 'clashnlp\\[spacy]'"):
        docbin.write([], tmp_path / "x.spacy")


META = st.dictionaries(st.sampled_from(["url", "annotator", "n"]), st.one_of(st.text(max_size=3), st.integers(), st.none(), st.booleans()))


@given(documents(lang=st.sampled_from([None, "ar", "en", "tr"]), scores=True, values=[*VALUES, "", "\n"]), META, st.booleans())
@settings(max_examples=50, deadline=None)
def test_writing_then_reading_is_the_identity(tmp_path_factory, document, meta, labelled):
    labels = ("X", "Y") if labelled else None
    document = Document(document.text, 7, document.lang, document.spans, document.relations, labels, meta)
    path = tmp_path_factory.mktemp("docbin") / "d.spacy"
    docbin.write([document], path)
    [back], account, problems = reading(path)
    assert (problems, account.dropped, account.repaired) == ([], {}, {})
    assert keys(back, ids=True) == keys(document, ids=True)
    assert back.labels == document.labels


def test_relations_of_nested_spans(tmp_path):
    spans = (Span(0, 3, "FACTION", "a b", "F"), Span(0, 1, "PATRON", "a", "P"))
    document = Document("a b", "d", spans=spans, relations=(Relation(spans[0], spans[1], "BACKED_BY"),))
    docbin.write([document], tmp_path / "x.spacy")
    assert reading(tmp_path / "x.spacy")[0] == [document]


def test_far_pairs_do_not_fill_the_memory(tmp_path):
    text = "a " * 400
    spans = tuple(Span(at, at + 1, "X", "a", f"T{at}") for at in range(0, 800, 2))
    document = Document(text, "d", spans=spans, relations=(Relation(spans[0], spans[-1], "AT"),))
    docbin.write([document], tmp_path / "x.spacy")
    [doc] = spacy.tokens.DocBin().from_disk(tmp_path / "x.spacy").get_docs(spacy.blank("xx").vocab)
    table = doc.user_data["._.", "rel", None, None]
    assert len(table) < 400 * 200
    assert (table[0, 100], table[0, 399]) == ({"AT": 0.0}, {"AT": 1.0})
