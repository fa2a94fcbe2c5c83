"""Which reports are suggested, in which order, and what the annotation tool gets."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from clashnlp import CLASH, ClashModel, Document
from clashnlp.cli import main
from clashnlp.evaluate import scored_keys
from clashnlp.formats import jsonl, read_documents, write
from clashnlp.near import near_groups
from clashnlp.suggest import expected_mistakes, suggest

REPORT = "Fighters of the Red Brigade shelled the town of Taiz on Monday, killing three soldiers and wounding a driver near the old bridge."
OTHER = "أعلن الجيش مقتل ستة من عناصر التنظيم في كمين قرب الميادين، بينما نقل جريحان إلى المستشفى الميداني في المدينة مساء أمس."


@pytest.fixture(scope="module")
def embedded():
    return ClashModel.from_pretrained()


@pytest.fixture(scope="module")
def posts():
    return list(read_documents(ROOT / "training" / "posts.inline"))


def test_expected_mistakes_are_near_those_that_are_made(embedded, corpus):
    """On annotated reports of our own that the model was not trained on, unlike its calibration data: the order is what counts."""
    gold = list(read_documents(ROOT / "tests" / "data" / "held_out.inline"))
    said = [expected_mistakes(embedded, reading) for reading in embedded.read(gold)]
    keys = scored_keys(gold, [one.analysis for one in said], CLASH)
    made = [
        len(want ^ have) + len(links ^ found)
        for want, have, links, found in zip(keys.gold_spans, keys.spans, keys.gold_relations, keys.relations, strict=True)
    ]
    assert 0.5 < sum(one.mistakes for one in said) / sum(made) < 1.5
    ranks = [np.argsort(np.argsort(values)) for values in ([one.mistakes for one in said], made)]
    assert np.corrcoef(*ranks)[0, 1] > 0.6


def test_a_report_without_doubt_comes_last(embedded):
    doubt = Document("[LOG] 22:40 IED / ANP Ranger / rte Lashkar Gah-Gereshk / 3 KIA 2 WIA / TB susp.", "doubt")
    dull = Document(
        "The museum opens its new hall for paintings next spring, and tickets will be sold from Monday at the entrance.", "dull"
    )
    found = suggest(embedded, [dull, doubt])
    assert [one.analysis.id for one in found.chosen] == ["doubt", "dull"]
    assert found.chosen[0].mistakes > 1 > found.chosen[1].mistakes


def test_near_duplicates_are_left_out_and_told(embedded):
    again = REPORT.replace("Monday", "MONDAY").replace("a driver", "one driver")
    reports = [Document(REPORT, "a"), Document(again, "b"), Document(OTHER, "c"), Document(REPORT, "d")]
    found = suggest(embedded, reports)
    ids = [one.analysis.id for one in found.chosen]
    assert len(ids) == 2
    assert "c" in ids
    assert sorted([*ids, *found.duplicates]) == ["a", "b", "c", "d"]
    # Reports that are done leave out what is near them, even where nothing else is chosen.
    found = suggest(embedded, reports, done=[Document(again), Document("x")])
    assert [one.analysis.id for one in found.chosen] == ["c"]
    assert sorted(found.done) == ["a", "b", "d"]
    assert found.duplicates == ()


def test_a_round_up_is_no_duplicate_of_a_report_that_it_repeats(embedded, posts):
    """In `near` it is one, since it would leak; but most of it is new to the model."""
    round_up = Document("\n".join([REPORT, *(post.text for post in posts[:6])]), "round-up")
    assert near_groups([REPORT, round_up.text])
    found = suggest(embedded, [round_up], done=[Document(REPORT)])
    assert ([one.analysis.id for one in found.chosen], found.done) == (["round-up"], ())


def test_different_events_in_one_style_are_no_duplicates(embedded, posts):
    assert suggest(embedded, posts).duplicates == ()


def test_the_next_report_is_unlike_those_chosen(embedded):
    """Of two equally doubtful ones, the one that tells another story comes before the one that repeats half of the first."""
    half = (
        REPORT.split(",", maxsplit=1)[0]
        + ", officials said, while talks on a truce went on in the capital and aid lorries waited at the port."
    )
    found = suggest(embedded, [Document(REPORT, "first"), Document(half, "half"), Document(OTHER, "other")])
    ids = [one.analysis.id for one in found.chosen]
    assert ids.index("other") < max(ids.index("first"), ids.index("half"))


def test_number_and_order_do_not_depend_on_what_is_asked(embedded, posts):
    every = [one.analysis.id for one in suggest(embedded, posts).chosen]
    assert len(every) == len(posts)
    assert [one.analysis.id for one in suggest(embedded, posts, number=10).chosen] == every[:10]


@pytest.fixture
def files(tmp_path, posts):
    path = tmp_path / "new.jsonl"
    bare = [replace(document, spans=(), relations=(), meta={"url": f"u{at}"}) for at, document in enumerate(posts[:12])]
    copy = replace(bare[3], id="copy")
    path.write_text("".join(map(jsonl.write, [*bare, copy])), encoding="utf-8")
    (tmp_path / "done.jsonl").write_text(jsonl.write(posts[5]), encoding="utf-8")
    return path, tmp_path / "done.jsonl"


def test_label_studio_gets_predictions_with_scores(files, tmp_path, capsys):
    new, done = files
    out = tmp_path / "tasks.json"
    assert main(["suggest", str(new), "--to", "labelstudio", "-o", str(out), "--done", str(done)]) == 0
    said = capsys.readouterr().out
    assert "left out 1: near those that are done (post-en-06)" in said
    assert "left out 1: near-duplicates of those above (" in said
    tasks = json.loads(out.read_text(encoding="utf-8"))
    assert len(tasks) == 11
    assert [task["data"]["rank"] for task in tasks] == list(range(1, 12))
    assert all(task["annotations"] == [] and len(task["predictions"]) == 1 for task in tasks)
    marks = [mark for task in tasks for mark in task["predictions"][0]["result"] if mark["type"] in ("labels", "relation")]
    assert {mark["type"] for mark in marks} == {"labels", "relation"}
    assert all(0 < mark["score"] <= 1 for mark in marks)
    assert tasks[0]["data"]["url"].startswith("u")
    assert '<Relation value="BACKED_BY"/>' in (tmp_path / "tasks.config.xml").read_text(encoding="utf-8")


def test_those_that_are_done_may_be_a_folder_of_exports(files, tmp_path, posts, capsys):
    (tmp_path / "exports").mkdir()
    write([posts[5]], tmp_path / "exports" / "a.json", format="labelstudio")
    assert main(["suggest", str(files[0]), "--to", "jsonl", "-o", str(tmp_path / "o.jsonl"), "--done", str(tmp_path / "exports")]) == 0
    assert "left out 1: near those that are done (post-en-06)" in capsys.readouterr().out


@pytest.mark.parametrize("tool", ["doccano", "prodigy", "brat", "webanno", "jsonl"])
def test_every_tool_gets_its_file(files, tmp_path, tool):
    out = tmp_path / ("out" if tool in ("brat", "webanno") else "out.jsonl")
    assert main(["suggest", str(files[0]), "--to", tool, "-o", str(out), "--number", "3"]) == 0
    if tool == "jsonl":
        found = list(read_documents(out))
        assert [document.meta["rank"] for document in found] == [1, 2, 3]
        assert all(span.score is not None for document in found for span in document.spans)
    else:
        assert out.exists()


def test_what_cannot_be_read_is_told_and_nothing_is_suggested_of_nothing(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("  \n", encoding="utf-8")
    assert main(["suggest", str(tmp_path / "a.txt"), "--to", "jsonl", "-o", str(tmp_path / "o.jsonl")]) == 2
    said = capsys.readouterr().err
    assert "report 'a' holds no text" in said
    assert "there is no report to suggest" in said
    assert not (tmp_path / "o.jsonl").exists()
