"""How does a trained network reach onnxruntime? Two graphs, whose large tables stay in the safetensors file beside them."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from clashnlp.backends.onnx import ENCODER_FILE, RELATE_FILE, weights_header, weights_mark
from clashnlp.config import ModelConfig
from clashnlp.network import ClashNetwork, load_network
from clashnlp.relations import FEATURE_SIZES
from clashnlp.store import CONFIG_FILE, WEIGHTS_FILE

OPSET = 18


def export_onnx(folder: Path, *, int8: bool = True) -> None:
    """Writes encoder.onnx and relate.onnx beside the weights of a model folder.

    Args:
        folder: a model folder with config.json and model.safetensors.
        int8: quantise the encoder's matrices dynamically to eight bits; the relation graph is small and stays in float32.
    """
    config = ModelConfig.load(folder / CONFIG_FILE)
    network = load_network(folder, config).eval()
    with tempfile.TemporaryDirectory() as scratch:
        plain, optimised = Path(scratch) / ENCODER_FILE, Path(scratch) / "int8.onnx"
        _export_encoder(network, plain)
        if int8:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logging.disable(logging.WARNING)  # onnxruntime advises a preprocessing that dynamic quantisation does not need.
                try:
                    quantize_dynamic(plain, optimised, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8, per_channel=True)
                finally:
                    logging.disable(logging.NOTSET)
        model = onnx.load(optimised if int8 else plain)
    _share_embeddings(model, network, folder / WEIGHTS_FILE)
    model.metadata_props.add(key="weights", value=weights_mark(folder / WEIGHTS_FILE))
    onnx.save(model, folder / ENCODER_FILE)
    _export_relate(network, folder / RELATE_FILE)


def _export_encoder(network: ClashNetwork, path: Path) -> None:
    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {name: {0: "windows", 1: "tokens"} for name in ("ids", "mask", "states", "tags")}
    _export(network, (ids, torch.ones_like(ids)), path, names=(["ids", "mask"], ["states", "tags"]), axes=axes)


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


def _share_embeddings(model: onnx.ModelProto, network: ClashNetwork, weights: Path) -> None:
    """Points the word embeddings of a graph at their float16 rows in the safetensors file, so that they are stored once.

    ONNX keeps large tensors in files of any layout, by offset and length (ONNX IR, "External tensor data"), and a safetensors file is a
    header with raw tensors behind it. The rows that a text needs are widened to float32 after the look-up.
    """
    embeddings: torch.nn.Module = network.encoder.get_input_embeddings()
    wanted = embeddings.weight
    assert isinstance(wanted, torch.nn.Parameter)
    key = next(name for name, parameter in network.named_parameters() if parameter is wanted)
    header, start = weights_header(weights)
    entry = header[key]
    if entry["dtype"] != "F16":
        return
    table = wanted.detach().numpy()
    for initializer in model.graph.initializer:
        if list(initializer.dims) == list(table.shape) and initializer.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(initializer)
            if (array == table).all():
                break
    else:
        return
    name = initializer.name
    users = [node for node in model.graph.node if name in node.input]
    if any(node.op_type != "Gather" for node in users):
        return
    begin, end = entry["data_offsets"]
    initializer.ClearField("raw_data")
    initializer.ClearField("float_data")
    initializer.data_type = TensorProto.FLOAT16
    initializer.data_location = TensorProto.EXTERNAL
    for option, value in (("location", weights.name), ("offset", str(start + begin)), ("length", str(end - begin))):
        initializer.external_data.add(key=option, value=value)
    for node in users:
        found = node.output[0]
        node.output[0] = f"{found}_float16"
        at = list(model.graph.node).index(node) + 1
        model.graph.node.insert(at, helper.make_node("Cast", [node.output[0]], [found], to=TensorProto.FLOAT))
