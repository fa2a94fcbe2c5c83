"""Writes the card of a model from its configuration and what `clashnlp evaluate -o` measured: no figure is typed in.

    python training/card.py --model DIR --metrics metrics.json --output model_cards/embedded.md

The calibration plot stands beside the card, under its name with .png.
"""

import argparse
import json
from pathlib import Path
from string import Template
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from clashnlp.card import WARNING, history, interval, metadata, score_table

# Watts of a core at full load, a usual value for servers; there is no meter on a rented machine.
WATTS = 10
TEMPLATE = Path(__file__).with_name("card_template.md")
LANGS = ("ar", "en", "fa", "tr")
GROUPS = ("labels", "langs", "sources")
ANNOTATIONS = Path(__file__).with_name("annotations")


def mistakes(title: str, part: dict[str, dict[str, int]]) -> str:
    """A Markdown table of how many mistakes of each class, by label."""
    kinds = list(part["all"])
    lines = [f"| {title} | {' | '.join(kinds)} |", f"| --- |{' ---: |' * len(kinds)}"]
    lines += [f"| {label} | {' | '.join(str(row[kind]) for kind in kinds)} |" for label, row in part.items()]
    return "\n".join(lines)


def confusion(part: dict[str, dict[str, int]]) -> str:
    """A Markdown table of what the model said, for each annotated value."""
    said = sorted({value for row in part.values() for value in row} | set(part))
    lines = [f"| annotated | {' | '.join(said)} |", f"| --- |{' ---: |' * len(said)}"]
    lines += [f"| {value} | {' | '.join(str(row.get(other, 0)) for other in said)} |" for value, row in part.items()]
    return "\n".join(lines)


def plot(calibration: dict[str, Any], path: Path) -> None:
    """Draws the share that is right against the score, a dot a tenth of the scale, its area by the number of spans or relations."""
    figure, axes = pyplot.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for (name, part), marker in zip(calibration.items(), "os", strict=False):
        _, sizes, scores, right = zip(*part["bins"], strict=True)
        largest = max(sizes)
        line = axes.plot(scores, right, linewidth=1)[0]
        areas = [20 + 160 * size / largest for size in sizes]
        axes.scatter(scores, right, s=areas, marker=marker, color=line.get_color(), label=name, alpha=0.8)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="score", ylabel="share right", aspect="equal")
    axes.legend(loc="upper left", markerscale=0.6)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def card(config: dict[str, Any], metrics: dict[str, Any], plot_name: str) -> str:
    """The card as Markdown with the Hub's metadata."""
    encoder, training = config["encoder"], config["training"]
    outcome, false = metrics["attributes"]["outcome"], metrics["false_relations"]
    runs = history(training)
    seconds = sum(run["seconds"] for run in runs)
    spans, relations = metrics["calibration"]["spans"], metrics["calibration"]["relations"]
    dev = {"span F1": metrics["spans"]["f1"], "relation F1": metrics["relations"]["f1"], "outcome accuracy": outcome["accuracy"]}
    size = f"{encoder['hidden_size']} x {encoder['num_hidden_layers']}, {encoder['vocab_size']:,} tokens"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        metadata=metadata(LANGS, name="clashnlp", dev=dev, license="apache-2.0"),
        encoder=f"{encoder['model_type'].upper()}, {size}, windows of {config['window']} tokens",
        news=sum(len(path.read_text(encoding="utf-8").splitlines()) for path in ANNOTATIONS.glob("*.jsonl")),
        documents=training["documents"],
        epochs=training["epochs"],
        runs=len(runs),
        averaged=f" The released weights are a mean of those of {averaged} models." if (averaged := training.get("averaged")) else "",
        minutes=round(seconds / 60),
        energy=f"{seconds / 3600 * 2 * WATTS / 1000:.2f}",
        watts=WATTS,
        dev_documents=metrics["documents"],
        span_interval=interval(metrics["spans"]),
        relation_interval=interval(metrics["relations"]),
        span_table=score_table("spans", metrics["spans"], groups=GROUPS),
        relation_table=score_table("relations", metrics["relations"], groups=GROUPS),
        partial=f"{metrics['spans_partial']['f1']:.3f}",
        outcome=f"{outcome['accuracy']:.3f}",
        span_mistakes=mistakes("spans", metrics["mistakes"]["spans"]),
        relation_mistakes=mistakes("relations", metrics["mistakes"]["relations"]),
        outcome_table=confusion(outcome["confusion"]),
        span_score=f"{spans['mean_score']:.3f}",
        span_right=f"{spans['right']:.3f}",
        span_error=f"{spans['error']:.3f}",
        relation_score=f"{relations['mean_score']:.3f}",
        relation_right=f"{relations['right']:.3f}",
        relation_error=f"{relations['error']:.3f}",
        plot=plot_name,
        warning=WARNING,
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
    picture = args.output.with_suffix(".png")
    plot(metrics["calibration"], picture)
    args.output.write_text(card(config, metrics, picture.name), encoding="utf-8")


if __name__ == "__main__":
    main()
