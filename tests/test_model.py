import fnmatch
import itertools
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import KINDS, ROOT, build_encoder

from clashnlp import Analysis, ClashModel, DataError, Document, ModelError
from clashnlp.tokens import split_words


@pytest.fixture(scope="module", params=KINDS)
def model(request, untrained) -> ClashModel:
    return unsure(ClashModel.from_pretrained(untrained[request.param]))


def unsure(model: ClashModel) -> ClashModel:
    """The model with thresholds that random weights reach, so that it returns relations as well."""
    return model.with_config(model.config.replace(relation_thresholds={kind.label: 0.05 for kind in model.config.schema.relations}))


def shape(analysis: Analysis) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in analysis.spans]


def test_documents_come_back_in_order_with_what_they_had(model, corpus):
    documents = [Document(d.text, id=at, lang=d.lang, meta={"url": f"u{at}"}) for at, d in enumerate(corpus[:30])]
    found = list(model.predict_many(iter(documents), batch_tokens=300))
    assert [(a.id, a.lang, a.text, a.meta) for a in found] == [(d.id, d.lang, d.text, d.meta) for d in documents]
    assert all(isinstance(analysis, Analysis) for analysis in found)


def test_batching_does_not_change_the_answer(untrained, corpus):
    model = ClashModel.from_pretrained(untrained["bpe"], backend="torch")
    texts = [document.text for document in corpus[:20]]
    together = [shape(analysis) for analysis in model.predict_many(texts, batch_tokens=4096)]
    assert together == [shape(model.predict(text)) for text in texts]
    assert any(together)


def test_spans_stand_on_words_and_relations_on_spans(model, corpus):
    assert model.predict(corpus[0].text).relations
    for document in corpus[::40]:
        analysis = model.predict(document.text)
        edges = split_words(document.text)
        assert {span.start for span in analysis.spans} <= set(edges[:, 0].tolist())
        assert {span.end for span in analysis.spans} <= set(edges[:, 1].tolist())
        assert len({span.id for span in analysis.spans}) == len(analysis.spans)
        for label in model.config.schema.labels:
            ordered = analysis.of(label)
            assert all(one.end <= other.start for one, other in itertools.pairwise(ordered))
        for relation in analysis.relations:
            kind = model.config.schema.relation(relation.label)
            assert (relation.head.label, relation.tail.label) in kind.signatures
            assert not kind.symmetric or relation.head.start <= relation.tail.start
        assert all(0 <= one.score <= 1 for one in (*analysis.spans, *analysis.relations))
        assert all(("outcome" in span.attributes) == (span.label == "CASUALTY") for span in analysis.spans)


def test_nobody_fights_himself(model, corpus):
    def alike(model: ClashModel) -> int:
        relations = [relation for analysis in model.predict_many(corpus[:40]) for relation in analysis.relations]
        return sum(one.label == "CLASHED_WITH" and one.head.text.lower() == one.tail.text.lower() for one in relations)

    schema = model.config.schema
    loose = replace(schema, relations=tuple(replace(kind, distinct=False) for kind in schema.relations))
    assert alike(model) == 0 < alike(model.with_config(model.config.replace(schema=loose)))


@pytest.mark.parametrize("text", ["", "   \n", "...", "🚨"])
def test_texts_without_words(model, text):
    analysis = model.predict(text)
    assert (analysis.text, analysis.spans, analysis.relations) == (text, (), ())


def test_nothing_is_cut_from_a_long_text(untrained, corpus):
    model = unsure(ClashModel.from_pretrained(untrained["wordpiece"], threads=2))
    part = "\n".join(document.text for document in corpus[:200])
    text = part * 5
    analysis = model.predict(text)
    assert analysis.text == text
    assert max(span.start for span in analysis.spans) > len(part) * 4.9
    assert max(relation.tail.start for relation in analysis.relations) > len(part) * 4.9
    counts = np.histogram([span.start for span in analysis.spans], bins=5, range=(0, len(text)))[0]
    # The same text in other windows: about the same number of spans in each of its five copies.
    assert counts.min() > 0.9 * counts.max()


def test_predict_many_reads_ahead_only_so_far(untrained):
    model = ClashModel.from_pretrained(untrained["wordpiece"])
    taken = 0

    def endless():
        nonlocal taken
        for taken in itertools.count(1):  # noqa: B007
            yield "قتل ستة جنود في اشتباكات قرب تعز."

    assert len(list(itertools.islice(model.predict_many(endless(), batch_tokens=32), 5))) == 5
    assert taken < 200
    taken = 0
    next(model.predict_many(("" for taken in itertools.count(1)), batch_tokens=32))  # Empty reports are bounded as well.


def test_an_error_in_a_stream_comes_behind_what_was_read_before_it(untrained):
    model = ClashModel.from_pretrained(untrained["wordpiece"])
    texts = [f"{at} soldiers died in Taiz." for at in range(100)]
    for bad, error in (("\ud800", DataError), (None, TypeError)):
        found: list[Analysis] = []
        with pytest.raises(error):
            found.extend(model.predict_many([*texts, bad, "not read"], batch_tokens=8))
        assert [analysis.text for analysis in found] == texts


@pytest.mark.parametrize("end", ["closed", "interrupted"])
def test_who_stops_early_waits_for_no_more_than_a_batch(end, untrained, monkeypatch):
    model = ClashModel.from_pretrained(untrained["wordpiece"])
    encode, batches = model._backend.encode, []

    def slow(ids, mask):
        batches.append(len(ids))
        time.sleep(0.01)
        return encode(ids, mask)

    monkeypatch.setattr(model._backend, "encode", slow)
    before = set(threading.enumerate())

    def reports():
        for at in range(10_000):
            if end == "interrupted" and len(batches) > 3:
                raise KeyboardInterrupt
            yield f"{at} soldiers died in Taiz."

    stream = model.predict_many(reports(), batch_tokens=64)
    if end == "closed":
        next(stream)
        stream.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            list(stream)
    done = len(batches)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert len(batches) <= done + 1


@pytest.mark.parametrize(("kind", "positions"), [*((kind, 128) for kind in KINDS), ("wordpiece", 100)])
def test_openvino_reads_windows_as_long_as_the_encoder_can(raw_tokenizers, corpus, tmp_path, kind, positions):
    """The longest batch is no multiple of the backend's step: RoBERTa and its kin have two positions less than their table."""
    from clashnlp.training.start import start
    from clashnlp.training.trainer import save_model

    save_model(tmp_path / "model", *start(build_encoder(kind, raw_tokenizers[kind], tmp_path, positions=positions), schema=None))
    text = " ".join(document.text for document in corpus[:3])
    expected, found = (
        ClashModel.from_pretrained(tmp_path / "model", backend=name).read([Document(text)])[0] for name in ("onnx", "openvino")
    )
    assert np.abs(expected.states - found.states).max() < 1e-3


@pytest.mark.parametrize("backend", ["onnx", "openvino", "torch"])
def test_streams_may_be_read_in_turns_and_inside_each_other(backend, untrained):
    pytest.importorskip(backend)
    model = ClashModel.from_pretrained(untrained["wordpiece"], backend=backend)
    texts = [f"{at} soldiers died in Taiz." for at in range(200)]
    pairs = list(zip(model.predict_many(texts, batch_tokens=16), model.predict_many(texts, batch_tokens=16), strict=True))
    assert [one.text for one, _ in pairs] == texts
    assert all(shape(one) == shape(other) for one, other in pairs)
    nested = model.predict_many((analysis.text for analysis in model.predict_many(texts, batch_tokens=16)), batch_tokens=16)
    assert [analysis.text for analysis in nested] == texts


def test_a_thread_goes_on_after_the_main_one(untrained):
    code = (
        "import sys, threading, clashnlp; model = clashnlp.ClashModel.from_pretrained(sys.argv[1]); main = threading.main_thread()\n"
        "threading.Thread(target=lambda: (main.join(), print(len(list(model.predict_many(['six died', 'seven']))), flush=True))).start()"
    )
    command = [sys.executable, "-c", code, str(untrained["wordpiece"])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_wrong_types_are_refused(untrained):
    model = ClashModel.from_pretrained(untrained["bpe"])
    for many in (model.predict_many, model.records):
        with pytest.raises(TypeError, match="put it into a list"):
            list(many("The army shelled Taiz."))
    with pytest.raises(TypeError, match="this is int"):
        model.predict(3)
    with pytest.raises(DataError, match="surrogate"):
        model.predict("a\ud800")
    with pytest.raises(ValueError, match="batch_tokens"):
        list(model.predict_many(["a"], batch_tokens=0))


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"lacks config.json, so it is no clashnlp model"):
        ClashModel.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"there is no folder /nowhere/at/all"):
        ClashModel.from_pretrained("/nowhere/at/all")
    with pytest.raises(ModelError, match=r"no folder some-organisation/some-model"):
        ClashModel.from_pretrained("some-organisation/some-model")


def test_models_come_from_the_hub(untrained, monkeypatch):
    import huggingface_hub

    asked = {}

    def stub(name, *, revision, allow_patterns):
        asked.update(name=name, revision=revision, patterns=allow_patterns)
        return str(untrained["wordpiece"])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", stub)
    assert ClashModel.from_pretrained("organisation/model", revision="v1").predict("Aleppo").text == "Aleppo"
    assert (asked["name"], asked["revision"]) == ("organisation/model", "v1")
    files = ["model.safetensors", "pytorch_model.bin", "model.pt", "onnx/model.onnx", "tokenizer.json", "config.json", "encoder.onnx"]
    fetched = [file for file in files if any(fnmatch.fnmatch(file, pattern) for pattern in asked["patterns"])]
    assert fetched == ["model.safetensors", "tokenizer.json", "config.json", "encoder.onnx"]


@pytest.mark.parametrize(
    ("backend", "precision", "off"),
    [("openvino", None, 1e-3), ("openvino", "bfloat16", 0.1), ("torch", "bfloat16", 0.1)],
)
def test_other_backends_and_precisions_agree_with_onnxruntime(untrained, backend, precision, off, corpus):
    pytest.importorskip(backend)
    texts = [document.text for document in corpus[:6]] + ["", "x"]
    plain = ClashModel.from_pretrained(untrained["wordpiece"])
    other = ClashModel.from_pretrained(untrained["wordpiece"], backend=backend, precision=precision)
    documents = [Document(text) for text in texts]
    for one, two in zip(plain.read(documents), other.read(documents), strict=True):
        assert one.tags.shape == two.tags.shape and np.allclose(one.tags, two.tags, atol=off)
    assert [analysis.text for analysis in other.predict_many(texts)] == texts


def test_what_a_backend_cannot_do_is_refused(untrained):
    with pytest.raises(ModelError, match="openvino"):
        ClashModel.from_pretrained(untrained["wordpiece"], precision="bfloat16")
    with pytest.raises(ModelError, match="float64"):
        ClashModel.from_pretrained(untrained["wordpiece"], precision="float64")
    with pytest.raises(ModelError, match="device"):
        ClashModel.from_pretrained(untrained["wordpiece"], backend="openvino", device="cuda")
