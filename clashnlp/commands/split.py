"""Splits annotated reports into parts for training and for measuring."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clashnlp.commands.files import DONE, INCOMPLETE, Problems, check_output
from clashnlp.commands.options import add_input_format, add_near
from clashnlp.corpus import DOCUMENTS, EMPTY
from clashnlp.errors import DataError
from clashnlp.formats import jsonl
from clashnlp.formats.entries import read_entries
from clashnlp.formats.storage import written_whole
from clashnlp.schema import CLASH
from clashnlp.split import features_of, split, together
from clashnlp.types import Document
from clashnlp.view import one_line


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("split", help="split annotated reports into parts, near repetitions together")
    command.add_argument("inputs", nargs="+", metavar="DATA", help="annotated files, or folders of these")
    add_input_format(command)
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the new files, one JSON Lines file a part")
    shares = "train=0.8,dev=0.1,test=0.1"
    command.add_argument("--shares", type=parse_shares, default=shares, help=f"the parts' names and sizes (default: {shares})")
    command.add_argument("--seed", type=int, default=0, help="draw other lots (default: 0)")
    command.add_argument("--force", action="store_true", help="write into a folder that holds files")
    add_near(command)
    command.set_defaults(run=run)


def parse_shares(value: str) -> dict[str, float]:
    """The shares of parts: `train=0.8,dev=0.2`."""
    shares: dict[str, float] = {}
    for item in value.split(","):
        name, _, number = item.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = 0.0
        if not re.fullmatch(r"\w[\w-]*", name) or name in shares or not 0 < share <= 1:
            raise argparse.ArgumentTypeError(f"must read like train=0.8,dev=0.2, each name once; {item!r} does not fit")
        shares[name] = share
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise argparse.ArgumentTypeError(f"must add up to 1, {value!r} adds up to {sum(shares.values()):g}")
    return shares


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    folder, shares = options.output, options.shares
    if folder.exists() and not options.force and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there and holds files; name another folder, or write into it with --force")
    files = {part: folder / f"{part}.jsonl" for part in shares}
    folder.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        check_output(path, options.inputs)
    problems = Problems()
    entries = list(read_entries(options.inputs, format=options.input_format, rows=True, on_error=lambda _, error: problems(error)))
    if not entries:
        raise DataError(f"{', '.join(options.inputs)}: no document to split")
    documents = [entry.document for entry in entries]
    groups = together(documents, threshold=options.near)
    parts = split(documents, CLASH, groups, shares=shares, seed=options.seed)
    for part, path in files.items():
        with written_whole(path) as file:
            for entry, own in zip(entries, parts, strict=True):
                if own == part:
                    # A line is written as it was read, so that nothing is lost that the library does not know.
                    file.write(jsonl.write(entry.document).encode() if entry.row is None else entry.row + b"\n")
    for line in _table(documents, parts, shares):
        print(one_line(line))
    repeated = [group for group in groups if len(group) > 1]
    print(f"{sum(map(len, repeated))} reports repeat others, wholly or nearly; their {len(repeated)} groups were kept together")
    print(f"wrote {', '.join(map(str, files.values()))}")
    if others := sorted(path.name for path in folder.iterdir() if path not in files.values()):
        print(f"clashnlp: {folder} also holds {', '.join(others)}, which may repeat what was written now", file=sys.stderr)
    if problems.count:
        print(f"clashnlp: {len(entries)} reports split, {problems.count} problems (named above)", file=sys.stderr)
        return INCOMPLETE
    return DONE


def _table(documents: Sequence[Document], parts: Sequence[str], shares: Mapping[str, float]) -> Iterator[str]:
    """What went where, a line for each thing counted; `off` is the largest gap to the shares, in points of per cent."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for document, part in zip(documents, parts, strict=True):
        for (lang, name), count in features_of(document, CLASH).items():
            rows.setdefault((name, lang if name == DOCUMENTS else ""), Counter())[part] += count
    kinds = [DOCUMENTS, EMPTY, *CLASH.labels, *(f"{name}={value}" for name, value in CLASH.values), *(one.label for one in CLASH.relations)]
    order = sorted(rows, key=lambda row: (kinds.index(row[0]) if row[0] in kinds else len(kinds), row))
    width = max(len(" ".join(name)) for name in rows) + 1
    yield f"{'':{width}}{'all':>8}" + "".join(f"{f'{part} {share:.0%}':>17}" for part, share in shares.items()) + f"{'off':>7}"
    for key in order:
        row, total = rows[key], sum(rows[key].values())
        cells = "".join(f"{row[part]:>8}{row[part] / total:8.1%} " for part in shares)
        off = max(abs(row[part] / total - share) for part, share in shares.items())
        yield f"{' '.join(key):{width}}{total:>8}{cells}{100 * off:7.1f}"
