"""Writes the graphs for onnxruntime into a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from clashnlp import store
from clashnlp.commands.files import DONE
from clashnlp.commands.options import needs_train_extra
from clashnlp.errors import DataError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("export", help="write the graphs for onnxruntime into a model folder")
    command.add_argument("model", type=Path)
    command.add_argument("--int8", action="store_true", help="quantise the encoder to eight bits: faster and less exact")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    if not options.model.is_dir():
        raise DataError(f"there is no folder {options.model}")
    folder = store.find_model(options.model)
    with needs_train_extra():
        from clashnlp.training.export import export_onnx
    export_onnx(folder, int8=options.int8)
    print(f"wrote encoder.onnx and relate.onnx into {folder}")
    return DONE
