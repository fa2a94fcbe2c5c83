"""How do I use it? ClashModel reads reports and returns analyses."""

from __future__ import annotations

import datetime
import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clashnlp import relations, spans
from clashnlp.backends import Backend, Runtime, load_backend
from clashnlp.batching import make_batches
from clashnlp.card import write_card
from clashnlp.config import RELATION_THRESHOLD, ModelConfig
from clashnlp.errors import ModelError
from clashnlp.numerals import fold
from clashnlp.records import read as read_records
from clashnlp.rows import Records
from clashnlp.store import CONFIG_FILE, MODEL_FILES, TOKENIZER_FILE, find_model, model_files
from clashnlp.tokens import Tokenizer, Tokens
from clashnlp.types import Analysis, Document, Relation, Span
from clashnlp.windows import make_windows, stitch

# The force and its men are one: Houthi and Houthis, الحوثي and الحوثيون.
_PLURAL = re.compile(r"(?<=\w{4})(?:s|ون|ين|ین)$")
BATCH_TOKENS = 2048
# Documents are read ahead up to this many batches, so that windows of similar length find each other.
_READ_AHEAD = 16
_LEAST_SIZE = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """A document after the encoder: its tokens, word states (n, D) and tag logits (n, labels * 5). Windows do not exist any more."""

    document: Document
    tokens: Tokens
    states: NDArray[np.float32]
    tags: NDArray[np.float32]


class ClashModel:
    """A trained model. Reads any length of text; equal texts give equal analyses whatever they are batched with, up to rounding."""

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer, backend: Backend, *, folder: Path | None = None) -> None:
        self.config = config
        self._folder = folder
        self._tokenizer = tokenizer
        self._backend = backend

    @classmethod
    def from_pretrained(  # noqa: PLR0913 (each is named at the call)
        cls,
        name: str | Path | None = None,
        *,
        revision: str | None = None,
        backend: str = "onnx",
        device: str = "cpu",
        threads: int | None = None,
        precision: str | None = None,
    ) -> ClashModel:
        """The model of that name.

        Args:
            name: a folder that training wrote, an id on the Hugging Face Hub, or None for the model inside the package.
            revision: branch, tag or commit, for a model on the Hub.
            backend: "onnx" (needs neither torch nor transformers), "openvino" (faster on most CPUs) or "torch".
            device: "cpu", "cuda" or "auto".
            threads: CPU threads; None lets the runtime choose.
            precision: of the encoder, "float32", "bfloat16" (openvino and torch) or "int8" (openvino and onnx, where the model has a
                graph for it); None is float32 on a CPU and bfloat16 on CUDA.

        Raises:
            ModelError: there is no such model, or its files cannot be read; the message names what is wrong.
            MissingDependencyError: the backend's runtime is not installed.
        """
        folder = find_model(name, revision=revision)
        config = ModelConfig.load(folder / CONFIG_FILE)
        tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
        runtime = Runtime(device=device, threads=threads, precision=precision)
        return cls(config, tokenizer, load_backend(backend, folder, config, runtime), folder=folder)

    def save_pretrained(self, folder: str | Path, *, metrics: Mapping[str, Any] | None = None, license: str | None = None) -> Path:
        """The folder, with the files that the model was loaded from, its configuration as it is now, and a card, README.md.

        Args:
            folder: is made where there is none.
            metrics: for the card, as `clashnlp.evaluate.evaluate` returns them; without, it has what was recorded in training.
            license: for the card, as the Hub names it, such as "apache-2.0".

        Raises:
            ModelError: the model was loaded from that very folder, or from none.
        """
        folder = Path(folder)
        if self._folder is None:
            raise ModelError("this model lies in no folder yet; write it with clashnlp.training.trainer.save_model")
        if folder.resolve() == self._folder.resolve():
            raise ModelError(f"the model was loaded from {folder}; save it to another folder")
        folder.mkdir(parents=True, exist_ok=True)
        files = model_files(self._folder)
        for file in files:
            shutil.copyfile(file, folder / file.name)
        for name in set(MODEL_FILES) - {file.name for file in files}:
            (folder / name).unlink(missing_ok=True)  # Of another model that lay there.
        self.config.save(folder / CONFIG_FILE)
        write_card(folder, self.config, metrics=metrics, license=license)
        return folder

    def with_config(self, config: ModelConfig) -> ClashModel:
        """The same weights under another configuration, such as other thresholds."""
        return ClashModel(config, self._tokenizer, self._backend, folder=self._folder)

    def predict(self, document: str | Document) -> Analysis:
        """What the model says about one report.

        Raises:
            TypeError: the report is neither a str nor a Document.
            DataError: the text is no valid Unicode.
        """
        return self.decode(self.read([_document(document)])[0])

    def predict_many(self, documents: Iterable[str | Document], *, batch_tokens: int = BATCH_TOKENS) -> Iterator[Analysis]:
        """What the model says about each report, in order; reads ahead a bounded number of reports, so a stream of any length will do.

        Args:
            documents: texts, or documents whose id, language and meta data are kept (their annotations are not looked at). A data set
                of the package `datasets`, streamed or not, is given as `(row["text"] for row in data)`.
            batch_tokens: tokens that the encoder reads at once, padding included; more is faster on a GPU, and takes more memory.

        Raises:
            TypeError, DataError: as `predict`, behind the analyses of the reports before; so does whatever the reports' iterator raises.
        """
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens must be at least 1, it is {batch_tokens}")
        if isinstance(documents, str):
            raise TypeError("several reports are wanted, this is a str; put it into a list, or call predict")
        # The next stretch is read while this one is decoded, and handed to the caller: decoding uses one core, and the runtimes read
        # outside of Python's lock. Threads of a pool would not do: it takes no work once the main thread has ended, and others go on.
        stop = threading.Event()
        ahead: Future[list[Reading]] = Future()
        ahead.set_result([])
        try:
            for held in _stretches(documents, 4 * _READ_AHEAD * batch_tokens):
                decoded = self.decode_many(ahead.result())
                ahead = Future()
                if isinstance(held, Exception):
                    ahead.set_exception(held)
                else:
                    threading.Thread(target=self._read_into, args=(ahead, held, batch_tokens, stop)).start()
                yield from decoded
            yield from self.decode_many(ahead.result())
        finally:
            stop.set()

    def _read_into(self, future: Future[list[Reading]], documents: Sequence[Document], batch_tokens: int, stop: threading.Event) -> None:
        try:
            future.set_result(self.read(documents, batch_tokens=batch_tokens, stop=stop))
        except BaseException as error:  # Whatever it is, the one who waits must hear of it.
            future.set_exception(error)

    def records(self, documents: Iterable[str | Document], *, published: datetime.date | None = None) -> Records:
        """The clashes that the reports tell of: who against whom, where, when, with what losses, and who says so.

        Args:
            documents: texts, or documents; a report's `date` and `source` among its meta data are used.
            published: the day from which "yesterday" and weekdays are counted, for reports without a date of their own.

        Raises:
            TypeError, DataError: as `predict`.
        """
        analyses = self.predict_many(documents)
        return Records((record, analysis) for analysis in analyses for record in read_records(analysis, published=published))

    def read(
        self, documents: Sequence[Document], *, batch_tokens: int = BATCH_TOKENS, stop: threading.Event | None = None
    ) -> list[Reading]:
        """What the encoder makes of the documents; `decode` goes on from there, as often as wanted and under other configurations.

        Args:
            documents: the documents.
            batch_tokens: see `predict_many`.
            stop: once it is set nobody wants the answer any more, and no further batch is read.
        """
        config, prefix, suffix = self.config, self._tokenizer.prefix, self._tokenizer.suffix
        frame = len(prefix) + len(suffix)
        tokens = self._tokenizer.encode_many([document.text for document in documents])
        windows = [
            (at, window)
            for at, one in enumerate(tokens)
            for window in make_windows(len(one.ids), size=config.window, overlap=config.overlap)
        ]
        lengths = [window.end - window.start + frame for _, window in windows]
        width = len(config.schema.labels) * len(spans.TAGS)
        readings = [
            Reading(
                document=document,
                tokens=one,
                states=np.zeros((len(one.words), config.state_size), np.float32),
                tags=np.zeros((len(one.words), width), np.float32),
            )
            for document, one in zip(documents, tokens, strict=True)
        ]
        for batch in make_batches(lengths, budget=batch_tokens):
            if stop is not None and stop.is_set():
                break
            ids = np.full((len(batch), lengths[batch[0]]), int(config.encoder.get("pad_token_id") or 0), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, index in enumerate(batch):
                at, window = windows[index]
                ids[row, : lengths[index]] = np.concatenate([prefix, tokens[at].ids[window.start : window.end], suffix])
                mask[row, : lengths[index]] = 1
            states, tags = self._backend.encode(ids, mask)
            for row, index in enumerate(batch):
                at, window = windows[index]
                stitch(states[row, len(prefix) :], window, tokens[at].first, readings[at].states)
                stitch(tags[row, len(prefix) :], window, tokens[at].first, readings[at].tags)
        return readings

    def decode(self, reading: Reading) -> Analysis:
        """The spans and relations of a document that the encoder has read."""
        return next(self.decode_many([reading]))

    def decode_many(self, readings: Sequence[Reading]) -> Iterator[Analysis]:
        """The same for several documents, in order; their pairs are weighed together, which is faster."""
        schema, config = self.config.schema, self.config
        thresholds = spans.thresholds_of(schema.labels, config.span_thresholds, 0.0)
        shape = (-1, len(schema.labels), len(spans.TAGS))
        found = [spans.decode(one.tags.reshape(shape), temperature=config.tag_temperature, thresholds=thresholds) for one in readings]
        pairs = [
            relations.candidates(
                these.rows, one.tokens.sentences, schema, max_distance=config.max_distance, max_sentences=config.max_sentences
            )
            for these, one in zip(found, readings, strict=True)
        ]
        weighed = self._weigh(readings, found, pairs)
        for one, these, those, (attributes, logits) in zip(readings, found, pairs, weighed, strict=True):
            kept = relations.decode(
                logits,
                those,
                these.scores[those.pairs].prod(axis=1),
                temperature=config.relation_temperature,
                thresholds=spans.thresholds_of(
                    [relation.label for relation in schema.relations], config.relation_thresholds, RELATION_THRESHOLD
                ),
            )
            document, ends = one.document, those.pairs
            predicted = self._spans(document.text, one.tokens, these, attributes)
            names = [_PLURAL.sub("", fold(span.text)) for span in predicted]
            yield Analysis(
                text=document.text,
                id=document.id,
                lang=document.lang,
                spans=tuple(predicted),
                relations=tuple(
                    Relation(predicted[ends[pair, 0]], predicted[ends[pair, 1]], schema.relations[relation].label, score)
                    for pair, relation, score in kept
                    if not schema.relations[relation].distinct or names[ends[pair, 0]] != names[ends[pair, 1]]
                ),
                meta=document.meta,
            )

    def _weigh(
        self, readings: Sequence[Reading], found: Sequence[spans.WordSpans], pairs: Sequence[relations.Candidates]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Attribute logits (s, V) of each document's spans and relation logits (p, R) of its pairs. The documents are laid end to end."""
        if not readings:
            return
        schema = self.config.schema
        words, members, ends = (
            _offsets(sizes) for sizes in ([len(one.states) for one in readings], list(map(len, found)), [len(one.pairs) for one in pairs])
        )
        states = np.concatenate([one.states for one in readings])
        rows = np.concatenate([one.rows + np.array([at, at, 0]) for one, at in zip(found, words, strict=False)])
        index = np.concatenate([one.pairs + at for one, at in zip(pairs, members, strict=False)])
        features = np.concatenate([one.features for one in pairs])
        attributes = np.zeros((members[-1], len(schema.values) or 1), dtype=np.float32)
        logits = np.zeros((ends[-1], len(schema.relations) or 1), dtype=np.float32)
        for stretch, inside, chosen in relations.blocks(rows, index):
            local = np.searchsorted(inside, index[chosen])
            moved = rows[inside] - np.array([stretch.start, stretch.start, 0])
            attributes[inside], logits[chosen] = self._backend.relate(states[stretch], moved, local, features[chosen])
        for at in range(len(readings)):
            yield attributes[members[at] : members[at + 1]], logits[ends[at] : ends[at + 1]]

    def _spans(self, text: str, tokens: Tokens, found: spans.WordSpans, attributes: NDArray[np.float32]) -> list[Span]:
        schema = self.config.schema
        prefixes = schema.id_prefixes()
        counts = dict.fromkeys(schema.labels, 0)
        result = []
        for row, score, logits in zip(found.rows.tolist(), found.scores.tolist(), attributes, strict=True):
            first, last, label = row[0], row[1], schema.labels[row[2]]
            counts[label] += 1
            start, end = int(tokens.words[first, 0]), int(tokens.words[last, 1])
            values, column = {}, 0
            for attribute in schema.attributes:
                if label in attribute.labels:
                    values[attribute.name] = attribute.values[int(logits[column : column + len(attribute.values)].argmax())]
                column += len(attribute.values)
            result.append(Span(start, end, label, text[start:end], f"{prefixes[label]}{counts[label]}", score, values))
        return result


def _document(given: str | Document) -> Document:
    document = Document(given) if isinstance(given, str) else given
    if not isinstance(document, Document):
        raise TypeError(f"a report is a str or a clashnlp.Document, this is {type(given).__name__}")
    return document


def _stretches(documents: Iterable[str | Document], size: int) -> Iterator[list[Document] | Exception]:
    """The documents in runs of about `size` characters, and behind them the error that they end with, if they do."""
    held: list[Document] = []
    characters = 0
    failed: Exception | None = None
    try:
        for given in documents:
            held.append(_document(given))
            # A token has three to five characters on average; an empty report takes memory as well.
            characters += len(held[-1].text) + _LEAST_SIZE
            if characters >= size:
                yield held
                held, characters = [], 0
    except Exception as error:
        failed = error
    if held:
        yield held
    if failed is not None:
        yield failed


def _offsets(sizes: Sequence[int]) -> list[int]:
    """Where each of several things laid end to end begins, and where the last one ends."""
    return [0, *np.cumsum(sizes, dtype=np.int64).tolist()]
