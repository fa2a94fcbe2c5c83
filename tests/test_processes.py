"""Training in two processes that average their gradients (DDP over gloo, on the CPU)."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT
from test_training import residents, write

from clashnlp import ClashModel
from clashnlp.training.trainer import TrainOptions, train

# What each process draws is written down; the rest is `clashnlp train`.
PROGRAM = """
import json, os, sys
from clashnlp.cli import main
from clashnlp.training.augment import Reports
folder, *arguments = sys.argv[1:]
drawn, get = [], Reports.__getitem__
def noted(self, index):
    drawn.append((self.epoch, index))
    return get(self, index)
Reports.__getitem__ = noted
code = main(arguments)
with open(f"{folder}/rank-{os.environ['RANK']}.json", "w") as out:
    json.dump(drawn, out)
sys.exit(code)
"""
EPOCHS = 4


@pytest.fixture(scope="module")
def trained(encoders, tmp_path_factory):
    """The folder of a model that two processes trained on four documents each a step, and what they said."""
    folder = tmp_path_factory.mktemp("processes")
    write(folder / "train.jsonl", residents(120, 0))
    write(folder / "dev.jsonl", residents(20, 1))
    (folder / "program.py").write_text(PROGRAM)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(folder / "program.py"),
        str(folder),
    ]
    command += ["train", "--train", str(folder / "train.jsonl"), "--dev", str(folder / "dev.jsonl"), "--output", str(folder / "model")]
    command += ["--init", str(encoders["wordpiece"]), "--schema", "data", "--epochs", str(EPOCHS), "--batch-documents", "4"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "--learning-rate", "4e-4"], env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def test_each_process_learns_from_its_share(trained):
    folder, _ = trained
    drawn = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    for epoch in range(EPOCHS):
        shares = [{index for at, index in one if at == epoch} for one in drawn]
        assert [len(share) for share in shares] == [60, 60]
        assert shares[0] | shares[1] == set(range(120))


def test_one_process_measures_writes_and_tells(trained):
    folder, said = trained
    lines = said.splitlines()
    for line in ("train: 120 documents", "epoch 1.0: spans_f1", "epoch 4.0: spans_f1", "spans, strict", "the model is in"):
        assert sum(line in other for other in lines) == 1, (line, said)
    assert not (folder / "model" / "checkpoints").exists()
    [person] = ClashModel.from_pretrained(folder / "model").predict("Reza Amini lives in Leeds. A train to Cairo left.").of("PER")
    assert person.text == "Reza Amini"


def test_two_processes_learn_what_one_learns(trained, encoders):
    folder, said = trained
    lines: list[str] = []
    options = TrainOptions(init=encoders["wordpiece"], schema="data", epochs=EPOCHS, batch_documents=8, learning_rate=4e-4)
    files = {"train_files": [folder / "train.jsonl"], "dev_files": [folder / "dev.jsonl"]}
    train(**files, output=folder / "one", options=options, report=lines.append)
    one, two = ([float(f1) for f1 in re.findall(r"spans_f1 ([\d.]+)", text)] for text in ("\n".join(lines), said))
    print(f"span F1 by epoch, one process {one}, two {two}")
    assert len(one) == len(two) == EPOCHS
    assert min(one) < 0.7  # Else the comparison would say nothing.
    # Five seeds of one process lie 0.10 apart at the end and 0.22 one pass before.
    assert abs(one[-1] - two[-1]) < 0.1
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 0.22
