import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from clashnlp import ClashModel, DataError
from clashnlp.cli import main
from clashnlp.jobs import plan
from clashnlp.jobs.duplicates import find_duplicates
from clashnlp.jobs.job import Job

FORCES = ["Houthi fighters", "قوات النظام", "rejim güçleri", "نیروهای طالبان"]
PLACES = ["Taiz", "حلب", "İdlib", "کنر"]


def reports(count, seed=0):
    drawn = random.Random(seed)
    sentence = "{} attacked {} near {}, killing {} soldiers."
    return [
        " ".join(
            sentence.format(drawn.choice(FORCES), drawn.choice(FORCES), drawn.choice(PLACES), drawn.randint(2, 40))
            for _ in range(drawn.choice([1, 1, 2, 6]))
        )
        for _ in range(count)
    ]


def write_jsonl(path, count, seed=0):
    """Reports, among them broken lines, blank lines, reports without text and an id that stands twice."""
    lines = []
    for at, text in enumerate(reports(count, seed)):
        if at % 17 == 3:
            lines.append('{"id": 1, "text": ')
        elif at % 19 == 4:
            lines.append(json.dumps({"id": at, "text": " "}))
        else:
            lines.append(json.dumps({"id": 5 if at == 8 else at, "text": text, "url": f"u{at}"}, ensure_ascii=False))
        if at % 23 == 1:
            lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def shard_rows(folder, kind="shard"):
    return [json.loads(line) for path in sorted(folder.glob(f"{kind}-*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def job(untrained, capsys):
    """Runs a job with a tiny model; returns the exit code and what was said."""

    def run(*arguments, model="wordpiece"):
        code = main(["predict", *map(str, arguments), "--model", str(untrained[model]), "--threads", "1"])
        return code, capsys.readouterr().err

    return run


@pytest.fixture(scope="module")
def whole(untrained, tmp_path_factory):
    """An input, and what an uninterrupted job makes of it."""
    folder = tmp_path_factory.mktemp("job")
    path = write_jsonl(folder / "in.jsonl", 60)
    options = ["predict", str(path), "--shard-size", "20", "--model", str(untrained["wordpiece"]), "--threads", "1", "--output-dir"]
    assert main([*options, str(folder / "out")]) == 1
    return options, files(folder / "out")


def test_no_row_is_lost_and_the_shards_are_those_of_the_rows(job, tmp_path):
    path = write_jsonl(tmp_path / "in.jsonl", 60)
    code, said = job(path, "--output-dir", tmp_path / "out", "--shard-size", 7)
    assert code == 1
    rejects, found = shard_rows(tmp_path / "out", "rejects"), shard_rows(tmp_path / "out")
    assert len(found) + len(rejects) == 60
    assert said.splitlines() == [
        f"clashnlp: {len(found)} reports read, {len(rejects)} rejected, 9 shards",
        "clashnlp: 1 reports bear the id of an earlier one: 5 in shard 1",
    ]
    lines = path.read_text(encoding="utf-8").splitlines()
    for row in rejects:
        assert row["file"] == str(path)
        line = lines[row["line"] - 1]
        assert ("broken JSON" in row["reason"]) == line.endswith('"text": ')
        assert ("holds no text" in row["reason"]) == line.endswith('" "}')
    # Without shards the same reports are read alike, in the same order; those without text stay there.
    job(path, "-o", tmp_path / "flat.jsonl")
    flat = [json.loads(line) for line in (tmp_path / "flat.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["url"] for row in flat if row["text"].strip()] == [row["url"] for row in found]
    manifest = json.loads((tmp_path / "out" / "job.json").read_text())
    assert (manifest["rows"], manifest["result"]["documents"], manifest["result"]["rejected"]) == (60, len(found), len(rejects))


def test_what_is_cut_off_at_any_write_is_completed_to_the_same_bytes(whole, tmp_path, monkeypatch):
    options, expected = whole
    sync, calls, limit = os.fsync, 0, 0

    class CutOff(BaseException):
        pass

    def cut(handle):
        nonlocal calls
        calls += 1
        if calls == limit:
            raise CutOff
        sync(handle)

    monkeypatch.setattr(os, "fsync", cut)
    for limit in range(1, 99):
        folder = tmp_path / str(limit)
        calls = 0
        try:
            main([*options, str(folder)])
            break
        except CutOff:
            calls = 99
            assert main([*options, str(folder), "--resume"]) == 1
        assert files(folder) == expected, limit
    # Shard, rejects, names, ids and journal of three shards, and the manifest twice with its names.
    assert limit == 3 * 5 + 2 * 2 + 1


def test_a_torn_journal_is_taken_up_where_it_is_whole(whole, tmp_path):
    options, expected = whole
    manifest = json.loads(expected["job.json"])
    result = manifest.pop("result")
    rows = [json.dumps({"shard": at, **row}) + "\n" for at, row in enumerate(result["files"].values())]
    for torn in range(0, len(rows[1]), 30):
        folder = tmp_path / str(torn)
        folder.mkdir()
        for name in ("shard-00000.jsonl", "rejects-00000.jsonl", "shard-00001.jsonl"):
            (folder / name).write_bytes(expected[name])
        (folder / "job.json").write_text(json.dumps(manifest))
        (folder / "job.journal").write_text(rows[0] + rows[1][:torn])
        (folder / "job.ids").write_bytes(bytes(16 * result["files"]["shard-00000.jsonl"]["documents"] + torn))
        (folder / "shard-00001.jsonl.part").write_bytes(b"{")
        assert main([*options, str(folder), "--resume"]) == 1
        found = files(folder)
        assert list(found) == list(expected)
        # The ids of the first shard are made up here, and the manifest counts them.
        assert {**found, "job.json": b""} == {**expected, "job.json": b""}


def test_a_job_killed_again_and_again_is_completed_to_the_same_bytes(untrained, tmp_path):
    path = write_jsonl(tmp_path / "in.jsonl", 900, seed=1)
    command = [sys.executable, "-m", "clashnlp.cli", "predict", str(path), "--shard-size", "10", "--threads", "1"]
    command += ["--model", str(untrained["wordpiece"]), "--output-dir"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    subprocess.run([*command, str(tmp_path / "whole")], env=environment, stderr=subprocess.DEVNULL, check=False)
    took = time.monotonic() - began
    drawn, kills, amid = random.Random(7), 0, 0
    journal = tmp_path / "cut" / "job.journal"
    while True:
        process = subprocess.Popen([*command, str(tmp_path / "cut"), "--resume"], env=environment, stderr=subprocess.PIPE)
        if kills < 5:
            # A kill before the first shard proves little, so the clock runs from the moment that the job is at work.
            size = journal.stat().st_size if journal.exists() else 0
            while process.poll() is None and not (journal.exists() and journal.stat().st_size > size):
                time.sleep(0.002)
            time.sleep(drawn.uniform(0, took / 12))
        if kills < 5 and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            amid += journal.exists() and 0 < len(journal.read_bytes().splitlines()) < 90
            continue
        _, said = process.communicate()
        assert process.returncode == 1, said
        break
    print(f"{kills} kills, {amid} of them amid the shards")
    assert amid >= 3
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_resume_refuses_another_job(tmp_path, job, untrained):
    path, out = write_jsonl(tmp_path / "in.jsonl", 20), tmp_path / "out"
    assert job(path, "--output-dir", out, "--shard-size", 5)[0] == 1
    before = files(out)
    assert "not empty; go on with its job by --resume" in job(path, "--output-dir", out, "--shard-size", 5)[1]
    for changed, message in (
        (["--shard-size", 6], "settings: shard_size was 5, now 6"),
        (["--shard-size", 5, "--format", "records"], "settings: format was 'jsonl', now 'records'"),
        (["--shard-size", 5, "--published", "2018-03-03"], "settings: published was None, now '2018-03-03'"),
        (["--shard-size", 5, "--batch-tokens", 512], "settings: batch_tokens was 2048, now 512"),
    ):
        code, said = job(path, "--output-dir", out, "--resume", *changed)
        assert (code, message in said) == (2, True), said
    for changed, message in (
        (["--backend", "openvino"], "model: backend was 'onnx', now 'openvino'"),
        (["--precision", "float32"], "model: precision was None, now 'float32'"),
    ):
        code, said = job(path, "--output-dir", out, "--resume", "--shard-size", 5, *changed)
        assert (code, message in said) == (2, True), said
    unused = untrained["wordpiece"] / "encoder.int8.onnx"
    try:
        unused.write_bytes(b"a graph that the job does not read")
        assert job(path, "--output-dir", out, "--resume", "--shard-size", 5)[0] == 1
    finally:
        unused.unlink()
    code, said = job(path, "--output-dir", out, "--resume", "--shard-size", 5, model="bpe")
    assert (code, "holds another job: model: files: config.json was" in said) == (2, True)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"killing", b"wounding", 1))
    code, said = job(path, "--output-dir", out, "--resume", "--shard-size", 5)
    assert (code, f"the input {path} is new or was changed" in said) == (2, True)
    code, said = job(tmp_path / "." / ".." / tmp_path.name / "in.jsonl", "--output-dir", out, "--resume", "--shard-size", 5)
    assert (code, "is new or was changed, in name or content" in said) == (2, True)
    # The same bytes under another time are the same input.
    path.write_bytes(content)
    assert job(path, "--output-dir", out, "--resume", "--shard-size", 5)[0] == 1
    assert files(out) == before
    (out / "shard-00001.jsonl").write_bytes(b"")
    assert "shard-00001.jsonl: is missing or was changed" in job(path, "--output-dir", out, "--resume", "--shard-size", 5)[1]


def test_shards_of_nobody_knows_which_job_are_not_mixed_with_others(tmp_path, job):
    path, out = write_jsonl(tmp_path / "in.jsonl", 3), tmp_path / "out"
    job(path, "--output-dir", out)
    (out / "job.json").unlink()
    before = files(out)
    code, said = job(path, "--output-dir", out, "--resume")
    assert (code, "holds shards and no job.json" in said) == (2, True)
    assert {name: data for name, data in files(out).items() if data} == before


def test_two_processes_do_not_share_a_folder(tmp_path):
    path = write_jsonl(tmp_path / "in.jsonl", 5)
    settings = plan.Settings(
        shard_size=2, format="jsonl", published=None, text_column="text", input_format=None, batch_tokens=9, max_characters=99
    )
    jobs = [Job(tmp_path / "out", [str(path)], settings, model={}, resume=True) for _ in range(2)]
    with jobs[0], pytest.raises(DataError, match="another process is at work"), jobs[1]:
        pass
    with jobs[1]:
        pass


def test_a_file_that_changes_under_the_job_stops_it(tmp_path):
    path = write_jsonl(tmp_path / "in.jsonl", 30)
    settings = plan.Settings(
        shard_size=7, format="jsonl", published=None, text_column="text", input_format=None, batch_tokens=9, max_characters=9999
    )
    with Job(tmp_path / "out", [str(path)], settings, model={}, resume=False) as job:
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(DataError, match="was changed while the job ran"):
            list(job.shard(2).documents(lambda _: None))


@pytest.mark.skipif("CLASHNLP_SLOW" not in os.environ, reason="takes minutes; set CLASHNLP_SLOW")
def test_memory_is_flat_over_100_000_reports(untrained, tmp_path):
    path = tmp_path / "in.jsonl"
    with path.open("w", encoding="utf-8") as out:
        out.writelines(
            json.dumps({"id": f"report-{at}", "text": f"{at % 40 + 2} soldiers were killed near {PLACES[at % 4]}."}) + "\n"
            for at in range(100_000)
        )
    command = [sys.executable, "-m", "clashnlp.cli", "predict", str(path), "--output-dir", str(tmp_path / "out"), "--threads", "1"]
    command += ["--model", os.environ.get("CLASHNLP_MODEL", str(untrained["wordpiece"]))]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    began, sizes = time.monotonic(), []
    while process.poll() is None:
        pages = Path(f"/proc/{process.pid}/statm").read_text().split()
        shards = len(list((tmp_path / "out").glob("shard-*.jsonl")))
        if len(pages) > 1 and shards >= 5:
            sizes.append((shards, int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6))
        time.sleep(0.5)
    assert process.returncode == 0
    most = max(size for _, size in sizes)
    print(
        f"{time.monotonic() - began:.0f} s; MB after 5 shards {sizes[0][1]:.1f}, after {sizes[-1][0]} {sizes[-1][1]:.1f}, most {most:.1f}"
    )
    assert most - sizes[0][1] < 50


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "txt"])
def test_every_format_of_input_in_shards_is_read_as_in_one(kind, tmp_path, job):
    folder = tmp_path / "in"
    folder.mkdir()
    texts = [f"{text}\nSecond line, with a comma" if at % 3 else text for at, text in enumerate(reports(23))]
    if kind == "parquet":
        pq.write_table(pa.table({"id": range(23), "text": texts, "n": range(23)}), folder / "a.parquet", row_group_size=6)
    elif kind == "txt":
        for at, text in enumerate(texts):
            (folder / f"{at:02}.txt").write_text(text, encoding="utf-8")
    else:
        for half in (0, 1):
            with (folder / f"{half}.{kind}").open("w", encoding="utf-8-sig", newline="") as out:
                writer = csv.writer(out, delimiter="\t" if kind == "tsv" else ",")
                # No ids, so that they are made of the line, which the cuts must not move.
                writer.writerows([["text", "a\nb"], *([text, at] for at, text in enumerate(texts) if at % 2 == half), []])
    assert job(folder, "--output-dir", tmp_path / "out", "--shard-size", 5)[0] == 0
    assert job(folder, "-o", tmp_path / "flat.jsonl")[0] == 0
    flat = [json.loads(line) for line in (tmp_path / "flat.jsonl").read_text(encoding="utf-8").splitlines()]
    found = shard_rows(tmp_path / "out")
    assert [(row["id"], row["text"]) for row in found] == [(row["id"], row["text"]) for row in flat]
    assert [len(path.read_text().splitlines()) for path in sorted((tmp_path / "out").glob("shard-*"))] == [5, 5, 5, 5, 3]


def test_broken_files_are_rejected_with_all_their_rows(tmp_path, job):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text('text,n\none soldier,1\ntwo,2,3\n"three" x,3\nfour,4\n', encoding="utf-8")
    (folder / "b.csv").write_text("report\nx\ny\n", encoding="utf-8")
    (folder / "c.parquet").write_bytes(b"PAR1 nothing")
    (folder / "d.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "e.jsonl").write_text('{"text": "%s"}\n{"text": "x"}\n' % ("long " * 100), encoding="utf-8")
    data = pa.table({"text": ["صدّ الجيش هجوماً" * 9, None, "c", "d"]})
    pq.write_table(data, folder / "f.parquet", row_group_size=1, use_dictionary=False, compression="none")
    code, said = job(folder, "--output-dir", tmp_path / "out", "--shard-size", 3, "--max-characters", 300)
    assert code == 1
    told = [(Path(row["file"]).name, row.get("line"), row["reason"], row.get("rows", 1)) for row in shard_rows(tmp_path / "out", "rejects")]
    for (name, line, part), (file, at, reason, rows) in zip(
        [
            ("a.csv", 3, "the row has 3 fields"),
            ("a.csv", 4, "the rows from there on were not read"),
            ("b.csv", None, "there is no column 'text'"),
            ("c.parquet", None, "broken Parquet file"),
            ("d.txt", None, "is UTF-16"),
            ("e.jsonl", 1, "has 500 characters, more than --max-characters 300"),
            ("f.parquet", 2, "holds None, not a text"),
        ],
        told,
        strict=True,
    ):
        assert (name, line, rows) == (file, at, 1)
        assert part in reason
    assert said.startswith("clashnlp: 5 reports read, 7 rejected, 4 shards")


def test_a_line_too_long_to_hold_is_passed_over(tmp_path, job, monkeypatch):
    monkeypatch.setattr(plan, "_BLOCK", 100)
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n{"text": "%s"}\n{"text": "b"}' % ("x" * 2000), encoding="utf-8")
    assert job(path, "--output-dir", tmp_path / "out", "--max-characters", 100)[0] == 1
    assert [row["id"] for row in shard_rows(tmp_path / "out")] == ["in-1", "in-3"]
    assert [row["reason"] for row in shard_rows(tmp_path / "out", "rejects")] == ["the line has 2013 bytes, more than 900"]
    table = tmp_path / "in.csv"
    table.write_text('text\na\nb\n"%s\n' % ("x" * 2000), encoding="utf-8")
    assert job(table, "--output-dir", tmp_path / "table", "--max-characters", 100)[0] == 1
    assert [row["id"] for row in shard_rows(tmp_path / "table")] == ["in-2", "in-3"]


def test_a_job_runs_on_the_backend_and_in_the_precision_that_are_named(tmp_path, job):
    pytest.importorskip("openvino")
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in reports(9)), encoding="utf-8")
    found = {}
    for precision in ("float32", "bfloat16"):
        options = [path, "--backend", "openvino", "--precision", precision]
        assert job(*options, "--output-dir", tmp_path / precision)[0] == 0
        assert job(*options, "-o", tmp_path / "flat.jsonl")[0] == 0
        found[precision] = files(tmp_path / precision)
        assert found[precision]["shard-00000.jsonl"] == (tmp_path / "flat.jsonl").read_bytes()
        model = json.loads(found[precision]["job.json"])["model"]
        assert (model["backend"], model["device"], model["precision"]) == ("openvino", "cpu", precision)
    assert found["float32"]["shard-00000.jsonl"] != found["bfloat16"]["shard-00000.jsonl"]


@pytest.mark.parametrize("format", ["records", "acled", "geojson", "parquet"])
def test_shards_of_records(format, tmp_path, job):
    path = write_jsonl(tmp_path / "in.jsonl", 12)
    job(path, "--output-dir", tmp_path / "a", "--shard-size", 5, "--format", format, "--published", "2018-03-03")
    job(path, "--output-dir", tmp_path / "b", "--shard-size", 5, "--format", format, "--published", "2018-03-03")
    assert len(list((tmp_path / "a").glob("shard-*"))) == 3
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--output-dir", "OUT"], "cannot be standard input"),
        (["nowhere.jsonl", "--output-dir", "OUT"], "there is no file or folder nowhere.jsonl"),
        (["IN", "--resume"], "name their folder with --output-dir"),
        (["IN", "--output-dir", "OUT", "-o", "x"], "name either -o or --output-dir"),
        (["FOLDER", "--output-dir", "OUT"], "out is in the input"),
        (["IN", "--output-dir", "OUT", "--input-format", "inline"], "a job reads text, jsonl, csv, parquet, not inline"),
        ([str(ROOT / "tests"), "--output-dir", "OUT", "--input-format", "brat"], "a job reads text, jsonl, csv, parquet, not brat"),
    ],
)
def test_what_cannot_be_a_job(arguments, message, tmp_path, job):
    names = {"FOLDER": tmp_path, "IN": write_jsonl(tmp_path / "in.jsonl", 3), "OUT": tmp_path / "out"}
    code, said = job(*[names.get(word, word) for word in arguments])
    assert (code, message in said) == (2, True), said


def test_an_empty_corpus_is_a_job_without_shards(tmp_path, job):
    (tmp_path / "in.jsonl").write_text("\n \n")
    assert job(tmp_path / "in.jsonl", "--output-dir", tmp_path / "out") == (0, "clashnlp: 0 reports read, 0 rejected, 0 shards\n")
    assert list(files(tmp_path / "out")) == ["job.json"]


def test_a_streamed_data_set_needs_no_job(untrained):
    datasets = pytest.importorskip("datasets")
    texts = reports(9)
    stream = datasets.IterableDataset.from_generator(lambda: ({"body": text} for text in texts))
    model = ClashModel.from_pretrained(untrained["wordpiece"])
    assert [analysis.text for analysis in model.predict_many(row["body"] for row in stream)] == texts


def test_duplicates_are_found_in_several_passes(tmp_path, monkeypatch):
    monkeypatch.setattr("clashnlp.jobs.duplicates._AT_ONCE", 64)
    drawn = random.Random(3)
    ids = [drawn.randrange(400) for _ in range(1000)]
    order = list(range(1000))
    drawn.shuffle(order)  # Shards of a cluster come in any order.
    digest = {value: drawn.getrandbits(64) for value in range(400)}
    (tmp_path / "ids").write_bytes(b"".join(digest[ids[at]].to_bytes(8, "little") + at.to_bytes(8, "little") for at in order))
    found = find_duplicates(tmp_path / "ids")
    again = [at for at in range(1000) if ids[at] in ids[:at]]
    assert (found.count, found.first) == (len(again), again[:10])
