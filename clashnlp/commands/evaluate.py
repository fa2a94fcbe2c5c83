"""Measures a model on annotated reports."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from clashnlp import __version__
from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output, progress
from clashnlp.commands.options import add_input_format, add_model, load_model, positive
from clashnlp.errors import DataError
from clashnlp.formats import read_documents
from clashnlp.formats.storage import written_whole
from clashnlp.types import Document


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("evaluate", help="measure a model on annotated reports")
    command.add_argument("--data", nargs="+", required=True, metavar="FILE", help="annotated documents")
    add_input_format(command)
    command.add_argument("-o", "--output", type=Path, help="write the metrics to this file as JSON")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page with scores, plots and the worst documents to this file")
    command.add_argument("--worst", type=positive, default=10, metavar="N", help="documents that the page shows (default: 10)")
    add_model(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.evaluate import evaluate, summary

    for output in (options.output, options.html):
        check_output(output, options.data)
    problems = Problems()
    gold = [document for name in options.data for document in read_documents(name, format=options.input_format, on_error=problems)]
    if not gold:
        raise DataError(f"{', '.join(options.data)}: no annotated document to measure on")
    _warn(gold)
    model = load_model(options)
    predicted = list(progress(model.predict_many(gold, batch_tokens=options.batch_tokens), show=True))
    metrics = evaluate(gold, predicted, model.config.schema)
    print(summary(metrics))
    if options.output is not None:
        options.output.write_text(json.dumps(metrics, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if options.html is not None:
        from clashnlp.report_html import build

        facts = {"data": ", ".join(options.data), "model": options.model or "the embedded one", "clashnlp": __version__}
        page = build(metrics, list(zip(gold, predicted, strict=True)), model.config.schema, worst=options.worst, facts=facts)
        with written_whole(options.html) as file:
            file.write(page.encode("utf-8", "replace"))
    return INCOMPLETE if problems.count else DONE


def _warn(gold: Sequence[Document]) -> None:
    """Tells what makes figures mean less than they seem to."""
    if not any(document.spans for document in gold):
        logging.warning("nothing is marked in the data, so every span that the model finds counts as a mistake")
    if repeated := len(gold) - len({document.text for document in gold}):
        logging.warning("%d documents have the text of another one, and count as often as they stand there", repeated)
