"""How is a model trained? transformers' Trainer on the joint loss, with the library's own prediction as its evaluation."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging as hf_logging

from clashnlp import store
from clashnlp.backends.onnx import ENCODER_FILE, INT8_FILE, RELATE_FILE
from clashnlp.backends.torch import TorchBackend
from clashnlp.card import write_card
from clashnlp.config import ModelConfig
from clashnlp.errors import DataError, ModelError
from clashnlp.evaluate import evaluate, scored_keys
from clashnlp.model import ClashModel
from clashnlp.network import ClashNetwork, save_weights
from clashnlp.schema import CLASH, Schema
from clashnlp.tokens import Tokenizer
from clashnlp.training.augment import Noise, Reports
from clashnlp.training.calibrate import calibrate
from clashnlp.training.data import make_examples, read_annotated
from clashnlp.training.export import export_onnx
from clashnlp.training.loss import Collator, JointLoss
from clashnlp.training.metrics import RelationMetric, SpanMetric, relation_rows, span_rows
from clashnlp.training.report import attribute_report
from clashnlp.training.start import before, start
from clashnlp.types import Document

log = logging.getLogger(__name__)

# Encoders up to this width are small enough to want the larger of the two default learning rates.
_SMALL_WIDTH = 512
_LEARNING_RATES = (2e-4, 3e-5)
_PATIENCE = 4
# Documents of an earlier training that are shown again, for each new one.
_OLD_SHARE = 2
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """How to train. Most defaults are customary values; training/EXPERIMENTS.md tells which were compared, and how they fared.

    Attributes:
        init: a clashnlp model (None: the embedded one) or a transformers encoder, as a folder or a Hub id.
        schema: what to learn: a Schema, "clash" for that of the annotation guidelines, "data" for the labels that the files use, or None
            for that of `init` ("clash", where `init` is a bare encoder).
        old: annotated files that `init` learned from: two of their documents for each new one are drawn and learned again, so that less is
            forgotten (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal").
        input_format: one of `clashnlp.formats.FORMATS`, which all annotated files are read as; None reads them as they look.
        epochs: passes over the training documents, unless the development score stops rising before.
        batch_documents: documents in a step.
        learning_rate: peak of the encoder's rate; None takes 2e-4 for encoders up to 512 wide and 3e-5 for wider ones.
        head_factor: how much larger the rate of the new heads is.
        attribute_weight, relation_weight: weights of these losses beside the tags'.
        mistakes_after: share of the training after which the tagger's wrong spans join the relation head's negatives.
        changed: share of the examples drawn that are changed copies of their document, see `clashnlp.training.augment`.
        hidden: share of the words of each example drawn that the encoder sees as mask tokens.
        seed: of the weights, the order, the changes and the dropout.
        bf16: train in bfloat16; None does so where the machine is fast at it.
        resume: go on from the last checkpoint in the output folder.
    """

    init: str | Path | None = None
    schema: Schema | str | None = None
    old: Sequence[str | Path] = ()
    input_format: str | None = None
    epochs: float = 12
    batch_documents: int = 4
    learning_rate: float | None = None
    head_factor: float = 5.0
    attribute_weight: float = 1.0
    relation_weight: float = 1.0
    mistakes_after: float = 0.25
    changed: float = 0.5
    hidden: float = 0.1
    seed: int = 13
    bf16: bool | None = None
    resume: bool = False


def train(
    *,
    train_files: Sequence[str | Path],
    dev_files: Sequence[str | Path],
    output: Path,
    options: TrainOptions | None = None,
    report: Any = print,
) -> dict[str, Any]:
    """The metrics on the development files of a model that is trained and written to the output folder.

    Under torchrun or `accelerate launch`, each process learns from its share of the batches, and the first one measures, calibrates and
    writes, and tells the others.

    Args:
        train_files: annotated documents to learn from, see `clashnlp.formats`.
        dev_files: annotated documents to choose by.
        output: folder of the new model; checkpoints stand in its subfolder `checkpoints`.
        options: what to begin with, and how to train.
        report: called with each line for the user, in the first process alone.

    Raises:
        DataError: a file cannot be used, or holds labels that the schema lacks.
        ModelError: `init` cannot be used.
    """
    options = options or TrainOptions()
    report = report if is_first() else _silent
    if not sys.stderr.isatty():
        hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    read = partial(read_annotated, format=options.input_format)
    train_documents, dev_documents = read(train_files), read(dev_files)
    if not train_documents or not dev_documents:
        raise DataError("the training files and the development files must each hold at least one document")
    old_documents = _drawn(read(options.old), _OLD_SHARE * len(train_documents), options.seed)
    train_documents += old_documents
    schema = options.schema
    if isinstance(schema, str):
        if schema not in ("clash", "data"):
            raise ModelError(f"there is no schema {schema!r}; give 'clash', 'data' or a Schema")
        schema = CLASH if schema == "clash" else Schema.from_documents([*train_documents, *dev_documents])
    torch.manual_seed(options.seed)
    network, tokenizer, config = start(options.init, schema=schema)
    if not torch.cuda.is_available():
        # In bfloat16 on a CPU the fused kernel of torch 2.13 is the slower one.
        network.encoder.set_attn_implementation("eager")
    _, train_report = make_examples(train_documents, tokenizer, config, name="train")
    dev_examples, dev_report = make_examples(dev_documents, tokenizer, config, name="dev")
    report(str(train_report))
    if old_documents:
        report(f"  {len(old_documents)} of these documents were drawn from the old ones")
    report(str(dev_report))
    if not train_report.spans:
        raise DataError("the training files hold no span, so there is nothing to learn")

    noise = Noise(changed=options.changed, hidden=options.hidden, seed=options.seed)
    reports = Reports(train_documents, tokenizer, config, noise)
    loss = JointLoss(network, config, attribute_weight=options.attribute_weight, relation_weight=options.relation_weight)
    trainer = ClashTrainer(
        model=loss,
        args=_arguments(output, network, options, trained=bool(config.span_thresholds)),
        train_dataset=reports,
        eval_dataset=datasets.Dataset.from_list(dev_examples),
        data_collator=Collator(config, tokenizer.prefix, tokenizer.suffix),
        callbacks=[_Progress(loss, reports, options.mistakes_after), EarlyStoppingCallback(_PATIENCE)],
    )
    trainer.remove_callback(PrinterCallback)  # The report has a line an epoch already.
    trainer.prepare(loss, tokenizer, dev_documents, head_factor=options.head_factor, report=report)
    files = [*map(str, train_files), "/", *map(str, dev_files)]
    checkpoint = _of_first(lambda: _checkpoint(output / CHECKPOINTS, options, files, trainer.args.world_size))
    if options.resume and checkpoint is None:
        report(f"no checkpoint in {output / CHECKPOINTS}, so training begins anew")
    trainer.train(resume_from_checkpoint=checkpoint)

    def finish() -> dict[str, Any]:
        live = ClashModel(config, tokenizer, TorchBackend(network.eval(), trainer.args.device))
        calibrated = calibrate(live, dev_documents)
        live = ClashModel(calibrated, tokenizer, TorchBackend(network, trainer.args.device))
        metrics = evaluate(dev_documents, list(live.predict_many(dev_documents)), calibrated.schema)
        report("\n".join(filter(None, (attribute_report(metrics), _comparison(trainer.state.log_history, metrics)))))
        facts = {
            "documents": len(train_documents),
            "langs": dict(train_report.langs.most_common()),
            "epochs": round(trainer.state.epoch or 0, 2),
            "seconds": round(sum(entry.get("train_runtime", 0) for entry in trainer.state.log_history)),
            "before": before(options.init),
            "dev": {"documents": len(dev_documents), **{f"{key}_f1": metrics[key]["f1"] for key in ("spans", "relations")}},
        }
        save_model(output, network, tokenizer, calibrated.replace(training=facts), metrics=metrics)
        shutil.rmtree(output / CHECKPOINTS)  # Four times the model's size, and of no use once it is whole.
        return metrics

    result: dict[str, Any] = _of_first(finish)
    trainer.leave()
    return result


def _comparison(history: Sequence[Mapping[str, float]], metrics: Mapping[str, Any]) -> str:
    """What the training changed on the development documents, told plainly where it made them worse; empty for a model that is new."""
    first = next((entry for entry in history if not entry.get("epoch") and "eval_spans_f1" in entry), None)
    if first is None:
        return ""
    now = {key: metrics[key]["f1"] for key in ("spans", "relations")}
    change = ", ".join(f"{key} {first[f'eval_{key}_f1']:.3f} -> {value:.3f}" for key, value in now.items())
    worse = sum(now.values()) < sum(first[f"eval_{key}_f1"] for key in now)
    advice = (
        ": it reads the development documents worse than before; keep the old one, or try --learning-rate 3e-5, or --old" if worse else ""
    )
    return f"  before and after this training: {change}{advice}"


def is_first() -> bool:
    """Whether this process tells and writes: torchrun and `accelerate launch` start several, and number them."""
    return os.environ.get("RANK", "0") == "0"


def _of_first(work: Callable[[], Any]) -> Any:
    """What the first process makes; the others wait for it."""
    return broadcast_object_list([work() if is_first() else None])[0]


def _silent(_: str) -> None:
    """Tells nothing."""


def _drawn(documents: list[Document], number: int, seed: int) -> list[Document]:
    """That many of the documents, or all of them, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(documents))[:number]
    return [documents[at] for at in sorted(chosen.tolist())]


def _checkpoint(folder: Path, options: TrainOptions, files: list[str], processes: int) -> str | None:
    """The checkpoint to go on from, if any; without `resume` those of an earlier run are removed.

    Raises:
        ModelError: the checkpoints are of a run with other options or files.
    """
    run = {
        name: str(getattr(options, name))
        for name in ("init", "schema", "old", "epochs", "batch_documents", "learning_rate", "changed", "hidden", "seed")
    }
    run["files"] = " ".join(files)
    run["processes"] = str(processes)
    path = folder / "run.json"
    if options.resume and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if changed := [f"{name} was {before.get(name)!r}, now {value!r}" for name, value in run.items() if before.get(name) != value]:
            raise ModelError(f"{folder} holds another run ({'; '.join(changed)}); resume with the same options, or train without --resume")
        checkpoint: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
        return checkpoint
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path.write_text(json.dumps(run, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return None


def save_model(
    folder: Path, network: ClashNetwork, tokenizer: Tokenizer, config: ModelConfig, *, metrics: Mapping[str, Any] | None = None
) -> None:
    """Writes a model folder: configuration, tokenizer, weights, the graphs for onnxruntime, and the card, with the metrics if given."""
    folder.mkdir(parents=True, exist_ok=True)
    config.save(folder / store.CONFIG_FILE)
    tokenizer.save(folder / store.TOKENIZER_FILE)
    for name in (ENCODER_FILE, INT8_FILE, RELATE_FILE):
        (folder / name).unlink(missing_ok=True)  # Graphs of other weights must not survive a cut between the next two lines.
    save_weights(network, folder / store.WEIGHTS_FILE)
    export_onnx(folder)
    write_card(folder, config, metrics=metrics)


class ClashTrainer(Trainer):
    """transformers' Trainer whose evaluation is the library's prediction of whole documents."""

    def prepare(self, loss: JointLoss, tokenizer: Tokenizer, dev_documents: Sequence[Document], *, head_factor: float, report: Any) -> None:
        """Tells what to evaluate on, and how much faster the heads learn than the encoder."""
        self._loss = loss
        self._tokenizer = tokenizer
        self._dev_documents = list(dev_documents)
        self._head_factor = head_factor
        self._report = report

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with the encoder's rate and the heads' larger one; biases and norms are not decayed."""
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
            for name, parameter in self._loss.named_parameters():
                groups.setdefault((".encoder." in name, parameter.ndim > 1), []).append(parameter)
            rate = self.args.learning_rate
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": parameters,
                        "lr": rate * (1.0 if of_encoder else self._head_factor),
                        "weight_decay": self.args.weight_decay if decayed else 0.0,
                    }
                    for (of_encoder, decayed), parameters in groups.items()
                ],
                betas=(0.9, 0.98),
                fused=True,
            )
        return self.optimizer

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Span and relation F1 on the development documents, as `clashnlp evaluate` measures them."""
        row: dict[str, float] = _of_first(self._measure)
        named = {f"{metric_key_prefix}_{name}": value for name, value in row.items()}
        self._report(f"epoch {self.state.epoch or 0:.1f}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()))
        self.log(named)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        return named

    def leave(self) -> None:
        """Ends the work of several processes together."""
        # The wrapper goes before the process group: as the group's last owner it would hold the interpreter's lock and wait for a thread
        # that waits for that lock (pytorch issue 56297).
        self.model_wrapped = self._loss
        self.accelerator.free_memory()
        self.accelerator.end_training()

    def _measure(self) -> dict[str, float]:
        network = self._loss.network
        network.eval()
        model = ClashModel(self._loss.settings, self._tokenizer, TorchBackend(network, self.args.device))
        found = list(model.predict_many(self._dev_documents))
        network.train()
        keys = scored_keys(self._dev_documents, found, self._loss.settings.schema)
        spans = SpanMetric().compute(predictions=span_rows(keys.spans), references=span_rows(keys.gold_spans))["f1"]
        row = {"spans_f1": spans, "mean_f1": spans}
        if self._loss.settings.schema.relations:
            pairs = {"predictions": relation_rows(keys.relations), "references": relation_rows(keys.gold_relations)}
            row["relations_f1"] = RelationMetric().compute(**pairs)["f1"]
            row["mean_f1"] = (spans + row["relations_f1"]) / 2
        return row


class _Progress(TrainerCallback):
    """Tells the data which pass it is, and lets the tagger's wrong spans into the relation loss once a share of the training is done."""

    def __init__(self, loss: JointLoss, reports: Reports, after: float) -> None:
        self._loss = loss
        self._reports = reports
        self._after = after

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._reports.epoch = int(state.epoch or 0)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._loss.own_mistakes = state.global_step >= self._after * state.max_steps


def _arguments(output: Path, network: ClashNetwork, options: TrainOptions, *, trained: bool) -> TrainingArguments:
    rate = options.learning_rate
    if rate is None:
        rate = _LEARNING_RATES[network.encoder.config.hidden_size > _SMALL_WIDTH]
    arguments = TrainingArguments(
        output_dir=str(output / CHECKPOINTS),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_documents,
        learning_rate=rate,
        weight_decay=0.01,
        warmup_steps=0.1,
        lr_scheduler_type="linear",
        bf16=_fast_bf16() if options.bf16 is None else options.bf16,
        use_cpu=not torch.cuda.is_available(),
        # A trained model is measured before as well, since more training can make it worse.
        eval_on_start=trained and not options.resume,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="mean_f1",
        greater_is_better=True,
        logging_strategy="epoch",
        report_to="none",
        disable_tqdm=not sys.stderr.isatty(),
        remove_unused_columns=False,
        seed=options.seed,
    )
    # With several GPUs in one process the Trainer would split a batch's windows from its words. A process a GPU (torchrun) does not.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _fast_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
