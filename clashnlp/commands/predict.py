"""Finds spans, relations and records in reports."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import IO

from clashnlp import output
from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output, progress, read_reports
from clashnlp.commands.jobs import add_job, run_job
from clashnlp.commands.options import add_inputs, add_model, day, load_model
from clashnlp.errors import DataError
from clashnlp.formats.storage import written_whole
from clashnlp.output import OUTPUT_FORMATS


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("predict", help="find spans and relations in reports")
    add_inputs(command)
    command.add_argument("-o", "--output", type=Path, help="write here; else to standard output, or a summary to a terminal")
    command.add_argument("--format", choices=OUTPUT_FORMATS, default="jsonl", help="what to write (default: jsonl, spans and relations)")
    command.add_argument("--published", type=day, metavar="DAY", help="day of reports that bear no date, YYYY-MM-DD; for records")
    add_model(command)
    add_job(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    if options.output_dir is not None:
        return run_job(options)
    if options.resume or options.engine != "local":
        raise DataError("--resume and --engine are for jobs; name their folder with --output-dir")
    check_output(options.output, options.inputs)
    if options.output is None and sys.stdout is None:
        raise DataError("standard output is closed; name a file with -o")
    problems = Problems()
    model = load_model(options)
    documents = read_reports(options, problems)
    done = 0
    analyses = progress(model.predict_many(documents, batch_tokens=options.batch_tokens), show=not _people(options))
    with contextlib.ExitStack() as stack:
        if _people(options):
            from clashnlp.view import summary

            for analysis in analyses:
                done += 1
                print(summary(analysis, model.config.schema, colour="NO_COLOR" not in os.environ))
        else:
            out: IO[bytes] = sys.stdout.buffer if options.output is None else stack.enter_context(written_whole(options.output))
            done = output.write(analyses, out, format=options.format, published=options.published)
    if problems.count:
        print(f"clashnlp: {done} reports read, {problems.count} problems (named above)", file=sys.stderr)
        return INCOMPLETE
    return DONE


def _people(options: argparse.Namespace) -> bool:
    """Whether a person reads the output at a terminal, and asked for nothing else."""
    return options.output is None and options.format == "jsonl" and sys.stdout.isatty()
