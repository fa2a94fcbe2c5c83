"""How does a trained network reach onnxruntime? Two graphs, whose large tensors stay in the safetensors file beside them."""

from __future__ import annotations

import logging
import math
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from clashnlp.backends.onnx import ENCODER_FILE, RELATE_FILE, weights_header, weights_mark
from clashnlp.config import ModelConfig
from clashnlp.network import ClashNetwork, load_network
from clashnlp.relations import FEATURE_SIZES
from clashnlp.store import CONFIG_FILE, WEIGHTS_FILE

OPSET = 18
_LARGE = 4096  # Values; smaller tensors are not worth a look-up in another file.


def export_onnx(folder: Path, *, int8: bool = False) -> None:
    """Writes encoder.onnx and relate.onnx beside the weights of a model folder.

    Args:
        folder: a model folder with config.json and model.safetensors.
        int8: quantise the encoder's matrices dynamically to eight bits: faster, a little larger on disk (what is in eight bits cannot be
            shared with the weights), and less exact. Measure before you ship it.
    """
    config = ModelConfig.load(folder / CONFIG_FILE)
    network = load_network(folder, config).eval()
    with tempfile.TemporaryDirectory() as scratch:
        plain, optimised = Path(scratch) / ENCODER_FILE, Path(scratch) / "int8.onnx"
        _export_encoder(network, plain)
        _drop_guards(plain)
        if int8:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logging.disable(logging.WARNING)  # onnxruntime advises a preprocessing that dynamic quantisation does not need.
                try:
                    quantize_dynamic(plain, optimised, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8, per_channel=True)
                finally:
                    logging.disable(logging.NOTSET)
        model = onnx.load(optimised if int8 else plain)
        _export_relate(network, Path(scratch) / RELATE_FILE)
        relate = onnx.load(Path(scratch) / RELATE_FILE)
    for graph, name in ((model, ENCODER_FILE), (relate, RELATE_FILE)):
        _share_weights(graph, network, folder / WEIGHTS_FILE)
        graph.metadata_props.add(key="weights", value=weights_mark(folder / WEIGHTS_FILE))
        onnx.save(graph, folder / name)


def _export_encoder(network: ClashNetwork, path: Path) -> None:
    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {name: {0: "windows", 1: "tokens"} for name in ("ids", "mask", "states", "tags")}
    _export(network, (ids, torch.ones_like(ids)), path, names=(["ids", "mask"], ["states", "tags"]), axes=axes)


def _drop_guards(path: Path) -> None:
    """Takes out what torch guards fused attention with: where all tokens are masked, zeros for NaN. Here the first token never is.

    Two passes over all attention scores less: onnxruntime reads 9,800 tokens a second, with them 7,200 (float32, two cores, 400 a window).
    """
    model = onnx.load(path)
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
    onnx.save(model, path)


def _export_relate(network: ClashNetwork, path: Path) -> None:
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
    _export(Relate().eval(), (states, spans, pairs, features), path, names=names, axes=axes)


def _export(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: Path,
    *,
    names: tuple[list[str], list[str]],
    axes: dict[str, dict[int, str]],
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # The tracer warns of every shape that it bakes in; a test runs the graphs in other shapes.
        torch.onnx.export(
            module,
            inputs,
            str(path),
            input_names=names[0],
            output_names=names[1],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


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
