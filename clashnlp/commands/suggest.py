"""Chooses the reports whose correction teaches the model most, and writes them pre-annotated for an annotation tool."""

from __future__ import annotations

import argparse
from pathlib import Path

from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output, progress, read_reports
from clashnlp.commands.options import add_input_format, add_inputs, add_model, load_model, positive
from clashnlp.errors import DataError
from clashnlp.formats import WRITERS, labelstudio, read_documents, write
from clashnlp.types import Document

_SHOWN = 5


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("suggest", help="choose the reports to correct next, and write them pre-annotated")
    add_inputs(command)
    command.add_argument("--to", choices=WRITERS, required=True, help="the tool or format to write for")
    command.add_argument("-o", "--output", type=Path, required=True, help="file (or folder, for brat and webanno) to write")
    command.add_argument("--number", type=positive, help="how many to choose (default: all of them, the most useful first)")
    command.add_argument(
        "--done", nargs="+", default=[], metavar="FILE", help="annotated documents; reports that are near them are left out"
    )
    add_input_format(command, "--done-format", text="read every file of --done as this format (default: as they look)")
    add_model(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.suggest import pre_annotated, suggest

    check_output(options.output, [*options.inputs, *options.done])
    problems = Problems()
    done: list[Document] = []
    for name in options.done:
        # What is marked in a file does not matter here, and need not be right; in folders it shows which files are exports of a tool.
        done += read_documents(name, format=options.done_format, annotated=Path(name).is_dir(), on_error=problems)
    model = load_model(options)
    reports = (report for report in read_reports(options, problems) if report.text.strip())
    found = suggest(model, progress(reports, show=True), number=options.number, done=done)
    if not found.chosen:
        raise DataError("there is no report to suggest" + (f"; {len(found.done)} are near those of --done" if found.done else ""))
    print(f"wrote to {options.output}: {write(pre_annotated(found), options.output, format=options.to)}")
    if options.to == "labelstudio":
        # Label Studio shows a prediction only where its names are those of the labelling configuration.
        config = options.output.with_suffix(".config.xml")
        config.write_text(labelstudio.config(model.config.schema), encoding="utf-8")
        print(f"  the labelling configuration to paste into the project's settings: {config}")
    for ids, reason in ((found.done, "near those that are done"), (found.duplicates, "near-duplicates of those above")):
        if ids:
            more = ", ..." if len(ids) > _SHOWN else ""
            print(f"  left out {len(ids)}: {reason} ({', '.join(map(str, ids[:_SHOWN]))}{more})")
    expected = sum(one.mistakes for one in found.chosen)
    print(f"the model expects {expected:.0f} mistakes in their {sum(one.words for one in found.chosen)} words")
    return INCOMPLETE if problems.count else DONE
