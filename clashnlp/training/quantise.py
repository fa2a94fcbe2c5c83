"""How does an encoder's graph come down to eight bits? NNCF runs it over reports and picks the scales."""

from __future__ import annotations

import contextlib
import logging
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
from numpy.typing import NDArray

from clashnlp.config import ModelConfig
from clashnlp.errors import DataError, MissingDependencyError
from clashnlp.model import ClashModel
from clashnlp.spans import TAGS
from clashnlp.store import CONFIG_FILE, TOKENIZER_FILE
from clashnlp.tokens import Tokenizer
from clashnlp.types import Document

SAMPLE = 256  # Reports.
_BATCH_TOKENS = 1280

Batch = dict[str, NDArray[np.int64]]


def quantise(graph: onnx.ModelProto, batches: list[Batch]) -> onnx.ModelProto:
    """The graph with its matrix products in eight bits: weights a channel, the other side a tensor, with scales fitted on the batches.

    Post-training quantisation as NNCF does it for transformers: ranges from the batches, and outlying channels divided out of the
    activations into the weights beforehand (Xiao et al. 2023, "SmoothQuant", https://arxiv.org/abs/2211.10438). Embeddings stay.

    Args:
        graph: the encoder's, with its weights inside.
        batches: what it is fed, `ids` and `mask` (b, t) of int64.

    Raises:
        MissingDependencyError: NNCF is not installed.
    """
    nncf = load_nncf()
    logging.getLogger("nncf").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(sys.stderr):  # Its progress bars.
        quantised: onnx.ModelProto = nncf.quantize(
            graph,
            nncf.Dataset(batches),
            subset_size=len(batches),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=nncf.IgnoredScope(types=["Gather"]),
            # CPUs before VNNI add pairs of products in 16 bits, which overflow unless the weights leave a bit free.
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
        )
    return quantised


def load_nncf() -> ModuleType:
    """NNCF, kept from telling its makers of each use.

    Raises:
        MissingDependencyError: it is not installed.
    """
    with _hidden("openvino_telemetry"):
        try:
            import nncf
        except ImportError as error:
            raise MissingDependencyError(
                f"eight bits need the package {error.name}; install it with: pip install 'clashnlp[int8]'", name=error.name
            ) from error
    return nncf  # type: ignore[no-any-return]


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Makes the import of that package fail meanwhile."""
    known = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if known is not None:
            sys.modules[name] = known


def batches_of(folder: Path, reports: Iterable[Document]) -> list[Batch]:
    """What the encoder of a model folder is fed when it reads these reports, or SAMPLE of them.

    Raises:
        DataError: there are none that hold text.
    """
    documents = [report for report in reports if report.text.strip()]
    if not documents:
        raise DataError("eight bits need reports to be fitted on, and none holds text; give some hundred of the kind to be read")
    config = ModelConfig.load(folder / CONFIG_FILE)
    recorder = _Recorder(config)
    model = ClashModel(config, Tokenizer.load(folder / TOKENIZER_FILE), recorder)
    model.read(random.Random(0).sample(documents, min(SAMPLE, len(documents))), batch_tokens=_BATCH_TOKENS)
    return recorder.batches


class _Recorder:
    """A backend that keeps what the encoder is fed, and finds nothing."""

    def __init__(self, config: ModelConfig) -> None:
        self.batches: list[Batch] = []
        self._widths = (config.state_size, len(TAGS) * len(config.schema.labels))

    def encode(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.batches.append({"ids": ids, "mask": mask})
        states, tags = (np.zeros((*ids.shape, width), np.float32) for width in self._widths)
        return states, tags

    def relate(
        self, states: NDArray[np.float32], spans: NDArray[np.int64], pairs: NDArray[np.int64], features: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        raise NotImplementedError
