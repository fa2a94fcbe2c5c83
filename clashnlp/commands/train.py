"""Trains a model on annotated reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from clashnlp.commands.files import DONE
from clashnlp.commands.options import add_input_format, amount, needs_train_extra, positive, read_schema, share


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("train", help="train a model on annotated reports")
    command.add_argument("--train", nargs="+", required=True, metavar="FILE", help="annotated documents to learn from")
    command.add_argument("--dev", nargs="+", required=True, metavar="FILE", help="annotated documents to choose by")
    old = "annotated documents that --init learned from: twice as many as of --train are drawn and learned again, against forgetting"
    command.add_argument("--old", nargs="+", metavar="FILE", help=old)
    add_input_format(command, text="read all of these files as this format (default: as they look)")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the new model")
    command.add_argument("--init", help="model or transformers encoder to begin with, folder or Hub id (default: the embedded model)")
    command.add_argument("--schema", help="'clash', 'data' for the labels that the files use, or a JSON file (default: as in --init)")
    command.add_argument("--epochs", type=amount)
    command.add_argument("--batch-documents", type=positive)
    command.add_argument("--learning-rate", type=amount)
    command.add_argument("--relation-weight", type=amount)
    command.add_argument("--attribute-weight", type=amount)
    command.add_argument("--changed", type=share, help="share of the reports drawn that get other names and lose marks (default: 0.5)")
    command.add_argument("--hidden", type=share, help="share of the words hidden from the encoder (default: 0.1)")
    command.add_argument("--seed", type=int)
    command.add_argument("--resume", action="store_true", default=None, help="go on from the last checkpoint in --output")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.evaluate import summary

    with needs_train_extra():
        from clashnlp.training.trainer import TrainOptions, is_first, train

    schema = read_schema(options.schema)
    names = (
        "init",
        "old",
        "input_format",
        "epochs",
        "batch_documents",
        "learning_rate",
        "relation_weight",
        "attribute_weight",
        "changed",
        "hidden",
        "seed",
        "resume",
    )
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    metrics = train(
        train_files=options.train,
        dev_files=options.dev,
        output=options.output,
        options=TrainOptions(schema=schema, **given),
        report=lambda line: print(line, flush=True),
    )
    if is_first():
        print(summary(metrics))
        print(f"the model is in {options.output}; use it with --model {options.output}")
    return DONE
