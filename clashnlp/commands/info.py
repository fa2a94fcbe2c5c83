"""Tells what a model is."""

from __future__ import annotations

import argparse
import json

from clashnlp import __version__, store
from clashnlp.commands.files import DONE


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("info", help="tell what a model is")
    command.add_argument("model", nargs="?", help="model folder or Hub id (default: the embedded model)")
    command.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    from clashnlp.config import ModelConfig

    folder = store.find_model(options.model, revision=options.revision)
    config = ModelConfig.load(folder / store.CONFIG_FILE)
    encoder = config.encoder
    print(f"clashnlp {__version__}, model in {folder}")
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        print(f"  {file.name:24}{file.stat().st_size / 1e6:9.1f} MB")
    sizes = ", ".join(f"{name} {encoder[name]}" for name in ("hidden_size", "num_hidden_layers", "vocab_size") if name in encoder)
    print(f"encoder    {encoder.get('model_type')}: {sizes}; windows of {config.window} tokens, overlap {config.overlap}")
    print(f"labels     {', '.join(config.schema.labels)}")
    for attribute in config.schema.attributes:
        print(f"attribute  {attribute.name} of {', '.join(attribute.labels)}: {', '.join(attribute.values)}")
    for relation in config.schema.relations:
        pairs = ", ".join(f"{head} {'-' if relation.symmetric else '->'} {tail}" for head, tail in relation.signatures)
        print(f"relation   {relation.label}: {pairs}")
    print(f"training   {json.dumps(config.training, ensure_ascii=False)}")
    return DONE
