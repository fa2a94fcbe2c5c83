"""The model inside the package, and what the README and the card say of it."""

import contextlib
import io
import json
import re
import sys

import pytest
from conftest import EXAMPLES, ROOT

from clashnlp import CLASH, ClashModel
from clashnlp.cli import main
from clashnlp.evaluate import evaluate
from clashnlp.formats import read_documents
from clashnlp.store import EMBEDDED

README = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS = json.loads((ROOT / "model_cards" / "embedded.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model() -> ClashModel:
    return ClashModel.from_pretrained()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def without_scores(text: str) -> list[str]:
    return [re.sub(r"  \d\.\d\d$", "", line.rstrip()) for line in text.strip().splitlines()]


def test_readme_shows_what_the_first_command_prints(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["predict", str(EXAMPLES)]) == 0
    assert without_scores(capsys.readouterr().out) == without_scores(blocks("text")[0])


def test_readme_shows_what_its_python_prints():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(blocks("python")[0], {})
    assert out.getvalue().strip() == blocks("text")[1].strip()


def test_readme_and_card_give_the_measured_figures():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    card = (ROOT / "model_cards" / "embedded.md").read_text(encoding="utf-8")
    for part in (METRICS["spans"], METRICS["relations"]):
        assert f"**{part['f1']:.3f}**" in README
        assert f"F1 of {part['f1']:.3f}" in changes
        assert f"| all | {part['precision']:.3f} | {part['recall']:.3f} | {part['f1']:.3f} |" in card
    assert f"{METRICS['attributes']['outcome']['accuracy']:.3f}" in README


@pytest.mark.parametrize(("backend", "precision", "least"), [("torch", None, (0.96, 0.93)), ("onnx", "int8", (0.93, 0.85))])
def test_backends_and_precisions_read_the_corpus_alike(model, corpus, backend, precision, least):
    documents = corpus[::12]
    other = ClashModel.from_pretrained(backend=backend, precision=precision)
    metrics = evaluate(list(other.predict_many(documents)), list(model.predict_many(documents)), CLASH)
    assert metrics["spans"]["f1"] > least[0]
    assert metrics["relations"]["f1"] > least[1]


def test_the_model_reads_reports_that_it_was_not_trained_on(model):
    """Annotated reports of our own that no training file holds: far below the development figure would mean a broken release."""
    gold = list(read_documents(ROOT / "tests" / "data" / "held_out.inline"))
    metrics = evaluate(gold, list(model.predict_many(gold)), CLASH)
    assert metrics["spans"]["f1"] > 0.6
    assert metrics["relations"]["f1"] > 0.35


def test_a_force_does_not_fight_its_own_men(model):
    text = (ROOT / "examples" / "taiz_en.txt").read_text(encoding="utf-8")
    clashes = [(one.head.text, one.tail.text) for one in model.predict(text).relations if one.label == "CLASHED_WITH"]
    assert not [pair for pair in clashes if {name.removesuffix("s") for name in pair} == {"Houthi"}]


def test_the_model_is_whole_and_says_nothing_of_the_machine_that_made_it():
    files = {path.name: path.stat().st_size for path in EMBEDDED.iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors", "encoder.onnx", "encoder.int8.onnx", "relate.onnx"} <= set(files)
    assert sum(files.values()) < 64e6
    for name in ("config.json", "encoder.onnx", "encoder.int8.onnx", "relate.onnx"):
        assert not re.search(rb"/(?:home|root|tmp|opt|mnt|Users)/", (EMBEDDED / name).read_bytes())
