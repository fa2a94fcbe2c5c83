r"""Compares ways of training by cross-validation, so that a choice does not hang on a few development reports.

    python training/crossvalidate.py --work DIR --data train.jsonl dev.jsonl --init MODEL --dev other.jsonl --shared epochs=2 \
        --setting "as released" hidden=0.02 changed=0.25 --setting "more changes" hidden=0.1 changed=0.5

The documents of `--data` are dealt into folds of like languages, spans and relations; near repetitions stay together. For each setting and
fold, `clashnlp train` learns from the other folds, beginning with `--init`, and reads this one. `--init` must never have seen any of the
documents, and passes, temperatures and thresholds are chosen by `--dev`, which lies outside the folds: so every document is read by models
that it had no part in. Options are those of TrainOptions. Last comes the mean of all settings' weights in each fold, with the
temperatures and thresholds of the first.

The table's intervals are of the difference to the first setting, over documents drawn with replacement. They hold nothing of what another
seed would change: give the same options again with another `seed` to see that. Results stand in DIR, a file for each run: a command that
was cut off goes on where it stopped, and settings can be added later.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from average import average
from loop import Counts, counts, row

from clashnlp import CLASH, ClashModel, Document
from clashnlp.formats import jsonl, read_documents
from clashnlp.split import split, together
from clashnlp.store import TOKENIZER_FILE
from clashnlp.tokens import Tokenizer
from clashnlp.training.trainer import TrainOptions, save_model, train

MEAN = "mean of these"
KINDS = {field.name: str(field.type) for field in fields(TrainOptions)}


def options_of(words: Sequence[str]) -> dict[str, Any]:
    """TrainOptions by name, from words such as `hidden=0.1`.

    Raises:
        SystemExit: a word is no such pair, or the options have no such number.
    """
    result: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            result[name] = {"int": int, "float": float, "float | None": float}[KINDS[name]](value)
        except (KeyError, ValueError):
            numbers = ", ".join(name for name, kind in KINDS.items() if kind.startswith(("int", "float")))
            raise SystemExit(f"{word!r} is no option; write one of {numbers} as name=number") from None
    return result


def run(
    folder: Path, learn: Sequence[Document], held_out: Sequence[Document], dev: Sequence[str], options: Mapping[str, Any]
) -> dict[str, Counts]:
    """What a model finds in the held-out documents that learned from the others; from the file of an earlier call, if there is one."""
    result = folder / "counts.json"
    texts = ["".join(map(jsonl.write, documents)) for documents in (learn, held_out)]
    told = {
        "options": {name: str(value) for name, value in options.items()},
        "dev": [str(file) for file in dev],
        "documents": [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts],
        "ids": [document.id for document in held_out],
    }
    if result.exists():
        known = json.loads(result.read_text(encoding="utf-8"))
        if known["of"] != told:
            options_before = known["of"]["options"]
            raise SystemExit(f"{result} is of other options or documents ({options_before}); take another --work, or remove it")
        return dict(known["counts"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text(texts[0], encoding="utf-8")
    train(train_files=[folder / "train.jsonl"], dev_files=dev, output=folder / "model", options=TrainOptions(**options))
    found = counts(ClashModel.from_pretrained(folder / "model"), held_out)
    result.write_text(json.dumps({"of": told, "counts": found}), encoding="utf-8")
    return found


def mean_counts(folders: Sequence[Path], output: Path, held_out: Sequence[Document]) -> dict[str, Counts]:
    """What the mean of those models' weights finds, with the temperatures and thresholds of the first."""
    network, config = average([*folders[1:], folders[0]])
    tokenizer = Tokenizer.load(folders[0] / TOKENIZER_FILE)
    save_model(output, network, tokenizer, config)
    return counts(ClashModel.from_pretrained(output), held_out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="annotated files, dealt into folds")
    parser.add_argument("--init", required=True, help="model or encoder that has seen none of them; the embedded one has seen much")
    parser.add_argument("--dev", nargs="+", required=True, help="other annotated files, to choose passes and thresholds by")
    parser.add_argument("--folds", type=int, choices=range(2, 21), default=3, metavar="N", help="from 2 to 20 (default: 3)")
    parser.add_argument("--shared", nargs="*", default=[], metavar="NAME=VALUE", help="options of every setting")
    parser.add_argument("--setting", nargs="+", action="append", required=True, metavar="WORD", help="its name, then its options")
    args = parser.parse_args()
    names = [words[0] for words in args.setting]
    if len(set(names)) < len(names) or MEAN in names:
        raise SystemExit(f"each setting needs a name of its own, other than {MEAN!r}")
    shared = {"init": args.init, **options_of(args.shared)}
    settings = {words[0]: shared | options_of(words[1:]) for words in args.setting}
    documents = [document for file in args.data for document in read_documents(file)]
    shares = {f"fold{at}": 1 / args.folds for at in range(args.folds)}
    parts = split(documents, CLASH, together(documents), shares=shares)
    found: dict[str, dict[str, Counts]] = {name: {"spans": [], "relations": []} for name in [*settings, MEAN]}
    for fold in shares:
        held_out = [document for document, part in zip(documents, parts, strict=True) if part == fold]
        learn = [document for document, part in zip(documents, parts, strict=True) if part != fold]
        for name, options in settings.items():
            for key, values in run(args.work / name / fold, learn, held_out, args.dev, options).items():
                found[name][key] += values
        if len(settings) > 1:
            folders = [args.work / name / fold / "model" for name in settings]
            for key, values in mean_counts(folders, args.work / MEAN / fold, held_out).items():
                found[MEAN][key] += values
    print(f"{len(documents)} documents in {args.folds} folds, each read by models that learned from the others")
    print("| F1, strict | first setting | this one | difference | 95 % of resampled sets |\n| --- | ---: | ---: | ---: | ---: |")
    for name, table in found.items():
        for kind, values in table.items():
            if values:
                print(row(f"{name}, {kind}", found[names[0]][kind], values))


if __name__ == "__main__":
    main()
