"""How is it used on a cluster? A class for Ray Data's `map_batches`, and the shards of a job spread over workers (extra `ray`)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clashnlp import __version__, store
from clashnlp.errors import ClashNLPError, DataError, MissingDependencyError
from clashnlp.formats import jsonl
from clashnlp.jobs.job import Job, model_digest
from clashnlp.jobs.plan import Settings, Slice
from clashnlp.jobs.shard import Outcome, Shard
from clashnlp.model import BATCH_TOKENS, ClashModel
from clashnlp.types import Document, identity


class ClashPredictor:
    """Adds the model's findings to batches of reports; Ray Data makes one a worker, so the model is loaded once in each.

    >>> reports = ray.data.read_parquet("reports/")
    >>> found = reports.map_batches(ClashPredictor, batch_size=256, concurrency=4, num_cpus=2, fn_constructor_kwargs={"threads": 2})

    With GPUs: `num_gpus=1, fn_constructor_kwargs={"backend": "torch", "device": "cuda", "batch_tokens": 32768}`. Two columns are added:
    `analysis`, what `clashnlp predict` writes for the report as JSON (`clashnlp.Document.from_dict(json.loads(...))` reads it), and
    `problem`, which is empty, or says why a report has no analysis. Ray returns blocks as they are done, unless
    `ray.data.DataContext.get_current().execution_options.preserve_order` is set.

    Args:
        model: model folder or Hub id, at hand on every machine; None for the model inside the package.
        text_column: the column that holds the reports; `id` and `lang` are used where they are there.
        batch_tokens: see `ClashModel.predict_many`.
        options: the other options of `ClashModel.from_pretrained`.
    """

    def __init__(
        self, model: str | Path | None = None, *, text_column: str = "text", batch_tokens: int = BATCH_TOKENS, **options: Any
    ) -> None:
        self._model = ClashModel.from_pretrained(model, **options)
        self._text_column = text_column
        self._batch_tokens = batch_tokens

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch (columns by name, numpy arrays) with the two columns.

        Raises:
            DataError: there is no such column.
        """
        if self._text_column not in batch:
            raise DataError(f"there is no column {self._text_column!r}; name one with text_column: {', '.join(batch)}")
        texts = list(batch[self._text_column])
        ids, langs = (batch[name].tolist() if name in batch else [None] * len(texts) for name in ("id", "lang"))
        problems = [""] * len(texts)
        documents: dict[int, Document] = {}
        for at, (text, given, lang) in enumerate(zip(texts, ids, langs, strict=True)):
            try:
                if not isinstance(text, str):
                    raise DataError(f"column {self._text_column!r} holds {text!r:.60}, not a text")
                documents[at] = Document(text, id=identity(given), lang=lang)
            except DataError as error:
                problems[at] = str(error)
        lines = [""] * len(texts)
        analyses = self._model.predict_many(documents.values(), batch_tokens=self._batch_tokens)
        for at, analysis in zip(documents, analyses, strict=True):
            lines[at] = jsonl.write(analysis).rstrip("\n")
        return {**batch, "analysis": lines, "problem": problems}


class _ShardWorker:
    """Runs shards of a job where it stands: it reads their rows and writes their files, and only counts travel."""

    def __init__(self, *, place: Path, folder: Path, settings: Settings, same: tuple[str, dict[str, str]], load: dict[str, Any]) -> None:
        os.chdir(place)  # The paths of the job are meant from here.
        self._folder, self._settings, self._same, self._load = folder, settings, same, load
        self._model: ClashModel | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """The outcome of the batch's one shard. An error that the user can mend travels as text, for Ray would bury it in its own."""
        number, error = int(batch["number"][0]), ""
        outcome = Outcome(number, 0, 0, 0, "", b"")
        try:
            if self._model is None:
                self._model = self._start()
            outcome = Shard(self._folder, number, [Slice(*part) for part in json.loads(batch["parts"][0])], self._settings).run(self._model)
        except (ClashNLPError, OSError) as raised:
            error = str(raised)
        return {**{name: [getattr(outcome, name)] for name in Outcome.__slots__}, "error": [error]}

    def _start(self) -> ClashModel:
        folder = store.find_model(self._load["name"], revision=self._load["revision"])
        if (__version__, model_digest(folder, backend=self._load["backend"], precision=self._load["precision"])) != self._same:
            raise DataError("a worker has another model or version of clashnlp than the job; install the same everywhere")
        return ClashModel.from_pretrained(**self._load)


def run_shards(job: Job, load: dict[str, Any], *, workers: int | None, resources: dict[str, float]) -> Iterator[Outcome]:
    """The outcomes of the job's shards that are not whole yet, in the order in which workers finish them.

    Args:
        job: the job; its inputs and its folder are at the same paths on every machine.
        load: `name`, `revision` and `threads` of the model, as `ClashModel.from_pretrained` takes them.
        workers: processes that hold a model; None leaves it to Ray, which starts as many as there is room for.
        resources: `num_cpus` and `num_gpus` of each.

    Raises:
        MissingDependencyError: Ray is not installed.
        DataError: a worker's error.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(f"this needs {error.name}; install it with: pip install 'clashnlp[ray]'", name=error.name) from error
    if not ray.is_initialized():
        here = {} if "RAY_ADDRESS" in os.environ else {"include_dashboard": False}
        ray.init(log_to_driver=False, logging_level="ERROR", **here)
    ray.data.DataContext.get_current().enable_progress_bars = False  # The command has one.
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    todo = [
        {"number": number, "parts": json.dumps([list(asdict(part).values()) for part in job.plan.shards[number]])} for number in job.todo()
    ]
    # A block a shard: a worker that dies takes one shard with it, which another one then runs from its beginning.
    found = ray.data.from_items(todo, override_num_blocks=len(todo)).map_batches(
        _ShardWorker,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers) if workers else ray.data.ActorPoolStrategy(min_size=1),
        fn_constructor_kwargs={
            "place": Path.cwd(),
            "folder": job.folder,
            "settings": job.settings,
            "same": (__version__, job.model["files"]),
            "load": {**load, **{name: job.model[name] for name in ("backend", "device", "precision")}},
        },
        **resources,
    )
    for row in found.iter_rows():
        if problem := row.pop("error"):
            raise DataError(problem)
        yield Outcome(**row)
