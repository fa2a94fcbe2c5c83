import json
import os
from pathlib import Path

import pytest

from clashnlp import CLASH, Analysis, Document, Relation, Span
from clashnlp.check import KINDS, check_document, missed_spans
from clashnlp.cli import main
from clashnlp.formats import jsonl

TEXT = "Houthi fighters backed by Iran killed two soldiers near Marib. Tribes left. The Houthi side denied it; Iran did so too."


def span(surface, label, number=0, text=TEXT, **attributes):
    """A span of the text, or one that is off by the marks < and > inside the surface."""
    start = -1
    for _ in range(number + 1):
        start = text.index(surface, start + 1)
    return Span(start, start + len(surface), label, surface, f"{label[0]}{start}-{len(surface)}", attributes=attributes)


HOUTHI = span("Houthi", "FACTION")
IRAN = span("Iran", "PATRON")
DEAD = span("two soldiers", "CASUALTY", outcome="killed")
MARIB = span("Marib", "LOCATION")
BACKED = Relation(HOUTHI, IRAN, "BACKED_BY")


def found(*spans, relations=(), text=TEXT, **options):
    findings = check_document(Document(text, "d", "en", spans, relations, **options), CLASH)
    return [(finding.severity, finding.kind, finding.text) for finding in findings if finding.kind != "unmarked sentence"]


def test_what_keeps_the_rules_is_not_reported():
    assert found() == []
    assert found(HOUTHI, IRAN, DEAD, MARIB, relations=(BACKED, Relation(DEAD, HOUTHI, "INFLICTED_BY"))) == []
    # Spans of different labels may nest, also on one extent.
    assert found(span("Houthi fighters", "FACTION"), span("Houthi", "LOCATION"), span("Houthi fighters", "LOCATION", 0)) != []
    assert found(span("Houthi fighters", "FACTION"), span("Houthi fighters", "LOCATION")) == []


def test_edges():
    assert found(span("oldiers", "FACTION")) == [("error", "cut word", "oldiers")]
    assert found(span("Houth", "FACTION")) == [("error", "cut word", "Houth")]
    assert found(span("Marib.", "LOCATION")) == [("error", "loose edge", "Marib.")]
    assert found(span(" Marib", "LOCATION")) == [("error", "loose edge", "Marib")]
    assert found(span(". T", "LOCATION")) == [("error", "cut word", ". T"), ("error", "loose edge", ". T")]
    assert found(span(". ", "LOCATION")) == [("error", "loose edge", ".")]


def test_the_whole_words_are_told():
    text = "هاجم الحوثيون مواقع می‌روند"
    findings = check_document(Document(text, spans=(span("حوثيون", "FACTION", text=text), span("روند", "LOCATION", text=text))), CLASH)
    assert [(finding.kind, finding.message.rpartition(": ")[2]) for finding in findings] == [
        ("cut word", "'الحوثيون'"),
        ("cut word", "'می\u200cروند'"),
    ]
    # A span may begin and end at a mark that belongs to its word.
    marked = "قُتل جنديٌّ"
    assert (
        check_document(Document(marked, spans=(Span(5, 11, "CASUALTY", marked[5:], "C1", attributes={"outcome": "killed"}),)), CLASH) == []
    )


def test_overlaps_of_a_label():
    outer, inner, last = span("Houthi fighters backed", "FACTION"), span("Houthi", "FACTION"), span("backed", "FACTION")
    assert found(outer, inner, last) == [("error", "overlap", "Houthi"), ("error", "overlap", "backed")]
    twice = Span(HOUTHI.start, HOUTHI.end, "FACTION", "Houthi", "F9")
    assert found(HOUTHI, twice) == [("error", "overlap", "Houthi")]


def test_relations():
    assert found(HOUTHI, MARIB, relations=(Relation(HOUTHI, MARIB, "BACKED_BY"),)) == [("error", "signature", "Houthi")]
    assert found(HOUTHI, relations=(Relation(HOUTHI, HOUTHI, "CLASHED_WITH"),)) == [("error", "signature", "Houthi")]
    tribes = span("Tribes", "FACTION")
    assert found(HOUTHI, tribes, relations=(Relation(tribes, HOUTHI, "CLASHED_WITH"),)) == []
    both = (Relation(HOUTHI, tribes, "CLASHED_WITH"), Relation(tribes, HOUTHI, "CLASHED_WITH"))
    assert found(HOUTHI, tribes, relations=both) == [("warning", "relation twice", "Tribes")]
    units = (Relation(HOUTHI, tribes, "PART_OF"), Relation(tribes, HOUTHI, "PART_OF"))
    assert found(HOUTHI, tribes, relations=units) == []
    assert found(HOUTHI, IRAN, relations=(BACKED, BACKED)) == [("warning", "relation twice", "Houthi")]


def test_values_and_patrons():
    assert found(span("two soldiers", "CASUALTY")) == [("warning", "no value", "two soldiers")]
    # Without any relation, the report was annotated for spans alone.
    assert found(HOUTHI, IRAN) == []
    assert found(HOUTHI, IRAN, MARIB, relations=(Relation(HOUTHI, MARIB, "LOCATED_IN"),)) == [("warning", "no backer", "Iran")]


def test_names_that_the_schema_lacks_are_told_once():
    event = [span("killed", "EVENT"), span("denied", "EVENT")]
    relations = (Relation(HOUTHI, DEAD, "LOVES"),)
    findings = found(*event, HOUTHI, DEAD, relations=relations, labels=("EVENT", "FACTION"))
    assert findings == [("error", "unknown name", text) for text in ("", "Houthi", "killed")]
    assert found(span("two soldiers", "CASUALTY", outcome="dead")) == [("error", "unknown name", "two soldiers")]
    assert found(span("Marib", "LOCATION", outcome="killed", note="x")) == [("error", "unknown name", "Marib")]


def test_sentences_that_look_unmarked():
    (finding,) = check_document(Document(TEXT, "d", "en", (HOUTHI, IRAN, DEAD)), CLASH)
    at = TEXT.index("The Houthi") + 4
    assert (finding.kind, finding.start, finding.end) == ("unmarked sentence", at, at + 6)
    assert "Houthi side" in finding.text
    # With a mark in the sentence there is nothing to tell, and states speak more often than they fight.
    assert check_document(Document(TEXT, "d", "en", (HOUTHI, span("Houthi", "FACTION", 1))), CLASH) == []
    assert check_document(Document(TEXT, "d", "en", (IRAN,)), CLASH) == []
    text = "NOW took the hill. They want peace now."
    assert check_document(Document(text, "d", "en", (span("NOW", "FACTION", text=text),)), CLASH) == []


def test_what_a_model_finds_where_nothing_is_marked():
    spans = tuple(Span(one.start, one.end, one.label, one.text, str(at), 0.95 - at / 10) for at, one in enumerate((IRAN, MARIB, HOUTHI)))
    gold = Document(TEXT, "d", "en", (span("Houthi fighters", "FACTION"),))
    assert [finding.text for finding in missed_spans(gold, Analysis(TEXT, spans=spans), score=0.8)] == [
        "…outhi fighters backed by Iran killed two soldiers near…",
        "…killed two soldiers near Marib. Tribes left. The Houthi…",
    ]
    only = Document(TEXT, "d", "en", labels=("LOCATION",))
    assert len(missed_spans(only, Analysis(TEXT, spans=spans), score=0)) == 1


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the command on files of documents; returns the exit code, the JSON report and what was printed."""

    def run(*options, **files):
        paths = []
        for name, documents in files.items():
            lines = (document if isinstance(document, str) else jsonl.write(document) for document in documents)
            paths.append(tmp_path / f"{name}.jsonl")
            paths[-1].write_text("".join(lines), encoding="utf-8")
        code = main(["check", *map(str, paths), "--json", str(tmp_path / "report.json"), *options])
        captured = capsys.readouterr()
        return code, json.loads((tmp_path / "report.json").read_text(encoding="utf-8")), captured.out

    return run


LONG = "The army said on Monday that its gunners had shelled two hills north of the town, and that nine fighters of the other side fell."
ONE, OTHER = Document(TEXT, "one", "en", (HOUTHI, IRAN), (BACKED,)), Document(LONG, "other", "tr")


def test_clean_data(run):
    code, report, out = run(train=[ONE], dev=[OTHER])
    assert (code, report["counts"]) == (0, {"error": 0, "warning": 0, "info": 1})
    (file,) = [file for file in report["files"] if file.endswith("train.jsonl")]
    assert report["files"][file] == {"en": {"reports": 1, "unmarked": 0, "FACTION": 1, "PATRON": 1, "BACKED_BY": 1}}
    assert out.endswith("2 reports: 0 errors, 0 warnings, 1 note\n")


def test_nothing_to_check_is_no_clean_data(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text("\n", encoding="utf-8")
    assert main(["check", str(tmp_path / "a.jsonl")]) == 2
    assert "a.jsonl: no document to check" in capsys.readouterr().err


def test_bad_lines_are_reported_and_the_rest_is_checked(run):
    code, report, out = run(train=["no json\n", '{"text": "ab", "spans": [{"start": 0, "end": 9, "label": "X"}]}\n', "[]\n", OTHER])
    assert code == 1
    assert [(finding["kind"], finding["line"]) for finding in report["findings"]] == [
        ("unreadable", 1),
        ("unreadable", 2),
        ("unreadable", 3),
    ]
    assert "broken JSON" in report["findings"][0]["message"] and "lies outside" in report["findings"][1]["message"]
    assert "1 reports: 3 errors" in out


def test_a_tools_file_in_the_current_folder_is_named_with_the_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text('{"text": "a", "label": [[0, 1, "X"]]}\n{"text": "b", "label": [["0", 1, "X"]]}\n', encoding="utf-8")
    assert main(["check", "a.jsonl"]) == 1
    assert "  a.jsonl:2: span 'T1' has no whole number" in capsys.readouterr().out


def test_every_finding_names_its_place(run):
    wrong = Document(TEXT, "w", "en", (span("oldiers", "FACTION"),))
    _, report, out = run(train=[OTHER, wrong])
    (finding,) = report["findings"]
    at = TEXT.index("oldiers")
    assert finding["file"].endswith("train.jsonl")
    assert (finding["line"], finding["document"], finding["start"], finding["end"]) == (2, "w", at, at + 7)
    assert f"train.jsonl:2 w {at}-{at + 7}: FACTION 'oldiers' cuts a word; whole words: 'soldiers'" in out


def test_strict_fails_on_warnings(run):
    without = Document(TEXT, "w", "en", (span("two soldiers", "CASUALTY"),))
    assert run(train=[without])[0] == 0
    assert run("--strict", train=[without])[0] == 1
    assert run("--strict", train=[OTHER])[0] == 0


def test_repeats_within_a_file_and_leaks_between_files(run):
    near = Document("LATEST: " + LONG.replace("nine", "ten"), "near", "tr")
    copy = Document(LONG, "copy", "tr")
    kinds = {"repeat": "warning", "near repeat": "info"}
    code, report, _ = run(train=[ONE, OTHER, copy, near])
    assert (code, {finding["kind"]: finding["severity"] for finding in report["findings"] if "repeat" in finding["kind"]}) == (0, kinds)
    code, report, _ = run(train=[ONE, OTHER], dev=[copy, near])
    assert (code, report["kinds"]) == (1, {"leak": 1, "near leak": 1, "unmarked sentence": 1})
    leak = report["findings"][0]
    assert (leak["document"], [other["document"] for other in leak["others"]]) == ("other", ["copy"])
    assert "copy in" in leak["message"]
    assert run("--near", "1", train=[OTHER], dev=[near])[1]["kinds"] == {}


def test_one_id_for_two_texts(run):
    _, report, _ = run(train=[ONE, Document(LONG, "one", "en")], dev=[Document("Quite another text.", "one")])
    assert [(finding["line"], finding["severity"]) for finding in report["findings"] if finding["kind"] == "same id"] == [(2, "warning")]


def test_annotators_are_compared(run):
    other = Document(TEXT, "one", "en", (span("Houthi fighters", "FACTION"), IRAN))
    code, report, out = run("--annotators", anna=[ONE, OTHER], bert=[other, OTHER])
    assert (code, report["agreement"]["pairs"], report["agreement"]["span_f1"]) == (0, 1, 0.5)
    assert set(report["kinds"]) == {"disagreement", "unmarked sentence"}
    assert "reads it differently: span F1 0.50" in out
    # In one file, by the name of the annotator.
    by_name = [Document(TEXT, "one", "en", one.spans, meta={"annotator": name}) for one, name in ((ONE, "a"), (other, "b"))]
    _, report, _ = run(both=by_name)
    assert (report["agreement"]["pairs"], "repeat" in report["kinds"]) == (1, False)
    # A copy in one file is no second annotation.
    assert run(both=[ONE, ONE])[1]["agreement"] is None


def test_annotations_for_other_labels_do_not_disagree(run):
    partly = Document(TEXT, "two", "en", (MARIB,), labels=("LOCATION",))
    _, report, _ = run("--annotators", a=[Document(TEXT, "one", "en", (HOUTHI,), labels=("FACTION",))], b=[partly])
    assert "disagreement" not in report["kinds"] and report["agreement"]["pairs"] == 1


def test_names_under_two_labels(run):
    state = Document(TEXT, "two", "en", (span("Iran", "FACTION"),))
    _, report, _ = run(train=[ONE, ONE, state])
    (finding,) = [finding for finding in report["findings"] if finding["kind"] == "two labels"]
    assert (finding["document"], finding["severity"]) == ("two", "info")
    assert finding["message"] == "'Iran' is PATRON 2×, FACTION 1×"


def test_labels_of_ones_own(run):
    person = Document("Ann met Bob", "p", "en", (Span(0, 3, "PER", "Ann", "P1"),))
    assert run(train=[person])[0] == 1
    assert run("--schema", "data", train=[person])[0] == 0


def test_a_report_cannot_control_the_terminal(run):
    _, _, out = run(train=[Document("killed\x1b[31m six \u202e soldiers", "a\x1b[2Jb", "en", (Span(6, 11, "LOCATION", "\x1b[31m", "L"),))])
    assert not {"\x1b", "\u202e"} & set(out)


def test_a_model_is_asked_on_request(run, untrained):
    assert main(["check", "x.jsonl", "--model", "m"]) == 2
    _, report, _ = run("--missed", "0", "--model", str(untrained["wordpiece"]), train=[OTHER])
    assert set(report["kinds"]) <= {"missed"}


def test_findings_are_of_the_kinds_that_are_told(run, corpus):
    _, report, _ = run(corpus=corpus)
    assert report["counts"]["error"] == 0
    assert set(report["kinds"]) <= set(KINDS)


@pytest.mark.skipif("CLASHNLP_DATA" not in os.environ, reason="CLASHNLP_DATA names no folder of data sets")
def test_real_data_raise_few_alarms(tmp_path):
    files = sorted(map(str, (Path(os.environ["CLASHNLP_DATA"]) / "annotated").glob("*.jsonl")))
    main(["check", *files, "--json", str(tmp_path / "report.json")])
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["counts"]["error"] <= 1 and report["counts"]["warning"] <= 20
