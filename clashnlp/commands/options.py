"""Which options do commands share? Values that are checked as they are read, and the model that they name."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from clashnlp.backends import NAMES, PRECISIONS
from clashnlp.errors import DataError, MissingDependencyError
from clashnlp.formats import FORMATS
from clashnlp.model import BATCH_TOKENS, ClashModel
from clashnlp.near import NEAR
from clashnlp.schema import Schema


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


def name(value: str) -> str:
    """A name; an empty one, as unset variables of a shell leave it, would stand for the current folder."""
    if not value:
        raise argparse.ArgumentTypeError("must be the name of a file or folder, it is empty")
    return value


def day(value: str) -> datetime.date:
    """A day such as 2018-03-03."""
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a day such as 2018-03-03, it is {value!r}") from None


def add_inputs(command: argparse.ArgumentParser) -> None:
    """Adds the reports to read, and how to read them; `files.read_reports` reads them."""
    kinds = ".txt, .jsonl, .csv, .tsv or .parquet files, folders of these, or - for standard input"
    command.add_argument("inputs", nargs="+", type=name, metavar="INPUT", help=kinds)
    command.add_argument("--text-column", default="text", help="column or key that holds the reports (default: text)")
    add_input_format(command, text="read every input as this format (default: as they look; - is text)")


def add_input_format(
    command: argparse.ArgumentParser, *names: str, text: str = "read every input as this format (default: as they look)"
) -> None:
    """Adds the option that says which format files have: `--input-format`, unless other names are given."""
    command.add_argument(*(names or ("--input-format",)), choices=FORMATS, help=text)


def read_schema(value: str | None) -> Schema | str | None:
    """The schema in a JSON file; 'clash', 'data' and None as they are.

    Raises:
        DataError: the file holds no JSON.
    """
    if value is None or value in ("clash", "data"):
        return value
    try:
        return Schema.from_dict(json.loads(Path(value).read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{value}: not a JSON file ({error})") from None


def add_near(command: argparse.ArgumentParser) -> None:
    """Adds the option that says when two reports are nearly the same."""
    text = "share of a report's 5-word runs that make it nearly the same as one which has them too"
    command.add_argument("--near", type=share, default=NEAR, help=f"{text} (default: {NEAR})")


def add_model(command: argparse.ArgumentParser) -> None:
    """Adds the options that say which model to use and how; `load_model` reads them."""
    command.add_argument("--model", help="model folder or Hub id (default: the embedded model)")
    command.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    command.add_argument("--backend", choices=("auto", *NAMES), default="auto", help="auto: torch if there is a GPU, else onnx")
    precision = "of the encoder (default: float32 on a CPU, bfloat16 on a GPU); bfloat16 needs openvino or torch, int8 openvino or onnx"
    command.add_argument("--precision", choices=PRECISIONS, help=precision)
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
    return "torch" if gpu and find_spec("torch") and options.precision != "int8" else "onnx"


def load_model(options: argparse.Namespace) -> ClashModel:
    """The model that the options name."""
    return ClashModel.from_pretrained(
        options.model,
        revision=options.revision,
        backend=choose_backend(options),
        device=options.device,
        threads=options.threads,
        precision=options.precision,
    )


@contextlib.contextmanager
def needs_train_extra() -> Iterator[None]:
    """Turns a missing package into an error that names the extra."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(f"this needs {error.name}; install it with: pip install 'clashnlp[train]'", name=error.name) from error
