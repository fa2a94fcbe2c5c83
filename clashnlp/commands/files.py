"""How do commands treat files? Outputs that are whole or absent, problems that are told and counted, a bar on a terminal."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clashnlp.errors import DataError
from clashnlp.formats import SUFFIXES, read_documents
from clashnlp.types import Document

# Exit codes: all done; some input could not be used, and each is named; the command itself could not be carried out.
DONE, INCOMPLETE, UNUSABLE = 0, 1, 2


class Problems:
    """Tells each problem as it comes, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: DataError) -> None:
        """Tells a problem."""
        self.count += 1
        print(f"clashnlp: {error}", file=sys.stderr)


def check_output(output: Path | None, inputs: Sequence[str]) -> None:
    """Refuses, before any work is done, an output that is among the inputs or cannot be written."""
    if output is None:
        return
    if not output.absolute().parent.is_dir():
        raise DataError(f"{output}: there is no folder {output.parent}; make it first")
    for name in map(Path, inputs):
        inside = name.is_dir() and output.suffix.lower() in SUFFIXES and output.resolve().is_relative_to(name.resolve())
        if inside or (name.exists() and output.exists() and output.samefile(name)):
            raise DataError(f"{output} is among the inputs; write to another place")


def read_reports(options: argparse.Namespace, problems: Problems) -> Iterator[Document]:
    """The reports that the options name, see `options.add_inputs`."""
    ids: set[str | int] = set()
    twice = 0
    for name in options.inputs:
        for document in read_documents(
            name, format=options.input_format, text_column=options.text_column, annotated=False, on_error=problems
        ):
            if document.id in ids:
                twice += 1
            ids.add(document.id)
            if not document.text.strip():
                # The report stays in the output, so that no row is lost.
                problems(DataError(f"{name}: report {document.id!r} holds no text"))
            yield document
    if twice:
        logging.warning("%d reports bear the id of another one; give them ids of their own to tell them apart", twice)


def progress(items: Iterator[Any], *, show: bool) -> Iterator[Any]:
    """The items, with a bar on a terminal."""
    if not (show and sys.stderr.isatty()):
        return items
    from tqdm import tqdm

    return iter(tqdm(items, unit=" reports", file=sys.stderr))
