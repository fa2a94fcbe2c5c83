"""The torch model: an encoder, a tag head a label, an attribute head on spans and a relation head on typed pairs of spans."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from clashnlp.config import ModelConfig
from clashnlp.errors import ModelError
from clashnlp.relations import FEATURE_SIZES
from clashnlp.spans import TAGS
from clashnlp.store import WEIGHTS_FILE

# Ranges of words are pooled by a table of maxima over 1, 2, 4 ... 128 words, so a range of up to 255 words is the maximum of two entries.
_LEVELS = 8
_NOTHING = -1e4  # Below any activation, and within float16.


class ClashNetwork(nn.Module):
    """The network of a configuration. Shapes: b windows, t tokens of a window, n words, s spans, p pairs, D state size."""

    def __init__(self, config: ModelConfig, encoder: PreTrainedModel) -> None:
        super().__init__()
        schema, width = config.schema, encoder.config.hidden_size
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.tagger = nn.Linear(width, len(schema.labels) * len(TAGS))
        self.state = nn.Linear(width, config.state_size)
        self.label = nn.Embedding(len(schema.labels), config.state_size)
        self.span = nn.Sequential(nn.Linear(4 * config.state_size, config.relation_size), nn.GELU(), nn.Dropout(0.1))
        # A schema without attributes or relations still gets one output, which nobody reads: graphs cannot have none.
        self.attribute = nn.Linear(config.relation_size, len(schema.values) or 1)
        self.context = nn.Linear(config.state_size, config.context_size)
        self.pair = nn.ModuleDict(
            {
                "head": nn.Linear(config.relation_size, config.relation_size),
                "tail": nn.Linear(config.relation_size, config.relation_size, bias=False),
                "context": nn.Linear(config.context_size, config.relation_size, bias=False),
            }
        )
        tables = [nn.Embedding(size, config.relation_size) for size in FEATURE_SIZES]
        for table in tables:
            nn.init.normal_(table.weight, std=0.1)
        self.features = nn.ModuleList(tables)
        self.relation = nn.Sequential(
            nn.LayerNorm(config.relation_size), nn.GELU(), nn.Dropout(0.1), nn.Linear(config.relation_size, len(schema.relations) or 1)
        )

    def encode(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Word states (b, t, D) and tag logits (b, t, tags) of token ids (b, t) with their mask (b, t)."""
        hidden = self.dropout(self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state)
        return self.state(hidden), self.tagger(hidden)

    def relate(self, states: Tensor, spans: Tensor, pairs: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Attribute logits (s, V) and relation logits (p, R).

        Args:
            states: word states (n, D).
            spans: first word, last word and label of each span (s, 3).
            pairs: head and tail of each pair (p, 2), as indices into spans.
            features: the pairs' discrete features (p, F).
        """
        first, last = spans[:, 0], spans[:, 1]
        # Only words of spans need the table here, and most words lie in none.
        inner = range_max(*covered(states, first, last + 1))
        span = self.span(torch.cat([states[first], states[last], inner, self.label(spans[:, 2])], dim=-1))
        # The context of a pair is what stands between its spans; a pair that nests or touches has none.
        head, tail = pairs[:, 0], pairs[:, 1]
        low = torch.minimum(last[head], last[tail]) + 1
        high = torch.maximum(first[head], first[tail])
        between = torch.relu(range_max(self.context(states), low, high))
        pair = self.pair["head"](span)[head] + self.pair["tail"](span)[tail] + self.pair["context"](between)
        for at, table in enumerate(self.features):
            pair = pair + table(features[:, at])
        return self.attribute(span), self.relation(pair)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The same as `encode`, which is the half that exports as the encoder's graph."""
        return self.encode(ids, mask)


def range_max(rows: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Elementwise maximum of rows (n, C) over each range low <= i < high of up to 255 rows (k, C); very low values for an empty range.

    A sparse table (Bender and Farach-Colton 2000, "The LCA problem revisited", section 3): work n log n once, then constant for a range.
    """
    padded = torch.cat([rows, rows.new_full((1 << (_LEVELS - 1), rows.shape[1]), _NOTHING)])
    # Table p holds the maxima over 2^p rows from each row on, so it is 2^p - 1 rows shorter than the rows.
    tables = [padded]
    for power in range(_LEVELS - 1):
        tables.append(torch.maximum(tables[-1][: -(1 << power)], tables[-1][1 << power :]))
    flat = torch.cat(tables)
    length = (high - low).clamp(max=(1 << _LEVELS) - 1)
    level = torch.zeros_like(length)
    size = torch.ones_like(length)
    for power in range(1, _LEVELS):
        longer = length >= (1 << power)
        level = torch.where(longer, torch.full_like(level, power), level)
        size = torch.where(longer, torch.full_like(size, 1 << power), size)
    empty = length <= 0
    left = torch.where(empty, torch.zeros_like(low), low)
    right = torch.where(empty, torch.zeros_like(low), low + length - size)
    offset = level * (padded.shape[0] + 1) - (size - 1)
    found = torch.maximum(flat[offset + left], flat[offset + right])
    return torch.where(empty.unsqueeze(-1), torch.full_like(found, _NOTHING), found)


def covered(rows: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The rows (m, C) that lie in some range low <= i < high, in order, and each range's low and high (k,) among them.

    Args:
        rows: rows (n, C).
        low: where each range begins (k,).
        high: where it ends (k,); no range may be empty.
    """
    edges = torch.zeros(rows.shape[0] + 1, dtype=torch.long, device=rows.device)
    edges = edges.scatter_add(0, low, torch.ones_like(low)).scatter_add(0, high, -torch.ones_like(high))
    held = edges.cumsum(0)[:-1] > 0
    place = held.long().cumsum(0)
    return rows[held], place[low] - 1, place[high - 1]


def build_network(config: ModelConfig) -> ClashNetwork:
    """A network of that configuration with random weights."""
    row = dict(config.encoder)
    model_type = row.pop("model_type", None)
    if model_type is None:
        raise ModelError("the model's configuration names no encoder: 'encoder' needs the encoder's own config.json with its model_type")
    try:
        return ClashNetwork(config, without_pooler(AutoModel.from_config, AutoConfig.for_model(model_type, **row)))
    except (KeyError, ValueError, TypeError) as error:
        reason = f"this transformers cannot build the encoder of model_type {model_type!r} ({brief(error)})"
        raise ModelError(f"{reason}; correct config.json, or install a newer transformers") from None


def without_pooler(build: Any, *args: Any, **options: Any) -> Any:
    """What `build` returns, told not to add the unused pooling layer where the architecture has one."""
    try:
        return build(*args, add_pooling_layer=False, **options)
    except TypeError:
        return build(*args, **options)


def load_network(folder: Path, config: ModelConfig) -> ClashNetwork:
    """The network of a model folder with that configuration, in float32 and with its weights.

    Raises:
        ModelError: a file is missing, or the weights do not fit the configuration.
    """
    network = build_network(config)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise ModelError(f"{folder} lacks {WEIGHTS_FILE}; copy the whole model folder, or download it again")
    try:
        weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()}
        network.load_state_dict(weights)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(f"{path}: the weights cannot be read or do not fit config.json ({brief(error)})") from None
    return network


def brief(error: Exception) -> str:
    """An error's message on one line, cut to 200 characters."""
    return " ".join(str(error).split())[:200]


def save_weights(network: ClashNetwork, path: Path) -> None:
    """Writes the weights as safetensors in float16, half the size; scores move by less than their fourth decimal."""
    weights = {name: (t.half() if t.is_floating_point() else t).contiguous().cpu() for name, t in network.state_dict().items()}
    digest = sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].numpy().tobytes())
    # The exported graphs carry the same digest, since they point into this file.
    save_file(weights, path, metadata={"format": "pt", "sha256": digest.hexdigest()})
    path.chmod(0o644)  # safetensors writes files that only their owner can read.
