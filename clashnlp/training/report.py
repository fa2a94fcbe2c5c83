"""What does a table of the training's result say? scikit-learn's report of each attribute's values."""

from __future__ import annotations

from typing import Any

from sklearn.metrics import classification_report


def attribute_report(metrics: dict[str, Any]) -> str:
    """Precision, recall and F1 of each attribute's values among the spans that were found; empty without such spans.

    Args:
        metrics: what `clashnlp.evaluate.evaluate` returned.
    """
    tables = []
    for name, row in metrics["attributes"].items():
        pairs = [(gold, said) for gold, others in row["confusion"].items() for said, count in others.items() for _ in range(count)]
        if pairs:
            gold, said = zip(*pairs, strict=True)
            tables.append(f"{name} of the spans that were found\n{classification_report(gold, said, digits=3, zero_division=0.0)}")
    return "\n".join(tables)
