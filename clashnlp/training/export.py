"""How does a trained network reach onnxruntime and OpenVINO? As graphs whose large tensors stay in the safetensors file beside them."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from clashnlp.backends.onnx import ENCODER_FILE, INT8_FILE, RELATE_FILE, weights_header, weights_mark
from clashnlp.config import ModelConfig
from clashnlp.network import ClashNetwork, load_network
from clashnlp.relations import FEATURE_SIZES
from clashnlp.store import CONFIG_FILE, WEIGHTS_FILE
from clashnlp.training.quantise import batches_of, quantise
from clashnlp.types import Document

OPSET = 18
_LARGE = 4096  # Values; smaller tensors are not worth a look-up in another file.


def export_onnx(folder: Path) -> None:
    """Writes encoder.onnx and relate.onnx beside the weights of a model folder.

    Args:
        folder: a model folder with config.json and model.safetensors.
    """
    mark = weights_mark(folder / WEIGHTS_FILE)
    network = load_network(folder, ModelConfig.load(folder / CONFIG_FILE)).eval()
    for graph, name in ((_export_encoder(network), ENCODER_FILE), (_export_relate(network), RELATE_FILE)):
        _save(graph, network, folder / name, mark)


def export_int8(folder: Path, reports: Iterable[Document]) -> None:
    """Writes encoder.int8.onnx beside the weights of a model folder: faster and less exact, see `clashnlp.training.quantise`.

    Args:
        folder: a model folder with config.json, tokenizer.json and model.safetensors.
        reports: some hundred reports of the kind to be read; their annotations are not looked at.

    Raises:
        DataError: there are no reports that hold text.
        MissingDependencyError: NNCF is not installed.
    """
    batches = batches_of(folder, reports)
    # Read first: should the weights be replaced meanwhile, the graph is refused beside the new ones.
    mark = weights_mark(folder / WEIGHTS_FILE)
    network = load_network(folder, ModelConfig.load(folder / CONFIG_FILE)).eval()
    _save(quantise(_export_encoder(network), batches), network, folder / INT8_FILE, mark)


def _save(graph: onnx.ModelProto, network: ClashNetwork, path: Path, mark: str) -> None:
    _share_weights(graph, network, path.with_name(WEIGHTS_FILE))
    graph.metadata_props.add(key="weights", value=mark)
    onnx.save(graph, path)


def _export_encoder(network: ClashNetwork) -> onnx.ModelProto:
    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {name: {0: "windows", 1: "tokens"} for name in ("ids", "mask", "states", "tags")}
    graph = _export(network, (ids, torch.ones_like(ids)), names=(["ids", "mask"], ["states", "tags"]), axes=axes)
    _drop_guards(graph)
    return graph


def _drop_guards(model: onnx.ModelProto) -> None:
    """Takes out what torch guards fused attention with: where all tokens are masked, zeros for NaN. Here the first token never is.

    Two passes over all attention scores less: onnxruntime reads 9,800 tokens a second, with them 7,200 (float32, two cores, 400 a window).
    """
    nodes = model.graph.node
    made = {output: node for node in nodes for output in node.output}
    for node in list(nodes):
        guard = made.get(node.input[0]) if node.op_type == "Where" else None
        if guard is None or guard.op_type != "IsNaN" or guard.input[0] != node.input[2]:
            continue
        for user in nodes:
            for at, name in enumerate(user.input):
                if name == node.output[0]:
                    user.input[at] = guard.input[0]
        nodes.remove(guard)
        nodes.remove(node)
    used = {name for node in nodes for name in node.input}
    for node in [node for node in nodes if node.op_type == "Constant" and node.output[0] not in used]:
        nodes.remove(node)


def _export_relate(network: ClashNetwork) -> onnx.ModelProto:
    class Relate(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(
            self, states: torch.Tensor, spans: torch.Tensor, pairs: torch.Tensor, features: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return self.network.relate(states, spans, pairs, features)

    states = torch.zeros((5, network.state.out_features))
    spans = torch.tensor([[0, 1, 0], [2, 2, 0], [3, 4, 0]])
    pairs = torch.tensor([[0, 1], [1, 2]])
    features = torch.zeros((2, len(FEATURE_SIZES)), dtype=torch.int64)
    axes = {"states": {0: "words"}, "spans": {0: "spans"}, "attributes": {0: "spans"}}
    axes |= {name: {0: "pairs"} for name in ("pairs", "features", "relations")}
    names = (["states", "spans", "pairs", "features"], ["attributes", "relations"])
    return _export(Relate().eval(), (states, spans, pairs, features), names=names, axes=axes)


def _export(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    *,
    names: tuple[list[str], list[str]],
    axes: dict[str, dict[int, str]],
) -> onnx.ModelProto:
    with warnings.catch_warnings(), torch.no_grad(), tempfile.TemporaryDirectory() as scratch:
        warnings.simplefilter("ignore")  # The tracer warns of every shape that it bakes in; a test runs the graphs in other shapes.
        path = Path(scratch) / "graph.onnx"
        torch.onnx.export(
            module,
            inputs,
            path,
            input_names=names[0],
            output_names=names[1],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
        return onnx.load(path)


def _share_weights(model: onnx.ModelProto, network: ClashNetwork, weights: Path) -> None:
    """Points the large tensors of a graph at their float16 values in the safetensors file, so that they are stored once.

    ONNX keeps tensors in files of any layout, by offset and length (ONNX IR, "External tensor data"), and a safetensors file is a header
    with raw tensors behind it. Matrices are widened to float32, and turned where the graph wants them so, once when a session begins; of
    tables that are looked up, only the rows that a text needs.
    """
    header, start = weights_header(weights)
    stored = {}
    for name, tensor in network.state_dict().items():
        if name in header and header[name]["dtype"] == "F16" and tensor.ndim == 2:
            array = tensor.numpy()
            stored[_key(array.T)] = (name, True)
            stored[_key(array)] = (name, False)
    graph = model.graph
    for initializer in graph.initializer:
        if initializer.data_type != TensorProto.FLOAT or math.prod(initializer.dims) < _LARGE:
            continue
        key = _key(numpy_helper.to_array(initializer))
        if key not in stored:
            continue
        name, turned = stored[key]
        begin, end = header[name]["data_offsets"]
        wide, narrow = initializer.name, f"{initializer.name}_float16"
        initializer.CopyFrom(
            TensorProto(name=narrow, dims=header[name]["shape"], data_type=TensorProto.FLOAT16, data_location=TensorProto.EXTERNAL)
        )
        for option, value in (("location", weights.name), ("offset", str(start + begin)), ("length", str(end - begin))):
            initializer.external_data.add(key=option, value=value)
        users = [node for node in graph.node if wide in node.input]
        if all(node.op_type == "Gather" and node.input[0] == wide for node in users):
            for node in users:
                node.input[0] = narrow
                found, node.output[0] = node.output[0], f"{node.output[0]}_float16"
                at = list(graph.node).index(node) + 1
                graph.node.insert(at, helper.make_node("Cast", [node.output[0]], [found], to=TensorProto.FLOAT))
            continue
        if turned:
            graph.node.insert(0, helper.make_node("Transpose", [f"{wide}_stored"], [wide], perm=[1, 0]))
        graph.node.insert(0, helper.make_node("Cast", [narrow], [f"{wide}_stored" if turned else wide], to=TensorProto.FLOAT))


def _key(array: NDArray[np.float32]) -> tuple[tuple[int, ...], bytes]:
    return array.shape, sha256(np.ascontiguousarray(array).tobytes()).digest()
