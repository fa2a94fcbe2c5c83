"""The command line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from clashnlp import __version__
from clashnlp.commands import check, convert, evaluate, export, info, predict, push, split, suggest, train
from clashnlp.commands.files import UNUSABLE
from clashnlp.errors import ClashNLPError

# In the order of the help.
_COMMANDS = (predict, convert, check, split, evaluate, suggest, train, info, export, push)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 all done, 1 some input could not be used (each is named), 2 the command itself could not be carried out."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="clashnlp: %(message)s")
    try:
        code: int = options.run(options)
    except ClashNLPError as error:
        print(f"clashnlp: {error}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        # The reader of our output has seen enough (`clashnlp predict ... | head`). What is still buffered must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"clashnlp: {error.filename}: {error.strerror}" if error.filename else f"clashnlp: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clashnlp", description="Reads news reports about armed clashes.")
    parser.add_argument("--version", action="version", version=f"clashnlp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
