"""onnxruntime: the default backend, on a CPU (or on CUDA where onnxruntime-gpu is installed), without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from clashnlp.errors import ModelError

ENCODER_FILE = "encoder.onnx"
RELATE_FILE = "relate.onnx"


class OnnxBackend:
    """Runs encoder.onnx and relate.onnx; see `clashnlp.backends.Backend`."""

    def __init__(self, encoder: ort.InferenceSession, relate: ort.InferenceSession) -> None:
        self._encoder = encoder
        self._relate = relate

    @classmethod
    def load(cls, folder: Path, *, device: str, threads: int | None) -> OnnxBackend:
        """The backend on the model in the folder.

        Raises:
            ModelError: a file is missing or cannot be read, or the device is not available.
        """
        available = ort.get_available_providers()
        if device == "auto":
            device = "cuda" if "CUDAExecutionProvider" in available else "cpu"
        if device not in ("cpu", "cuda"):
            raise ModelError(f"there is no device {device!r} for the onnx backend; choose auto, cpu or cuda")
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if provider not in available:
            raise ModelError("this onnxruntime has no CUDA; install onnxruntime-gpu, or use backend='torch' or device='cpu'")
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        sessions = []
        for name in (ENCODER_FILE, RELATE_FILE):
            path = folder / name
            if not path.is_file():
                raise ModelError(f"{folder} lacks {name}; export it with `clashnlp export {folder}`, or use backend='torch'")
            try:
                sessions.append(ort.InferenceSession(str(path), options, providers=[provider]))
            except Exception as error:  # onnxruntime's exceptions share no public base class.
                raise ModelError(f"{path}: onnxruntime {ort.__version__} cannot read it ({error})") from None
        return cls(*sessions)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.encode`."""
        states, tags = self._encoder.run(["states", "tags"], {"ids": ids, "mask": mask})
        return states, tags

    def relate(
        self,
        states: NDArray[np.float32],
        spans: NDArray[np.int64],
        pairs: NDArray[np.int64],
        features: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.relate`."""
        feed = {"states": states, "spans": spans, "pairs": pairs, "features": features}
        attributes, relations = self._relate.run(["attributes", "relations"], feed)
        return attributes, relations
