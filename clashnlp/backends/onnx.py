"""onnxruntime: the default backend, on a CPU (or on CUDA where onnxruntime-gpu is installed), without torch."""

from __future__ import annotations

import json
import struct
from hashlib import sha256
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
INT8_FILE = "encoder.int8.onnx"
RELATE_FILE = "relate.onnx"
# Precision -> the encoder's graph: only eight bits need one of their own.
GRAPHS = {"float32": ENCODER_FILE, "bfloat16": ENCODER_FILE, "int8": INT8_FILE}


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
    # Other tools write no digest. A graph in eight bits holds weights of its own, so the place alone would not do.
    digest = header.get("__metadata__", {}).get("sha256") or sha256(path.read_bytes()).hexdigest()
    return f"{digest}+{begin}"


def find_graph(folder: Path, name: str) -> Path:
    """The path of that graph in a model folder.

    Raises:
        ModelError: it is not there.
    """
    path = folder / name
    if path.is_file():
        return path
    if name == INT8_FILE:
        raise ModelError(f"{folder} lacks {name}; write it with `clashnlp export {folder} --int8 REPORTS`, or use another precision")
    raise ModelError(f"{folder} lacks {name}; export it with `clashnlp export {folder}`, or use backend='torch'")


def check_graph(path: Path, mark: str | None, outputs: dict[str, int | None], config: ModelConfig) -> None:
    """Checks that a graph belongs to the weights and the configuration beside it.

    Args:
        path: the graph's file.
        mark: what the graph carries of its weights, see `weights_mark`.
        outputs: the width of each of its outputs.
        config: the configuration of the folder.

    Raises:
        ModelError: it does not.
    """
    folder = path.parent
    if mark != weights_mark(folder / WEIGHTS_FILE):
        again = f"clashnlp export {folder}" + (" --int8 REPORTS" if path.name == INT8_FILE else "")
        raise ModelError(f"{path} was made from other weights than {WEIGHTS_FILE}; run: {again}")
    wanted: dict[str, int | None] = {"states": config.state_size, "tags": len(TAGS) * len(config.schema.labels)}
    if path.name != RELATE_FILE and outputs != wanted:
        raise ModelError(f"{folder}: config.json and {path.name} contradict each other ({wanted} and {outputs})")


def open_session(
    path: Path, config: ModelConfig, *, provider: str = "CPUExecutionProvider", threads: int | None = None
) -> ort.InferenceSession:
    """A session on that graph of a model folder with that configuration.

    Raises:
        ModelError: onnxruntime cannot read it, or it belongs to other weights or another configuration.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    weights_mark(path.parent / WEIGHTS_FILE)  # onnxruntime's own words for missing weights name no remedy.
    try:
        session = ort.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # onnxruntime's exceptions share no public base class.
        raise ModelError(f"{path}: onnxruntime {ort.__version__} cannot read it ({error})") from None
    outputs = {output.name: output.shape[-1] for output in session.get_outputs()}
    check_graph(path, session.get_modelmeta().custom_metadata_map.get("weights"), outputs, config)
    return session


class OnnxRelate:
    """Runs relate.onnx."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session

    def relate(
        self,
        states: NDArray[np.float32],
        spans: NDArray[np.int64],
        pairs: NDArray[np.int64],
        features: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.relate`."""
        feed = {"states": states, "spans": spans, "pairs": pairs, "features": features}
        attributes, relations = self._session.run(["attributes", "relations"], feed)
        return attributes, relations


class OnnxBackend(OnnxRelate):
    """Runs the encoder's graph and relate.onnx; see `clashnlp.backends.Backend`."""

    def __init__(self, encoder: ort.InferenceSession, relate: ort.InferenceSession) -> None:
        super().__init__(relate)
        self._encoder = encoder

    @classmethod
    def load(cls, folder: Path, config: ModelConfig, runtime: Runtime) -> OnnxBackend:
        """The backend on the model in the folder, in float32 unless told otherwise.

        Raises:
            ModelError: a file is missing or cannot be read, or the device or the precision is not available.
        """
        precision = runtime.precision or "float32"
        if precision == "bfloat16":
            raise ModelError("the onnx backend has no precision bfloat16; use backend='openvino' or 'torch'")
        available = ort.get_available_providers()
        device = runtime.device
        if device == "auto":
            device = "cuda" if "CUDAExecutionProvider" in available else "cpu"
        if device not in ("cpu", "cuda"):
            raise ModelError(f"there is no device {device!r} for the onnx backend; choose auto, cpu or cuda")
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if provider not in available:
            raise ModelError("this onnxruntime has no CUDA; install onnxruntime-gpu, or use backend='torch' or device='cpu'")
        names = (GRAPHS[precision], RELATE_FILE)
        return cls(*(open_session(find_graph(folder, name), config, provider=provider, threads=runtime.threads) for name in names))

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.encode`."""
        states, tags = self._encoder.run(["states", "tags"], {"ids": ids, "mask": mask})
        return states, tags
