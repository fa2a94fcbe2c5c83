"""The command line: predict, train, evaluate, info, export."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from clashnlp import __version__, output, store
from clashnlp.backends import NAMES
from clashnlp.errors import ClashNLPError, DataError, MissingDependencyError
from clashnlp.formats import FORMATS, SUFFIXES, read_documents
from clashnlp.model import BATCH_TOKENS, ClashModel
from clashnlp.output import OUTPUT_FORMATS
from clashnlp.types import Document

_DONE, _INCOMPLETE, _UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 all done, 1 some input could not be used (each is named), 2 the command itself could not be carried out."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="clashnlp: %(message)s")
    try:
        code: int = options.run(options)
    except ClashNLPError as error:
        print(f"clashnlp: {error}", file=sys.stderr)
        return _UNUSABLE
    except BrokenPipeError:
        # The reader of our output has seen enough (`clashnlp predict ... | head`). What is still buffered must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"clashnlp: {error.filename}: {error.strerror}" if error.filename else f"clashnlp: {error}", file=sys.stderr)
        return _UNUSABLE
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clashnlp", description="Reads news reports about armed clashes.")
    parser.add_argument("--version", action="version", version=f"clashnlp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="find spans and relations in reports")
    kinds = ".txt, .jsonl, .csv, .tsv or .parquet files, folders of these, or - for standard input"
    predict.add_argument("inputs", nargs="+", metavar="INPUT", help=kinds)
    predict.add_argument("-o", "--output", type=Path, help="write here; else to standard output, or a summary to a terminal")
    predict.add_argument("--format", choices=OUTPUT_FORMATS, default="jsonl", help="what to write (default: jsonl, spans and relations)")
    predict.add_argument("--published", type=_day, metavar="DAY", help="day of reports that bear no date, YYYY-MM-DD; for records")
    predict.add_argument("--text-column", default="text", help="column or key that holds the reports (default: text)")
    predict.add_argument("--input-format", choices=FORMATS, help="read every input as this format; - is text unless told otherwise")
    predict.set_defaults(run=_predict)

    evaluate = commands.add_parser("evaluate", help="measure a model on annotated reports")
    evaluate.add_argument("--data", nargs="+", required=True, metavar="FILE", help="annotated documents")
    evaluate.add_argument("-o", "--output", type=Path, help="write the metrics to this file as JSON")
    evaluate.set_defaults(run=_evaluate)

    for command in (predict, evaluate):
        command.add_argument("--model", help="model folder or Hub id (default: the embedded model)")
        command.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
        command.add_argument("--backend", choices=("auto", *NAMES), default="auto", help="auto: torch if there is a GPU, else onnx")
        command.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
        command.add_argument("--batch-tokens", type=_positive, default=BATCH_TOKENS, help=f"tokens read at once (default: {BATCH_TOKENS})")
        command.add_argument("--threads", type=_positive, help="CPU threads (default: all)")

    train = commands.add_parser("train", help="train a model on annotated reports")
    train.add_argument("--train", nargs="+", required=True, metavar="FILE", help="annotated documents to learn from")
    train.add_argument("--dev", nargs="+", required=True, metavar="FILE", help="annotated documents to choose by")
    train.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the new model")
    train.add_argument("--init", help="model or transformers encoder to begin with, folder or Hub id (default: the embedded model)")
    train.add_argument("--schema", help="'clash', 'data' for the labels that the files use, or a JSON file (default: as in --init)")
    train.add_argument("--epochs", type=_amount)
    train.add_argument("--batch-documents", type=_positive)
    train.add_argument("--learning-rate", type=_amount)
    train.add_argument("--relation-weight", type=_amount)
    train.add_argument("--attribute-weight", type=_amount)
    train.add_argument("--changed", type=_share, help="share of the reports drawn that get other names and lose marks (default: 0.5)")
    train.add_argument("--hidden", type=_share, help="share of the words hidden from the encoder (default: 0.1)")
    train.add_argument("--seed", type=int)
    train.add_argument("--resume", action="store_true", default=None, help="go on from the last checkpoint in --output")
    train.set_defaults(run=_train)

    info = commands.add_parser("info", help="tell what a model is")
    info.add_argument("model", nargs="?", help="model folder or Hub id (default: the embedded model)")
    info.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    info.set_defaults(run=_info)

    export = commands.add_parser("export", help="write the graphs for onnxruntime into a model folder")
    export.add_argument("model", type=Path)
    export.add_argument("--int8", action="store_true", help="quantise the encoder to eight bits: faster and less exact")
    export.set_defaults(run=_export)
    return parser


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, it is {value!r}")
    return int(value)


def _amount(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, it is {value!r}")
    return number


def _share(value: str) -> float:
    number = 0.0 if value in ("0", "0.0") else _amount(value)
    if number > 1:
        raise argparse.ArgumentTypeError(f"must be a share between 0 and 1, it is {value!r}")
    return number


def _day(value: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a day such as 2018-03-03, it is {value!r}") from None


def _load(options: argparse.Namespace) -> ClashModel:
    backend = options.backend
    if backend == "auto":
        # A look at the driver's file is enough; asking torch would take seconds.
        gpu = options.device.startswith("cuda") or (options.device == "auto" and Path("/dev/nvidia0").exists())
        backend = "torch" if gpu and find_spec("torch") else "onnx"
    return ClashModel.from_pretrained(
        options.model, revision=options.revision, backend=backend, device=options.device, threads=options.threads
    )


class _Problems:
    """Tells each problem as it comes, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: DataError) -> None:
        self.count += 1
        print(f"clashnlp: {error}", file=sys.stderr)


def _predict(options: argparse.Namespace) -> int:
    _check_output(options.output, options.inputs)
    if options.output is None and sys.stdout is None:
        raise DataError("standard output is closed; name a file with -o")
    problems = _Problems()
    model = _load(options)
    documents = _reports(options, problems)
    done = 0
    analyses = _progress(model.predict_many(documents, batch_tokens=options.batch_tokens), show=not _people(options))
    with contextlib.ExitStack() as stack:
        if _people(options):
            from clashnlp.view import summary

            for analysis in analyses:
                done += 1
                print(summary(analysis, model.config.schema, colour="NO_COLOR" not in os.environ))
        else:
            out: IO[bytes] = sys.stdout.buffer if options.output is None else stack.enter_context(_written_whole(options.output))
            done = output.write(analyses, out, format=options.format, published=options.published)
    if problems.count:
        print(f"clashnlp: {done} reports read, {problems.count} problems (named above)", file=sys.stderr)
        return _INCOMPLETE
    return _DONE


def _people(options: argparse.Namespace) -> bool:
    """Whether a person reads the output at a terminal, and asked for nothing else."""
    return options.output is None and options.format == "jsonl" and sys.stdout.isatty()


def _reports(options: argparse.Namespace, problems: _Problems) -> Iterator[Document]:
    ids: set[str | int] = set()
    twice = 0
    for name in options.inputs:
        for document in read_documents(
            name, format=options.input_format, text_column=options.text_column, annotated=False, on_error=problems
        ):
            if document.id in ids:
                twice += 1
            ids.add(document.id)
            if not document.text.strip():
                # The report stays in the output, so that no row is lost.
                problems(DataError(f"{name}: report {document.id!r} holds no text"))
            yield document
    if twice:
        logging.warning("%d reports bear the id of another one; give them ids of their own to tell them apart", twice)


def _check_output(output: Path | None, inputs: Sequence[str]) -> None:
    """Refuses, before any work is done, an output that is among the inputs or cannot be written."""
    if output is None:
        return
    if not output.absolute().parent.is_dir():
        raise DataError(f"{output}: there is no folder {output.parent}; make it first")
    for name in map(Path, inputs):
        inside = name.is_dir() and output.suffix.lower() in SUFFIXES and output.resolve().is_relative_to(name.resolve())
        if inside or (name.exists() and output.exists() and output.samefile(name)):
            raise DataError(f"{output} is among the inputs; write to another place")


@contextlib.contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its name once all is written, so that a run that fails leaves an earlier output as it was."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        yield file
    part.replace(path)


def _progress(items: Iterator[Any], *, show: bool) -> Iterator[Any]:
    """The items, with a bar on a terminal."""
    if not (show and sys.stderr.isatty()):
        return items
    from tqdm import tqdm

    return iter(tqdm(items, unit=" reports", file=sys.stderr))


def _evaluate(options: argparse.Namespace) -> int:
    from clashnlp.evaluate import evaluate, summary

    _check_output(options.output, options.data)
    problems = _Problems()
    gold = [document for name in options.data for document in read_documents(name, on_error=problems)]
    if not gold:
        raise DataError(f"{', '.join(options.data)}: no annotated document to measure on")
    model = _load(options)
    predicted = list(_progress(model.predict_many(gold, batch_tokens=options.batch_tokens), show=True))
    metrics = evaluate(gold, predicted, model.config.schema)
    print(summary(metrics))
    if options.output is not None:
        options.output.write_text(json.dumps(metrics, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return _INCOMPLETE if problems.count else _DONE


def _train(options: argparse.Namespace) -> int:
    from clashnlp.evaluate import summary
    from clashnlp.schema import Schema

    with _needs_train_extra():
        from clashnlp.training.trainer import TrainOptions, train

    schema: Schema | str | None = options.schema
    if isinstance(schema, str) and schema not in ("clash", "data"):
        try:
            schema = Schema.from_dict(json.loads(Path(schema).read_text(encoding="utf-8")))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{options.schema}: not a JSON file ({error})") from None
    names = (
        "init",
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
    print(summary(metrics))
    print(f"the model is in {options.output}; use it with --model {options.output}")
    return _DONE


@contextlib.contextmanager
def _needs_train_extra() -> Iterator[None]:
    """Turns a missing package into an error that names the extra."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(f"this needs {error.name}; install it with: pip install 'clashnlp[train]'", name=error.name) from error


def _info(options: argparse.Namespace) -> int:
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
    return _DONE


def _export(options: argparse.Namespace) -> int:
    if not options.model.is_dir():
        raise DataError(f"there is no folder {options.model}")
    folder = store.find_model(options.model)
    with _needs_train_extra():
        from clashnlp.training.export import export_onnx
    export_onnx(folder, int8=options.int8)
    print(f"wrote encoder.onnx and relate.onnx into {folder}")
    return _DONE


if __name__ == "__main__":
    sys.exit(main())
