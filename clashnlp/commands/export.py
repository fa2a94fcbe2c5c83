"""Writes the graphs for onnxruntime and OpenVINO into a model folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from clashnlp import store
from clashnlp.commands.files import DONE, INCOMPLETE, Problems
from clashnlp.commands.options import add_input_format, name, needs_train_extra
from clashnlp.errors import DataError
from clashnlp.formats import read_documents
from clashnlp.types import Document


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("export", help="write the graphs for onnxruntime and OpenVINO into a model folder")
    command.add_argument("model", type=Path)
    text = "write encoder.int8.onnx as well, fitted on some hundred reports of the kind to be read: faster and less exact"
    command.add_argument("--int8", type=name, nargs="+", metavar="REPORTS", help=text)
    add_input_format(command, text="read every file of --int8 as this format (default: as they look)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    if not options.model.is_dir():
        raise DataError(f"there is no folder {options.model}")
    folder = store.find_model(options.model)
    with needs_train_extra():
        from clashnlp.training.export import export_int8, export_onnx
        from clashnlp.training.quantise import SAMPLE
    problems = Problems()
    reports: list[Document] = []
    for source in options.int8 or ():
        # What is marked in a file does not matter here, and need not be right; in folders it shows which files are exports of a tool.
        reports += read_documents(source, format=options.input_format, annotated=Path(source).is_dir(), on_error=problems)
    export_onnx(folder)
    print(f"wrote encoder.onnx and relate.onnx into {folder}")
    if options.int8:
        export_int8(folder, reports)
        used = f"{min(len(reports), SAMPLE)} of {len(reports)} reports"
        print(f"wrote encoder.int8.onnx, fitted on {used}; see what it costs: clashnlp evaluate --precision int8")
    return INCOMPLETE if problems.count else DONE
