"""What should a reader know of a model? Its card: README.md with data, figures, use and limits, and the Hub's metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clashnlp.config import ModelConfig

CARD_FILE = "README.md"
_TAGS = ["conflict", "named-entity-recognition", "relation-extraction"]
# What a language code of the Hub looks like: ISO 639-1 or -3.
_LANG = re.compile(r"[a-z]{2,3}")

_CARD = """\
{metadata}
# {title}

Finds {labels} spans{attributes} and {relations} in reports. {encoder}.

## Use

`pip install clashnlp`, then, with the model's folder or its id on the Hub:

```python
from clashnlp import ClashModel

model = ClashModel.from_pretrained({name!r})
analysis = model.predict("...")
print(analysis.spans, analysis.relations)
```

## Data

{data}

## Figures

{figures}

## Limits

The development documents helped to choose passes, temperatures and thresholds: expect less elsewhere, and measure on documents of your own
with `clashnlp evaluate`. Scores estimate the probability of being right, and were fitted on the same documents.

{warning}
"""
WARNING = """\
**Do not use it** to target people, to name perpetrators or victims without a person's review, or as evidence by itself: it repeats
what a text claims, cannot tell whether the claim is true, and errs at the rates above. Reports carry the bias of their outlets, and so
does a model that learned from them."""


def write_card(folder: Path, config: ModelConfig, *, metrics: Mapping[str, Any] | None = None, license: str | None = None) -> None:
    """Writes the card of the model in that folder.

    Args:
        folder: the model's folder; its name is the model's until it is pushed.
        config: of the model; `config.training` tells what it learned from.
        metrics: on the development documents, as `clashnlp.evaluate.evaluate` returns them; else the card has what `config.training` has.
        license: as the Hub names it, such as "apache-2.0"; yours to know, since it depends on the data.
    """
    (folder / CARD_FILE).write_text(model_card(config, name=folder.resolve().name, metrics=metrics, license=license), encoding="utf-8")


def model_card(config: ModelConfig, *, name: str, metrics: Mapping[str, Any] | None = None, license: str | None = None) -> str:
    """The card as Markdown with the Hub's metadata, see `write_card`."""
    schema, encoder, runs = config.schema, config.encoder, history(config.training)
    spoken = {lang for run in runs for lang in run.get("langs", ())} | set(metrics["spans"]["langs"] if metrics else ())
    outcomes = "".join(f", the {cell(attribute.name)} of {_listed(attribute.labels)}" for attribute in schema.attributes)
    sizes = [str(encoder[key]) for key in ("hidden_size", "num_hidden_layers") if key in encoder]
    return _CARD.format(
        metadata=metadata(sorted(spoken), name=name, dev=_dev(config, metrics), license=license),
        name=name,
        title=cell(name),
        labels=_listed(schema.labels),
        attributes=outcomes,
        relations=_listed([relation.label for relation in schema.relations]) or "no relations",
        encoder=f"{str(encoder.get('model_type', 'encoder')).upper()}, {' x '.join(sizes)}, windows of {config.window} tokens",
        data=_data(runs),
        figures=_figures(metrics) if metrics else _brief(config.training.get("dev", {})),
        warning=WARNING,
    )


def metadata(langs: Sequence[str], *, name: str, dev: Mapping[str, float], license: str | None = None) -> str:
    """The block between `---` that the Hub reads.

    Args:
        langs: codes of the languages; what is none is left out.
        name: of the model.
        dev: figures on the development documents, by name.
        license: as the Hub names it.
    """
    # Imported here: the Hub's client takes a third of a second, and prediction does without.
    from huggingface_hub import EvalResult, ModelCardData

    task = "token-classification"
    results = [
        EvalResult(
            task_type=task,
            dataset_type="development",
            dataset_name="development documents",
            metric_type="accuracy" if "accuracy" in figure else "f1",
            metric_name=figure,
            metric_value=value,
        )
        for figure, value in dev.items()
    ]
    data = ModelCardData(
        language=[lang for lang in langs if _LANG.fullmatch(lang)] or None,
        license=license,
        library_name="clashnlp",
        pipeline_tag=task,
        tags=list(_TAGS),
        model_name=name if results else None,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def history(training: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The runs that made the model, first to last."""
    if not training:
        return []
    return [*history(training.get("before") or {}), training]


def score_table(title: str, part: Mapping[str, Any], *, groups: Iterable[str] = ("labels", "langs")) -> str:
    """A Markdown table of precision, recall, F1 and count: overall, and by the groups of `clashnlp.evaluate.evaluate`."""
    rows = {"all": part}
    for group in groups:
        rows.update(part.get(group, {}))
    lines = [f"| {title} | precision | recall | F1 | annotated |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, row in rows.items():
        lines.append(f"| {cell(name)} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['gold']} |")
    return "\n".join(lines)


def interval(part: Mapping[str, Any]) -> str:
    """The ends of an F1's interval, in words."""
    return "{:.3f} to {:.3f}".format(*part["interval"])


def cell(text: str) -> str:
    """The text as Markdown that neither ends a table's cell nor marks anything up."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", " ".join(text.split()))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(cell, names))


def _data(runs: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for run in runs:
        minutes = round(run.get("seconds", 0) / 60)
        if "documents" in run:
            langs = ", ".join(f"{cell(lang)} {count}" for lang, count in run.get("langs", {}).items())
            read = f"{run['documents']} annotated documents" + (f" ({langs})" if langs else "")
            lines.append(f"- {read}, {run.get('epochs', '?')} passes, {minutes} minutes")
        elif "tokens" in run:
            lines.append(f"- masked-language modelling on {run['tokens']:,} tokens, {minutes} minutes")
    if not lines:
        return "Nothing is known of what it learned from."
    return (
        "The runs that made it, first to last:\n\n"
        + "\n".join(lines)
        + "\n\nWhere the documents came from is for whoever trained it to add here."
    )


def _dev(config: ModelConfig, metrics: Mapping[str, Any] | None) -> dict[str, float]:
    if metrics is None:
        known = config.training.get("dev", {})
        return {f"{part[:-1]} F1": known[f"{part}_f1"] for part in ("spans", "relations") if f"{part}_f1" in known}
    figures = {f"{part[:-1]} F1": metrics[part]["f1"] for part in ("spans", "relations") if metrics[part]["gold"]}
    return figures | {f"{name} accuracy": row["accuracy"] for name, row in metrics["attributes"].items() if row["spans"]}


def _brief(dev: Mapping[str, Any]) -> str:
    if not dev:
        return "None were recorded."
    return (
        f"On {dev['documents']} development documents, strict: span F1 {dev['spans_f1']:.3f}, relation F1 {dev['relations_f1']:.3f}. "
        "`clashnlp evaluate` prints them by label and language."
    )


def _figures(metrics: Mapping[str, Any]) -> str:
    ranges = [f"{part[:-1]} F1 of {interval(metrics[part])}" for part in ("spans", "relations") if "interval" in metrics[part]]
    parts = [
        f"On {metrics['documents']} development documents. Strict: a span counts if its label and both ends are right, a relation if its "
        f"label and both its spans are. 95 % of resampled document sets have a {' and a '.join(ranges)}.",
        score_table("spans", metrics["spans"]),
        score_table("relations", metrics["relations"]),
    ]
    parts += [f"Right {cell(name)} for {row['accuracy']:.3f} of {row['spans']} found spans." for name, row in metrics["attributes"].items()]
    return "\n\n".join(parts)
