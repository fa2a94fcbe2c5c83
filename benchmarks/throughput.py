"""How fast are reports read, by whom? One run measures every contestant on the same reports, in turns.

    python benchmarks/throughput.py --reports 1000 --repeats 3
    python benchmarks/throughput.py --reports 60 --size mbert

Each contestant is a process of its own, so that peak memory is its own; they take turns, so that a machine that slows down slows all of
them; figures are medians over the turns. The first turn warms up and is not counted. `limit` rows are the bare encoder on full windows
without padding, in the same batches: what no reader of whole reports can pass.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from reports import make_reports

from clashnlp import ClashModel, Document, spans, store
from clashnlp.config import ModelConfig
from clashnlp.model import BATCH_TOKENS

# Name -> backend, precision.
OURS = {
    "torch float32": ("torch", "float32"),
    "torch bfloat16": ("torch", "bfloat16"),
    "onnx float32": ("onnx", None),
    "onnx int8": ("onnx", "int8"),
    "openvino float32": ("openvino", "float32"),
    "openvino bfloat16": ("openvino", "bfloat16"),
    "openvino int8": ("openvino", "int8"),
}
PIPELINES = {f"pipeline, batches of {size}": size for size in (1, 8, 32)}
CONTESTANTS = [
    *PIPELINES,
    *OURS,
    *(f"{name}, spans only" for name in ("onnx float32", "openvino bfloat16", "openvino int8")),
    *(f"limit: {name}" for name in ("torch float32", "onnx float32", "openvino bfloat16", "openvino int8")),
]
# Of google-bert/bert-base-multilingual-cased: its published config.json.
MBERT = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 119547}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", choices=("embedded", "mbert"), default="embedded", help="mbert: random weights of that size")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="contestants whose name holds one of these words")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--models", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.models, options.reports)
        return
    with tempfile.TemporaryDirectory() as scratch:
        prepare(Path(scratch), options.size)
        compare(options, Path(scratch))


def prepare(folder: Path, size: str) -> None:
    """Writes the model under test, with graphs in float32 and in eight bits."""
    import torch

    from clashnlp.network import build_network, save_weights
    from clashnlp.training.export import export_int8, export_onnx

    source = store.find_model(None)
    for file in (store.CONFIG_FILE, store.TOKENIZER_FILE, store.WEIGHTS_FILE):
        (folder / file).write_bytes((source / file).read_bytes())
    if size == "mbert":
        torch.manual_seed(0)
        config = ModelConfig.load(folder / store.CONFIG_FILE)
        config = config.replace(encoder={**config.encoder, **MBERT})
        config.save(folder / store.CONFIG_FILE)
        save_weights(build_network(config), folder / store.WEIGHTS_FILE)
    export_onnx(folder)
    # The ranges of other reports than those that are read, as users' are.
    export_int8(folder, [Document(text) for text in make_reports(64, seed=1)])


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Lets the contestants take turns, and prints the table."""
    names = [name for name in CONTESTANTS if not options.only or any(word in name for word in options.only)]
    command = [sys.executable, __file__, "--reports", str(options.reports), "--models", str(folder), "--worker"]
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "true"}
    figures: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    workers = {}
    try:
        for name in names:
            workers[name] = subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for turn in range(options.repeats + 1):
            for name, worker in workers.items():
                assert worker.stdin is not None and worker.stdout is not None
                worker.stdin.write("run\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                if not line:
                    raise SystemExit(f"{name}: its process ended; run: {' '.join(command)} {name!r}")
                if turn:
                    figures[name].append(json.loads(line))
    finally:
        for worker in workers.values():
            worker.kill()
    table = {name: {key: median(run[key] for run in runs) for key in runs[0]} for name, runs in figures.items()}
    print(render(table, options))
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def render(table: dict[str, dict[str, float]], options: argparse.Namespace) -> str:
    """The figures as a table; speed against the best pipeline of the same run."""
    best = max((row["documents"] for name, row in table.items() if name in PIPELINES), default=0.0)
    lines = [
        f"{options.reports} reports, {options.size} model, {os.cpu_count()} cores, median of {options.repeats} turns",
        f"{'':32}{'reports/s':>10}{'tokens/s':>10}{'x pipeline':>11}{'peak MB':>9}   share of time",
    ]
    for name, row in table.items():
        ratio = f"{row['documents'] / best:10.2f}x" if best else " " * 11
        steps = ", ".join(f"{step[6:]} {100 * share:.0f} %" for step, share in row.items() if step.startswith("share_"))
        lines.append(f"{name:32}{row['documents']:10.1f}{row['tokens']:10.0f}{ratio}{row['memory']:9.0f}   {steps}")
    cores = os.cpu_count() or 1
    lines.append("")
    for name in (name for name in OURS if name in table):
        rate = table[name]["documents"]
        million = 1e8 / rate / 3600 * cores
        lines.append(f"{name}: {rate * 86400 / cores:,.0f} reports a day and core; 100 million reports take {million:,.0f} core hours")
    return "\n".join(lines)


def work(name: str, folder: Path, number: int) -> None:
    """One contestant: reads all reports each time a line comes in, and answers with the figures."""
    reports = make_reports(number)
    run, steps = contestant(name, folder, reports)
    model = ClashModel.from_pretrained(folder)
    tokens = sum(len(one.ids) for one in model._tokenizer.encode_many(reports))
    out = sys.stdout
    sys.stdout = sys.stderr  # What libraries print is no figure.
    for _ in sys.stdin:
        steps.clear()
        begin = time.perf_counter()
        share = run()
        seconds = (time.perf_counter() - begin) / share
        figures = {"documents": len(reports) / seconds, "tokens": tokens / seconds}
        figures["memory"] = peak_memory()
        figures |= {f"share_{step}": took / seconds for step, took in steps.items()}
        if steps:
            # Reports are decoded while the next ones are read, so the shares may come to more than the whole.
            figures["share_rest"] = max(0.0, 1 - sum(steps.values()) / seconds)
        print(json.dumps(figures), file=out, flush=True)


def peak_memory() -> float:
    """The most memory that this process has held, in MB; getrusage would tell that of the process that started it, where that is more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def contestant(name: str, folder: Path, reports: list[str]) -> tuple[Callable[[], float], dict[str, float]]:
    """What to run, and the seconds of its steps; it returns the share of the work that it did."""
    steps: dict[str, float] = {}
    if name in PIPELINES:
        read = pipeline(folder, PIPELINES[name])
        return (lambda: float(sum(1 for _ in read(reports)) / len(reports))), steps
    bare = name.removeprefix("limit: ").removesuffix(", spans only")
    backend, precision = OURS[bare]
    model = ClashModel.from_pretrained(folder, backend=backend, precision=precision)
    if name.startswith("limit: "):
        return packed(model, reports), steps
    model._tokenizer.encode_many = timed(model._tokenizer.encode_many, "tokens", steps)
    model._backend.encode = timed(model._backend.encode, "encoder", steps)
    model._backend.relate = timed(model._backend.relate, "relations", steps)
    if name.endswith("spans only"):
        return (lambda: float(sum(1 for _ in spans_only(model, reports)) / len(reports))), steps
    return (lambda: float(sum(1 for _ in model.predict_many(reports)) / len(reports))), steps


def timed(function: Callable[..., Any], step: str, steps: dict[str, float]) -> Callable[..., Any]:
    """The function, whose time is added to its step."""

    def call(*args: Any, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            steps[step] = steps.get(step, 0.0) + time.perf_counter() - begin

    return call


def spans_only(model: ClashModel, reports: list[str]) -> Iterator[Any]:
    """The spans of each report, without attributes and relations."""
    labels = model.config.schema.labels
    for at in range(0, len(reports), 256):
        for reading in model.read([Document(text) for text in reports[at : at + 256]]):
            logits = reading.tags.reshape(len(reading.tokens.words), len(labels), len(spans.TAGS))
            yield spans.decode(logits, temperature=model.config.tag_temperature, thresholds=[0.0] * len(labels))


def packed(model: ClashModel, reports: list[str]) -> Callable[[], float]:
    """The bare encoder over the reports' tokens, end to end in full windows; a tenth of them is enough."""
    ids = np.concatenate([one.ids for one in model._tokenizer.encode_many(reports)])
    window = model.config.window + len(model._tokenizer.prefix) + len(model._tokenizer.suffix)
    rows = max(1, BATCH_TOKENS // window)
    size = rows * window
    batches = [ids[at : at + size].reshape(rows, window) for at in range(0, len(ids) - size, size)]
    batches = batches[: max(1, len(batches) // 10)]
    mask = np.ones((rows, window), dtype=np.int64)

    def run() -> float:
        for batch in batches:
            model._backend.encode(batch, mask)
        return len(batches) * size / len(ids)

    return run


def pipeline(folder: Path, size: int) -> Callable[[list[str]], Iterator[Any]]:
    """The token-classification pipeline of transformers with the same weights and windows, in float32, and a head of as many tags."""
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification, PreTrainedTokenizerFast
    from transformers import pipeline as build

    from clashnlp.network import load_network

    config = ModelConfig.load(folder / store.CONFIG_FILE)
    network = load_network(folder, config)
    row = dict(config.encoder)
    tags = 1 + 4 * len(config.schema.labels)
    head = AutoModelForTokenClassification.from_config(AutoConfig.for_model(row.pop("model_type"), **row, num_labels=tags))
    head.base_model.load_state_dict(network.encoder.state_dict())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / store.TOKENIZER_FILE), model_max_length=config.window + 2)
    tokenizer.add_special_tokens({"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"})
    read = build(
        "token-classification", model=head.eval(), tokenizer=tokenizer, aggregation_strategy="simple", stride=config.overlap, device="cpu"
    )

    def run(reports: list[str]) -> Iterator[Any]:
        with torch.inference_mode():
            yield from read(reports, batch_size=size)

    return run


if __name__ == "__main__":
    main()
