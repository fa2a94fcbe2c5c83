"""Annotations without their texts: made from a file of our own, and put back onto it."""

import hashlib
import json
import lzma
import subprocess
import sys

import pytest
from conftest import ROOT

from clashnlp.formats import read_documents
from clashnlp.schema import CLASH

ANNOTATIONS = sorted((ROOT / "training" / "annotations").glob("*.jsonl"))
TEXT = "Tigers took Aruz. Nine soldiers were killed."


@pytest.fixture
def folder(tmp_path):
    with lzma.open(tmp_path / "en.txt.xz", "wt", encoding="utf-8") as file:
        file.write(f"Another report.\n\n{TEXT} More that nobody annotated.\n")
    row = {
        "id": "en-p1",
        "lang": "en",
        "file": "en.txt.xz",
        "document": 1,
        "length": len(TEXT),
        "sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "spans": [["F1", 0, 6, "FACTION"], ["L1", 12, 16, "LOCATION"], ["C1", 18, 31, "CASUALTY", "killed"]],
        "relations": [["F1", "L1", "LOCATED_IN"]],
    }
    (tmp_path / "en.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "id": "en-p0", "document": 0}) + "\n", encoding="utf-8")
    return tmp_path


def restore(folder, *options):
    files = ("--annotations", folder / "en.jsonl", "--text", folder, "--output", folder / "out.jsonl", "--held-out", folder / "held.jsonl")
    command = [sys.executable, ROOT / "training" / "restore.py", *files, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_restores_what_was_annotated_and_reports_another_text(folder):
    run = restore(folder)
    assert "1 annotated documents" in run.stdout and "0 in" in run.stdout and "1 left out" in run.stdout
    assert "en-p0: document 0 of en.txt.xz is not the text" in run.stderr
    (document,) = read_documents(folder / "out.jsonl")
    assert (document.id, document.lang, document.text) == ("en-p1", "en", TEXT)
    assert [(span.text, dict(span.attributes)) for span in document.spans] == [
        ("Tigers", {}),
        ("Aruz", {}),
        ("Nine soldiers", {"outcome": "killed"}),
    ]
    assert [(one.head.text, one.label, one.tail.text) for one in document.relations] == [("Tigers", "LOCATED_IN", "Aruz")]


def test_restores_a_later_part_of_a_document(folder):
    row = json.loads((folder / "en.jsonl").read_text(encoding="utf-8").splitlines()[0])
    part = TEXT[18:]
    changes = {"start": 18, "length": len(part), "sha256": hashlib.sha256(part.encode()).hexdigest()}
    spans = {"spans": [["C1", 0, 13, "CASUALTY", "killed"]], "relations": []}
    (folder / "en.jsonl").write_text(json.dumps({**row, **changes, **spans}) + "\n", encoding="utf-8")
    restore(folder)
    (document,) = read_documents(folder / "out.jsonl")
    assert (document.text, document.spans[0].text) == (part, "Nine soldiers")


def test_restores_only_what_was_read_often_enough(folder):
    row = json.loads((folder / "en.jsonl").read_text(encoding="utf-8").splitlines()[0])
    rows = [row, {**row, "id": "en-p2", "readings": 2}]
    (folder / "en.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    assert "2 annotated documents" in restore(folder).stdout
    run = restore(folder, "--readings", "2")
    assert "1 annotated documents" in run.stdout and "1 read too seldom" in run.stdout
    assert [document.id for document in read_documents(folder / "out.jsonl")] == ["en-p2"]


@pytest.mark.parametrize("path", ANNOTATIONS, ids=lambda path: path.stem)
def test_annotations_follow_the_schema(path):
    signatures = {relation.label: relation.signatures for relation in CLASH.relations}
    ids = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert row["id"] not in ids and row["lang"] == path.stem
        assert row.get("readings", 1) in (1, 2)
        ids.add(row["id"])
        labels = {span[0]: span[3] for span in row["spans"]}
        places = {span[0]: (span[1], span[2]) for span in row["spans"]}
        assert len(labels) == len(row["spans"])
        for _, start, end, label, *outcome in row["spans"]:
            assert 0 <= start < end <= row["length"]
            assert len(outcome) == (label == "CASUALTY") and set(outcome) <= set(CLASH.attributes[0].values)
        for head, tail, label in row["relations"]:
            assert (labels[head], labels[tail]) in signatures[label]
            assert label != "CLASHED_WITH" or places[head] <= places[tail]


def test_one_in_fifteen_is_held_out(folder):
    row = json.loads((folder / "en.jsonl").read_text(encoding="utf-8").splitlines()[0])
    ids = [f"en-x{number}" for number in range(300)]
    (folder / "en.jsonl").write_text("".join(json.dumps({**row, "id": name}) + "\n" for name in ids), encoding="utf-8")
    restore(folder)
    train, held = (
        [json.loads(line)["id"] for line in (folder / name).read_text(encoding="utf-8").splitlines()]
        for name in ("out.jsonl", "held.jsonl")
    )
    assert 10 <= len(held) <= 30 and sorted(train + held) == sorted(ids)


def test_there_are_annotations_of_every_language():
    assert {path.stem for path in ANNOTATIONS} == {"ar", "en", "fa", "tr"}
