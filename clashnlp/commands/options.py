"""Which options do commands share? Values that are checked as they are read, and the model that they name."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from clashnlp.backends import NAMES
from clashnlp.errors import MissingDependencyError
from clashnlp.model import BATCH_TOKENS, ClashModel


def positive(value: str) -> int:
    """A whole number of at least 1."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, it is {value!r}")
    return int(value)


def amount(value: str) -> float:
    """A number above 0."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, it is {value!r}")
    return number


def share(value: str) -> float:
    """A number between 0 and 1."""
    number = 0.0 if value in ("0", "0.0") else amount(value)
    if number > 1:
        raise argparse.ArgumentTypeError(f"must be a share between 0 and 1, it is {value!r}")
    return number


def day(value: str) -> datetime.date:
    """A day such as 2018-03-03."""
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a day such as 2018-03-03, it is {value!r}") from None


def add_model(command: argparse.ArgumentParser) -> None:
    """Adds the options that say which model to use and how; `load_model` reads them."""
    command.add_argument("--model", help="model folder or Hub id (default: the embedded model)")
    command.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    command.add_argument("--backend", choices=("auto", *NAMES), default="auto", help="auto: torch if there is a GPU, else onnx")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    command.add_argument("--batch-tokens", type=positive, default=BATCH_TOKENS, help=f"tokens read at once (default: {BATCH_TOKENS})")
    command.add_argument("--threads", type=positive, help="CPU threads (default: all)")


def has_gpu() -> bool:
    """Whether there seems to be a GPU. A look at the driver's file is enough; asking torch would take seconds."""
    return Path("/dev/nvidia0").exists()


def choose_backend(options: argparse.Namespace) -> str:
    """The backend that the options name, or that suits this machine."""
    if options.backend != "auto":
        return str(options.backend)
    gpu = options.device.startswith("cuda") or (options.device == "auto" and has_gpu())
    return "torch" if gpu and find_spec("torch") else "onnx"


def load_model(options: argparse.Namespace) -> ClashModel:
    """The model that the options name."""
    return ClashModel.from_pretrained(
        options.model, revision=options.revision, backend=choose_backend(options), device=options.device, threads=options.threads
    )


@contextlib.contextmanager
def needs_train_extra() -> Iterator[None]:
    """Turns a missing package into an error that names the extra."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(f"this needs {error.name}; install it with: pip install 'clashnlp[train]'", name=error.name) from error
