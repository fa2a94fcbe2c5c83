"""OpenVINO: the fastest backend on Intel and AMD CPUs; reads the same graphs as onnxruntime, which still runs the small relation graph."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clashnlp.backends import Runtime
from clashnlp.backends.onnx import GRAPHS, RELATE_FILE, OnnxRelate, check_graph, find_graph, open_session
from clashnlp.config import ModelConfig
from clashnlp.errors import MissingDependencyError, ModelError

try:
    import openvino
except ImportError as error:
    raise MissingDependencyError(
        f"the openvino backend needs the package {error.name}; install it with: pip install 'clashnlp[openvino]'", name=error.name
    ) from error

# Two halves of a batch on a core each are read faster than the whole on two: 31,900 tokens a second against 29,100 (bfloat16, two cores).
# But in float32 OpenVINO 2026.4 then returned noise for 1 of 160 padded batches of 380 to 510 tokens (bfloat16: 0 of 640), so there
# it is one (0 of 640).
_STREAMS = {"f32": 1, "bf16": 2}
# OpenVINO keeps the kernels that it makes for each shape: 300 reports come in 57 shapes, and in eight bits hold 1,125 MB; with lengths in
# steps of 16 in 16 shapes, and 679 MB (bfloat16: 761 and 648), in no more time.
_STEP = 16
# OpenVINO computes in bfloat16 by default where the CPU can, so the precision is always stated: of what the graph leaves open, and
# in eight bits it leaves open what stands between the matrix products (float32 on CPUs without bfloat16).
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}


class OpenVinoBackend:
    """Runs the encoder's graph in OpenVINO and relate.onnx in onnxruntime; see `clashnlp.backends.Backend`."""

    def __init__(self, requests: list[Any], relate: OnnxRelate, encoder: Mapping[str, Any]) -> None:
        self._requests = requests
        # RoBERTa and its kin give padding a position of its own, so it has to be the token that they know as padding.
        self._padding = int(encoder.get("pad_token_id") or 0)
        self._longest = encoder.get("max_position_embeddings")
        # A request computes one thing at a time, and streams that are read in turns, or in several threads, share them.
        self._lock = threading.Lock()
        self.relate = relate.relate

    @classmethod
    def load(cls, folder: Path, config: ModelConfig, runtime: Runtime) -> OpenVinoBackend:
        """The backend on the model in the folder, in float32 unless told otherwise.

        Raises:
            ModelError: a file is missing or cannot be read, or the device is no CPU.
        """
        if runtime.device not in ("auto", "cpu"):
            raise ModelError(f"there is no device {runtime.device!r} for the openvino backend; choose auto or cpu")
        precision = runtime.precision or "float32"
        path = find_graph(folder, GRAPHS[precision])
        # With one thread, since more of them spin between their steps and take the cores from the encoder, which reads on meanwhile
        # (bfloat16, two cores: 50.3 reports a second; with two threads 48.4).
        relate = OnnxRelate(open_session(find_graph(folder, RELATE_FILE), config, threads=1))
        try:
            core = openvino.Core()
            hint = _HINTS[precision]
            if precision == "int8" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                hint = "f32"
            streams = min(_STREAMS[hint], runtime.threads or os.cpu_count() or 1)
            options = {"INFERENCE_PRECISION_HINT": hint, "NUM_STREAMS": str(streams)}
            if runtime.threads is not None:
                options["INFERENCE_NUM_THREADS"] = str(runtime.threads)
            graph = core.read_model(path)
            model = core.compile_model(graph, "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"{path}: OpenVINO {openvino.__version__} cannot read it ({error})") from None
        check_graph(path, _mark(graph), {output.any_name: _width(output) for output in graph.outputs}, config)
        return cls([model.create_infer_request() for _ in range(streams)], relate, config.encoder)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.encode`."""
        width = ids.shape[1]
        wanted = width + -width % _STEP
        padding = ((0, 0), (0, (wanted if self._longest is None else min(wanted, self._longest)) - width))
        ids, mask = np.pad(ids, padding, constant_values=self._padding), np.pad(mask, padding)
        size = -(-len(ids) // len(self._requests))
        running = []
        with self._lock:
            for request, at in zip(self._requests, range(0, len(ids), size), strict=False):
                request.start_async({"ids": ids[at : at + size], "mask": mask[at : at + size]}, share_inputs=True)
                running.append(request)
            for request in running:
                request.wait()
            # A request's arrays are written anew by the next call.
            states, tags = (np.concatenate([request.get_tensor(name).data for request in running]) for name in ("states", "tags"))
        return states[:, :width], tags[:, :width]


def _mark(graph: Any) -> str | None:
    # Where OpenVINO keeps the metadata of an ONNX file.
    try:
        return str(graph.get_rt_info(["framework", "weights"]).value)
    except RuntimeError:
        return None


def _width(output: Any) -> int | None:
    width = output.partial_shape[-1]
    return width.get_length() if width.is_static else None
