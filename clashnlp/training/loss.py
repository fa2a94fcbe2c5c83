"""What does training minimise? The log loss of tags, attributes and relations, in nats a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clashnlp import relations, spans
from clashnlp.config import ModelConfig
from clashnlp.network import ClashNetwork
from clashnlp.windows import make_windows


class Collator:
    """Makes a batch of examples: the windows of all of them, padded, and where each word's first token stands in these."""

    def __init__(self, config: ModelConfig, prefix: tuple[int, ...], suffix: tuple[int, ...]) -> None:
        self._config = config
        self._prefix = list(prefix)
        self._suffix = list(suffix)

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Tensors `ids` and `mask` (b, t), `rows` (n words,) into the flattened windows, and the `examples` themselves."""
        pieces: list[list[int]] = []
        places: list[NDArray[np.int64]] = []
        for example in examples:
            first = np.array(example["first"], dtype=np.int64)
            for window in make_windows(len(example["ids"]), size=self._config.window, overlap=self._config.overlap):
                inside = first[(first >= window.keep_start) & (first < window.keep_end)]
                places.append(np.stack([np.full_like(inside, len(pieces)), inside - window.start + len(self._prefix)]))
                pieces.append([*self._prefix, *example["ids"][window.start : window.end], *self._suffix])
        longest = max(map(len, pieces))
        ids = np.full((len(pieces), longest), int(self._config.encoder.get("pad_token_id") or 0), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, piece in enumerate(pieces):
            ids[row, : len(piece)] = piece
            mask[row, : len(piece)] = 1
        window_of, token_of = np.concatenate(places, axis=1)
        return {
            "ids": torch.from_numpy(ids),
            "mask": torch.from_numpy(mask),
            "rows": torch.from_numpy(window_of * longest + token_of),
            "examples": examples,
        }


class JointLoss(nn.Module):
    """The network with its training loss; a batch in, a scalar out."""

    def __init__(self, network: ClashNetwork, config: ModelConfig, *, attribute_weight: float, relation_weight: float) -> None:
        super().__init__()
        self.network = network
        self.settings = config
        self.attribute_weight = attribute_weight
        self.relation_weight = relation_weight
        # Whether the tagger's own wrong spans join the relation head's negatives; the trainer turns it on once the tagger is of use.
        self.own_mistakes = False

    def forward(self, ids: Tensor, mask: Tensor, rows: Tensor, examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        """The loss under the key `loss`.

        Args:
            ids: token ids of the windows (b, t).
            mask: 1 for tokens, 0 for padding (b, t).
            rows: where each word's first token stands in the flattened windows (n,).
            examples: the annotations of the batch's documents, see `clashnlp.training.data`.
        """
        states, logits = (output.flatten(0, 1)[rows] for output in self.network.encode(ids, mask))
        labels = len(self.settings.schema.labels)
        logits = logits.float().view(-1, labels, len(spans.TAGS))
        sizes = [len(example["first"]) for example in examples]
        tags = np.concatenate([spans.encode_tags(example["spans"], size, labels) for example, size in zip(examples, sizes, strict=True)])
        known = np.concatenate([np.tile(example["known"], (size, 1)) for example, size in zip(examples, sizes, strict=True)])
        targets = torch.from_numpy(np.where(known, tags, -100)).to(ids.device)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")
        if self.settings.schema.relations or self.settings.schema.attributes:
            guesses = logits.detach().cpu().numpy() if self.own_mistakes else None
            loss = loss + self._relation_loss(states, sizes, examples, guesses)
        return {"loss": loss / sum(sizes)}

    def _relation_loss(
        self, states: Tensor, sizes: list[int], examples: list[dict[str, Any]], guesses: NDArray[np.float32] | None
    ) -> Tensor:
        """The weighted sum of the attribute and the relation losses of all documents, which are laid end to end."""
        schema, offset = self.settings.schema, 0
        span_rows, value_rows, pair_rows, feature_rows, allowed_rows, target_rows = ([] for _ in range(6))
        spans_before = 0
        for example, size in zip(examples, sizes, strict=True):
            guess = None if guesses is None else guesses[offset : offset + size]
            rows, values, gold = self._merge(example, guess)
            found = relations.candidates(
                rows,
                np.array(example["sentences"]),
                schema,
                max_distance=self.settings.max_distance,
                max_sentences=self.settings.max_sentences,
            )
            target = np.zeros(found.allowed.shape, dtype=np.float32)
            index = {(int(head), int(tail)): at for at, (head, tail) in enumerate(found.pairs)}
            for head, tail, kind in gold:
                target[index[head, tail], kind] = 1.0
            span_rows.append(rows + np.array([offset, offset, 0]))
            value_rows.append(values)
            pair_rows.append(found.pairs + spans_before)
            feature_rows.append(found.features)
            # Where a label or relations are unknown in this document, an unannotated relation is no negative.
            known = np.array(example["known"])[rows[found.pairs, 2]].all(axis=1, keepdims=True) & example["related"]
            allowed_rows.append(found.allowed & known)
            target_rows.append(target)
            offset += size
            spans_before += len(rows)

        def tensor(arrays: list[NDArray[Any]]) -> Tensor:
            return torch.from_numpy(np.concatenate(arrays)).to(states.device)

        attributes, logits = self.network.relate(states, tensor(span_rows), tensor(pair_rows), tensor(feature_rows))
        loss = logits.new_zeros((), dtype=torch.float32)
        column = 0
        values_of = tensor(value_rows)
        for at, attribute in enumerate(schema.attributes):
            part = attributes[:, column : column + len(attribute.values)].float()
            loss = loss + self.attribute_weight * nn.functional.cross_entropy(part, values_of[:, at], ignore_index=-1, reduction="sum")
            column += len(attribute.values)
        if not schema.relations:
            return loss
        losses = nn.functional.binary_cross_entropy_with_logits(logits.float(), tensor(target_rows), reduction="none")
        return loss + self.relation_weight * losses[tensor(allowed_rows)].sum()

    def _merge(
        self, example: dict[str, Any], logits: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], list[tuple[int, int, int]]]:
        """Spans in order (s, 3), the tagger's wrong ones among them, their attribute values (s, attributes) and the gold relations."""
        attributes = len(self.settings.schema.attributes)
        gold = [tuple(span) for span in example["spans"]]
        rows = set(gold)
        if logits is not None:
            decoded = spans.decode(logits, temperature=1.0, thresholds=[0.0] * logits.shape[1])
            rows.update(tuple(row) for row in decoded.rows.tolist() if example["known"][row[2]])
        merged = sorted(rows, key=lambda row: (row[0], -row[1], row[2]))
        position = {row: at for at, row in enumerate(merged)}
        values = np.full((len(merged), attributes), -1, dtype=np.int64)
        for span, value in zip(gold, example["values"], strict=True):
            values[position[span]] = value
        links = []
        for head, tail, kind in example["relations"]:
            links.append((position[gold[head]], position[gold[tail]], kind))
        return np.array(merged, dtype=np.int64).reshape(-1, 3), values, links
