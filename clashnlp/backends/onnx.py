"""onnxruntime: the default backend, on a CPU (or on CUDA where onnxruntime-gpu is installed), without torch."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from clashnlp.backends import Runtime
from clashnlp.config import ModelConfig
from clashnlp.errors import ModelError
from clashnlp.spans import TAGS
from clashnlp.store import WEIGHTS_FILE

ENCODER_FILE = "encoder.onnx"
RELATE_FILE = "relate.onnx"


def weights_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file, and where its tensors begin.

    Raises:
        ModelError: the file is missing or broken.
    """
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            if size > path.stat().st_size:
                raise ValueError("its header is longer than the file")
            return json.loads(file.read(size)), 8 + size
    except (OSError, ValueError, struct.error) as error:
        raise ModelError(
            f"{path}: is missing or no safetensors file ({error}); copy the model folder whole, or download it again"
        ) from None


def weights_mark(path: Path) -> str:
    """What a graph that points into the file must carry: the digest of the weights and where they begin."""
    header, begin = weights_header(path)
    return f"{header.get('__metadata__', {}).get('sha256')}+{begin}"


def _check(folder: Path, config: ModelConfig, sessions: list[ort.InferenceSession], mark: str) -> None:
    if any(session.get_modelmeta().custom_metadata_map.get("weights") != mark for session in sessions):
        raise ModelError(f"{folder}: its graphs were made from other weights than {WEIGHTS_FILE}; run: clashnlp export {folder}")
    widths = {output.name: output.shape[-1] for output in sessions[0].get_outputs()}
    wanted = {"states": config.state_size, "tags": len(TAGS) * len(config.schema.labels)}
    if widths != wanted:
        raise ModelError(f"{folder}: config.json and encoder.onnx contradict each other ({wanted} and {widths})")


class OnnxBackend:
    """Runs encoder.onnx and relate.onnx; see `clashnlp.backends.Backend`."""

    def __init__(self, encoder: ort.InferenceSession, relate: ort.InferenceSession) -> None:
        self._encoder = encoder
        self._relate = relate

    @classmethod
    def load(cls, folder: Path, config: ModelConfig, runtime: Runtime) -> OnnxBackend:
        """The backend on the model in the folder; it computes as the graphs say, in float32, or in eight bits where they were exported so.

        Raises:
            ModelError: a file is missing or cannot be read, or the device or the precision is not available.
        """
        if runtime.precision not in (None, "float32"):
            raise ModelError(f"the onnx backend has no precision {runtime.precision}; use backend='openvino' or 'torch'")
        available = ort.get_available_providers()
        device = runtime.device
        if device == "auto":
            device = "cuda" if "CUDAExecutionProvider" in available else "cpu"
        if device not in ("cpu", "cuda"):
            raise ModelError(f"there is no device {device!r} for the onnx backend; choose auto, cpu or cuda")
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if provider not in available:
            raise ModelError("this onnxruntime has no CUDA; install onnxruntime-gpu, or use backend='torch' or device='cpu'")
        options = ort.SessionOptions()
        options.log_severity_level = 3
        if runtime.threads is not None:
            options.intra_op_num_threads = runtime.threads
        sessions = []
        mark = weights_mark(folder / WEIGHTS_FILE) if (folder / ENCODER_FILE).is_file() else ""
        for name in (ENCODER_FILE, RELATE_FILE):
            path = folder / name
            if not path.is_file():
                raise ModelError(f"{folder} lacks {name}; export it with `clashnlp export {folder}`, or use backend='torch'")
            try:
                sessions.append(ort.InferenceSession(str(path), options, providers=[provider]))
            except Exception as error:  # onnxruntime's exceptions share no public base class.
                raise ModelError(f"{path}: onnxruntime {ort.__version__} cannot read it ({error})") from None
        _check(folder, config, sessions, mark)
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
