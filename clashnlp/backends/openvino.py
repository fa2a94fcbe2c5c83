"""OpenVINO: the fastest backend on Intel and AMD CPUs; reads the same graphs as onnxruntime, which still runs the small relation graph."""

from __future__ import annotations

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

# OpenVINO computes in bfloat16 by default where the CPU can, so the precision is always stated.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoBackend:
    """Runs encoder.onnx in OpenVINO and relate.onnx in onnxruntime; see `clashnlp.backends.Backend`."""

    def __init__(self, encoder: Any, relate: OnnxBackend) -> None:
        self._encoder = encoder
        self._relate = relate

    @classmethod
    def load(cls, folder: Path, config: ModelConfig, runtime: Runtime) -> OpenVinoBackend:
        """The backend on the model in the folder, in float32 unless told otherwise.

        Raises:
            ModelError: a file is missing or cannot be read, or the device is no CPU.
        """
        if runtime.device not in ("auto", "cpu"):
            raise ModelError(f"there is no device {runtime.device!r} for the openvino backend; choose auto or cpu")
        # It checks the files, their digests and the configuration.
        relate = OnnxBackend.load(folder, config, Runtime(threads=runtime.threads))
        options = {"INFERENCE_PRECISION_HINT": _HINTS[runtime.precision or "float32"]}
        if runtime.threads is not None:
            options["INFERENCE_NUM_THREADS"] = str(runtime.threads)
        try:
            core = openvino.Core()
            model = core.compile_model(core.read_model(folder / ENCODER_FILE), "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"{folder / ENCODER_FILE}: OpenVINO {openvino.__version__} cannot read it ({error})") from None
        return cls(model.create_infer_request(), relate)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.encode`."""
        # The arrays belong to the request, and are written anew by the next call.
        found = self._encoder.infer({"ids": ids, "mask": mask}, share_inputs=True, share_outputs=True)
        return found["states"], found["tags"]

    def relate(
        self,
        states: NDArray[np.float32],
        spans: NDArray[np.int64],
        pairs: NDArray[np.int64],
        features: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.relate`."""
        return self._relate.relate(states, spans, pairs, features)
