import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import KINDS

from clashnlp import Document, ModelConfig
from clashnlp.backends import Backend, Runtime
from clashnlp.backends import load_backend as load_backend_of
from clashnlp.backends.onnx import GRAPHS
from clashnlp.errors import DataError, ModelError
from clashnlp.network import covered, range_max
from clashnlp.relations import FEATURE_SIZES


def load_config(folder: Path) -> ModelConfig:
    return ModelConfig.load(folder / "config.json")


def load_backend(name: str, folder: Path, device: str = "cpu", precision: str | None = None) -> Backend:
    config = load_config(folder) if (folder / "config.json").is_file() else ModelConfig()
    return load_backend_of(name, folder, config, Runtime(device=device, threads=1, precision=precision))


def test_range_max_is_the_maximum_of_each_range():
    rows = torch.randn(300, 4)
    low = torch.randint(0, 300, (500,))
    high = torch.minimum(low + torch.randint(-3, 255, (500,)), torch.tensor(300))
    found = range_max(rows, low, high)
    for start, stop, row in zip(low.tolist(), high.tolist(), found, strict=True):
        expected = rows[start:stop].amax(dim=0) if stop > start else torch.full((4,), -1e4)
        assert torch.equal(row, expected)


def test_only_rows_in_ranges_are_kept():
    rows = torch.randn(30, 4)
    low, high = torch.tensor([3, 4, 10, 4, 29]), torch.tensor([8, 6, 11, 9, 30])
    kept, start, end = covered(rows, low, high)
    assert len(kept) == 8
    for at in range(len(low)):
        assert torch.equal(kept[start[at] : end[at]], rows[low[at] : high[at]])
    kept, start, end = covered(rows, low[:0], high[:0])
    assert len(kept) == len(start) == len(end) == 0


def test_gradients_reach_the_maxima():
    rows = torch.tensor([[1.0], [3.0], [2.0]], requires_grad=True)
    range_max(rows, torch.tensor([0]), torch.tensor([3])).sum().backward()
    assert rows.grad is not None
    assert rows.grad[1, 0] > 0
    assert rows.grad[0, 0] == rows.grad[2, 0] == 0


def batch(vocabulary: int, shape: tuple[int, int], pad: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    ids = random.integers(5, vocabulary, shape)
    mask = np.ones_like(ids)
    mask[-1, shape[1] // 2 :] = 0
    ids[mask == 0] = pad
    return ids, mask


@pytest.mark.parametrize("kind", KINDS)
def test_both_backends_agree_in_every_shape(untrained, kind):
    from clashnlp.training.export import export_onnx

    folder = untrained[kind]
    export_onnx(folder)
    ort, torch_backend = (load_backend(name, folder) for name in ("onnx", "torch"))
    for shape in ((1, 3), (3, 17), (2, 64)):
        ids, mask = batch(500, shape, pad=0 if kind == "wordpiece" else 1)
        for ours, theirs in zip(ort.encode(ids, mask), torch_backend.encode(ids, mask), strict=True):
            assert np.abs(ours - theirs)[mask == 1].max() < 1e-4
    random = np.random.default_rng(1)
    for words, spans, pairs in ((1, 0, 0), (1, 1, 0), (40, 6, 9), (300, 20, 50)):
        states = random.standard_normal((words, 256), dtype=np.float32)
        first = np.sort(random.integers(0, words, spans))
        rows = np.stack([first, np.minimum(first + random.integers(0, 3, spans), words - 1), random.integers(0, 4, spans)], axis=1)
        ends = random.integers(0, max(spans, 1), (pairs, 2))
        features = np.stack([random.integers(0, size, pairs) for size in FEATURE_SIZES], axis=1)
        for ours, theirs in zip(ort.relate(states, rows, ends, features), torch_backend.relate(states, rows, ends, features), strict=True):
            assert ours.shape == theirs.shape
            assert ours.size == 0 or np.abs(ours - theirs).max() < 1e-4


def test_padding_changes_nothing(untrained):
    backend = load_backend("torch", untrained["wordpiece"])
    ids, _ = batch(500, (1, 9), pad=0)
    alone = backend.encode(ids, np.ones_like(ids))
    padded = backend.encode(np.pad(ids, ((0, 0), (0, 5))), np.pad(np.ones_like(ids), ((0, 0), (0, 5))))
    assert np.abs(alone[1] - padded[1][:, :9]).max() < 1e-5


def test_weights_are_stored_once(untrained):
    from clashnlp.training.export import export_onnx

    for folder in untrained.values():
        export_onnx(folder)
        for name in ("encoder.onnx", "relate.onnx"):
            graph = onnx.load(folder / name, load_external_data=False).graph
            inside = [tensor for tensor in graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
            assert all(np.prod(tensor.dims) < 4096 for tensor in inside)
            assert len(inside) < len(graph.initializer)


def test_attention_scores_are_passed_over_no_more_than_needed(untrained):
    for kind in KINDS:
        graph = onnx.load(untrained[kind] / "encoder.onnx", load_external_data=False).graph
        used = {name for node in graph.node for name in node.input}
        assert not [node for node in graph.node if node.op_type == "IsNaN"]
        assert all(node.output[0] in used for node in graph.node if node.op_type == "Constant")


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bits_stay_close(untrained, tmp_path, kind, corpus):
    from clashnlp.training.export import export_int8

    folder = shutil.copytree(untrained[kind], tmp_path / "m")
    export_int8(folder, corpus[:12])
    graph = onnx.load(folder / "encoder.int8.onnx", load_external_data=False).graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) >= 4096]
    assert sum(tensor.data_type == onnx.TensorProto.INT8 for tensor in large) >= 4
    assert any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in large)  # The embeddings, which are stored once.
    ids, mask = batch(500, (3, 40), pad=0 if kind == "wordpiece" else 1)
    exact = load_backend("torch", folder).encode(ids, mask)
    for name in ("onnx", "openvino"):
        for ours, theirs in zip(load_backend(name, folder, precision="int8").encode(ids, mask), exact, strict=True):
            assert 0 < np.abs(ours - theirs)[mask == 1].max() < 0.2 * np.abs(theirs).max()


def test_eight_bits_need_reports_and_a_graph_of_their_own(untrained, tmp_path):
    from clashnlp.training.export import export_int8

    folder = shutil.copytree(untrained["wordpiece"], tmp_path / "m")
    for name in ("onnx", "openvino"):
        with pytest.raises(ModelError, match=r"lacks encoder.int8.onnx; write it with `clashnlp export .*m --int8 REPORTS`"):
            load_backend(name, folder, precision="int8")
    with pytest.raises(ModelError, match="torch backend has no precision int8"):
        load_backend("torch", folder, precision="int8")
    for reports in ([], [Document(""), Document(" \n")]):
        with pytest.raises(DataError, match="none holds text; give some hundred"):
            export_int8(folder, reports)


def test_nncf_tells_nobody_of_its_use(tmp_path):
    """In a process of its own: NNCF is silent by itself where pytest is loaded."""
    code = "from clashnlp.training.quantise import load_nncf; load_nncf(); import nncf.telemetry as t; print(type(t.telemetry).__name__)"
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "MagicMock"
    assert list(tmp_path.iterdir()) == []


def test_broken_folders_are_named(untrained, tmp_path):
    with pytest.raises(ModelError, match=r"lacks encoder.onnx; export it with `clashnlp export"):
        load_backend("onnx", tmp_path)
    (tmp_path / "config.json").write_bytes((untrained["bpe"] / "config.json").read_bytes())
    with pytest.raises(ModelError, match=r"lacks model.safetensors"):
        load_backend("torch", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"model.safetensors: the weights cannot be read"):
        load_backend("torch", tmp_path)
    (tmp_path / "encoder.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"model.safetensors: is missing or no safetensors file"):
        load_backend("onnx", tmp_path)
    shutil.copy(untrained["bpe"] / "model.safetensors", tmp_path)
    with pytest.raises(ModelError, match=r"encoder.onnx: onnxruntime"):
        load_backend("onnx", tmp_path)
    for name, device in (("tensorflow", "cpu"), ("onnx", "tpu"), ("torch", "nowhere")):
        with pytest.raises(ModelError, match=r"there is no"):
            load_backend(name, untrained["bpe"], device=device)


def test_a_graph_of_other_weights_is_refused(untrained, tmp_path, corpus):
    from safetensors.torch import load_file, save_file

    from clashnlp.training.export import export_int8, export_onnx

    folder = shutil.copytree(untrained["bpe"], tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    # Another tool writes no digest, and its tensors lie at the same places.
    save_file({**weights, "state.bias": weights["state.bias"] + 1}, folder / "model.safetensors", metadata={"format": "pt"})
    export_onnx(folder)
    export_int8(folder, corpus[:4])
    int8 = folder / "encoder.int8.onnx"
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    # Of each backend one graph at a time is stale.
    fresh = shutil.copytree(folder, tmp_path / "fresh")
    export_onnx(fresh)
    export_int8(fresh, corpus[:4])
    stale = folder / "encoder.onnx", folder / "relate.onnx", int8
    for name, precision, graph in itertools.product(("onnx", "openvino"), (None, "int8"), stale):
        mixed = shutil.copytree(fresh, tmp_path / "mixed", dirs_exist_ok=True)
        shutil.copy(graph, mixed / graph.name)
        if graph.name in (GRAPHS[precision or "float32"], "relate.onnx"):
            with pytest.raises(ModelError, match=rf"{graph.name} was made from other weights than model.safetensors; run: clashnlp export"):
                load_backend(name, mixed, precision=precision)
        else:
            load_backend(name, mixed, precision=precision)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors: is missing"):
        load_backend("onnx", folder)


def test_a_configuration_that_contradicts_the_graph(untrained, tmp_path):
    folder = shutil.copytree(untrained["bpe"], tmp_path / "m")
    row = json.loads((folder / "config.json").read_text())
    row["schema"]["labels"].append("WEAPON")
    (folder / "config.json").write_text(json.dumps(row))
    told = {"onnx": "contradict each other", "openvino": "contradict each other", "torch": "do not fit config.json"}
    for name, message in told.items():
        with pytest.raises(ModelError, match=message):
            load_backend(name, folder)
    row["encoder"]["hidden_act"] = "unheard-of"
    (folder / "config.json").write_text(json.dumps(row))
    with pytest.raises(ModelError, match="cannot build the encoder of model_type 'roberta'"):
        load_backend("torch", folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told(untrained):
    for name in ("onnx", "torch"):
        with pytest.raises(ModelError, match="CUDA"):
            load_backend(name, untrained["bpe"], device="cuda")
