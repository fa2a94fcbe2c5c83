"""Writes the card of a model from its configuration and what `clashnlp evaluate -o` measured: no figure is typed in.

python training/card.py --model DIR --metrics metrics.json --output model_cards/embedded.md
"""

import argparse
import json
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).with_name("card_template.md")


def table(title: str, part: dict[str, Any]) -> str:
    """A Markdown table of precision, recall, F1 and count: overall, by label, by language."""
    lines = [f"| {title} | precision | recall | F1 | annotated |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, row in {"all": part, **part["labels"], **part["langs"]}.items():
        lines.append(f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['gold']} |")
    return "\n".join(lines)


def interval(part: dict[str, Any]) -> str:
    """The ends of an F1's interval, in words."""
    return "{:.3f} to {:.3f}".format(*part["interval"])


def card(config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """The card as Markdown with the Hub's metadata."""
    encoder, training = config["encoder"], config["training"]
    outcome, false = metrics["attributes"]["outcome"], metrics["false_relations"]
    size = f"{encoder['hidden_size']} x {encoder['num_hidden_layers']}, {encoder['vocab_size']:,} tokens"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        encoder=f"{encoder['model_type'].upper()}, {size}, windows of {config['window']} tokens",
        documents=training["documents"],
        epochs=training["epochs"],
        seconds=training["seconds"],
        dev_documents=metrics["documents"],
        span_interval=interval(metrics["spans"]),
        relation_interval=interval(metrics["relations"]),
        span_table=table("spans", metrics["spans"]),
        relation_table=table("relations", metrics["relations"]),
        partial=f"{metrics['spans_partial']['f1']:.3f}",
        outcome=f"{outcome['accuracy']:.3f}",
        outcome_spans=outcome["spans"],
        outcome_langs=", ".join(f"{lang} {row['accuracy']:.3f}" for lang, row in outcome["langs"].items()),
        pairs=false["pairs"],
        false_rate=f"{100 * false['rate']:.1f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    config = json.loads((args.model / "config.json").read_text(encoding="utf-8"))
    metrics = json.loads(args.metrics.read_text(encoding="utf-8"))
    args.output.write_text(card(config, metrics), encoding="utf-8")


if __name__ == "__main__":
    main()
