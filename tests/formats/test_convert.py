"""`clashnlp convert`, and the readers and writers that it and the other commands share."""

import inspect
import json
import logging
import zipfile

import pytest
from conftest import CORPUS

from clashnlp import DataError, Document, Relation, Span
from clashnlp.cli import main
from clashnlp.commands import convert
from clashnlp.formats import FORMATS, READERS, WRITERS, Account, read, read_documents, sources, write

TEXT = "🚨 Houthi fighters backed by Iran killed two soldiers near Marib."
SPANS = (
    Span(2, 17, "FACTION", "Houthi fighters", "T1"),
    Span(28, 32, "PATRON", "Iran", "T2"),
    Span(40, 52, "CASUALTY", "two soldiers", "T3", attributes={"outcome": "killed"}),
)
DOCUMENT = Document(TEXT, "d1", "en", SPANS, (Relation(SPANS[0], SPANS[1], "BACKED_BY"),))
# The name by which each format is told again, without --from and --to as far as that is possible.
NAMES = {
    "jsonl": "a.jsonl",
    "inline": "a.inline",
    "labelstudio": "a.json",
    "doccano": "a.jsonl",
    "prodigy": "a.jsonl",
    "brat": "a",
    "webanno": "a",
    "cas": "a",
    "docbin": "a.spacy",
    "conll": "a.conll",
}
PACKAGES = {"cas": "cassis", "docbin": "spacy"}


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main(["convert", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def shape(document):
    spans = [(span.label, span.text, dict(span.attributes)) for span in document.spans]
    return document.text, spans, [(r.head.text, r.label, r.tail.text) for r in document.relations]


@pytest.mark.parametrize("format", WRITERS)
def test_every_format_is_written_and_told_again(run, tmp_path, format):
    pytest.importorskip(PACKAGES.get(format, "json"))
    write([DOCUMENT], tmp_path / "in.jsonl")
    path = tmp_path / NAMES[format]
    code, out, err = run(tmp_path / "in.jsonl", path, "--to", format)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"{tmp_path}/in.jsonl (jsonl): 1 documents, 3 spans, 1 relations"
    links = 0 if format == "conll" else 1
    assert f"{path} ({format}): 1 documents, 3 spans, {links} relations" in out
    assert [kind for _, kind in sources(path)] == [format]
    code, out, err = run(path, tmp_path / "back.jsonl")
    assert (code, err) == (0, "")
    [back] = read_documents(tmp_path / "back.jsonl")
    assert shape(back) == (*shape(DOCUMENT)[:2], shape(DOCUMENT)[2][:links])
    # Training and evaluation read it as it is.
    [same] = read_documents(path)
    assert shape(same) == shape(back)


@pytest.mark.parametrize("format", ["brat", "webanno", "cas"])
def test_folders_may_be_zips(run, tmp_path, format):
    pytest.importorskip(PACKAGES.get(format, "json"))
    write([DOCUMENT, Document("Iran", "d2")], tmp_path / "in.jsonl")
    assert run(tmp_path / "in.jsonl", tmp_path / "a.zip", "--to", format)[0] == 0
    assert len(zipfile.ZipFile(tmp_path / "a.zip").namelist()) >= 2
    assert [shape(document) for document in read(tmp_path / "a.zip")] == [shape(DOCUMENT), ("Iran", [], [])]


def test_the_corpus_survives_a_journey_through_four_tools(run, tmp_path):
    steps = [CORPUS, *(tmp_path / name for name in ("a.json", "b.jsonl", "c", "d.jsonl"))]
    for before, after, kind in zip(steps, steps[1:], ("labelstudio", "prodigy", "brat", "jsonl"), strict=False):
        code, _, err = run(before, after, "--to", kind)
        assert (code, err) == (0, "")
    gold = {str(document.id): shape(document) for document in read_documents(CORPUS)}
    back = {str(document.id): shape(document) for document in read_documents(steps[-1])}
    assert {name: (text, sorted(spans, key=str), sorted(links)) for name, (text, spans, links) in back.items()} == {
        name: (text, sorted(spans, key=str), sorted(links)) for name, (text, spans, links) in gold.items()
    }


def test_losses_are_told_by_file_with_ids(run, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(DOCUMENT.to_dict()), encoding="utf-8")
    broken = {"id": 7, "data": {"text": TEXT}, "annotations": [{"id": 1, "was_cancelled": True, "result": []}]}
    value = {"start": 3, "end": 18, "text": "Houthi fighters", "labels": ["FACTION"]}
    whole = {"id": 8, "data": {"text": TEXT}, "annotations": [{"id": 2, "result": [{"id": "x", "type": "labels", "value": value}]}]}
    (tmp_path / "b.json").write_text(json.dumps([broken, whole]), encoding="utf-8")
    arguments = (tmp_path / "a.jsonl", tmp_path / "b.json", tmp_path / "out.conll", "--report", tmp_path / "report.json")
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{tmp_path}/a.jsonl (jsonl): 1 documents, 3 spans, 1 relations",
        f"{tmp_path}/b.json (labelstudio): 1 documents, 1 spans, 0 relations",
        "  repaired 1: offsets in UTF-16 (8/x)",
        "  dropped 1: cancelled annotations (7/1)",
        f"{tmp_path}/out.conll (conll): 2 documents, 4 spans, 0 relations",
        "  dropped 1: relations (d1/T1-T2)",
    ]
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["problems"] == 0
    assert [(one["format"], one["dropped"]) for one in [*report["inputs"], report["output"]]] == [
        ("jsonl", {}),
        ("labelstudio", {"cancelled annotations": ["7/1"]}),
        ("conll", {"relations": ["d1/T1-T2"]}),
    ]
    assert run(*arguments, "--strict")[0] == 1
    assert run(tmp_path / "a.jsonl", tmp_path / "whole.jsonl", "--strict")[0] == 0


def test_what_cannot_be_read_is_named_and_the_rest_is_written(run, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": \n', encoding="utf-8")
    code, out, err = run(tmp_path / "a.jsonl", tmp_path / "gone.jsonl", tmp_path / "b.pdf", tmp_path / "out.json", "--to", "labelstudio")
    assert code == 1
    told = ("a.jsonl:2: broken JSON", "gone.jsonl: No such file", "no reader for .pdf")
    assert all(part in line for part, line in zip(told, err.splitlines(), strict=True)), err
    assert f"{tmp_path}/out.json (labelstudio): 1 documents" in out


def test_documents_that_a_format_cannot_hold_make_it_incomplete(run, tmp_path):
    write([DOCUMENT, Document("a [[b]]", "d2", "en")], tmp_path / "a.jsonl")
    code, out, _ = run(tmp_path / "a.jsonl", tmp_path / "out.inline")
    assert code == 1
    assert "dropped 1: documents that the inline notation cannot hold" in out
    assert "out.inline (inline): 1 documents, 3 spans, 1 relations" in out


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("out.json", [], "out.json: .json may be several formats; name one of jsonl, inline, labelstudio"),
        ("out", [], "out: no suffix may be several formats"),
        ("out.csv", [], "there is no writer for csv"),
        ("a.jsonl", [], "is among the inputs"),
        ("full", ["--to", "brat"], "the folder holds files already"),
        ("none/out.jsonl", [], "there is no folder"),
        (
            "out.jsonl",
            ["--from", "labelstudio", "--from-option", "sure=1"],
            "'sure=1': labelstudio takes text_key=TEXT, predictions=true|false",
        ),
        ("out.jsonl", ["--to-option", "a=1"], "'a=1': jsonl takes no options"),
        ("out.jsonl", ["--from", "doccano", "--from-option", "offsets=bytes"], "takes offsets=auto|codepoints|utf16|graphemes"),
        ("out.jsonl", ["--from", "labelstudio", "--from-option", "predictions=1"], "predictions=true|false"),
        ("out.jsonl", ["--from", "brat"], "no document to write"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(run, tmp_path, output, options, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.txt").write_text("x")
    write([DOCUMENT], tmp_path / "a.jsonl")
    code, out, err = run(tmp_path / "a.jsonl", tmp_path / output, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "full"]


def test_every_option_of_every_format_can_be_named():
    known = {"tokenizer", "schema", "make", "account", "on_error"}  # These are for Python.
    for taker in (*READERS.values(), *WRITERS.values()):
        parameters = inspect.signature(taker, eval_str=True).parameters.values()
        assert all(convert._kinds(one.annotation) for one in parameters if one.kind == one.KEYWORD_ONLY and one.name not in known)


def test_an_output_inside_an_input_is_refused(run, tmp_path):
    write([DOCUMENT], tmp_path / "in", format="brat")
    code, _, err = run(tmp_path / "in", tmp_path / "in" / "out.json", "--to", "labelstudio")
    assert (code, "is among the inputs" in err) == (2, True)


def test_options_of_readers_and_writers(run, tmp_path):
    scored = Document(TEXT, "d1", "en", (Span(28, 32, "PATRON", "Iran", "T1", 0.5),))
    write([scored], tmp_path / "a.jsonl")
    assert run(tmp_path / "a.jsonl", tmp_path / "p.json", "--to", "labelstudio", "--to-option", "model_version=m2")[0] == 0
    code, _, err = run(tmp_path / "p.json", tmp_path / "none.jsonl")
    assert (code, "no document to write" in err) == (2, True)
    code, _, _ = run(tmp_path / "p.json", tmp_path / "out.jsonl", "--from", "labelstudio", "--from-option", "predictions=true")
    [back] = read_documents(tmp_path / "out.jsonl")
    assert (code, dict(back.meta), back.spans) == (0, {"model_version": "m2"}, scored.spans)


def test_a_failure_leaves_what_was_there(tmp_path):
    def broken():
        yield DOCUMENT
        raise RuntimeError

    for format, name in NAMES.items():
        pytest.importorskip(PACKAGES.get(format, "json"))
        path = tmp_path / name
        with pytest.raises(RuntimeError):
            write(broken(), path, format=format)
        assert list(tmp_path.iterdir()) == [], format
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "d1.ann").write_text("earlier")
    with pytest.raises(RuntimeError):
        write(broken(), tmp_path / "a", format="brat")
    assert [(file.name, file.read_text()) for file in (tmp_path / "a").iterdir()] == [("d1.ann", "earlier")]


def test_the_table_of_formats(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["convert", "--formats"])
    assert exit_.value.code == 0
    assert "| relations | yes |" in capsys.readouterr().out


def test_formats_of_one_suffix_are_told_by_what_they_hold(tmp_path):
    rows = {
        "jsonl": {"text": TEXT, "labels": ["FACTION"], "spans": []},
        "doccano": {"id": 1, "text": TEXT, "label": [[2, 17, "FACTION"]]},
        "prodigy": {"text": TEXT, "spans": [], "answer": "accept"},
    }
    for kind, row in rows.items():
        (tmp_path / f"{kind}.jsonl").write_text("\n" + json.dumps(row), encoding="utf-8")
        assert list(sources(tmp_path / f"{kind}.jsonl")) == [(tmp_path / f"{kind}.jsonl", kind)]
    (tmp_path / "settings.json").write_text("{}")
    # A folder of several formats is read file by file.
    assert [kind for _, kind in sources(tmp_path)] == ["doccano", "jsonl", "prodigy"]
    (tmp_path / "t.tsv").write_text("text\na\n")
    (tmp_path / "w.tsv").write_text("\ufeff#FORMAT=WebAnno TSV 3.3\n", encoding="utf-8")
    (tmp_path / "c.json").write_text('{"%TYPES": {}}')
    assert [next(kind for _, kind in sources(tmp_path / name)) for name in ("t.tsv", "w.tsv", "c.json")] == ["csv", "webanno", "cas"]


def test_the_first_row_with_annotations_tells_the_format(tmp_path):
    for key in ("label", "labels", "annotations"):
        mark = {"label": "FACTION", "start_offset": 2, "end_offset": 17} if key == "annotations" else [2, 17, "FACTION"]
        rows = [{"id": 1, "text": TEXT, key: []}, {"id": 2, "text": TEXT, key: []}, {"id": 3, "text": TEXT, key: [mark]}]
        (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        one, _, last = read_documents(tmp_path / "a.jsonl")
        assert (one.labels, one.spans, [span.text for span in last.spans]) == (None, (), ["Houthi fighters"])


def test_json_files_that_are_no_export(run, tmp_path):
    (tmp_path / "lines.json").write_text(json.dumps(DOCUMENT.to_dict()) + "\n" + json.dumps({"text": "b", "spans": []}) + "\n")
    assert [len(document.spans) for document in read_documents(tmp_path / "lines.json")] == [3, 0]
    (tmp_path / "min.json").write_text(json.dumps([{"text": TEXT, "label": [{"start": 2, "end": 17}], "annotation_id": 1}]))
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "none.json").write_text("[]\n")
    (tmp_path / "list.json").write_text(json.dumps([DOCUMENT.to_dict()], indent=1))
    for name, message in (
        ("min", "since JSON-MIN, CSV and others lose relations"),
        ("empty", "empty.json:1: broken JSON"),
        ("none", "0 documents"),
        ("list", "name its format with --input-format"),
    ):
        code, _, err = run(tmp_path / f"{name}.json", tmp_path / "out.jsonl")
        assert code == 2 and message in err, name


def test_zips_are_told_by_what_their_files_hold(run, tmp_path):
    rows = {"doccano": {"text": TEXT, "label": [[2, 17, "FACTION"]]}, "prodigy": {"text": TEXT, "spans": [], "answer": "accept"}}
    files = {kind: ("a.jsonl", json.dumps(row)) for kind, row in rows.items()}
    files |= {"conll": ("a.conll", "Iran\tB-PATRON\n"), "jsonl": ("a.jsonl", json.dumps(DOCUMENT.to_dict())), "none": ("a.txt", TEXT)}
    for kind, (name, data) in files.items():
        with zipfile.ZipFile(tmp_path / f"{kind}.zip", "w") as archive:
            archive.writestr(name, data)
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04")
    for kind in ("doccano", "prodigy", "conll"):
        assert list(sources(tmp_path / f"{kind}.zip")) == [(tmp_path / f"{kind}.zip", kind)]
    for kind in ("jsonl", "none", "bad"):
        code, _, err = run(tmp_path / f"{kind}.zip", tmp_path / "out.jsonl")
        assert code == 2 and "no reader for .zip; unpack it" in err


def test_files_of_several_annotators_in_a_folder_name_them(tmp_path):
    for who, marks in (("amal", [[2, 17, "FACTION"]]), ("omar", [[2, 17, "FACTION"]]), ("unknown", [])):
        (tmp_path / f"{who}.jsonl").write_text(json.dumps({"id": 1, "text": TEXT, "label": marks, "Comments": []}), encoding="utf-8")
    assert list(sources(tmp_path)) == [(tmp_path, "doccano")]
    assert [document.meta["annotator"] for document in read(tmp_path)] == ["amal", "omar"]


def test_what_is_dropped_is_told_to_those_who_hold_no_account(tmp_path, caplog):
    (tmp_path / "a.ann").write_text("T1\tX 0 9\tIran\n")
    (tmp_path / "a.txt").write_text("Taiz")
    with caplog.at_level(logging.WARNING):
        assert [document.spans for document in read_documents(tmp_path)] == [()]
    assert "dropped 1: spans whose text does not stand at their offsets (a/T1)" in caplog.text
    caplog.clear()
    account = Account()
    list(read(tmp_path, account=account))
    assert (caplog.text, len(account.dropped)) == ("", 1)


def test_reports_are_predicted_from_any_format(tmp_path):
    write([DOCUMENT], tmp_path / "in", format="brat")
    for options in ({}, {"format": "brat"}):
        [report] = read_documents(tmp_path / "in", annotated=False, **options)
        assert (report.id, report.text) == ("d1", TEXT)
    with pytest.raises(DataError, match="standard input cannot be read as brat"):
        list(read_documents("-", format="brat"))
    with pytest.raises(DataError, match="there is no format 'x'; choose one of text, jsonl"):
        list(read(tmp_path, format="x"))
    assert set(WRITERS) < set(FORMATS)
