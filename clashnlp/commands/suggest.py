"""Chooses the reports whose correction teaches the model most, and writes them pre-annotated for an annotation tool."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable
from pathlib import Path

from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output, progress, read_reports, written_whole
from clashnlp.commands.options import add_inputs, add_model, load_model, positive
from clashnlp.errors import DataError
from clashnlp.formats import jsonl, read_documents
from clashnlp.schema import Schema
from clashnlp.types import Analysis

_TOOLS = ("labelstudio", "doccano", "prodigy", "brat", "webanno", "jsonl")
_SHOWN = 5


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("suggest", help="choose the reports to correct next, and write them pre-annotated")
    add_inputs(command)
    command.add_argument("--to", choices=_TOOLS, required=True, help="the tool to write for")
    command.add_argument("-o", "--output", type=Path, required=True, help="file (or folder, for brat and webanno) to write")
    command.add_argument("--number", type=positive, help="how many to choose (default: all of them, the most useful first)")
    command.add_argument(
        "--done", nargs="+", default=[], metavar="FILE", help="annotated documents; reports that are near them are left out"
    )
    add_model(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.suggest import pre_annotated, suggest

    check_output(options.output, [*options.inputs, *options.done])
    problems = Problems()
    done = [document for name in options.done for document in read_documents(name, annotated=False, on_error=problems)]
    model = load_model(options)
    reports = (report for report in read_reports(options, problems) if report.text.strip())
    found = suggest(model, progress(reports, show=True), number=options.number, done=done)
    if not found.chosen:
        raise DataError("there is no report to suggest" + (f"; {len(found.done)} are near those of --done" if found.done else ""))
    print(_write(options.to, pre_annotated(found), options.output, model.config.schema))
    for ids, reason in ((found.done, "near those that are done"), (found.duplicates, "near-duplicates of those above")):
        if ids:
            more = ", ..." if len(ids) > _SHOWN else ""
            print(f"  left out {len(ids)}: {reason} ({', '.join(map(str, ids[:_SHOWN]))}{more})")
    expected = sum(one.mistakes for one in found.chosen)
    print(f"the model expects {expected:.0f} mistakes in their {sum(one.words for one in found.chosen)} words")
    return INCOMPLETE if problems.count else DONE


def _write(tool: str, documents: Iterable[Analysis], output: Path, schema: Schema) -> str:
    """What was written, for people; the tool's own notes with it."""
    if tool == "jsonl":
        with written_whole(output) as file:
            lines = [jsonl.write(document).encode() for document in documents]
            file.writelines(lines)
        return f"wrote {len(lines)} documents to {output}"
    module = importlib.import_module(f"clashnlp.formats.{tool}")
    account = module.write(documents, output)
    said = f"wrote to {output}: {account}"
    if tool == "labelstudio":
        # Label Studio shows a prediction only where its names are those of the labelling configuration.
        config = output.with_suffix(".config.xml")
        config.write_text(module.config(schema), encoding="utf-8")
        said += f"\n  the labelling configuration to paste into the project's settings: {config}"
    return said
