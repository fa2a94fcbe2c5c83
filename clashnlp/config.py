"""What was fixed when the model was trained? A frozen dataclass that is read from and written to config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from clashnlp.errors import ModelError
from clashnlp.schema import CLASH, Schema

FORMAT_VERSION = 1
# The threshold of the highest F1 is half of that F1 (Lipton et al. 2014, "Optimal thresholding of classifiers to maximize F1 measure").
RELATION_THRESHOLD = 0.3
_WHOLE = ("window", "overlap", "max_distance", "max_sentences", "state_size", "relation_size", "context_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Everything about a model that is not a weight.

    Attributes:
        schema: the labels, attributes and relations that it predicts.
        encoder: the configuration of the transformers encoder, as its config.json has it.
        window, overlap: tokens that the encoder reads at once (special tokens apart), and that neighbouring windows share.
        max_distance, max_sentences: words, and sentence ends, that may lie between two spans for the pair to be weighed.
        state_size, relation_size, context_size: widths of the word states, of the relation head and of its context.
        tag_temperature, relation_temperature: divisors of the logits, fitted on development data (Guo et al. 2017,
            "On calibration of modern neural networks").
        span_thresholds, relation_thresholds: least score, by label, for a span (if absent 0) or a relation (if absent
            0.3) to be returned.
        training: what the weights were trained on and what was measured then, for people to read.
    """

    schema: Schema = CLASH
    encoder: Mapping[str, Any] = field(default_factory=dict)
    window: int = 256
    overlap: int = 64
    max_distance: int = 64
    max_sentences: int = 2
    state_size: int = 256
    relation_size: int = 256
    context_size: int = 128
    tag_temperature: float = 1.0
    relation_temperature: float = 1.0
    span_thresholds: Mapping[str, float] = field(default_factory=dict)
    relation_thresholds: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION or isinstance(self.format_version, bool):
            raise ModelError(
                f"the model has format version {self.format_version!r}, this clashnlp reads version {FORMAT_VERSION}; "
                "install the clashnlp version that wrote the model, or train it again"
            )
        for name in _WHOLE:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ModelError(f"{name} must be a whole number, it is {value!r}")
        for name in ("tag_temperature", "relation_temperature"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
                raise ModelError(f"{name} must be a number above 0, it is {value!r}")
        for name in ("encoder", "span_thresholds", "relation_thresholds", "training"):
            if not isinstance(getattr(self, name), Mapping):
                raise ModelError(f"{name} must be a JSON object, it is {getattr(self, name)!r:.60}")
        positions = self.encoder.get("max_position_embeddings")
        if isinstance(positions, int) and self.window >= positions:
            raise ModelError(f"windows of {self.window} tokens do not fit the encoder's {positions} positions")
        if not 0 <= self.overlap < self.window:
            raise ModelError(f"the windows' overlap must be at least 0 and less than their size, it is {self.overlap} of {self.window}")

    def replace(self, **changes: Any) -> ModelConfig:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        row = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"format_version": row.pop("format_version"), **row, "schema": self.schema.to_dict()}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ModelConfig:
        """A configuration from its JSON form.

        Raises:
            ModelError: a key is unknown, or the format version or the schema cannot be read.
        """
        if not isinstance(row, Mapping):
            raise ModelError(f"a configuration is a JSON object, this is {row!r:.60}")
        if row.get("format_version") != FORMAT_VERSION:
            cls(format_version=row.get("format_version", 0))
        if unknown := sorted(set(row) - {item.name for item in fields(cls)}):
            raise ModelError(f"unknown key in config.json: {', '.join(unknown)}; remove it, or install the clashnlp version that wrote it")
        return cls(**{**row, "schema": Schema.from_dict(row.get("schema", CLASH.to_dict()))})

    def save(self, path: Path) -> None:
        """Writes config.json."""
        path.write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> ModelConfig:
        """The configuration in that file.

        Raises:
            ModelError: the file is not JSON or not a configuration; the message names it.
        """
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ModelError(f"{path}: not a JSON file ({error})") from None
        try:
            return cls.from_dict(row)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
