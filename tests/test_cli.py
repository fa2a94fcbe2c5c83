import io
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import EXAMPLES, ROOT

from clashnlp.cli import main
from clashnlp.formats import read_documents


@pytest.fixture
def run(untrained, capsys):
    """Runs a command on a tiny model with random weights; returns the exit code, the output's rows and what was said."""

    def run(command, *arguments, model=True):
        options = ["--model", str(untrained["wordpiece"])] if model else []
        code = main([command, *map(str, arguments), *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_predict_keeps_ids_meta_and_order(run, tmp_path):
    path = tmp_path / "in.jsonl"
    given = [{"id": at, "lang": "en", "text": f"{at} soldiers died in Taiz", "url": f"u{at}", "n": [at]} for at in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    code, out, err = run("predict", path, "-o", tmp_path / "out.jsonl")
    assert (code, out, err) == (0, "", "")
    found = rows((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert [{key: row[key] for key in given[0]} for row in found] == given
    # The output is in the form of the guidelines: it reads back as annotated documents.
    assert len(list(read_documents(tmp_path / "out.jsonl"))) == 30
    assert all({"id", "start", "end", "label", "text", "score"} <= set(span) for row in found for span in row["spans"])


def test_bad_input_is_named_and_the_rest_is_done(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("قتل ستة جنود", encoding="utf-8")
    (folder / "b.txt").write_bytes(b"\xff\xfe\x00binary")
    (folder / "c.txt").write_text("  \n", encoding="utf-8")
    (folder / "d.jsonl").write_text('{"text": "one"}\n{"text": \n{"text": "three"}\n', encoding="utf-8")
    (folder / "e.csv").write_text("report\nx\n", encoding="utf-8")
    code, out, err = run("predict", folder, tmp_path / "missing.txt")
    assert code == 1
    assert [row["id"] for row in rows(out)] == ["a", "c", "d-1", "d-3"]
    lines = err.splitlines()
    assert len(lines) == 6
    for line, part in zip(
        lines, ["b.txt: is UTF-16", "holds no text", "d.jsonl:2: broken JSON", "no column 'text'", "missing.txt"], strict=False
    ):
        assert part in line
    assert lines[-1] == "clashnlp: 4 reports read, 5 problems (named above)"
    assert "Traceback" not in err


def test_standard_input(run, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"Two soldiers died.")

    monkeypatch.setattr(sys, "stdin", Stdin)
    code, out, _ = run("predict", "-")
    assert (code, rows(out)[0]["text"]) == (0, "Two soldiers died.")
    Stdin.buffer = io.BytesIO(b'{"id": "x", "text": "a"}\n')
    code, out, _ = run("predict", "-", "--input-format", "jsonl")
    assert rows(out)[0]["id"] == "x"


def test_a_terminal_gets_a_summary(run, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, _ = run("predict", EXAMPLES)
    assert code == 0
    assert "\x1b[1m" in out
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run("predict", EXAMPLES)
    assert "\x1b" not in out


def test_a_report_cannot_control_the_terminal(run, monkeypatch, tmp_path):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "x.jsonl").write_text(json.dumps({"id": "a\x1b[2Jb", "text": "killed\x07 \x1b[31m six \u202e soldiers"}) + "\n")
    _, out, _ = run("predict", tmp_path / "x.jsonl")
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_a_failed_run_leaves_the_earlier_output(run, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    (tmp_path / "out.jsonl").write_text("earlier")
    monkeypatch.setattr("clashnlp.output.jsonl.write", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("predict", tmp_path / "a.txt", "-o", tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "earlier"


def test_devices_and_pipes_are_written_to_and_links_go_on_to_lead(run, tmp_path):
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    held = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)  # So that neither end waits for the other.
    (tmp_path / "link").symlink_to("target")
    for name in ("pipe", "link"):
        assert run("predict", tmp_path / "a.txt", "-o", tmp_path / name)[0] == 0
    assert rows(os.read(held, 9999).decode()) == rows((tmp_path / "target").read_text())
    os.close(held)
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "link", "pipe", "target"]


def test_an_input_without_a_name_is_not_the_current_folder(run, capsys):
    with pytest.raises(SystemExit):
        run("predict", "")
    assert "the name of a file or folder, it is empty" in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(untrained, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "six soldiers died"}\n' * 3000)
    command = f"{sys.executable} -m clashnlp.cli predict {tmp_path}/a.jsonl --model {untrained['wordpiece']} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["id"] == "a-1"
    assert "Traceback" not in done.stderr


def test_ids_that_stand_twice_are_counted(run, tmp_path, caplog):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}\n')
    code, out, _ = run("predict", tmp_path / "a.jsonl")
    assert (code, len(rows(out))) == (0, 2)
    assert "1 reports bear the id of another one" in caplog.text


def test_the_output_needs_a_folder(run, tmp_path):
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    for command in (["predict", tmp_path / "a.txt"], ["evaluate", "--data", tmp_path / "a.txt"]):
        code, _, err = run(*command, "-o", tmp_path / "no" / "out.jsonl")
        assert code == 2
        assert "make it first" in err


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "x"])
def test_amounts_must_be_amounts(value, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--train", "a", "--dev", "b", "--output", "c", f"--epochs={value}"])
    assert "must be a number above 0" in capsys.readouterr().err


def test_the_output_must_not_be_an_input(run, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    code, _, err = run("predict", tmp_path / "a.jsonl", "-o", tmp_path / "a.jsonl")
    assert code == 2
    assert "is among the inputs" in err
    code, _, err = run("predict", tmp_path, "-o", tmp_path / "out.jsonl")
    assert code == 2
    assert (tmp_path / "a.jsonl").read_text() == '{"text": "a"}\n'


def test_evaluate_prints_and_writes_metrics(run, tmp_path, corpus):
    from clashnlp.formats import jsonl

    (tmp_path / "gold.jsonl").write_text("".join(map(jsonl.write, corpus[:10])), encoding="utf-8")
    code, out, _ = run("evaluate", "--data", tmp_path / "gold.jsonl", "-o", tmp_path / "metrics.json")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert code == 0
    assert out.startswith("10 documents\n")
    assert metrics["spans"]["gold"] == sum(len(document.spans) for document in corpus[:10])


def test_evaluate_tells_what_makes_figures_mean_less(run, tmp_path, caplog):
    (tmp_path / "a.csv").write_text("text\nSix soldiers died\nSix soldiers died\n", encoding="utf-8")
    assert run("evaluate", "--data", tmp_path / "a.csv")[0] == 0
    assert "nothing is marked in the data" in caplog.text and "1 documents have the text of another one" in caplog.text


def test_every_command_reads_annotations_as_the_format_that_is_named(run, tmp_path):
    path, done = tmp_path / "gold.dat", tmp_path / "export.dat"
    path.write_text('{"id": "a", "text": "Taiz", "lang": "en", "spans": [{"start": 0, "end": 4, "label": "LOCATION"}]}\n')
    done.write_text('[{"id": 1, "data": {"text": "Six soldiers died near the bridge"}, "annotations": [{"result": []}]}]')
    named = ["--input-format", "jsonl"]
    for command, options in (
        (["convert", path, tmp_path / "out.json", "--to", "labelstudio"], named),
        (["convert", path, tmp_path / "out2.json", "--to", "labelstudio"], ["--from", "jsonl"]),
        (["check", path], named),
        (["split", path, "--output", tmp_path / "parts"], named),
        (["evaluate", "--data", path], named),
        (["suggest", path, "--to", "jsonl", "-o", tmp_path / "s.jsonl", "--done", done], [*named, "--done-format", "labelstudio"]),
    ):
        own = command[0] in ("evaluate", "suggest")
        code, out, err = run(*command, model=own)
        assert code and "name its format with --input-format" in out + err, command
        code, out, err = run(*command, *options, model=own)
        assert (code, err) == (0, ""), command


def test_info_tells_what_a_model_is(untrained, capsys):
    assert main(["info", str(untrained["bpe"])]) == 0
    out = capsys.readouterr().out
    assert "encoder    roberta" in out
    assert "relation   CLASHED_WITH: FACTION - FACTION" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x.txt", "--model", "/nowhere/model"], "there is no folder /nowhere/model"),
        (["info", "/nowhere/model"], "there is no folder"),
        (["evaluate", "--data", "/nowhere/gold.jsonl"], "no annotated document"),
        (["train", "--train", "/nowhere/a.jsonl", "--dev", "/nowhere/b.jsonl", "--output", "/tmp/never"], "/nowhere/a.jsonl"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments, message, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_train_and_predict_from_the_command_line(encoders, tmp_path, capsys):
    from test_training import residents, write

    files = write(tmp_path / "a.data", residents(16, 0)), write(tmp_path / "b.jsonl", residents(4, 1))
    command = ["train", "--train", str(files[0]), "--dev", str(files[1]), "--output", str(tmp_path / "m"), "--init", str(encoders["bpe"])]
    assert main(command) == 2
    assert "a.data: no reader for .data" in capsys.readouterr().err
    command += ["--input-format", "jsonl"]
    assert main(command) == 2
    assert "unknown label 'PER'" in capsys.readouterr().err
    assert main([*command, "--schema", "data", "--epochs", "1"]) == 0
    assert "the model is in" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "m")]) == 0
    assert main(["predict", str(files[1]), "--model", str(tmp_path / "m"), "-o", str(tmp_path / "out.jsonl")]) == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4


def test_export_in_eight_bits(untrained, tmp_path, capsys):
    folder = shutil.copytree(untrained["wordpiece"], tmp_path / "m")
    assert main(["export", str(folder), "--int8", str(EXAMPLES), str(ROOT / "training" / "posts.inline")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"wrote encoder.int8.onnx, fitted on (\d+) of \1 reports", told)
    assert main(["predict", str(EXAMPLES), "--model", str(folder), "--precision", "int8", "-o", str(tmp_path / "out.jsonl")]) == 0
    # Texts are all that counts: bad annotations do not matter, blank rows are not counted, broken ones are named.
    table = tmp_path / "in.csv"
    table.write_text("body\nSix soldiers died in Taiz\n \n", encoding="utf-8")
    rows = ['{"text": "Nine soldiers died", "spans": [{"start": 5, "end": 3, "label": "X"}]}', "{"]
    (tmp_path / "broken.jsonl").write_text("\n".join(rows), encoding="utf-8")
    command = ["export", str(folder), "--int8", str(table), str(tmp_path / "broken.jsonl"), "--text-column", "body"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "fitted on 1 of 1 reports" in told.out and "broken.jsonl" in told.err
    table.write_text("body\n \n", encoding="utf-8")
    assert main(["export", str(folder), "--int8", str(table), "--text-column", "body"]) == 2
    assert "none holds text" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["records", "acled", "ucdp", "geojson", "csv", "parquet"])
def test_predict_writes_clash_records(run, tmp_path, format):
    code, out, _ = run("predict", str(EXAMPLES), "--format", format, "--published", "2018-03-04", "-o", str(tmp_path / "out"))
    assert (code, out) == (0, "") and (tmp_path / "out").stat().st_size > 100


@pytest.mark.parametrize("format", ["jsonl", "records", "acled", "ucdp", "geojson", "csv", "parquet"])
def test_ids_and_values_that_are_no_text_spoil_no_output(tmp_path, format):
    text = "The army shelled Taiz on Monday, killing six soldiers. The Houthis attacked the army in Taiz."
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"id": "a\ud800", "text": text, "k\ud800": "v\ud800"}) + '\n{"id": 1, "n": 1e999, "text": "x"}\n'
    )
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "a.jsonl"), "--format", format, "-o", str(out)]) == 0
    if format != "parquet":
        assert "a?" in out.read_text(encoding="utf-8")
    if format == "jsonl":
        found = [json.loads(line, parse_constant=pytest.fail) for line in out.read_text().splitlines()]
        assert [row.get("n") for row in found] == [None, None] and found[0]["k\ud800"] == "v\ud800"


def test_tables_as_spreadsheets_write_them(run, tmp_path):
    (tmp_path / "a.csv").write_text("id;text;n\n1;Six soldiers, they say, died.;0,5\n", encoding="utf-8")
    (tmp_path / "b.tsv").write_text('id\ttext\n2\tsix\n3\t"Six" died\n4\tseven\n', encoding="utf-8")
    code, out, err = run("predict", tmp_path / "a.csv", tmp_path / "b.tsv")
    assert (code, [row["id"] for row in rows(out)]) == (1, ["1", "2"])
    assert rows(out)[0]["n"] == "0,5"
    assert "b.tsv:3: broken CSV" in err


def test_a_day_of_publication_must_be_one(run):
    with pytest.raises(SystemExit):
        run("predict", str(EXAMPLES), "--published", "yesterday")
