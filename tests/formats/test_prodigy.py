import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_labelstudio import TEXT, content, documents

from clashnlp import Document, Relation, Span
from clashnlp.formats import prodigy
from clashnlp.formats.exchange import Account

WORDS = TEXT.replace(".", " .").split()


def tokens():
    made, at = [], 0
    for number, word in enumerate(WORDS):
        start = TEXT.index(word, at)
        at = start + len(word)
        made.append({"text": word, "start": start, "end": at, "id": number, "ws": TEXT[at : at + 1] == " "})
    return made


FACTION = {"start": 2, "end": 17, "token_start": 1, "token_end": 2, "label": "FACTION", "type": "span"}
PATRON = {"start": 28, "end": 32, "token_start": 5, "token_end": 5, "label": "PATRON", "type": "span"}
ARROW = {"head": 2, "child": 5, "label": "BACKED_BY", "head_span": FACTION, "child_span": PATRON, "color": "#c5bdf4"}


def row(**options):
    return {
        "text": TEXT,
        "tokens": tokens(),
        "spans": [FACTION, PATRON],
        "relations": [ARROW],
        "answer": "accept",
        "_input_hash": 1,
        "_task_hash": 2,
    } | options


@pytest.fixture
def load(tmp_path):
    def read(*rows, **options):
        path = tmp_path / "set.jsonl"
        path.write_bytes(b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in rows))
        account, problems = Account(), []
        found = list(prodigy.read(path, account=account, on_error=problems.append, **options))
        return found, account, [str(problem) for problem in problems]

    return read


def bare(one, *keys):
    return {key: value for key, value in one.items() if key not in keys}


def ends(document):
    return [(r.head.text, r.label, r.tail.text) for r in document.relations]


@given(st.lists(documents(), max_size=3), st.sampled_from(["head", "child"]))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, batch, source):
    path = tmp_path_factory.mktemp("a") / "a.jsonl"
    account, read = prodigy.write(batch, path, source=source), Account()
    back = list(prodigy.read(path, account=read, on_error=pytest.fail, source=source))
    assert list(map(content, back)) == list(map(content, batch))
    assert (account.dropped, read.dropped, read.repaired) == ({}, {}, {})
    for line, document in zip(path.read_text(encoding="utf-8").split("\n"), batch, strict=False):
        row = json.loads(line)
        assert "".join(token["text"] + " " * token["ws"] for token in row["tokens"]) == document.text
        for span in row["spans"]:
            assert (row["tokens"][span["token_start"]]["start"], row["tokens"][span["token_end"]]["end"]) == (span["start"], span["end"])


def test_the_sample(load):
    [document], account, problems = load(row())
    assert (document.id, document.text, dict(document.meta)) == (1, TEXT, {})
    assert [(s.id, s.label, s.text) for s in document.spans] == [("T1", "FACTION", "Houthi fighters"), ("T2", "PATRON", "Iran")]
    assert ends(document) == [("Houthi fighters", "BACKED_BY", "Iran")]
    assert (account.repaired, account.dropped, problems) == ({}, {}, [])
    assert ends(load(row(), source="child")[0][0]) == [("Iran", "BACKED_BY", "Houthi fighters")]


def test_only_what_was_accepted_counts(load):
    found, account, _ = load(row(answer="reject"), row(answer="ignore", id="x"), row(_is_binary=True, id="y"), bare(row(), "answer"))
    assert len(found) == 1
    assert {why: [place.rpartition("/")[2] for place in places] for why, places in account.dropped.items()} == {
        "rows answered reject": ["set.jsonl:1"],
        "rows answered ignore": ["x"],
        "yes or no answers about one span, which say nothing about the rest of the text": ["y"],
    }


def test_annotators_and_meta_data(load):
    (one, other), _, _ = load(
        row(_session_id="news-amal", _annotator_id="news-amal", meta={"source": "own"}, day="2026-01-02", _timestamp=5),
        row(_session_id="news-omar", spans=[PATRON], relations=[]),
    )
    assert (one.id, dict(one.meta)) == (1, {"day": "2026-01-02", "source": "own", "annotator": "news-amal"})
    assert (other.id, dict(other.meta), len(other.spans)) == (1, {"annotator": "news-omar"}, 1)


@pytest.mark.parametrize("without", [("head_span", "child_span"), ()])
@pytest.mark.parametrize("tokenless", [True, False])
def test_rows_of_older_versions(load, without, tokenless):
    old = row(relations=[bare(ARROW, *without)])
    if tokenless:
        old = bare(old, "tokens")
    assert ends(load(old)[0][0]) == [("Houthi fighters", "BACKED_BY", "Iran")]


def test_relations_of_bare_token_numbers_need_the_tokenizer(load):
    spans = [bare(span, "token_start", "token_end") for span in (FACTION, PATRON)]
    old = bare(row(spans=spans, relations=[bare(ARROW, "head_span", "child_span")]), "tokens")
    [document], account, _ = load(old)
    assert document.relations == ()
    assert account.dropped == {"relations of tokens where no span ends; give a tokenizer where the file has no tokens": ["1/2-5"]}
    [document], account, _ = load(old, tokenizer=lambda text: [(t["start"], t["end"]) for t in tokens()])
    assert ends(document) == [("Houthi fighters", "BACKED_BY", "Iran")]


def test_nested_spans_that_end_with_one_token(load):
    inner = {"start": 9, "end": 17, "token_start": 2, "token_end": 2, "label": "CASUALTY"}
    [document], account, _ = load(row(spans=[inner, FACTION, PATRON], relations=[bare(ARROW, "head_span", "child_span")]))
    assert ends(document) == [("Houthi fighters", "BACKED_BY", "Iran")]
    assert account.repaired == {"relations at a token where several spans end, given to the longest that it may hold between": ["1/2-5"]}
    longer = {**PATRON, "start": 18, "token_start": 3, "label": "LOCATION"}
    [document], _, _ = load(row(spans=[FACTION, longer, PATRON], relations=[bare(ARROW, "head_span", "child_span")]))
    assert ends(document) == [("Houthi fighters", "BACKED_BY", "Iran")]
    [document], account, _ = load(row(spans=[inner, FACTION, PATRON], relations=[{**ARROW, "head_span": inner}]))
    assert ends(document) == [("fighters", "BACKED_BY", "Iran")]
    assert account.repaired == {}


def test_spans_of_token_numbers_alone(load):
    spans = [bare(span, "start", "end") for span in (FACTION, PATRON)]
    assert ends(load(row(spans=spans))[0][0]) == [("Houthi fighters", "BACKED_BY", "Iran")]
    [document], account, _ = load(bare(row(spans=spans), "tokens"))
    assert (document.spans, list(account.dropped)) == (
        (),
        ["spans without offsets", "relations of tokens where no span ends; give a tokenizer where the file has no tokens"],
    )


def test_a_text_is_joined_from_tokens(load):
    [document], account, _ = load(bare(row(), "text"))
    assert document.text == TEXT
    assert account.repaired == {"texts joined from their tokens": ["1"]}


def test_attributes_labels_and_scores(load):
    spans = [
        {"start": 40, "end": 52, "label": "CASUALTY", "outcome": "killed", "source": "model", "score": 0.5},
        {"start": 40, "end": 43, "label": "CASUALTY:wounded", "text": "two"},
    ]
    [document], _, _ = load(row(spans=spans, relations=[]))
    assert [(s.label, s.score, dict(s.attributes)) for s in document.spans] == [
        ("CASUALTY", 0.5, {"outcome": "killed"}),
        ("CASUALTY", None, {"outcome": "wounded"}),
    ]


def test_wrong_spans_and_relations(load):
    spans = [
        FACTION,
        {"start": 58, "end": 99, "label": "LOCATION"},
        {"start": 29, "end": 33, "label": "PATRON", "text": "Iran"},
        bare(PATRON, "label"),
    ]
    arrows = [
        {**ARROW, "label": None},
        {"head": 2, "child": 9, "label": "LOCATED_IN", "head_span": FACTION, "child_span": {"start": 1, "end": 3, "label": None}},
    ]
    [document], account, _ = load(row(spans=spans, relations=arrows))
    assert [s.text for s in document.spans] == ["Houthi fighters", "Iran"]
    assert account.repaired == {"offsets in UTF-16": ["1/T3"]}
    assert [why.partition(";")[0] for why in account.dropped] == [
        "spans outside their text",
        "spans without a label",
        "relations without a label",
        "relations of tokens where no span ends",
    ]


def test_broken_lines_name_their_place(load, tmp_path):
    found, _, problems = load(row(), b"{", b"3", {"answer": "accept"}, row(spans={"a": 1}), row(spans=[3]))
    assert len(found) == 1
    assert [problem.split(": ")[0] for problem in problems] == [f"{tmp_path}/set.jsonl:{line}" for line in (2, 3, 4, 5, 6)]
    assert "has no 'text'" in problems[2]
    list(prodigy.read(tmp_path / "gone", account=Account(), on_error=problems.append))
    assert "there is no such file" in str(problems[-1])


def test_carriage_returns_are_characters(tmp_path):
    span = Span(3, 7, "PATRON", "Iran", "P1")
    document = Document("a\r\nIran", id=1, spans=(span,))
    prodigy.write([document], tmp_path / "a.jsonl")
    [back] = prodigy.read(tmp_path / "a.jsonl", account=Account(), on_error=pytest.fail)
    assert back == document


def test_tokens_fit_spacy(tmp_path):
    spacy = pytest.importorskip("spacy")
    spans = (Span(2, 17, "FACTION", "Houthi fighters", "F1"), Span(28, 32, "PATRON", "Iran", "P1"))
    prodigy.write([Document(TEXT, id=1, spans=spans, relations=(Relation(*spans, "BACKED_BY"),))], tmp_path / "a.jsonl")
    one = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    doc = spacy.tokens.Doc(spacy.blank("en").vocab, [t["text"] for t in one["tokens"]], [t["ws"] for t in one["tokens"]])
    assert doc.text == TEXT
    assert [doc.char_span(s["start"], s["end"]).text for s in one["spans"]] == ["Houthi fighters", "Iran"]
    assert [token.i for token in spacy.blank("en")(TEXT)] == [token["id"] for token in one["tokens"]]
