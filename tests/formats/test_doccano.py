import importlib
import json
import sys
import uuid
import warnings
import zipfile
from dataclasses import replace
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_labelstudio import TEXT, content, documents

from clashnlp import Document, Relation, Span
from clashnlp.formats import doccano
from clashnlp.formats.exchange import Account

ENTITIES = [
    {"id": 10, "label": "FACTION", "start_offset": 2, "end_offset": 17},
    {"id": 11, "label": "PATRON", "start_offset": 28, "end_offset": 32},
]
SAMPLE = {
    "id": 1,
    "text": TEXT,
    "entities": ENTITIES,
    "relations": [{"id": 5, "from_id": 10, "to_id": 11, "type": "BACKED_BY"}],
    "Comments": [],
}


@pytest.fixture
def load(tmp_path):
    def read(*rows, **options):
        path = tmp_path / "all.jsonl"
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(b"\n".join(lines))
        account, problems = Account(), []
        found = list(doccano.read(path, account=account, on_error=problems.append, **options))
        return found, account, [str(problem) for problem in problems]

    return read


def texts(document):
    return [(s.id, s.label, s.text) for s in document.spans]


@given(st.lists(documents(), max_size=3))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, batch):
    path = tmp_path_factory.mktemp("a") / "a.jsonl"
    account, read = doccano.write(batch, path), Account()
    back = list(doccano.read(path, account=read, on_error=pytest.fail))
    assert list(map(content, back)) == list(map(content, batch))
    assert account.dropped == {}
    assert (read.spans, read.relations, read.repaired) == (account.spans, account.relations, {})


@given(documents(scores=False))
@settings(max_examples=50, deadline=None)
def test_the_shape_without_relations_is_read_again(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("a") / "a.jsonl"
    held = replace(
        document,
        labels=None,
        relations=(),
        spans=tuple(replace(s, attributes={k: v for k, v in s.attributes.items() if k == "outcome"}) for s in document.spans),
    )
    account = doccano.write([document], path, relations=False)
    [back] = doccano.read(path, account=Account(), on_error=pytest.fail, offsets="codepoints")

    def unnamed(one):
        return sorted(item[1:] for item in content(one)[5])

    assert content(back)[:5] == content(held)[:5]
    assert unnamed(back) == unnamed(held)
    assert len(account.dropped.get("relations", [])) == len(document.relations)
    assert ("lists of the labels annotated for" in account.dropped) == (document.labels is not None)


def test_the_sample(load):
    [document], account, problems = load(SAMPLE)
    assert (document.id, document.text, dict(document.meta)) == (1, TEXT, {})
    assert texts(document) == [("10", "FACTION", "Houthi fighters"), ("11", "PATRON", "Iran")]
    assert [(r.head.text, r.label, r.tail.text) for r in document.relations] == [("Houthi fighters", "BACKED_BY", "Iran")]
    assert (account.repaired, account.dropped, problems) == ({}, {}, [])


@pytest.mark.parametrize(
    "row",
    [
        {"text": TEXT, "label": [[2, 17, "FACTION"], [40, 52, "CASUALTY:killed"]]},
        {"text": TEXT, "labels": [[2, 17, "FACTION"], [40, 52, "CASUALTY:killed"]]},
        {"data": TEXT, "label": [[2, 17, "FACTION"], [40, 52, "CASUALTY:killed"]]},
        {"text": TEXT, "cats": ["raid"], "entities": [[2, 17, "FACTION"], [40, 52, "CASUALTY:killed"]]},
        {
            "text": TEXT,
            "entities": [
                {"id": 7, "label": "FACTION", "start_offset": 2, "end_offset": 17},
                {"id": 9, "label": "CASUALTY", "start_offset": 40, "end_offset": 52, "outcome": "killed"},
            ],
        },
    ],
)
def test_shapes(load, row):
    [document], account, problems = load(row)
    assert [(s.label, s.text, dict(s.attributes)) for s in document.spans] == [
        ("FACTION", "Houthi fighters", {}),
        ("CASUALTY", "two soldiers", {"outcome": "killed"}),
    ]
    assert document.id == "all-1"
    assert dict(document.meta) == ({"cats": ["raid"]} if "cats" in row else {})
    assert (account.dropped, problems) == ({}, [])


def test_categories_and_comments_are_meta_data(load):
    [document], _, _ = load({"id": 3, "text": "a", "label": ["raid"], "Comments": ["check"], "meta": {"url": "u"}, "source": "own"})
    assert (document.spans, dict(document.meta)) == ((), {"label": ["raid"], "Comments": ["check"], "url": "u", "source": "own"})


def test_annotations_of_old_versions_name_users_and_label_numbers(load):
    row = {
        "id": 1,
        "text": TEXT,
        "annotations": [
            {"label": "FACTION", "start_offset": 2, "end_offset": 17, "user": 1},
            {"label": "PATRON", "start_offset": 28, "end_offset": 32, "user": 2},
            {"label": 4, "start_offset": 28, "end_offset": 32, "user": 2},
        ],
    }
    (one, other), account, _ = load(row)
    assert (one.id, one.meta["annotator"], other.id, other.meta["annotator"]) == (1, "1", 1, "2")
    assert [texts(document)[0][1:] for document in (one, other)] == [("FACTION", "Houthi fighters"), ("PATRON", "Iran")]
    assert list(account.dropped) == ["spans whose label is a number or missing; export with label texts"]


def test_one_file_for_each_user(tmp_path):
    rows = {"amal": SAMPLE, "omar": {**SAMPLE, "entities": ENTITIES[:1], "relations": []}, "unknown": {"id": 2, "text": "a", "label": []}}
    for name, row in rows.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for name in rows:
            archive.write(tmp_path / f"{name}.jsonl", f"{name}.jsonl")
        archive.writestr("__MACOSX/._amal.jsonl", "x")
    for path in (tmp_path, tmp_path / "export.zip"):
        account = Account()
        one, other = doccano.read(path, account=account, on_error=pytest.fail)
        assert (one.id, dict(one.meta), len(one.spans)) == (1, {"annotator": "amal"}, 2)
        assert (other.id, dict(other.meta), len(other.spans)) == (1, {"annotator": "omar"}, 1)
        assert account.dropped == {"documents that nobody annotated": ["2"]}


def test_files_that_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", json.dumps(SAMPLE))
    whole = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "damaged.zip").write_bytes(whole[:60] + b"?" * 9 + whole[69:])
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    problems = []
    for name in ("empty", "other.zip", "damaged.zip", "half.zip", "gone.jsonl"):
        assert list(doccano.read(tmp_path / name, account=Account(), on_error=problems.append)) == []
    messages = ["holds no .jsonl file", "holds no .jsonl file", "cannot be read", "cannot be read", "gone.jsonl: there is no such file"]
    assert [message in str(problem) for message, problem in zip(messages, problems, strict=True)] == [True] * 5


@pytest.mark.parametrize(
    ("text", "marks", "counted"),
    [
        (TEXT, [[3, 18, "FACTION"], [29, 33, "PATRON"]], "offsets in UTF-16"),
        ("قُتِلَ جُنْدِيّ في صنعاء", [[0, 3, "CASUALTY"], [12, 17, "LOCATION"]], "offsets in graphemes"),
        ("Raid\r\n\r\nnear Marib", [[11, 16, "LOCATION"]], "offsets over LF line breaks"),
    ],
)
def test_offsets_that_browsers_count_show_by_the_ends_of_words(load, text, marks, counted):
    [document], account, _ = load({"id": 1, "text": text, "label": marks})
    assert account.repaired == {counted: ["1"]}
    words = text.replace(".", "").split()
    assert all(set(span.text.split()) <= set(words) for span in document.spans)
    assert len(document.spans) == len(marks)


def test_offsets_that_are_said(load):
    row = {"id": 1, "text": "🚨👨‍👩‍👧a", "label": [[2, 3, "LOCATION"]]}
    assert [load(row, offsets=how)[0][0].spans[0].text for how in ("codepoints", "graphemes")] == ["\u200d", "a"]
    _, account, _ = load(row, offsets="utf16")
    assert account.dropped == {"spans outside their text": ["1/T1"]}


def test_wrong_offsets_and_relations(load):
    row = {
        **SAMPLE,
        "entities": [*ENTITIES, {"id": 12, "label": "LOCATION", "start_offset": 60, "end_offset": 99}],
        "relations": [{"id": 1, "from_id": 10, "to_id": 12, "type": "LOCATED_IN"}, {"id": 2, "from_id": 10, "to_id": 11}],
    }
    [document], account, _ = load(row)
    assert len(document.spans) == 2
    assert account.dropped == {
        "spans outside their text": ["1/12"],
        "relations without a type": ["1/{'id': 2, 'from_id': 10, 'to_id': 11}"],
        "relations of a span that is not there": ["1/10-12"],
    }


def test_broken_lines_name_their_place(load, tmp_path):
    found, _, problems = load(
        SAMPLE, b'{"text": ', b"", b"[]", b"\xff", {"id": 1}, {"text": "ab", "label": [["a", 1, "X"]]}, {**SAMPLE, "text": 3}
    )
    assert len(found) == 1
    assert [problem.split(": ")[0] for problem in problems] == [f"{tmp_path}/all.jsonl:{line}" for line in (2, 4, 5, 6, 7, 8)]
    assert "broken JSON" in problems[0]
    assert "has no whole number for start_offset" in problems[4]


# The documented shape of an import (doccano's example for "JSONL(Relation)"): numbers for ids, unique, of spans and in relations.
def test_what_is_written_has_the_shape_that_doccano_imports(tmp_path):
    spans = (
        Span(2, 17, "FACTION", "Houthi fighters", "F1"),
        Span(40, 52, "CASUALTY", "two soldiers", "C1", attributes={"outcome": "killed"}),
    )
    document = Document(
        TEXT, id="d", lang="en", spans=spans, relations=(Relation(spans[1], spans[0], "INFLICTED_BY"),), meta={"source": "own"}
    )
    doccano.write([document, replace(document, id="e")], tmp_path / "a.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [[entity["id"] for entity in row["entities"]] for row in rows] == [[1, 2], [3, 4]]
    assert [[(r["from_id"], r["to_id"], r["type"]) for r in row["relations"]] for row in rows] == [
        [(2, 1, "INFLICTED_BY")],
        [(4, 3, "INFLICTED_BY")],
    ]
    for entity in rows[0]["entities"]:
        assert TEXT[entity["start_offset"] : entity["end_offset"]] == entity["text"]
    # doccano forgets every key of a span but these, and keeps the document's other keys as its meta data.
    for row in rows:
        for entity in row["entities"]:
            for key in set(entity) - {"id", "label", "start_offset", "end_offset"}:
                del entity[key]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    one, _ = doccano.read(tmp_path / "b.jsonl", account=Account(), on_error=pytest.fail)
    assert [(s.label, s.text) for s in one.spans] == [("FACTION", "Houthi fighters"), ("CASUALTY", "two soldiers")]
    assert dict(one.meta) == {"source": "own"}


def test_doccanos_importer_takes_what_is_written(tmp_path, monkeypatch):
    """The server's own parsing of labels, with its database left out; `pip install --no-deps doccano` brings it."""
    pytest.importorskip("backend.data_import", reason="doccano is not installed")
    for name in ("examples", "label_types", "labels", "projects"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
        monkeypatch.setitem(sys.modules, f"{name}.models", MagicMock())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        label = importlib.import_module("backend.data_import.pipeline.label")
    spans = (
        Span(2, 17, "FACTION", "Houthi fighters", "F1", 0.5, {"uuid": "x"}),
        Span(28, 32, "PATRON", "Iran", "P1", attributes={"example_uuid": "y"}),
    )
    document = Document(TEXT, id="d", spans=spans, relations=(Relation(spans[0], spans[1], "BACKED_BY", 0.25),))
    example = uuid.uuid4()
    for relations in (True, False):
        doccano.write([document], tmp_path / "a.jsonl", relations=relations)
        row = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
        parsed = [label.SpanLabel.parse(example, one) for one in row["entities" if relations else "label"]]
        assert [(one.start_offset, one.end_offset, one.label) for one in parsed] == [(2, 17, "FACTION"), (28, 32, "PATRON")]
    doccano.write([document], tmp_path / "a.jsonl")
    row = json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))
    [link] = [label.RelationLabel.parse(example, one) for one in row["relations"]]
    names = {label.SpanLabel.parse(example, one).id: one["label"] for one in row["entities"]}
    assert (names[link.from_id], link.type, names[link.to_id]) == ("FACTION", "BACKED_BY", "PATRON")


def test_outcomes_inside_labels_outlive_doccano(tmp_path):
    span = Span(0, 3, "CASUALTY", "two", "C1", attributes={"outcome": "killed", "note": "n"})
    for relations in (True, False):
        account = doccano.write([Document("two", id="d", spans=(span,))], tmp_path / "a.jsonl", values="labels", relations=relations)
        assert "CASUALTY:killed" in (tmp_path / "a.jsonl").read_text(encoding="utf-8")
        assert account.dropped == {"attributes that a label cannot hold: note": ["d/C1"]}
        [back] = doccano.read(tmp_path / "a.jsonl", account=Account(), on_error=pytest.fail)
        assert dict(back.spans[0].attributes) == {"outcome": "killed"}
