"""Prints how far the scores of a model can be trusted: their mean beside the share that is right, and the expected calibration error.

python training/calibration.py --data gold.jsonl [--model DIR]

The error is the mean gap between score and share right over ten bins of equal width, weighted by their sizes (Guo et al. 2017, section 2).
"""

import argparse

import numpy as np

from clashnlp import ClashModel
from clashnlp.evaluate import scored_keys, span_key
from clashnlp.formats import read_documents


def describe(name: str, rows: list[tuple[float, bool]]) -> str:
    """One line on scores and whether they were right."""
    scores, right = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    bins = np.minimum((scores * 10).astype(int), 9)
    gaps = [abs(scores[bins == at].mean() - right[bins == at].mean()) * (bins == at).mean() for at in np.unique(bins)]
    return f"{name}: {len(rows)}, mean score {scores.mean():.3f}, share right {right.mean():.3f}, calibration error {sum(gaps):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model")
    args = parser.parse_args()
    model = ClashModel.from_pretrained(args.model)
    gold = list(read_documents(args.data))
    found = list(model.predict_many(gold))
    keys = scored_keys(gold, found, model.config.schema)
    spans, relations = [], []
    for document, gold_spans, gold_relations in zip(found, keys.gold_spans, keys.gold_relations, strict=True):
        spans += [(span.score or 0.0, span_key(span) in gold_spans) for span in document.spans]
        for relation in document.relations:
            key = (span_key(relation.head), span_key(relation.tail), relation.label)
            relations.append((relation.score or 0.0, key in gold_relations))
    print(describe("spans", spans))
    print(describe("relations", relations))


if __name__ == "__main__":
    main()
