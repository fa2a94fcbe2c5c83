"""The card that is written with a model, and its way to the Hub, against a stub that records what it is asked."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import ROOT
from huggingface_hub import ModelCard

from clashnlp import ClashModel, ModelError
from clashnlp.backends.onnx import INT8_FILE
from clashnlp.card import CARD_FILE, cell, model_card
from clashnlp.cli import main
from clashnlp.store import MODEL_FILES

METRICS = json.loads((ROOT / "model_cards" / "embedded.json").read_text(encoding="utf-8"))
FILES = [name for name in MODEL_FILES if name != INT8_FILE]  # Eight bits are made on demand.
TEXT = "Two soldiers died in Taiz. قتل ستة جنود في تعز"


@pytest.fixture
def saved(untrained, tmp_path):
    model = ClashModel.from_pretrained(untrained["wordpiece"])
    return model.save_pretrained(tmp_path / "my-model", metrics=METRICS, license="cc-by-4.0")


def test_a_saved_model_is_whole_and_reads_alike(saved, untrained):
    assert {path.name for path in saved.iterdir()} == {*FILES, CARD_FILE}
    assert ClashModel.from_pretrained(saved).predict(TEXT) == ClashModel.from_pretrained(untrained["wordpiece"]).predict(TEXT)


def test_a_changed_configuration_is_saved(untrained, tmp_path):
    model = ClashModel.from_pretrained(untrained["wordpiece"])
    changed = model.with_config(model.config.replace(relation_temperature=3.5))
    assert ClashModel.from_pretrained(changed.save_pretrained(tmp_path / "m")).config == changed.config


def test_a_model_is_not_saved_onto_itself(saved):
    with pytest.raises(ModelError, match="save it to another folder"):
        ClashModel.from_pretrained(saved).save_pretrained(saved)


def test_the_hub_reads_the_card(saved):
    card = ModelCard.load(saved / CARD_FILE)
    assert card.data.library_name == "clashnlp"
    assert card.data.pipeline_tag == "token-classification"
    assert card.data.license == "cc-by-4.0"
    assert card.data.language == ["ar", "en", "fa", "tr"]
    figures = {result.metric_name: result.metric_value for result in card.data.eval_results}
    accuracy = METRICS["attributes"]["outcome"]["accuracy"]
    assert figures == {"span F1": METRICS["spans"]["f1"], "relation F1": METRICS["relations"]["f1"], "outcome accuracy": accuracy}
    row = METRICS["relations"]["labels"]["BACKED_BY"]
    assert f"| BACKED_BY | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['gold']} |" in card.text
    # Sources may be confidential: whoever trains on them decides whether to name them.
    assert not set(METRICS["spans"]["sources"]) & set(re.findall(r"[\w/-]+", card.text))


def test_the_cards_python_runs(saved, monkeypatch):
    monkeypatch.chdir(saved.parent)
    code = re.search(r"```python\n(.*?)```", (saved / CARD_FILE).read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(code[1].replace("print", "result = "), names)
    assert len(names["result"]) == 2


def test_names_cannot_mark_anything_up(untrained):
    config = ClashModel.from_pretrained(untrained["wordpiece"]).config
    card = model_card(config.replace(training={"documents": 3, "langs": {"a|b\n<i>": 3}}), name="my [model]")
    assert r"# my \[model\]" in card
    assert r"(a\|b \<i\> 3)" in card
    assert cell("BACKED_BY") == "BACKED_BY"
    assert ModelCard(card).data.language is None


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload asks for; every file goes into the commit itself."""

    seen: list[tuple[str, str, str, bytes]]
    refused = False
    held: tuple[str, ...] = ()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        address = f"http://127.0.0.1:{self.server.server_port}/me/m"
        if "/preupload/" in self.path:
            answer = {"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]]}
        elif "/tree/" in self.path:
            answer = [{"type": "file", "path": name, "size": 1, "oid": "1"} for name in self.held]
        elif "/commit/" in self.path:
            answer = {"commitUrl": f"{address}/commit/1", "commitOid": "1", "success": True}
        else:
            answer = {"url": address, "name": "me/m", "id": "1", "type": "model", "private": True}
        data = json.dumps({"error": "Invalid username or password"} if self.refused else answer).encode()
        self.send_response(401 if self.refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def hub():
    """The stub, with the requests that it saw as `seen`."""
    handler = type("Handler", (Hub,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handler.address = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    server.server_close()


def push(hub, tmp_path, *arguments):
    own = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_test", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "clashnlp.cli", "push", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **own, "NO_PROXY": "127.0.0.1"}, capture_output=True, text=True, check=False)


def test_push_uploads_the_model_and_nothing_else(saved, hub, tmp_path):
    (saved / "reports.jsonl").write_text("secret", encoding="utf-8")
    (saved / "checkpoints").mkdir()
    (saved / "checkpoints" / "model.safetensors").write_bytes(b"secret")
    done = push(hub, tmp_path, saved, "me/m", "--private", "--revision", "draft")
    assert (done.returncode, done.stderr) == (0, "")
    assert [name for name in (*MODEL_FILES, CARD_FILE, "reports.jsonl", "checkpoints") if name in done.stdout] == [*FILES, CARD_FILE]
    made = next(json.loads(body) for _, path, _, body in hub.seen if path == "/api/repos/create")
    assert (made["name"], made["organization"]) == ("m", "me")
    # Which of the two the client says depends on its version.
    assert made.get("visibility") == "private" or made["private"]
    assert {token for _, path, token, _ in hub.seen if "create" in path or "commit" in path} == {"Bearer hf_test"}
    assert any(path == "/api/models/me/m/branch/draft" for _, path, _, _ in hub.seen)
    lines = next(body for _, path, _, body in hub.seen if path.startswith("/api/models/me/m/commit/draft")).splitlines()
    files = {row["value"]["path"]: row["value"]["content"] for row in map(json.loads, lines) if row["key"] == "file"}
    assert set(files) == {*FILES, CARD_FILE}
    for name, content in files.items():
        assert base64.b64decode(content) == (saved / name).read_bytes(), name


def test_graphs_of_the_model_before_do_not_survive(saved, untrained, hub, tmp_path):
    (saved / INT8_FILE).write_bytes(b"of other weights")
    ClashModel.from_pretrained(untrained["bpe"]).save_pretrained(saved)
    assert not (saved / INT8_FILE).exists()
    hub.held = (INT8_FILE, "config.json", "notes.md")
    assert push(hub, tmp_path, saved, "me/m").returncode == 0
    lines = next(body for _, path, _, body in hub.seen if path.startswith("/api/models/me/m/commit/")).splitlines()
    assert [row["value"]["path"] for row in map(json.loads, lines) if row["key"] == "deletedFile"] == [INT8_FILE]


def test_push_says_what_the_hub_says(saved, hub, tmp_path):
    hub.refused = True
    done = push(hub, tmp_path, saved, "me/m")
    assert done.returncode == 2
    assert "the Hub refused me/m (" in done.stderr
    assert "hf auth login" in done.stderr
    assert "Traceback" not in done.stderr


def test_push_refuses_a_folder_that_is_no_model(tmp_path, saved, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "config.json").write_text("{}", encoding="utf-8")
    assert main(["push", str(tmp_path / "notes"), "me/m"]) == 2
    assert "notes lacks tokenizer.json, model.safetensors, so it is no clashnlp model" in capsys.readouterr().err
    assert main(["push", str(tmp_path / "nothing"), "me/m"]) == 2
    assert "there is no folder" in capsys.readouterr().err
    (saved / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    assert main(["push", str(saved), "me/m"]) == 2
    assert "config.json: the model has format version" in capsys.readouterr().err


def test_a_model_without_a_card_gets_one(saved, hub, tmp_path):
    (saved / CARD_FILE).unlink()
    done = push(hub, tmp_path, saved, "me/m")
    assert "since the model had no card" in done.stdout
    assert ModelCard.load(saved / CARD_FILE).data.library_name == "clashnlp"
