"""Uploads a model to the Hugging Face Hub."""

from __future__ import annotations

import argparse
from pathlib import Path

from clashnlp import store
from clashnlp.commands.files import DONE


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("push", help="upload a model folder to the Hugging Face Hub")
    command.add_argument("model", type=Path, help="folder that `train` wrote")
    command.add_argument("name", metavar="REPO_ID", help="organisation/model on the Hub; made where there is none")
    command.add_argument("--private", action="store_true", help="make a new repository private; otherwise anyone can read it")
    command.add_argument("--revision", help="branch to upload to (default: main)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.card import CARD_FILE, write_card
    from clashnlp.config import ModelConfig

    files = store.model_files(options.model)
    config = ModelConfig.load(options.model / store.CONFIG_FILE)
    card = options.model / CARD_FILE
    if not card.is_file():
        write_card(options.model, config)
        print(f"wrote {card}, since the model had no card")
    files.append(card)
    print(f"uploading to {options.name}:")
    for file in files:
        print(f"  {file.name:24}{file.stat().st_size / 1e6:9.1f} MB")
    address = store.push(files, options.name, private=options.private, revision=options.revision)
    print(f"the model is at {address}; use it with --model {options.name}")
    return DONE
