"""Ray on this machine: one cluster of two workers for all tests."""

import json
import logging
import os
import signal
from pathlib import Path

import pytest
from test_jobs import files, reports, write_jsonl

from clashnlp import ClashModel, Document, MissingDependencyError
from clashnlp.cli import main
from clashnlp.jobs.job import Job
from clashnlp.jobs.plan import Settings
from clashnlp.ray import ClashPredictor, _ShardWorker

ray = pytest.importorskip("ray")
# Ray's own code warns of what is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def command(untrained, tmp_path_factory):
    """A job of 30 shards, and what it writes on the local engine."""
    folder = tmp_path_factory.mktemp("ray")
    path = write_jsonl(folder / "in.jsonl", 300)
    command = ["predict", str(path), "--shard-size", "10", "--model", str(untrained["wordpiece"]), "--threads", "1", "--output-dir"]
    assert main([*command, str(folder / "local")]) == 1
    return command, files(folder / "local")


def workers() -> list[int]:
    """The processes below this one that hold a model."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(entry.name)] = (entry / "cmdline").read_text()
            except (OSError, UnicodeDecodeError):
                continue  # It has ended meanwhile.

    def ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and ours(parents[process]))

    return [process for process, name in names.items() if name.startswith("ray::MapWorker") and ours(process)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers in /proc")
def test_the_shards_are_those_of_the_local_engine_even_if_workers_die(cluster, command, tmp_path, monkeypatch):
    options, expected = command
    add, added, killed = Job.add, [], set()

    def add_and_kill(job, outcome):
        add(job, outcome)
        added.append(outcome.number)
        if len(added) in (2, 12):
            process = next(process for process in workers() if process not in killed)
            os.kill(process, signal.SIGKILL)
            killed.add(process)

    monkeypatch.setattr(Job, "add", add_and_kill)
    arguments = [*options, str(tmp_path / "out"), "--engine", "ray", "--workers", "2"]
    assert main(arguments) == 1
    assert len(killed) == 2
    assert sorted(added) == list(range(30))
    assert files(tmp_path / "out") == expected


def test_a_job_goes_on_from_one_engine_to_the_other(cluster, command, tmp_path, monkeypatch):
    options, expected = command
    add = Job.add

    def cut(job, outcome):
        add(job, outcome)
        if len(job.done) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Job, "add", cut)
        assert main([*options, str(tmp_path / "out"), "--device", "cpu"]) == 130
    assert main([*options, str(tmp_path / "out"), "--resume", "--engine", "ray", "--workers", "2"]) == 1
    assert files(tmp_path / "out") == expected


def test_an_error_of_a_worker_is_one_sentence(cluster, command, tmp_path, monkeypatch, capsys):
    options, _ = command
    begin = Job._begin

    def begin_and_change(job):
        begin(job)
        Path(options[1]).write_bytes(b"")

    path = write_jsonl(tmp_path / "in.jsonl", 30)
    options = ["predict", str(path), *options[2:]]
    monkeypatch.setattr(Job, "_begin", begin_and_change)
    assert main([*options, str(tmp_path / "out"), "--engine", "ray", "--workers", "1"]) == 2
    assert "in.jsonl: was changed while the job ran" in capsys.readouterr().err


def test_workers_load_the_model_as_the_job_says(cluster, tmp_path, untrained, capsys):
    options = ["--model", str(untrained["wordpiece"]), "--engine", "ray", "--workers", "1", "--precision", "bfloat16"]
    assert main(["predict", str(write_jsonl(tmp_path / "in.jsonl", 3)), *options, "--output-dir", str(tmp_path / "out")]) == 2
    assert "the onnx backend has no precision bfloat16" in capsys.readouterr().err


def test_a_worker_with_another_model_stops_the_job(untrained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        shard_size=1, format="jsonl", published=None, text_column="text", input_format=None, batch_tokens=9, max_characters=9
    )
    load = {"name": untrained["wordpiece"], "revision": None, "backend": "onnx", "precision": None}
    worker = _ShardWorker(place=tmp_path, folder=tmp_path, settings=settings, same=("0", {}), load=load)
    assert "another model or version of clashnlp" in worker({"number": [0], "parts": ["[]"]})["error"][0]


def test_map_batches_with_the_model_loaded_once_a_worker(cluster, untrained):
    import ray.data

    texts = reports(40)
    rows = [{"id": at, "lang": "en", "text": None if at == 7 else text, "url": f"u{at}"} for at, text in enumerate(texts)]
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    found = (
        ray.data.from_items(rows, override_num_blocks=5)
        .map_batches(
            ClashPredictor, batch_size=8, concurrency=2, fn_constructor_kwargs={"model": str(untrained["wordpiece"]), "threads": 1}
        )
        .take_all()
    )
    assert [(row["id"], row["url"]) for row in found] == [(row["id"], row["url"]) for row in rows]
    assert [row["problem"] for row in found if row["problem"]] == ["column 'text' holds None, not a text"]
    assert found[7]["analysis"] == ""
    model = ClashModel.from_pretrained(untrained["wordpiece"], threads=1)
    for row, text in zip(found, texts, strict=True):
        if row["analysis"]:
            analysis, local = Document.from_dict(json.loads(row["analysis"])), model.predict(Document(text, id=row["id"], lang="en"))
            assert (analysis.id, analysis.lang, analysis.text) == (local.id, local.lang, local.text)
            assert [(span.start, span.end, span.label) for span in analysis.spans] == [
                (span.start, span.end, span.label) for span in local.spans
            ]
            assert [span.score for span in analysis.spans] == pytest.approx([span.score for span in local.spans], abs=1e-3)


def test_without_ray_the_extra_is_named(command, tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*command[0], str(tmp_path / "out"), "--engine", "ray"]) == 2
    assert "pip install 'clashnlp[ray]'" in capsys.readouterr().err
    assert issubclass(MissingDependencyError, ImportError)
