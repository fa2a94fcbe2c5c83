"""The scripts that make the released model run: each on a tiny encoder or model that is built in code."""

import importlib.util
import json
import lzma
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import CORPUS, ROOT
from tokenizers import Tokenizer

from clashnlp.config import ModelConfig
from clashnlp.formats import jsonl, read_documents
from clashnlp.network import load_network
from clashnlp.schema import CLASH
from clashnlp.training.start import start


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "training" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, *arguments) -> str:
    command = [sys.executable, ROOT / "training" / f"{name}.py", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_pretraining_writes_an_encoder_that_training_takes(encoders, corpus, tmp_path):
    text = tmp_path / "en.txt.xz"
    with lzma.open(text, "wt", encoding="utf-8") as file:
        file.write("\n\n".join(document.text for document in corpus))
    options = ("--length", 32, "--batch", 3, "--minutes", 0.02)
    run("pretrain", "--text", text, "--init", encoders["wordpiece"], "--output", tmp_path / "one", *options)
    run("pretrain", "--text", text, "--init", tmp_path / "one", "--output", tmp_path / "two", "--seed", 1, *options)
    facts = json.loads((tmp_path / "two" / "pretraining.json").read_text())
    assert facts["tokens"] > 0 and facts["before"]["tokens"] > 0 and facts["before"]["before"] == {}
    network, _, config = start(tmp_path / "two", schema=None)
    before, _, _ = start(encoders["wordpiece"], schema=None)
    name = "embeddings.word_embeddings.weight"
    assert not network.encoder.state_dict()[name].equal(before.encoder.state_dict()[name])
    # The masked-language model went without dropout; fine-tuning does not.
    assert config.encoder["hidden_dropout_prob"] == 0.1


@pytest.mark.parametrize(("new", "kept"), [("nothing", 1.0), ("embeddings", 0.5), ("all", 0.0)])
def test_replaced_token_detection_and_random_beginnings(encoders, corpus, tmp_path, new, kept):
    text = tmp_path / "en.txt.xz"
    with lzma.open(text, "wt", encoding="utf-8") as file:
        file.write("\n\n".join(document.text for document in corpus))
    options = ("--length", 32, "--batch", 3, "--minutes", 0.005, "--learning-rate", 1e-9, "--objective", "rtd", "--new", new, "--seed", 7)
    run("pretrain", "--text", text, "--init", encoders["wordpiece"], "--output", tmp_path / "one", *options)
    facts = json.loads((tmp_path / "one" / "pretraining.json").read_text())
    assert (facts["objective"], facts["new"]) == ("rtd", new)
    after = start(tmp_path / "one", schema=None)[0].encoder.state_dict()
    before = start(encoders["wordpiece"], schema=None)[0].encoder.state_dict()
    # At that rate a weight is where it was unless it began anew.
    names = ("embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight")
    same = [bool((after[name] - before[name]).abs().max() < 1e-4) for name in names]
    assert sum(same) / 2 == kept and after.keys() == before.keys()


def test_the_generator_is_asked_about_masked_tokens_and_the_encoder_about_all(encoders):
    torch.manual_seed(0)
    pretrain = script("pretrain")
    model = pretrain.ReplacedTokenDetection(start(encoders["wordpiece"], schema=None)[0].encoder)
    ids = torch.randint(5, 100, (2, 12))
    masked = torch.zeros_like(ids, dtype=torch.bool)
    masked[0, 3] = True
    model(ids, masked, ids[masked]).backward()
    assert model.detect.weight.grad.abs().sum() > 0 and model.generator.transform.weight.grad.abs().sum() > 0
    # Embeddings are shared: what the generator learns of words, the encoder knows.
    assert model.generator.encoder.get_input_embeddings() is model.encoder.get_input_embeddings()


def test_pretraining_leaves_out_the_documents_that_it_is_told_to(tmp_path):
    long = "The Tigers took the village of Aruz after two days of shelling, officials said on Monday."
    with lzma.open(tmp_path / "en.txt.xz", "wt", encoding="utf-8") as file:
        file.write(f"A report.\n\nA headline\n{long} More.\n\nAnother report.")
    (tmp_path / "dev.jsonl").write_text(json.dumps({"text": f"Short\n{long}"}) + "\n", encoding="utf-8")
    pretrain = script("pretrain")
    left = pretrain.read_documents([tmp_path / "en.txt.xz"], leave_out=pretrain.first_lines(tmp_path / "dev.jsonl"))
    assert left == ["A report.", "Another report."]


def test_heads_of_before_names_were_compared_are_kept(untrained, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(untrained["wordpiece"], folder)
    row = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for relation in row["schema"]["relations"]:
        del relation["distinct"]
    (folder / "config.json").write_text(json.dumps(row), encoding="utf-8")
    network, _, config = start(folder, schema=CLASH)
    before = load_network(folder, ModelConfig.load(folder / "config.json"))
    assert config.schema == CLASH and network.tagger.weight.equal(before.tagger.weight)


@pytest.fixture(scope="module")
def averaged(untrained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("averaged") / "model"
    dev = CORPUS / sorted(path.name for path in CORPUS.glob("*.inline"))[0]
    printed = run("average", "--models", untrained["wordpiece"], untrained["wordpiece"], "--dev", dev, "--output", folder)
    return folder, printed


def test_the_average_of_a_model_with_itself_is_the_model(averaged, untrained):
    folder, printed = averaged
    assert "spans, strict" in printed
    config = ModelConfig.load(folder / "config.json")
    assert config.training["averaged"] == 1  # One model, counted twice.
    mean, one = (load_network(where, config).state_dict() for where in (folder, untrained["wordpiece"]))
    assert all(mean[name].allclose(one[name], atol=1e-3) for name in one)


def test_models_of_different_shapes_are_not_averaged(untrained):
    with pytest.raises(SystemExit, match="only models of one shape"):
        script("average").average([untrained["wordpiece"], untrained["bpe"]])


def test_card_is_made_of_the_measured_figures(tmp_path):
    metrics = ROOT / "model_cards" / "embedded.json"
    run("card", "--model", ROOT / "clashnlp" / "data" / "model", "--metrics", metrics, "--output", tmp_path / "embedded.md")
    text = (tmp_path / "embedded.md").read_text(encoding="utf-8")
    assert text == (ROOT / "model_cards" / "embedded.md").read_text(encoding="utf-8")
    for kind, number in json.loads(metrics.read_text())["mistakes"]["spans"]["all"].items():
        assert kind in text and f" {number} |" in text
    assert (tmp_path / "embedded.png").stat().st_size > 5000


def test_auxiliary_documents_tell_which_labels_they_know():
    convert = script("auxiliary").convert
    text = "Ankara'ya giden Ali 3 gün kaldı."
    spans = [
        {"start": 0, "end": 9, "label": "GPE", "text": "Ankara'ya"},
        {"start": 16, "end": 19, "label": "PERSON", "text": "Ali"},
        {"start": 20, "end": 25, "label": "DATE", "text": "3 gün"},
    ]
    row = convert({"id": "t", "lang": "tr", "text": text, "spans": spans, "relations": [{"label": "X"}]}, "trwikiner")
    assert [(one["label"], one["text"], text[one["start"] : one["end"]]) for one in row["spans"]] == [
        ("PLACE", "Ankara", "Ankara"),
        ("PERSON", "Ali", "Ali"),
    ]
    assert row["relations"] == [] and {"PLACE", "PERSON", "COUNT"} <= set(row["labels"])


def test_of_two_nested_auxiliary_places_the_longer_is_kept():
    spans = [{"start": 7, "end": 11, "label": "GPE", "text": "Aruz"}, {"start": 0, "end": 11, "label": "LOC", "text": "Gulf of Aruz"[:11]}]
    row = script("auxiliary").convert({"id": "t", "lang": "ar", "text": "Port at Aruz", "spans": spans, "relations": []}, "wojood_sample")
    assert [(one["start"], one["end"]) for one in row["spans"]] == [(0, 11)]


def test_the_loop_holds_a_third_out_and_compares_in_pairs(corpus):
    loop = script("loop")
    posts = list(loop.read_documents(loop.POSTS))
    folds = loop.parts(posts)
    assert sorted(post.id for fold in folds for post in fold) == sorted(post.id for post in posts)
    assert {len(fold) for fold in folds} == {24}
    assert all({post.lang for post in fold} == {"ar", "en", "fa", "tr"} for fold in folds)
    before, after = [(1, 2, 2), (0, 2, 4)] * 20, [(2, 2, 2), (1, 2, 4)] * 20
    assert loop.row("x", before, before) == "| x | 0.200 | 0.200 | +0.000 | +0.000 to +0.000 |"
    assert loop.row("x", before, after).startswith("| x | 0.200 | 0.600 | +0.400 | +0.3")


def test_cross_validation_goes_on_where_it_stopped_and_refuses_other_options(untrained, corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "training")
    crossvalidate = script("crossvalidate")
    for name, documents in (("data", corpus[:6]), ("dev", corpus[6:8])):
        (tmp_path / f"{name}.jsonl").write_text("".join(map(jsonl.write, documents)), encoding="utf-8")
    command = ["--work", tmp_path / "work", "--data", tmp_path / "data.jsonl", "--dev", tmp_path / "dev.jsonl", "--folds", 2]
    command += ["--init", untrained["wordpiece"], "--shared", "epochs=1", "--setting", "plain", "hidden=0", "changed=0"]
    command += ["--setting", "fast", "learning_rate=0.01"]

    def table() -> list[list[str]]:
        monkeypatch.setattr(sys, "argv", ["crossvalidate.py", *map(str, command)])
        crossvalidate.main()
        return [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " to " in line]

    rows = table()
    assert [row[0] for row in rows] == [
        f"| {name}, {kind}" for name in ("plain", "fast", "mean of these") for kind in ("spans", "relations")
    ]
    assert all(row[3:] == ["+0.000", "+0.000 to +0.000 |"] for row in rows[:2])
    files = sorted((tmp_path / "work").glob("*/*/counts.json"))
    runs = [json.loads(file.read_text()) for file in files]
    ids = [id for run in runs[:2] for id in run["of"]["ids"]]
    assert len(files) == 4 and sorted(ids) == sorted(document.id for document in corpus[:6])  # Each document is held out once.
    for file, one in zip(files, runs, strict=True):
        assert not set(one["of"]["ids"]) & {document.id for document in read_documents(file.with_name("train.jsonl"))}
    changed = {**runs[2], "counts": {"spans": [[1, 1, 1]] * len(runs[2]["of"]["ids"]), "relations": runs[2]["counts"]["relations"]}}
    files[2].write_text(json.dumps(changed))
    again = table()
    assert again[0][2] != rows[0][2] and again[2][2] == rows[2][2]  # It was read, not made again.
    command[command.index("epochs=1")] = "epochs=2"
    with pytest.raises(SystemExit, match="is of other options or documents"):
        table()
    with pytest.raises(SystemExit, match="'hidden=few' is no option; write one of epochs,"):
        crossvalidate.options_of(["hidden=few"])


def test_embeddings_of_another_vocabulary_are_carried_over(encoders, corpus, tmp_path):
    text = tmp_path / "en.txt.xz"
    with lzma.open(text, "wt", encoding="utf-8") as file:
        file.write("\n\n".join(document.text for document in corpus))
    run("embeddings", "--text", text, "--init", encoders["wordpiece"], "--output", tmp_path / "new", "--pieces", 800)
    name = "embeddings.word_embeddings.weight"
    folders = (encoders["wordpiece"], tmp_path / "new")
    old, new = (Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in folders)
    before, after = (start(folder, schema=CLASH)[0].encoder.state_dict()[name] for folder in folders)
    assert len(after) == new.get_vocab_size() == 800
    shared = set(new.get_vocab()) & set(old.get_vocab())
    assert shared and all(after[new.token_to_id(piece)].equal(before[old.token_to_id(piece)]) for piece in shared)
    for piece in set(new.get_vocab()) - shared:
        parts = old.encode(piece.removeprefix("##"), add_special_tokens=False).ids
        assert torch.allclose(after[new.token_to_id(piece)], before[parts].mean(0), atol=1e-6)


def test_skip_gram_vectors_are_mapped_into_the_space_of_the_embeddings(encoders, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "training")
    embeddings = script("embeddings")
    tokenizer = Tokenizer.from_file(str(encoders["wordpiece"] / "tokenizer.json"))
    random = np.random.default_rng(0)
    pieces = [piece for piece in tokenizer.get_vocab() if piece not in embeddings.SPECIAL]
    vectors = {piece: random.standard_normal(embeddings.WIDTH).astype(np.float32) for piece in pieces[:-1]}
    turn = random.standard_normal((embeddings.WIDTH, 16))
    weights = torch.from_numpy(random.standard_normal((tokenizer.get_vocab_size(), 16))).float()
    for piece, vector in vectors.items():
        weights[tokenizer.token_to_id(piece)] = torch.from_numpy(vector @ turn + 3.0).float()
    rows = embeddings.mapped(vectors, tokenizer, weights, generator=torch.Generator().manual_seed(0))
    # A map that is fitted on Latin pieces holds for the others, in direction, place and scale.
    foreign = [tokenizer.token_to_id(piece) for piece in vectors if not embeddings.ANCHOR.fullmatch(piece)]
    assert torch.nn.functional.cosine_similarity(rows[foreign], weights[foreign]).mean() > 0.95
    assert abs(float(rows[foreign].mean()) - 3.0) < 0.5
    assert 0.9 < float(rows[foreign].std() / weights[foreign].std()) < 1.1
    special = [tokenizer.token_to_id(token) for token in embeddings.SPECIAL]
    assert rows[special].equal(weights[special])
    unseen = rows[tokenizer.token_to_id(pieces[-1])]
    assert unseen.abs().max() > 0 and not unseen.isnan().any()


def test_skip_gram_learns_which_pieces_stand_together(encoders, monkeypatch):
    pytest.importorskip("gensim")
    monkeypatch.syspath_prepend(ROOT / "training")
    embeddings = script("embeddings")
    tokenizer = Tokenizer.from_file(str(encoders["wordpiece"] / "tokenizer.json"))
    letters = [piece for piece in "abcdefghijklmnop" if piece in tokenizer.get_vocab()]
    random = np.random.default_rng(0)
    groups = (letters[: len(letters) // 2], letters[len(letters) // 2 :])
    texts = [" ".join(random.choice(groups[at % 2], 12)) for at in range(600)]
    vectors = embeddings.skip_gram(tokenizer, [*texts, "z"], least=2)
    assert set(vectors) == set(letters)
    # So few words leave all vectors near one direction, which is taken out.
    centre = np.mean(list(vectors.values()), axis=0)
    unit = {piece: (vector - centre) / np.linalg.norm(vector - centre) for piece, vector in vectors.items()}
    within = np.mean([unit[one] @ unit[other] for group in groups for one in group for other in group if one != other])
    across = np.mean([unit[one] @ unit[other] for one in groups[0] for other in groups[1]])
    assert within > 0.5 > -0.5 > across
