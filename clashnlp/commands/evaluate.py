"""Measures a model on annotated reports."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output, progress
from clashnlp.commands.options import add_model, load_model
from clashnlp.errors import DataError
from clashnlp.formats import read_documents


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("evaluate", help="measure a model on annotated reports")
    command.add_argument("--data", nargs="+", required=True, metavar="FILE", help="annotated documents")
    command.add_argument("-o", "--output", type=Path, help="write the metrics to this file as JSON")
    add_model(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.evaluate import evaluate, summary

    check_output(options.output, options.data)
    problems = Problems()
    gold = [document for name in options.data for document in read_documents(name, on_error=problems)]
    if not gold:
        raise DataError(f"{', '.join(options.data)}: no annotated document to measure on")
    model = load_model(options)
    predicted = list(progress(model.predict_many(gold, batch_tokens=options.batch_tokens), show=True))
    metrics = evaluate(gold, predicted, model.config.schema)
    print(summary(metrics))
    if options.output is not None:
        options.output.write_text(json.dumps(metrics, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return INCOMPLETE if problems.count else DONE
