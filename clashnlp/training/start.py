"""What does training begin with? A model of this library, or an encoder of transformers with new heads."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as hf_logging

from clashnlp import store
from clashnlp.config import ModelConfig
from clashnlp.errors import ModelError
from clashnlp.network import ClashNetwork, brief, build_network, load_network, without_pooler
from clashnlp.schema import CLASH, Schema
from clashnlp.tokens import Tokenizer

# Beside an encoder of training/pretrain.py: how it was made.
PRETRAINING_FILE = "pretraining.json"
# What an encoder's configuration says of the file that it came from, and not of the encoder.
_NOT_KEPT = ("_name_or_path", "torch_dtype", "dtype", "transformers_version", "architectures", "auto_map")


def start(init: str | Path | None, *, schema: Schema | None) -> tuple[ClashNetwork, Tokenizer, ModelConfig]:
    """A network to train, with its tokenizer and configuration: a trained one, or an encoder with new heads.

    Heads and calibration of a trained model are kept where the schema stays the same.

    Raises:
        ModelError: `init` names nothing that can be trained.
    """
    folder = store.find_model(None) if init is None else Path(init) if Path(init).is_dir() else store.download(str(init))
    if _is_clashnlp(folder):
        config = ModelConfig.load(folder / store.CONFIG_FILE)
        network = load_network(folder, config)
        tokenizer = Tokenizer.load(folder / store.TOKENIZER_FILE)
        if schema is not None and _outputs(schema) != _outputs(config.schema):
            config = config.replace(
                schema=schema, tag_temperature=1.0, relation_temperature=1.0, span_thresholds={}, relation_thresholds={}
            )
            network = ClashNetwork(config, network.encoder)
        return network, tokenizer, config if schema is None else config.replace(schema=schema)
    return _from_encoder(folder, schema)


def _outputs(schema: Schema) -> tuple[object, ...]:
    """What the heads of a schema answer. Whether a relation's ends bear two names is asked of their answers, and costs no head."""
    return schema.labels, schema.attributes, tuple(replace(kind, distinct=False) for kind in schema.relations)


def _is_clashnlp(folder: Path) -> bool:
    path = folder / store.CONFIG_FILE
    return path.is_file() and '"format_version"' in path.read_text(encoding="utf-8", errors="replace")


def _from_encoder(folder: Path, schema: Schema | None) -> tuple[ClashNetwork, Tokenizer, ModelConfig]:
    try:
        encoder_config = AutoConfig.from_pretrained(folder)
        encoder = _load_encoder(folder, encoder_config)
        if (folder / store.TOKENIZER_FILE).is_file():
            tokenizer = Tokenizer.load(folder / store.TOKENIZER_FILE)
        else:
            fast = AutoTokenizer.from_pretrained(folder)
            if not isinstance(fast, PreTrainedTokenizerFast):
                raise ModelError(f"{folder}: the tokenizer has no fast version (tokenizer.json), and offsets need one")
            tokenizer = Tokenizer(fast.backend_tokenizer)
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: not an encoder that transformers can load ({brief(error)})") from None
    # Some encoders forget dropout when they are saved for inference; fine-tuning on few documents needs it.
    if getattr(encoder_config, "hidden_dropout_prob", None) == 0.0:
        encoder_config.hidden_dropout_prob = 0.1
    row = {key: value for key, value in encoder_config.to_dict().items() if key not in _NOT_KEPT}
    frame = len(tokenizer.prefix) + len(tokenizer.suffix)
    # RoBERTa and its kin begin to count positions behind the padding index.
    offset = (encoder_config.pad_token_id or 0) + 1 if encoder_config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
    positions = getattr(encoder_config, "max_position_embeddings", None) or 512
    # Most reports fit in one window of that size; a larger one costs more than it shows, since attention grows with its square.
    window = min(512, positions - offset) - frame
    config = ModelConfig(schema=schema or CLASH, encoder=row, window=window, overlap=window // 8)
    network = build_network(config)
    network.encoder.load_state_dict(encoder.state_dict())
    return network, tokenizer, config


def _load_encoder(folder: Path, config: Any) -> Any:
    verbosity = hf_logging.get_verbosity()
    # It would list the pooling layer's weights, which are left out on purpose.
    hf_logging.set_verbosity(logging.ERROR)
    try:
        options = {"config": config, "dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        encoder, loading = without_pooler(AutoModel.from_pretrained, folder, **options)
    finally:
        hf_logging.set_verbosity(verbosity)
    if missing := [key for key in loading["missing_keys"] if "pooler" not in key]:
        raise ModelError(f"{folder}: the encoder's file lacks {len(missing)} of its weights, {missing[0]} for one")
    return encoder


def before(init: str | Path | None) -> dict[str, Any]:
    """What is known of the training of the model or encoder that training began with."""
    folder = store.find_model(None) if init is None else Path(init)
    if _is_clashnlp(folder):
        return dict(ModelConfig.load(folder / store.CONFIG_FILE).training)
    path = folder / PRETRAINING_FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
