"""Shows the review loop: what a model gains from the documents that one sitting corrects, and what it forgets meanwhile.

    python training/loop.py --work DIR [--old training/corpus] [--reports dev.jsonl]
    python training/loop.py --work DIR --documents mine.jsonl --folds 5 --learning-rate 5e-5 --epochs 4

`training/posts.inline` stands for a user's own reports, unless `--documents` names others. Cross-validated: each fold of them is measured
on after training on the others (of three folds, 48 posts), every fifth of which is the `--dev` of `clashnlp train`. The held-out fold has
no part in training or choosing. `--init`, `--old`, `--epochs` and so on are those of `clashnlp train`; `--reports` are documents of the
kind that the model was trained on, to see what is forgotten: each is read after every training, and is one document all the same.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from clashnlp import CLASH, ClashModel, Document
from clashnlp.evaluate import Score, scored_keys
from clashnlp.formats import jsonl, read_documents
from clashnlp.training.trainer import TrainOptions, train

POSTS = Path(__file__).with_name("posts.inline")
DRAWS = 2000
Counts = list[tuple[int, int, int]]


def parts(documents: Sequence[Document], folds: int = 3) -> list[list[Document]]:
    """The folds, with the languages in equal shares, drawn once and for all."""
    random = np.random.default_rng(0)
    by_lang: dict[str | None, list[Document]] = defaultdict(list)
    for document in documents:
        by_lang[document.lang].append(document)
    order = [group[at] for _, group in sorted(by_lang.items(), key=str) for at in random.permutation(len(group))]
    return [order[at::folds] for at in range(folds)]


def counts(model: ClashModel, gold: Sequence[Document]) -> dict[str, Counts]:
    """Right, predicted and annotated of each document, for spans and for relations."""
    keys = scored_keys(gold, list(model.predict_many(gold)), CLASH)
    return {"spans": _count(keys.gold_spans, keys.spans), "relations": _count(keys.gold_relations, keys.relations)}


def _count(gold: Sequence[set[Any]], predicted: Sequence[set[Any]]) -> Counts:
    return [(len(want & have), len(have), len(want)) for want, have in zip(gold, predicted, strict=True)]


def row(name: str, before: Counts, after: Counts) -> str:
    """A line of the table; the interval is of the difference over documents drawn with replacement, the same ones before and after."""
    tables = np.array([before, after])
    draws = np.random.default_rng(0).integers(tables.shape[1], size=(DRAWS, tables.shape[1]))
    right, predicted, gold = np.moveaxis(tables[:, draws].sum(axis=2), -1, 0)
    f1 = 2 * right / np.maximum(predicted + gold, 1)
    low, high = np.percentile(f1[1] - f1[0], [2.5, 97.5])
    old, new = (Score(*table.sum(axis=0).tolist()).f1 for table in tables)
    return f"| {name} | {old:.3f} | {new:.3f} | {new - old:+.3f} | {low:+.3f} to {high:+.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--documents", nargs="+", default=[POSTS], help="annotated files of the user's (default: the posts)")
    parser.add_argument("--init", help="the model that is retrained (default: the embedded one)")
    parser.add_argument("--folds", type=int, choices=range(2, 21), default=3, metavar="N", help="from 2 to 20 (default: 3)")
    for name in ("epochs", "learning_rate", "relation_weight", "attribute_weight"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=argparse.SUPPRESS)
    parser.add_argument("--old", nargs="*", default=[], help="annotated files to show again")
    parser.add_argument("--reports", help="annotated reports to see what is forgotten")
    args = parser.parse_args()
    chosen = {field.name: getattr(args, field.name) for field in fields(TrainOptions) if hasattr(args, field.name)}
    folds = parts([document for file in args.documents for document in read_documents(file)], args.folds)
    reports = list(read_documents(args.reports)) if args.reports else []
    begin = ClashModel.from_pretrained(args.init)
    found: dict[tuple[str, str, str], Counts] = defaultdict(list)
    minutes = []
    for at, held_out in enumerate(folds):
        corrected = [document for other, fold in enumerate(folds) if other != at for document in fold]
        folder = args.work / f"fold{at}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, documents in (("dev", corrected[::5]), ("train", [one for place, one in enumerate(corrected) if place % 5])):
            (folder / f"{name}.jsonl").write_text("".join(map(jsonl.write, documents)), encoding="utf-8")
        begun, busy = time.monotonic(), time.process_time()
        train(
            train_files=[folder / "train.jsonl"],
            dev_files=[folder / "dev.jsonl"],
            output=folder / "model",
            options=TrainOptions(**chosen),
        )
        minutes.append(f"{(time.monotonic() - begun) / 60:.1f} ({(time.process_time() - busy) / 60:.1f} of a core)")
        trained = ClashModel.from_pretrained(folder / "model")
        for when, model in (("before", begin), ("after", trained)):
            for name, values in counts(model, held_out).items():
                found["held out", name, when] += values
            for name, values in counts(model, reports).items():
                # The same reports after every training: their counts are summed, so that each is one document to draw.
                known = found["reports", name, when] or [(0, 0, 0)] * len(values)
                found["reports", name, when] = [(a + x, b + y, c + z) for (a, b, c), (x, y, z) in zip(known, values, strict=True)]
    print("| F1, strict | before | after | difference | 95 % of resampled sets |\n| --- | ---: | ---: | ---: | ---: |")
    for kind, name in dict.fromkeys(key[:2] for key in found if found[key]):
        print(row(f"{name}, {kind}", found[kind, name, "before"], found[kind, name, "after"]))
    print(f"minutes of training: {', '.join(minutes)}")


if __name__ == "__main__":
    main()
