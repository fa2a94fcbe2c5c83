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
    command.add_argument("--int8", type=name, nargs="+", metavar="REPORTS", help=f"{text} (behind MODEL)")
    command.add_argument("--text-column", default="text", help="column or key that holds these reports (default: text)")
    add_input_format(command, text="read every file of --int8 as this format (default: as they look)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    if not options.model.is_dir():
        raise DataError(f"there is no folder {options.model}")
    folder = store.find_model(options.model)
    with needs_train_extra():
        from clashnlp.training.export import export_int8, export_onnx
        from clashnlp.training.quantise import SAMPLE, load_nncf
    if options.int8:
        load_nncf()
    problems = Problems()
    reports: list[Document] = []
    for source in options.int8 or ():
        found = read_documents(source, format=options.input_format, text_column=options.text_column, annotated=False, on_error=problems)
        reports += (report for report in found if report.text.strip())
    export_onnx(folder)
    print(f"wrote encoder.onnx and relate.onnx into {folder}")
    if options.int8:
        export_int8(folder, reports)
        used = f"{min(len(reports), SAMPLE)} of {len(reports)} reports"
        print(f"wrote encoder.int8.onnx, fitted on {used}; see what it costs:")
        print(f"  clashnlp evaluate --model {options.model} --backend onnx --precision int8 --data ANNOTATED")
    return INCOMPLETE if problems.count else DONE
