"""Who runs the network? A backend knows a runtime (onnxruntime, OpenVINO or torch) and nothing of texts, labels or windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clashnlp.config import ModelConfig
from clashnlp.errors import ModelError

NAMES = ("onnx", "openvino", "torch")
PRECISIONS = ("float32", "bfloat16", "int8")


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how exactly the network runs.

    Attributes:
        device: "cpu", "cuda" (and "cuda:0" and so on for torch), or "auto".
        threads: CPU threads; None lets the runtime choose.
        precision: one of PRECISIONS, of the encoder; None is the backend's own.
    """

    device: str = "cpu"
    threads: int | None = None
    precision: str | None = None


class Backend(Protocol):
    """Runs the two halves of the network. Shapes: b windows, t tokens of a window, n words, s spans, p pairs."""

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Word states (b, t, D) and tag logits (b, t, 5 per label) of token ids (b, t) whose mask (b, t) is 1 for tokens, 0 for padding.

        The arrays may be overwritten by the next call.
        """
        ...

    def relate(
        self,
        states: NDArray[np.float32],
        spans: NDArray[np.int64],
        pairs: NDArray[np.int64],
        features: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Attribute logits (s, V) of spans and relation logits (p, R) of pairs.

        Args:
            states: word states (n, D), n at least 1.
            spans: first word, last word and label of each span (s, 3); s may be 0.
            pairs: head and tail of each pair (p, 2), as indices into spans; p may be 0.
            features: the pairs' features (p, F), see `clashnlp.relations`.
        """
        ...


def load_backend(name: str, folder: Path, config: ModelConfig, runtime: Runtime) -> Backend:
    """The backend of that name on the model in the folder, whose configuration that is.

    Raises:
        ModelError: the backend, the device or the precision does not exist, or the folder lacks the backend's files.
        MissingDependencyError: the backend's runtime is not installed.
    """
    if runtime.precision not in (None, *PRECISIONS):
        raise ModelError(f"there is no precision {runtime.precision!r}; choose one of {', '.join(PRECISIONS)}")
    # The runtimes are imported here, not above: onnxruntime must do without torch, and the other way round.
    if name == "onnx":
        from clashnlp.backends.onnx import OnnxBackend

        return OnnxBackend.load(folder, config, runtime)
    if name == "openvino":
        from clashnlp.backends.openvino import OpenVinoBackend

        return OpenVinoBackend.load(folder, config, runtime)
    if name == "torch":
        from clashnlp.backends.torch import TorchBackend

        return TorchBackend.load(folder, config, runtime)
    raise ModelError(f"there is no backend {name!r}; choose one of {', '.join(NAMES)}")
