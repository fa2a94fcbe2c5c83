import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CORPUS, KINDS
from huggingface_hub import ModelCard

from clashnlp import CLASH, ClashModel, DataError, Document, ModelConfig, ModelError, Relation, Schema, Span
from clashnlp.config import RELATION_THRESHOLD
from clashnlp.evaluate import evaluate
from clashnlp.formats import inline, jsonl, read_documents
from clashnlp.network import load_network
from clashnlp.spans import TAGS
from clashnlp.tokens import Tokenizer
from clashnlp.training.calibrate import _best_threshold, _half_of_best, _heat, _log_loss, calibrate
from clashnlp.training.data import MAX_WORDS, make_examples, read_annotated
from clashnlp.training.loss import Collator, JointLoss
from clashnlp.training.start import start
from clashnlp.training.trainer import TrainOptions, _comparison, train

# Another schema: persons, places and where they live.
PEOPLE = ["Ana Bell", "Omar Haddad", "Leyla Kaya", "Reza Amini", "Sam Fox", "Nadia Karim"]
CITIES = ["Rome", "Cairo", "Izmir", "Shiraz", "Leeds", "Basra"]


def residents(count: int, seed: int) -> list[Document]:
    random = np.random.default_rng(seed)
    documents = []
    for at in range(count):
        person, city, other = PEOPLE[random.integers(6)], CITIES[random.integers(6)], CITIES[random.integers(6)]
        text = f"{person} lives in {city}. A train to {other} left."
        spans = [Span(0, len(person), "PER", person, "a")]
        start = text.index(f" {city}.") + 1
        spans.append(Span(start, start + len(city), "LOC", city, "b"))
        start = text.index(f" {other} ") + 1
        spans.append(Span(start, start + len(other), "LOC", other, "c"))
        documents.append(Document(text, f"r{at}", "en", tuple(spans), (Relation(spans[0], spans[1], "Live_In"),)))
    return documents


def write(path: Path, documents: list[Document]) -> Path:
    path.write_text("".join(map(jsonl.write, documents)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory, encoders):
    """A model of persons and places, trained here in a few seconds, and what the training said."""
    folder = tmp_path_factory.mktemp("people")
    files = write(folder / "train.jsonl", residents(120, 0)), write(folder / "dev.jsonl", residents(20, 1))
    said: list[str] = []
    options = TrainOptions(init=encoders["wordpiece"], schema="data", epochs=6, learning_rate=2e-3, bf16=False)
    metrics = train(train_files=[files[0]], dev_files=[files[1]], output=folder / "model", options=options, report=said.append)
    return folder, metrics, said, options


def test_another_schema_is_learned_and_predicted(people):
    folder, metrics, said, _ = people
    assert metrics["spans"]["f1"] > 0.95
    assert metrics["relations"]["f1"] > 0.9
    assert "Live_In 120" in said[0]
    assert any(line.startswith("epoch 1.0: spans_f1") for line in said)
    for backend in ("onnx", "torch"):
        model = ClashModel.from_pretrained(folder / "model", backend=backend)
        analysis = model.predict("Leyla Kaya lives in Basra. A train to Rome left.")
        assert [(span.id, span.text) for span in analysis.spans] == [("P1", "Leyla Kaya"), ("L1", "Basra"), ("L2", "Rome")]
        assert [(r.head.id, r.label, r.tail.id) for r in analysis.relations] == [("P1", "Live_In", "L1")]
    dev = list(read_documents(folder / "dev.jsonl"))
    again = evaluate(dev, list(model.predict_many(dev)), model.config.schema)
    assert abs(again["spans"]["f1"] - metrics["spans"]["f1"]) < 0.02


def test_a_saved_model_says_nothing_of_this_machine(people, encoders):
    folder, _, _, _ = people
    text = (folder / "model" / "config.json").read_text()
    assert str(encoders["wordpiece"]) not in text
    assert "_name_or_path" not in text
    assert ModelConfig.load(folder / "model" / "config.json").training["documents"] == 120


def test_training_goes_on_from_a_trained_model(people, tmp_path):
    folder, metrics, _, options = people
    said: list[str] = []
    options = TrainOptions(init=folder / "model", epochs=1, learning_rate=1e-6, bf16=False)
    files = {"train_files": [folder / "train.jsonl"], "dev_files": [folder / "dev.jsonl"]}
    again = train(**files, output=tmp_path / "again", options=options, report=said.append)
    assert [line.split(":")[0] for line in said if line.startswith("epoch")] == ["epoch 0.0", "epoch 1.0"]
    # With next to no learning the trained heads must still be there.
    assert again["spans"]["f1"] > metrics["spans"]["f1"] - 0.05
    assert any("  before and after this training: spans " in line for line in said)


def test_a_training_that_makes_a_model_worse_says_so():
    before = {"epoch": 0, "eval_spans_f1": 0.9, "eval_relations_f1": 0.7}
    told = _comparison([before, {"epoch": 1, "eval_spans_f1": 0.8}], {"spans": {"f1": 0.85}, "relations": {"f1": 0.72}})
    assert "spans 0.900 -> 0.850, relations 0.700 -> 0.720" in told and "worse" in told
    assert "worse" not in _comparison([before], {"spans": {"f1": 0.91}, "relations": {"f1": 0.7}})
    assert _comparison([{"epoch": 1, "eval_spans_f1": 0.8}], {"spans": {"f1": 0.8}, "relations": {"f1": 0.7}}) == ""


def test_calibration_on_many_documents_outlives_a_few(people):
    folder, _, _, _ = people
    model = ClashModel.from_pretrained(folder / "model")
    earlier = model.config.replace(tag_temperature=1.23, span_thresholds={"PER": 0.2, "LOC": 0.2}, relation_thresholds={"Live_In": 0.41})
    assert calibrate(model.with_config(earlier), residents(4, 3)) == earlier
    # A hundred spans are enough to fit anew; a hundred relations are not there.
    fitted = calibrate(model.with_config(earlier), residents(40, 4))
    assert fitted.tag_temperature != 1.23
    assert fitted.relation_thresholds == {"Live_In": 0.41}
    assert start(folder / "model", schema=None)[2] == model.config


def test_a_model_that_finds_no_relation_keeps_its_threshold(people):
    folder, _, _, _ = people
    model = ClashModel.from_pretrained(folder / "model")
    spans = (Span(0, 7, "PER", "nothing", "a"), Span(8, 12, "LOC", "here", "b"))
    document = Document("nothing here", "d", "en", spans, (Relation(*spans, "Live_In"),))
    # Half of the best F1 would be 0 here, and every pair would be related.
    new = model.config.replace(span_thresholds={}, relation_thresholds={})
    assert calibrate(model.with_config(new), [document] * 30).relation_thresholds == {"Live_In": RELATION_THRESHOLD}


def test_old_documents_are_drawn_twice_as_many(people, tmp_path):
    folder, _, _, _ = people
    few = write(tmp_path / "few.jsonl", residents(4, 3))
    said: list[str] = []
    options = TrainOptions(init=folder / "model", old=[folder / "train.jsonl"], epochs=1, bf16=False)
    train(train_files=[few], dev_files=[few], output=tmp_path / "m", options=options, report=said.append)
    assert said[0].startswith("train: 12 documents (en 12)")
    assert said[1] == "  8 of these documents were drawn from the old ones"


def test_training_writes_a_card_with_what_it_learned_from(people):
    folder, metrics, _, _ = people
    card = ModelCard.load(folder / "model" / "README.md")
    assert card.data.language == ["en"]
    assert {one.metric_name for one in card.data.eval_results} == {"span F1", "relation F1"}
    assert re.search(r"- 120 annotated documents \(en 120\), \d\.\d passes", card.text)
    row = metrics["relations"]["labels"]["Live_In"]
    assert f"| Live_In | {row['precision']:.3f} |" in card.text


def test_resuming_takes_up_the_last_checkpoint(people, tmp_path):
    folder, _, _, _ = people
    options = TrainOptions(init=folder / "model", epochs=2, learning_rate=1e-4, bf16=False)
    files = {"train_files": [folder / "train.jsonl"], "dev_files": [folder / "dev.jsonl"], "output": tmp_path / "m"}

    def cut(line: str) -> None:
        if line.startswith("epoch 2.0"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(**files, options=options, report=cut)
    assert not (tmp_path / "m" / "model.safetensors").exists()
    said: list[str] = []
    with pytest.raises(ModelError, match=r"holds another run .seed was '13', now '7'."):
        train(**files, options=replace(options, resume=True, seed=7), report=said.append)
    said.clear()
    train(**files, options=replace(options, resume=True), report=said.append)
    assert [line.split(":")[0] for line in said if line.startswith("epoch")] == ["epoch 2.0"]
    assert (tmp_path / "m" / "model.safetensors").exists()
    assert not (tmp_path / "m" / "checkpoints").exists()


def test_without_resume_an_earlier_run_is_not_taken_up(people, tmp_path):
    folder, _, _, _ = people
    (tmp_path / "m" / "checkpoints" / "checkpoint-999").mkdir(parents=True)
    options = TrainOptions(init=folder / "model", epochs=1, learning_rate=1e-4, bf16=False)
    files = {"train_files": [folder / "train.jsonl"], "dev_files": [folder / "dev.jsonl"], "output": tmp_path / "m"}
    train(**files, options=options, report=lambda _: None)
    assert not (tmp_path / "m" / "checkpoints").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_encoders_of_each_family_learn(encoders, kind, tmp_path):
    files = write(tmp_path / "train.jsonl", residents(80, 0)), write(tmp_path / "dev.jsonl", residents(10, 1))
    options = TrainOptions(init=encoders[kind], schema="data", epochs=6, learning_rate=2e-3, bf16=False)
    metrics = train(train_files=[files[0]], dev_files=[files[1]], output=tmp_path / "m", options=options, report=lambda _: None)
    assert metrics["spans"]["f1"] > 0.9
    assert len(ClashModel.from_pretrained(tmp_path / "m").predict(residents(1, 5)[0].text).spans) == 3


def clash_config(encoders) -> tuple[Tokenizer, ModelConfig]:
    _, tokenizer, config = start(encoders["wordpiece"], schema=None)
    return tokenizer, config


def test_what_can_never_be_predicted_is_counted(encoders):
    tokenizer, config = clash_config(encoders)
    text = "Houthi fighters killed soldiers. " + "word " * 80 + "Marib"
    inside = Span(0, 5, "FACTION", "Houth", "F1")
    name, longer = Span(0, 6, "FACTION", "Houthi", "F2"), Span(0, 15, "FACTION", "Houthi fighters", "F3")
    soldiers = Span(23, 31, "CASUALTY", "soldiers", "C1", attributes={"outcome": "killed"})
    place = Span(len(text) - 5, len(text), "LOCATION", "Marib", "L1")
    patron = Span(7, 15, "PATRON", "fighters", "P1", attributes={"outcome": "killed"})
    relations = (
        Relation(inside, place, "LOCATED_IN"),
        Relation(longer, place, "LOCATED_IN"),
        Relation(soldiers, patron, "SUFFERED_BY"),
        Relation(soldiers, longer, "INFLICTED_BY"),
        Relation(soldiers, longer, "INFLICTED_BY"),
        Relation(longer, longer, "CLASHED_WITH"),
    )
    document = Document(text, "d", "en", (inside, name, longer, soldiers, place, patron), relations)
    [example], report = make_examples([document], tokenizer, config, name="train")
    assert {reason: len(places) for reason, places in report.lost.items()} == {
        "spans that begin or end off a word boundary": 1,
        "spans that overlap another one of their label": 1,
        "outcome values on a label that carries none": 1,
        "relations of a span that is never predictable": 1,
        "relations over more than 64 words or 2 sentence ends": 1,
        "SUFFERED_BY relations between labels that the schema does not allow": 1,
        "relations that stand twice": 1,
        "relations of a span with itself": 1,
    }
    assert len(example["spans"]) == 4
    assert len(example["relations"]) == 1
    assert "never predictable: 1 spans that begin or end off a word boundary (d/F1)" in str(report)


@pytest.mark.parametrize(
    ("span", "relation", "message"),
    [
        (Span(0, 1, "PER", "a", "x"), None, r"train:d, span x: unknown label 'PER'; the schema has FACTION"),
        (Span(0, 1, "CASUALTY", "a", "x", attributes={"outcome": "dead"}), None, r"unknown outcome 'dead'"),
        (Span(0, 1, "FACTION", "a", "x"), "LOVES", r"unknown relation 'LOVES'"),
    ],
)
def test_names_that_the_schema_lacks(encoders, span, relation, message):
    tokenizer, config = clash_config(encoders)
    document = Document("a b", "d", None, (span,), (Relation(span, span, relation),) if relation else ())
    with pytest.raises(DataError, match=message):
        make_examples([document], tokenizer, config, name="train")


def test_bad_lines_of_all_files_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{\n')
    (tmp_path / "b.jsonl").write_text("[]\n")
    with pytest.raises(DataError) as caught:
        read_annotated([tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "c.jsonl"])
    assert all(place in str(caught.value) for place in ("a.jsonl:2", "b.jsonl:1", "c.jsonl"))


def test_long_documents_are_cut_between_spans(encoders, corpus):
    tokenizer, config = clash_config(encoders)
    text = "\n".join(document.text for document in corpus[:30])
    spans, relations, offset = [], [], 0
    for at, document in enumerate(corpus[:30]):
        moved = {
            span.id: Span(span.start + offset, span.end + offset, span.label, span.text, f"{at}-{span.id}", None, span.attributes)
            for span in document.spans
        }
        spans += moved.values()
        relations += [Relation(moved[r.head.id], moved[r.tail.id], r.label) for r in document.relations]
        offset += len(document.text) + 1
    examples, report = make_examples([Document(text, "long", "ar", tuple(spans), tuple(relations))], tokenizer, config, name="train")
    assert len(examples) > 1
    assert all(len(example["first"]) <= MAX_WORDS for example in examples)
    lost = sum(len(places) for reason, places in report.lost.items() if "spans" in reason and "relations" not in reason)
    assert sum(len(example["spans"]) for example in examples) == len(spans) - lost
    dropped = sum(len(places) for reason, places in report.lost.items() if reason.startswith("relations"))
    assert sum(len(example["relations"]) for example in examples) == len(relations) - dropped
    for example in examples:
        assert all(0 <= first <= last < len(example["first"]) for first, last, _ in example["spans"])
        assert max(example["first"]) < len(example["ids"])


def test_unannotated_labels_are_left_out_of_the_loss(encoders, corpus):
    torch.manual_seed(0)
    network, tokenizer, config = start(encoders["wordpiece"], schema=None)
    network.eval()
    known = ("LOCATION",)
    text = corpus[0]
    bare = Document(text.text, "a", None, tuple(text.of("LOCATION")), labels=known)
    [example], _ = make_examples([bare], tokenizer, config, name="train")
    assert example["known"] == [label in known for label in CLASH.labels]
    loss = JointLoss(network, config, attribute_weight=1, relation_weight=0)
    loss(**Collator(config, tokenizer.prefix, tokenizer.suffix)([example]))["loss"].backward()
    by_label = network.tagger.weight.grad.view(len(CLASH.labels), len(TAGS), -1).abs().sum(dim=(1, 2))
    assert [bool(part > 0) for part in by_label] == example["known"]


def test_the_loss_is_the_same_alone_and_in_a_batch(encoders, corpus):
    torch.manual_seed(0)
    network, tokenizer, config = start(encoders["bpe"], schema=None)
    network.eval()
    loss = JointLoss(network, config, attribute_weight=1, relation_weight=1)
    loss.own_mistakes = True
    examples, _ = make_examples(corpus[:3], tokenizer, config, name="train")
    collate = Collator(config, tokenizer.prefix, tokenizer.suffix)
    words = [len(example["first"]) for example in examples]
    with torch.no_grad():
        alone = sum(loss(**collate([example]))["loss"] * size for example, size in zip(examples, words, strict=True))
        together = loss(**collate(examples))["loss"] * sum(words)
    assert torch.isclose(alone, together, rtol=1e-4)


def test_best_threshold_of_a_known_curve():
    scores = np.repeat([0.9, 0.4, 0.35], [30, 20, 60])
    right = np.repeat([True, True, False], [30, 20, 60])
    assert 0.35 < _best_threshold(scores, right, 60) <= 0.4
    assert _best_threshold(scores[:5], right[:5], 5) == 0
    # Best without the last sixty: 50 of 50 are right, of 60 annotated.
    assert _half_of_best(scores, right, 60) == round(50 / 110, 3)
    assert _half_of_best(scores[:0], right[:0], 60) == 0


def test_half_of_the_best_f1_is_the_best_threshold_of_probabilities():
    random = np.random.default_rng(0)
    scores = random.beta(0.5, 1.5, 200_000)
    right = random.random(len(scores)) < scores

    def f1(threshold: float) -> float:
        kept = scores >= threshold
        return float(2 * (right & kept).sum() / (kept.sum() + right.sum()))

    half = _half_of_best(scores, right, int(right.sum()))
    assert all(f1(half) >= f1(other) for other in (half - 0.1, half - 0.05, half + 0.05, half + 0.1))


def test_temperature_of_perfectly_calibrated_scores_is_one():
    random = np.random.default_rng(0)
    logits = random.normal(-4, 2, 200_000)
    scores = 1 / (1 + np.exp(-logits))
    right = random.random(len(scores)) < scores
    both = np.full(len(scores), 0.9)
    right &= random.random(len(scores)) < both
    losses = {temperature: _log_loss(_heat(scores * both, both, temperature), right) for temperature in (0.5, 0.8, 1.0, 1.25, 2.0)}
    assert min(losses, key=losses.__getitem__) == 1.0


def test_what_cannot_be_trained(tmp_path, encoders, monkeypatch):
    with pytest.raises(ModelError, match="no folder"):
        start("nobody/nothing-here", schema=None)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="not an encoder that transformers can load"):
        start(tmp_path, schema=None)
    broken = shutil.copytree(encoders["bpe"], tmp_path / "broken")
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelError, match="not an encoder that transformers can load"):
        start(broken, schema=None)
    empty = write(tmp_path / "e.jsonl", [Document("nothing here", "e")])
    files = {"train_files": [empty], "dev_files": [empty]}
    for schema, message in (("data", "hold no span"), (None, "hold no span"), ("other", "there is no schema 'other'")):
        with pytest.raises((DataError, ModelError), match=message):
            train(**files, output=tmp_path / "m", options=TrainOptions(init=encoders["bpe"], schema=schema), report=lambda _: None)


def test_training_begins_with_a_hub_encoder(encoders, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(encoders["unigram"]))
    network, tokenizer, config = start("xlm-roberta-base", schema=Schema(("A",)))
    assert network.encoder.config.model_type == "xlm-roberta"
    assert config.window == 128 - 2 - 2
    assert tokenizer.prefix == (0,)


def test_weights_are_kept_where_the_schema_stays(people):
    folder, _, _, _ = people
    before = load_network(folder / "model", ModelConfig.load(folder / "model" / "config.json")).state_dict()
    network, _, config = start(folder / "model", schema=None)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    other, _, config = start(folder / "model", schema=CLASH)
    assert config.schema == CLASH
    assert torch.equal(other.encoder.embeddings.word_embeddings.weight, network.encoder.embeddings.word_embeddings.weight)


def test_own_corpus_is_wholly_predictable_but_for_the_named_few(encoders):
    tokenizer, config = clash_config(encoders)
    documents = read_annotated([CORPUS])
    _, report = make_examples(documents, tokenizer, config, name="corpus")
    lost = sum(len(places) for places in report.lost.values())
    assert lost < 0.01 * (sum(report.spans.values()) + sum(report.relations.values()))
    assert set(json.loads(json.dumps(report.langs))) == {"ar", "en", "tr", "fa", "ru", "fr"}
    assert len(documents) >= 400
    assert all(inline.write(document) for document in documents)
