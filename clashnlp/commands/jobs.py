"""The part of `predict` that writes shards into a folder, and takes up again what was cut off."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clashnlp import store
from clashnlp.commands.files import DONE, INCOMPLETE
from clashnlp.commands.options import choose_backend, has_gpu, load_model, positive, share
from clashnlp.errors import DataError
from clashnlp.jobs.job import Job, model_digest
from clashnlp.jobs.plan import Settings

SHARD_SIZE = 1000
MAX_CHARACTERS = 1_000_000


def add_job(command: argparse.ArgumentParser) -> None:
    """Adds the options of a job to `predict`."""
    group = command.add_argument_group("large jobs", "shards in a folder, which a job that was killed is resumed from")
    group.add_argument("--output-dir", type=Path, metavar="DIR", help="write shard-00000.jsonl and so on here, instead of -o")
    group.add_argument(
        "--shard-size", type=positive, default=SHARD_SIZE, metavar="N", help=f"input rows of a shard (default: {SHARD_SIZE})"
    )
    group.add_argument("--resume", action="store_true", help="go on with the job in --output-dir, if there is one")
    longest = f"reject longer reports (default: {MAX_CHARACTERS})"
    group.add_argument("--max-characters", type=positive, default=MAX_CHARACTERS, metavar="N", help=longest)
    group.add_argument("--engine", choices=("local", "ray"), default="local", help="ray: on a cluster, with the extra ray (default: local)")
    group.add_argument("--workers", type=positive, help="ray: processes that hold a model (default: as many as there is room for)")
    group.add_argument("--worker-cpus", type=positive, default=1, help="ray: cores for each (default: 1)")
    group.add_argument("--worker-gpus", type=share, default=0.0, help="ray: GPUs, or a share of one, for each (default: 0)")


def run_job(options: argparse.Namespace) -> int:
    """Carries the job out."""
    if options.output is not None:
        raise DataError("name either -o or --output-dir")
    for given in map(Path, options.inputs):
        if given.is_dir() and options.output_dir.resolve().is_relative_to(given.resolve()):
            raise DataError(f"{options.output_dir} is in the input {given}, and would be read with it the next time; name another folder")
    settings = Settings(
        shard_size=options.shard_size,
        format=options.format,
        published=options.published and options.published.isoformat(),
        text_column=options.text_column,
        input_format=options.input_format,
        batch_tokens=options.batch_tokens,
        max_characters=options.max_characters,
    )
    _settle(options)
    folder = store.find_model(options.model, revision=options.revision)
    files = model_digest(folder, backend=options.backend, precision=options.precision)
    model = {"files": files, "backend": options.backend, "device": options.device, "precision": options.precision}
    with Job(options.output_dir, options.inputs, settings, model=model, resume=options.resume) as job:
        if job.result is None:
            _work(job, options)
        result = job.result or job.finish()
    print(f"clashnlp: {result['documents']} reports read, {result['rejected']} rejected, {len(job.done)} shards", file=sys.stderr)
    if result["duplicates"]:
        names = ", ".join(f"{row['id']!r} in shard {row['shard']}" for row in result["first_duplicates"])
        print(f"clashnlp: {result['duplicates']} reports bear the id of an earlier one: {names}", file=sys.stderr)
    return INCOMPLETE if result["rejected"] else DONE


def _settle(options: argparse.Namespace) -> None:
    """Puts what "auto" stands for in its place, so that the manifest says what ran, and every worker runs it."""
    if options.device == "auto" and options.engine == "ray":
        options.device = "cuda" if options.worker_gpus else "cpu"
    options.backend = choose_backend(options)
    if options.device == "auto":
        options.device = "cuda" if options.backend == "torch" and has_gpu() else "cpu"


def _work(job: Job, options: argparse.Namespace) -> None:
    from tqdm import tqdm

    before = sum(map(job.plan.rows, job.done))
    with tqdm(total=job.rows, initial=before, unit=" reports", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:
        if options.engine == "local":
            model = load_model(options)
            for number in job.todo():
                job.add(job.shard(number).run(model, bar.update))
        elif job.todo():
            from clashnlp.ray import run_shards

            load = {"name": options.model, "revision": options.revision, "threads": options.threads or options.worker_cpus}
            resources = {"num_cpus": options.worker_cpus, "num_gpus": options.worker_gpus}
            for outcome in run_shards(job, load, workers=options.workers, resources=resources):
                job.add(outcome)
                bar.update(job.plan.rows(outcome.number))
