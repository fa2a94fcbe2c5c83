"""OpenVINO: the fastest backend on Intel and AMD CPUs; reads the same graphs as onnxruntime, which still runs the small relation graph."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clashnlp.backends import Runtime
from clashnlp.backends.onnx import ENCODER_FILE, OnnxBackend
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
_STREAMS = {"float32": 1, "bfloat16": 2}
# OpenVINO computes in bfloat16 by default where the CPU can, so the precision is always stated.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoBackend:
    """Runs encoder.onnx in OpenVINO and relate.onnx in onnxruntime; see `clashnlp.backends.Backend`."""

    def __init__(self, requests: list[Any], relate: OnnxBackend) -> None:
        self._requests = requests
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
        # It checks the files, their digests and the configuration. With one thread, since more of them spin between their steps and take
        # the cores from the encoder, which reads on meanwhile (bfloat16, two cores: 50.3 reports a second; with two threads 48.4).
        relate = OnnxBackend.load(folder, config, Runtime(threads=1))
        streams = min(_STREAMS[runtime.precision or "float32"], runtime.threads or os.cpu_count() or 1)
        options = {"INFERENCE_PRECISION_HINT": _HINTS[runtime.precision or "float32"], "NUM_STREAMS": str(streams)}
        if runtime.threads is not None:
            options["INFERENCE_NUM_THREADS"] = str(runtime.threads)
        try:
            core = openvino.Core()
            model = core.compile_model(core.read_model(folder / ENCODER_FILE), "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"{folder / ENCODER_FILE}: OpenVINO {openvino.__version__} cannot read it ({error})") from None
        return cls([model.create_infer_request() for _ in range(streams)], relate)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.encode`."""
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
        return states, tags
