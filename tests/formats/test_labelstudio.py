"""Label Studio. The generated documents here serve the tests of the other formats too."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import CLASH, Analysis, Document, Relation, Span
from clashnlp.formats import conll, labelstudio
from clashnlp.formats.exchange import Account

DATA = Path(__file__).parent / "data"
TEXT = "🚨 Houthi fighters backed by Iran killed two soldiers near Marib."
PIECES = [
    "قُتِل",
    "جنديان",
    "🚨",
    "👨‍👩‍👧",
    "Iran",
    "می‌جنگند",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\u200f",
    "\u00a0",
    "\ufeff",
    "#",
    '"',
    "\\",
    "<b>",
    "[SEP]",
    "1",
]


@st.composite
def texts(draw):
    return draw(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))


@st.composite
def documents(draw, scores=True):
    """Documents with spans that nest, cross and share extents, relations between any of them, and everything else that documents have."""
    text = draw(texts())
    score = st.none() | st.sampled_from([0.0, 0.25, 1.0]) if scores else st.none()
    spans = []
    for at in range(draw(st.integers(0, 5)) if text else 0):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        label = draw(st.sampled_from(CLASH.labels))
        values = {"outcome": draw(st.sampled_from(CLASH.attributes[0].values))} if label == "CASUALTY" and draw(st.booleans()) else {}
        if draw(st.booleans()):
            values["note"] = draw(st.sampled_from(["sure", "a b", "ي"]))
        spans.append(Span(start, end, label, text[start:end], f"T{at}", draw(score), values))
    pairs = (
        draw(st.sets(st.tuples(st.sampled_from(spans), st.sampled_from(spans), st.sampled_from(["BACKED_BY", "CLASHED_WITH"])), max_size=3))
        if spans
        else ()
    )
    return Document(
        text,
        id=draw(st.sampled_from(["d1", "12", "a b", 12])),
        lang=draw(st.sampled_from([None, "ar", "en"])),
        spans=tuple(spans),
        relations=tuple(Relation(head, tail, label, draw(score)) for head, tail, label in pairs),
        labels=draw(st.sampled_from([None, ("FACTION", "PATRON")])),
        meta=draw(st.sampled_from([{}, {"source": "own", "count": 3}, {"annotator": "ann"}])),
    )


def content(document):
    """All that a document holds, in an order-insensitive form."""
    spans = {(s.id, s.start, s.end, s.label, s.text, s.score, tuple(sorted(s.attributes.items()))) for s in document.spans}
    links = {(r.head.id, r.label, r.tail.id, r.score) for r in document.relations}
    return document.text, document.id, document.lang, document.labels, dict(document.meta), spans, links


def task(result, text=TEXT, **options):
    return {
        "id": 1,
        "data": {"text": text},
        "annotations": [{"id": 7, "completed_by": 1, "was_cancelled": False, "result": result}],
        **options,
    }


def region(name, start, end, text, label, **options):
    value = {"start": start, "end": end, "labels": [label], **({} if text is None else {"text": text})}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value, **options}


def link(head, tail, **options):
    return {"from_id": head, "to_id": tail, "type": "relation", "direction": "right", "labels": ["BACKED_BY"], **options}


HOUTHI = region("a1", 2, 17, "Houthi fighters", "FACTION")
IRAN = region("a2", 28, 32, "Iran", "PATRON")


@pytest.fixture
def load(tmp_path):
    """Documents, account and problems of what is written as an export."""

    def read(value, **options):
        path = tmp_path / "export.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8", newline="")
        account, problems = Account(), []
        found = list(labelstudio.read(path, account=account, on_error=problems.append, **options))
        return found, account, [str(problem) for problem in problems]

    return read


def shown(document):
    return [(s.id, s.label, s.text) for s in document.spans], [(r.head.text, r.label, r.tail.text) for r in document.relations]


@given(st.lists(documents(), max_size=3))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, batch):
    path = tmp_path_factory.mktemp("a") / "a.json"
    account = labelstudio.write(batch, path)
    scored = [any(one.score is not None for one in (*d.spans, *d.relations)) for d in batch]
    back, read = [], Account()
    for predictions in (False, True):
        back += labelstudio.read(path, account=read, on_error=pytest.fail, predictions=predictions)
    assert list(map(content, back)) == [
        content(d) for kind in (False, True) for d, is_scored in zip(batch, scored, strict=True) if is_scored == kind
    ]
    assert (account.documents, account.spans, account.dropped) == (len(batch), sum(len(d.spans) for d in batch), {})
    assert (read.spans, read.repaired) == (account.spans, {})
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_the_sample(load):
    [document], account, problems = load([task([HOUTHI, IRAN, link("a1", "a2")])])
    assert (document.id, document.text, dict(document.meta)) == (1, TEXT, {"annotator": 1})
    assert shown(document) == (
        [("a1", "FACTION", "Houthi fighters"), ("a2", "PATRON", "Iran")],
        [("Houthi fighters", "BACKED_BY", "Iran")],
    )
    assert (account.documents, account.spans, account.relations, account.repaired, account.dropped, problems) == (1, 2, 1, {}, {}, [])


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        (link("a2", "a1", direction="left"), [("a1", "BACKED_BY", "a2")]),
        (link("a2", "a1", direction="bi", labels=["CLASHED_WITH"]), [("a1", "CLASHED_WITH", "a2")]),
        (link("a1", "a2", direction="bi", labels=["ALLIED"]), [("a1", "ALLIED", "a2"), ("a2", "ALLIED", "a1")]),
        (link("a1", "a2", labels=["BACKED_BY", "PART_OF"]), [("a1", "BACKED_BY", "a2"), ("a1", "PART_OF", "a2")]),
        (link("a1", "a2", labels="BACKED_BY"), [("a1", "BACKED_BY", "a2")]),
        ({"from_id": "a1", "to_id": "a2", "type": "relation", "labels": ["BACKED_BY"]}, [("a1", "BACKED_BY", "a2")]),
    ],
)
def test_directions(load, relation, expected):
    [document], _, _ = load([task([HOUTHI, IRAN, relation])])
    assert [(r.head.id, r.label, r.tail.id) for r in document.relations] == expected


@pytest.mark.parametrize(
    ("relation", "why"),
    [
        (link("a1", "a2", labels=[]), "relations without a label"),
        ({"from_id": "a1", "to_id": "a2", "type": "relation", "direction": "right"}, "relations without a label"),
        (link("a1", "gone"), "relations of a span that is not there"),
    ],
)
def test_relations_that_cannot_be_used_are_counted(load, relation, why):
    [document], account, _ = load([task([HOUTHI, IRAN, relation])])
    assert document.relations == ()
    assert list(account.dropped) == [why]


def test_several_annotators_make_several_documents(load):
    annotations = [
        {"id": 7, "completed_by": {"id": 3, "email": "a@example.org"}, "result": [HOUTHI], "ground_truth": True},
        {"id": 8, "completed_by": 2, "was_cancelled": True, "result": [IRAN]},
        {"id": 9, "completed_by": 2, "result": [region("a1", 28, 32, "Iran", "FACTION")]},
    ]
    one, other = load([{"id": 1, "data": {"text": TEXT, "source": "own"}, "annotations": annotations}])[0]
    assert dict(one.meta) == {"source": "own", "annotator": "a@example.org", "ground_truth": True}
    assert (one.id, other.id, dict(other.meta)) == (1, 1, {"source": "own", "annotator": 2})
    assert [s.label for s in other.spans] == ["FACTION"]
    _, account, _ = load(
        [{"id": 1, "data": {"text": TEXT}, "annotations": annotations[1:2]}, {"id": 2, "data": {"text": "a"}, "annotations": []}]
    )
    assert account.dropped == {"cancelled annotations": ["1/8"], "tasks without annotations": ["2"]}
    assert account.documents == 0


def test_annotators_of_one_text_share_a_task(tmp_path):
    batch = [Document("a", id="d", meta={"annotator": who}) for who in (4, "x@example.org", "ann")] + [Document("a", id="e")]
    labelstudio.write(batch, tmp_path / "a.json")
    tasks = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [[a.get("completed_by") for a in task["annotations"]] for task in tasks] == [[4, {"email": "x@example.org"}, None], [None]]


@pytest.mark.parametrize("surface", ["Iran", None])
def test_offsets_in_utf16_show_by_the_other_spans(load, surface):
    result = [region("a1", 3, 18, "Houthi fighters", "FACTION"), region("a2", 29, 33, surface, "PATRON")]
    [document], account, _ = load([task(result)])
    assert [s.text for s in document.spans] == ["Houthi fighters", "Iran"]
    assert account.repaired == {"offsets in UTF-16": ["1/a1", "1/a2"]}


def test_offsets_without_any_text_are_read_where_words_end(load):
    result = [region("a1", 3, 18, None, "FACTION"), region("a2", 29, 33, None, "PATRON")]
    assert [s.text for s in load([task(result)])[0][0].spans] == ["Houthi fighters", "Iran"]


def test_carriage_returns_that_the_browser_swallowed(load):
    text = "Heading\r\n\r\n🚨 Iran and\r\nRussia"
    result = [
        region("a1", 11, 15, "Iran", "PATRON"),
        region("a2", 11, 26, "Iran and\\nRussia", "FACTION"),
        region("a3", 20, 26, None, "PATRON"),
    ]
    [document], account, _ = load([task(result, text)])
    assert [s.text for s in document.spans] == ["Iran and\r\nRussia", "Iran", "Russia"]
    assert list(account.repaired) == ["offsets over LF line breaks"]
    utf16 = [region("a1", 12, 16, "Iran", "PATRON"), region("a3", 21, 27, "Russia", "PATRON")]
    [document], account, _ = load([task(utf16, text)])
    assert [s.text for s in document.spans] == ["Iran", "Russia"]
    assert list(account.repaired) == ["offsets in UTF-16 over LF line breaks"]


def test_wrong_offsets(load):
    result = [
        region("a1", 5, 20, "Houthi fighters", "FACTION"),
        region("a2", 1, 2, "gone", "PATRON"),
        region("a3", 60, 90, None, "LOCATION"),
    ]
    [document], account, _ = load([task(result)])
    assert shown(document)[0] == [("a1", "FACTION", "Houthi fighters")]
    assert account.dropped == {"spans whose text does not stand at their offsets": ["1/a2"], "spans outside their text": ["1/a3"]}


def test_white_space_that_the_browser_collapsed(load):
    [document], account, _ = load(
        [task([region("a1", 0, 8, "two  men", "CASUALTY"), region("a2", 0, 8, "two men", "CASUALTY")], "two  men")]
    )
    assert {s.text for s in document.spans} == {"two  men"}
    assert account.repaired == {"white space in spans' texts": ["1/a2"]}


def choice(name, control, *values, kind="choices"):
    return {"id": name, "from_name": control, "to_name": "text", "type": kind, "value": {"start": 40, "end": 52, kind: list(values)}}


def test_choices_for_a_region_are_attributes(load):
    two = region("c1", 40, 52, "two soldiers", "CASUALTY")
    note = {"id": "c1", "from_name": "note", "to_name": "text", "type": "textarea", "value": {"text": ["disputed"]}}
    topic = {"id": "z", "from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": ["raid"]}}
    [document], account, _ = load([task([two, choice("c1", "outcome", "killed", "wounded"), note, topic])])
    assert dict(document.spans[0].attributes) == {"outcome": "killed", "note": "disputed"}
    assert dict(document.meta) == {"annotator": 1, "topic": "raid"}
    assert account.dropped == {"further values of outcome": ["1/c1:wounded"]}
    [document], _, _ = load([task([region("c1", 40, 52, "two soldiers", "CASUALTY:killed")])])
    assert (document.spans[0].label, dict(document.spans[0].attributes)) == ("CASUALTY", {"outcome": "killed"})


def test_a_region_with_two_labels_and_one_with_none(load):
    both = region("a1", 28, 32, "Iran", "PATRON")
    both["value"]["labels"] = ["PATRON", "FACTION"]
    none = region("a2", 2, 8, "Houthi", "x")
    del none["value"]["labels"]
    [document], account, _ = load([task([both, none])])
    assert sorted(shown(document)[0]) == [("a1", "PATRON", "Iran"), ("a1-2", "FACTION", "Iran")]
    assert account.dropped == {"spans without a label": ["1/a2"]}


def test_a_relation_of_a_region_with_two_labels_joins_those_that_it_may_join(load):
    """A force that backs another and fights itself is faction and patron on one extent."""
    both = region("a2", 28, 32, "Iran", "FACTION")
    both["value"]["labels"] = ["FACTION", "PATRON"]
    own = [HOUTHI, both, link("a2", "a1", direction="left"), link("a1", "a2", labels=["CLASHED_WITH"]), link("a1", "a2", labels=["OWN"])]
    [document], account, _ = load([task(own)])
    found = sorted((r.head.label, r.label, r.tail.label) for r in document.relations)
    assert found == [("FACTION", "BACKED_BY", "PATRON"), ("FACTION", "CLASHED_WITH", "FACTION"), ("FACTION", "OWN", "FACTION")]
    assert account.dropped == {}


def test_values_of_regions_that_are_none_say_nothing_of_the_document(load):
    lone = {"id": "z", "from_name": "kind", "to_name": "text", "type": "taxonomy", "value": {"start": 2, "end": 17, "taxonomy": [["A"]]}}
    [document], account, _ = load([task([lone])])
    assert (dict(document.meta), account.dropped) == ({"annotator": 1}, {"values of spans without a label": ["1/z"]})


def test_the_key_of_the_text_is_that_of_the_other_tasks_where_nothing_is_marked(load):
    data = {"title": "Raid near Marib", "body": TEXT}
    found, _, problems = load([{**task([]), "data": data}, {**task([HOUTHI]), "data": data}])
    assert ([document.text for document in found], problems) == ([TEXT, TEXT], [])


def test_the_key_of_the_text(load):
    own = task([HOUTHI])
    own["data"] = {"$Full_Text": TEXT, "title": "Raid near Marib", "lang": "en"}
    [document], _, problems = load([own])
    assert (document.text, document.lang, dict(document.meta)) == (TEXT, "en", {"title": "Raid near Marib", "annotator": 1})
    own["annotations"][0]["result"] = []
    found, _, problems = load([own])
    assert found == []
    assert "task 1, annotation 7: which of the data is the text?" in problems[0]
    assert load([own], text_key="title")[0][0].text == "Raid near Marib"
    own = task([HOUTHI])
    own["data"] = {"body": TEXT, "text": "see body"}
    assert load([own])[0][0].text == TEXT
    del own["data"]["body"]
    assert "the data hold no text under 'body'" in load([own], text_key="body")[2][0]


def test_dialogues(load):
    value = {"start": "1", "end": "1", "startOffset": 3, "endOffset": 7, "text": "Iran", "paragraphlabels": ["PATRON"]}
    across = {"start": "0", "end": "1", "startOffset": 0, "endOffset": 2, "text": "Who?\nIt", "paragraphlabels": ["FACTION"]}
    outside = {**value, "start": "2", "end": "2"}
    result = [
        {"id": name, "from_name": "label", "to_name": "text", "type": "paragraphlabels", "value": one}
        for name, one in (("a", value), ("b", across), ("c", outside))
    ]
    own = task(result)
    own["data"] = {"dialogue": [{"author": "A", "text": "Who?"}, {"author": "B", "text": "It Iran"}]}
    [document], account, _ = load([own])
    assert document.text == "Who?\nIt Iran"
    assert {s.text for s in document.spans} == {"Iran", "Who?\nIt"}
    assert account.dropped == {"spans without offsets in the text": ["1/c"]}


def test_a_dialogue_under_other_keys_is_refused(load):
    own = task([])
    own["data"] = {"dialogue": [{"who": "A", "says": "Who?"}]}
    assert "have no key 'text', only who, says" in load([own])[2][0]


def test_html(load):
    html = "<html><head><title>x</title></head><body><p>Houthi fighters &amp; <b>Iran</b></p></body></html>"
    value = {"start": "/p[1]/b[1]/text()[1]", "end": "/p[1]/b[1]/text()[1]", "startOffset": 0, "endOffset": 4, "text": "Iran"}
    result = [
        {"id": name, "from_name": "l", "to_name": "t", "type": "hypertextlabels", "value": one}
        for name, one in (
            ("a", {**value, "globalOffsets": {"start": 18, "end": 22}, "hypertextlabels": ["PATRON"]}),
            ("b", {**value, "htmllabels": ["FACTION"]}),
        )
    ]
    [document], account, _ = load([task(result, html)])
    assert document.text == "Houthi fighters & Iran"
    assert {(s.id, s.text) for s in document.spans} == {("a", "Iran"), ("b", "Iran")}
    assert account.repaired == {"offsets that did not fit, found by the span's text": ["1/b"]}


def test_what_older_and_other_exports_hold(load):
    old = {"id": 1, "data": {"text": TEXT}, "completions": [{"id": 1, "skipped": True, "result": []}, {"id": 2, "result": [HOUTHI]}]}
    assert [len(d.spans) for d in load([old])[0]] == [1]
    storage = {"id": 7, "result": [HOUTHI], "completed_by": 5, "task": {"id": 3, "data": {"text": TEXT}}}
    [document] = load(storage)[0]
    assert (document.id, document.meta["annotator"], len(document.spans)) == (3, 5, 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[{]", "export.json:1: broken JSON"),
        ('[\n{"id": 1,\n', "export.json:3: broken JSON"),
        ([3], "task 1: a task is a JSON object"),
        ([{"id": 4, "text": TEXT, "label": [{"start": 2, "end": 17, "labels": ["FACTION"]}]}], "task 4: there is no 'data'"),
        ([{"id": 4, "data": {"text": TEXT}, "annotations": [12, 13]}], "task 4: its annotations are not given in full"),
        ([task([], "https://example.org/a.txt")], "hold a link and no text"),
        ([task([], None)], "task 1, annotation 7: the data hold no text, only text"),
        ([{"id": 4, "data": {"text": TEXT}, "predictions": [{"result": [HOUTHI]}]}], "its predictions are read with predictions=true"),
    ],
)
def test_problems_name_the_place(load, value, message):
    found, _, problems = load(value)
    assert found == []
    assert message in problems[0]


def test_one_broken_task_costs_itself(load, tmp_path):
    found, _, problems = load([{"id": 1}, task([HOUTHI]), None])
    assert (len(found), len(problems)) == (1, 2)
    (tmp_path / "sub").mkdir()
    problems = []
    for path in (tmp_path / "sub", tmp_path / "gone.json"):
        assert list(labelstudio.read(path, account=Account(), on_error=problems.append)) == []
    assert "holds no .json file" in str(problems[0])
    assert "gone.json: there is no such file" in str(problems[1])


def test_a_failure_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("earlier")

    def broken():
        yield Document("a", id=1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        labelstudio.write(broken(), path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.json", "earlier")]


def analysis():
    spans = (
        Span(2, 17, "FACTION", "Houthi fighters", "F1", 0.9),
        Span(28, 32, "PATRON", "Iran", "P1", 0.7),
        Span(40, 52, "CASUALTY", "two soldiers", "C1", 0.8, {"outcome": "killed"}),
    )
    return Analysis(TEXT, id="d1", lang="en", spans=spans, relations=(Relation(spans[0], spans[1], "BACKED_BY", 0.6),))


def test_predictions(tmp_path):
    path = tmp_path / "a.json"
    labelstudio.write([analysis()], path, model_version="clash-2")
    [task] = json.loads(path.read_text(encoding="utf-8"))
    [prediction] = task["predictions"]
    assert (task["annotations"], prediction["model_version"], round(prediction["score"], 6)) == ([], "clash-2", 0.8)
    assert [item.get("score") for item in prediction["result"]] == [0.9, 0.7, 0.8, None, 0.6]
    account = Account()
    assert list(labelstudio.read(path, account=account, on_error=pytest.fail)) == []
    assert account.dropped == {"tasks without annotations": ["1"]}
    [back] = labelstudio.read(path, account=account, on_error=pytest.fail, predictions=True)
    assert content(back)[5:] == content(analysis())[5:]
    assert dict(back.meta) == {"model_version": "clash-2"}


def test_files_that_the_tools_library_wrote():
    """Both from `label_studio_sdk.converter` 2.1.2, which does not install beside our other packages."""
    account = Account()
    one, other = labelstudio.read(DATA / "label_studio_sdk.json", account=account, on_error=pytest.fail)
    assert shown(one) == (
        [("F1", "FACTION", "Houthi fighters"), ("P1", "PATRON", "Iran"), ("C1", "CASUALTY", "two soldiers")],
        [("Houthi fighters", "BACKED_BY", "Iran")],
    )
    assert shown(other) == ([("C1", "CASUALTY", "ستة جنود"), ("L1", "LOCATION", "حلب")], [("ستة جنود", "LOCATED_IN", "حلب")])
    assert (account.spans, account.repaired, account.dropped) == (5, {}, {})
    found = list(conll.read(DATA / "label_studio_sdk.conll", account=Account(), on_error=pytest.fail))
    assert [[(s.label, s.text) for s in document.spans] for document in found] == [
        [(s.label, s.text) for s in document.spans] for document in (one, other)
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tools_library_accepts_what_is_written(tmp_path):
    pytest.importorskip("label_studio_sdk")
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface(labelstudio.config())
    interface.validate()
    path = tmp_path / "a.json"
    labelstudio.write([analysis()], path, predictions=False)
    [task] = json.loads(path.read_text(encoding="utf-8"))
    assert interface.validate_annotation(task["annotations"][0]) is True
    labelstudio.write([analysis()], path)
    [task] = json.loads(path.read_text(encoding="utf-8"))
    assert interface.validate_prediction(task["predictions"][0], return_errors=True) == []
    labelstudio.write([analysis()], path, predictions=False)
    converter = Converter(labelstudio.config(), str(tmp_path))
    [item] = converter.iter_from_json_file(str(path))
    assert [one["labels"] for one in item["output"]["label"]] == [["FACTION"], ["PATRON"], ["CASUALTY"]]
    assert [one["choices"] for one in item["output"]["outcome"]] == [["killed"]]
    converter.convert_to_json(str(path), str(tmp_path / "out"), is_dir=False)
    [back] = labelstudio.read(tmp_path / "out" / "result.json", account=Account(), on_error=pytest.fail)
    assert shown(back) == shown(analysis())
    # Its CoNLL export has no relations, no outcomes and no texts, but the spans are there, a document a task.
    labelstudio.write([analysis(), Document("Iran left Marib", id="d2")], path, predictions=False)
    converter.convert_to_conll2003(str(path), str(tmp_path / "conll"), is_dir=False)
    one, other = conll.read(tmp_path / "conll" / "result.conll", account=Account(), on_error=pytest.fail)
    assert [(s.label, s.text) for s in one.spans] == [(s.label, s.text) for s in analysis().spans]
    assert (other.text, other.spans) == ("Iran left Marib", ())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_the_tools_library_writes_is_read(load):
    pytest.importorskip("label_studio_sdk")
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.label_interface.objects import AnnotationValue, PredictionValue, TaskValue

    control = LabelInterface(labelstudio.config()).get_control("label")
    head, tail = control.label("FACTION", start=2, end=17), control.label("PATRON", start=28, end=32)
    head.add_relation(tail, label=["BACKED_BY"])
    made = TaskValue(
        data={"text": TEXT},
        annotations=[AnnotationValue(completed_by=1, result=[head, tail])],
        predictions=[PredictionValue(model_version="m", score=0.5, result=[head, tail])],
    ).model_dump()
    for predictions in (False, True):
        [document], account, _ = load([made], predictions=predictions)
        assert [(s.label, s.text) for s in document.spans] == [("FACTION", "Houthi fighters"), ("PATRON", "Iran")]
        assert [(r.head.text, r.label, r.tail.text) for r in document.relations] == [("Houthi fighters", "BACKED_BY", "Iran")]
        assert account.dropped == {}
