"""Carries annotations from one tool's format into another's, and says what became of them."""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clashnlp import formats
from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output, written_whole
from clashnlp.errors import DataError
from clashnlp.types import Document

_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("convert", help="carry annotations from one tool's format into another's")
    command.add_argument("inputs", nargs="+", metavar="IN", help="files or folders with annotations")
    command.add_argument("output", type=Path, metavar="OUT", help="file to write; a new folder or .zip for brat, webanno and cas")
    command.add_argument("--from", dest="source", choices=formats.FORMATS, help="read every input as this format (default: as they look)")
    command.add_argument("--to", choices=tuple(formats.WRITERS), help="write this format (default: by the suffix of OUT)")
    for side in ("from", "to"):
        explained = f"what the format to convert {side} takes further, such as predictions=true for labelstudio"
        command.add_argument(f"--{side}-option", action="append", default=[], metavar="NAME=VALUE", help=explained)
    command.add_argument("--report", type=Path, metavar="FILE", help="write what was used, repaired and dropped to this file as JSON")
    command.add_argument("--strict", action="store_true", help="exit with 1 where anything was dropped")
    command.add_argument("--formats", action=_Formats, help="print what each format holds, found by writing and reading, and exit")
    command.set_defaults(run=run)


class _Formats(argparse.Action):
    """Prints the table of formats, for which the command needs no files."""

    def __init__(self, option_strings: list[str], dest: str, **known: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **known)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from clashnlp.formats.holds import table

        print(table())
        parser.exit()


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    kind = formats.format_to_write(options.output, options.to)
    written_options = _options(options.to_option, formats.WRITERS[kind], kind)
    check_output(options.output, options.inputs)
    check_output(options.report, options.inputs)
    if options.output.is_dir() and any(options.output.iterdir()):
        raise DataError(f"{options.output}: the folder holds files already, which would mix with the new ones; name a new folder")
    problems = Problems()
    inputs: list[tuple[Path, str, formats.Account]] = []

    def documents() -> Iterator[Document]:
        for name in options.inputs:
            for file, found in formats.sources(name, format=options.source, on_error=problems):
                inputs.append((file, found, formats.Account()))
                further = _options(options.from_option, formats.READERS[found], found)
                yield from formats.read(file, format=found, account=inputs[-1][2], on_error=problems, **further)

    found = documents()
    first = next(found, None)
    if first is None:
        raise DataError(f"{', '.join(options.inputs)}: no document to write")
    written = formats.write(itertools.chain([first], found), options.output, format=kind, **written_options)
    for file, name, account in inputs:
        print(f"{file} ({name}): {account}")
    print(f"{options.output} ({kind}): {written}")
    accounts = [*(account for _, _, account in inputs), written]
    if options.report is not None:
        report = {
            "inputs": [_row(file, name, account) for file, name, account in inputs],
            "output": _row(options.output, kind, written),
            "problems": problems.count,
        }
        with written_whole(options.report) as out:
            out.write((json.dumps(report, ensure_ascii=False, indent=2) + "\n").encode())
    lost = written.documents < sum(account.documents for _, _, account in inputs)
    dropped = options.strict and any(account.dropped for account in accounts)
    return INCOMPLETE if problems.count or lost or dropped else DONE


def _row(path: Path, kind: str, account: formats.Account) -> dict[str, Any]:
    return {"path": str(path), "format": kind, **asdict(account)}


def _options(given: list[str], taker: Callable[..., Any], kind: str) -> Mapping[str, Any]:
    """The options of a reader or writer, with true, false, none and whole numbers as what they are.

    Raises:
        DataError: it takes none of that name.
    """
    parameters = inspect.signature(taker).parameters.values()
    known = [one.name for one in parameters if one.kind == one.KEYWORD_ONLY and one.name not in ("account", "on_error")]
    values: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or name not in known:
            raise DataError(f"{one!r}: {kind} takes these, each as NAME=VALUE: {', '.join(known) or 'none'}")
        values[name] = _WORDS[value] if value in _WORDS else int(value) if value.lstrip("-").isdecimal() else value
    return values
