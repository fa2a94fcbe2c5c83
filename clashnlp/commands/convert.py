"""Carries annotations from one tool's format into another's, and says what became of them."""

from __future__ import annotations

import argparse
import inspect
import itertools
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from clashnlp import formats
from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output
from clashnlp.commands.options import add_input_format
from clashnlp.errors import DataError
from clashnlp.formats.storage import written_whole
from clashnlp.types import Document

_Told = tuple[Path, str, formats.Account]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("convert", help="carry annotations from one tool's format into another's")
    command.add_argument("inputs", nargs="+", metavar="IN", help="files or folders with annotations")
    command.add_argument("output", type=Path, metavar="OUT", help="file to write; a new folder or .zip for brat, webanno and cas")
    add_input_format(command, "--input-format", "--from")
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
    if any(Path(name).is_dir() and options.output.resolve().is_relative_to(Path(name).resolve()) for name in options.inputs):
        raise DataError(f"{options.output} is among the inputs; write to another place")
    if options.output.is_dir() and any(options.output.iterdir()):
        raise DataError(f"{options.output}: the folder holds files already, which would mix with the new ones; name a new folder")
    problems = Problems()
    inputs: list[_Told] = []

    def documents() -> Iterator[Document]:
        for name in options.inputs:
            for file, found in formats.sources(name, format=options.input_format, on_error=problems):
                account = formats.Account()
                inputs.append((file, found, account))
                further = _options(options.from_option, formats.READERS[found], found)
                yield from formats.read(file, format=found, account=account, on_error=problems, **further)

    stream = documents()
    first = next(stream, None)
    if first is None:
        raise DataError("\n".join(["no document to write", *map(_line, inputs)]))
    written = formats.write(itertools.chain([first], stream), options.output, format=kind, **written_options)
    output = (options.output, kind, written)
    for told in (*inputs, output):
        print(_line(told))
    if options.report is not None:
        report = {"inputs": [_row(*told) for told in inputs], "output": _row(*output), "problems": problems.count}
        with written_whole(options.report) as out:
            out.write((json.dumps(report, ensure_ascii=False, indent=2) + "\n").encode())
    lost = written.documents < sum(account.documents for _, _, account in inputs)
    dropped = options.strict and any(account.dropped for _, _, account in (*inputs, output))
    return INCOMPLETE if problems.count or lost or dropped else DONE


def _line(told: _Told) -> str:
    return f"{told[0]} ({told[1]}): {told[2]}"


def _row(path: Path, kind: str, account: formats.Account) -> dict[str, Any]:
    return {"path": str(path), "format": kind, **asdict(account)}


def _options(given: list[str], taker: Callable[..., Any], kind: str) -> dict[str, Any]:
    """The options of a reader or writer.

    Raises:
        DataError: it takes none of that name, or not that value.
    """
    parameters = inspect.signature(taker, eval_str=True).parameters.values()
    known = {one.name: _kinds(one.annotation) for one in parameters if one.kind == one.KEYWORD_ONLY and one.name != "account"}
    known = {name: kinds for name, kinds in known.items() if kinds}
    values: dict[str, Any] = {}
    for one in given:
        name, _, value = one.partition("=")
        fitting = [made for read in known.get(name, {}).values() if (made := read(value)) is not None]
        if not fitting:
            takes = ", ".join(f"{name}={'|'.join(kinds)}" for name, kinds in known.items())
            raise DataError(f"{one!r}: {kind} takes {takes or 'no options'}")
        values[name] = fitting[0]
    return values


def _kinds(annotation: Any) -> dict[str, Callable[[str], Any]]:
    """What an option with this type may be, each with what reads it from a text or gives None."""
    if get_origin(annotation) is Literal:
        return {choice: {choice: choice}.get for choice in get_args(annotation)}
    kinds: dict[str, Callable[[str], Any]] = {}
    for part in get_args(annotation) if isinstance(annotation, UnionType) else (annotation,):
        if part is bool:
            kinds["true|false"] = {"true": True, "false": False}.get
        elif part is int:
            kinds["NUMBER"] = lambda value: int(value) if value.removeprefix("-").isdecimal() else None
        elif part is str:
            kinds["TEXT"] = lambda value: value or None
        elif get_origin(part) is Collection:
            kinds["NAME,NAME"] = lambda value: value.split(",")
    return kinds
