"""PyTorch: the backend for GPUs and for training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clashnlp.backends import Runtime
from clashnlp.config import ModelConfig
from clashnlp.errors import MissingDependencyError, ModelError

try:
    import torch

    from clashnlp.network import ClashNetwork, load_network
except ImportError as error:
    raise MissingDependencyError(
        f"the torch backend needs the package {error.name}; install it with: pip install 'clashnlp[torch]'", name=error.name
    ) from error


class TorchBackend:
    """Runs a network on a CPU (in float32 unless told otherwise) or on CUDA (in bfloat16); see `clashnlp.backends.Backend`."""

    def __init__(self, network: ClashNetwork, device: torch.device, *, precision: str | None = None) -> None:
        self._network = network
        self._device = device
        self._narrow = (precision or ("bfloat16" if device.type == "cuda" else "float32")) == "bfloat16"

    @classmethod
    def load(cls, folder: Path, config: ModelConfig, runtime: Runtime) -> TorchBackend:
        """The backend on the model in the folder.

        Raises:
            ModelError: a file is missing or cannot be read, or the device or the precision is not available.
        """
        device = runtime.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ModelError("torch sees no CUDA device here; use device='cpu', or install a torch build with CUDA")
        try:
            place = torch.device(device)
        except RuntimeError:
            raise ModelError(f"there is no device {device!r}; choose auto, cpu, cuda or cuda:0") from None
        if runtime.precision == "int8":
            raise ModelError("the torch backend has no precision int8; use backend='onnx' or 'openvino'")
        if runtime.threads is not None:
            torch.set_num_threads(runtime.threads)
        return cls(load_network(folder, config).to(place).eval(), place, precision=runtime.precision)

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.encode`."""
        with self._mode(), torch.inference_mode():
            states, tags = self._network.encode(self._tensor(ids), self._tensor(mask))
        return _array(states), _array(tags)

    def relate(
        self,
        states: NDArray[np.float32],
        spans: NDArray[np.int64],
        pairs: NDArray[np.int64],
        features: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `clashnlp.backends.Backend.relate`."""
        with self._mode(), torch.inference_mode():
            attributes, relations = self._network.relate(*[self._tensor(array) for array in (states, spans, pairs, features)])
        return _array(attributes), _array(relations)

    def _mode(self) -> torch.autocast:
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._narrow)

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.float().cpu().numpy()
    return array
