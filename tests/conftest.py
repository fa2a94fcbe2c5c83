"""Tiny tokenizers, encoders and models, built in code: no test downloads anything."""

import os
import warnings
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from clashnlp import Document
from clashnlp.formats import read_documents

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "training" / "corpus"
EXAMPLES = ROOT / "examples"
KINDS = ("wordpiece", "unigram", "bpe")


@pytest.fixture(scope="session")
def corpus() -> list[Document]:
    return list(read_documents(CORPUS))


def build_tokenizer(kind: str, texts: list[str]) -> tokenizers.Tokenizer:
    """A tokenizer of the kind that BERT, XLM-R or GPT-2 and RoBERTa use."""
    if kind == "wordpiece":
        tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(tokenizers.Regex("[\u064b-\u0652\u0640]"), "")]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=1500, special_tokens=special, show_progress=False)
    elif kind == "unigram":
        tokenizer = tokenizers.Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        trainer = trainers.UnigramTrainer(vocab_size=1500, special_tokens=special, unk_token="<unk>", show_progress=False)
    else:
        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        trainer = trainers.BpeTrainer(
            vocab_size=1500, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
    tokenizer.train_from_iterator(texts, trainer)
    begin, end = ("[CLS]", "[SEP]") if kind == "wordpiece" else ("<s>", "</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, tokenizer.token_to_id(begin)), (end, tokenizer.token_to_id(end))]
    )
    return tokenizer


@pytest.fixture(scope="session")
def raw_tokenizers(corpus: list[Document]) -> dict[str, tokenizers.Tokenizer]:
    texts = [document.text for document in corpus[::4]]
    return {kind: build_tokenizer(kind, texts) for kind in KINDS}


def build_encoder(kind: str, tokenizer: tokenizers.Tokenizer, folder: Path, *, positions: int = 128) -> Path:
    """A folder with a tiny encoder of the architecture that goes with the tokenizer, as transformers saves one."""
    import torch
    from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(0)
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 96,
        "max_position_embeddings": positions,
    }
    if kind == "wordpiece":
        model = BertModel(BertConfig(**sizes, pad_token_id=0))
    elif kind == "unigram":
        model = XLMRobertaModel(XLMRobertaConfig(**sizes, pad_token_id=1))
    else:
        model = RobertaModel(RobertaConfig(**sizes, pad_token_id=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def encoders(raw_tokenizers: dict[str, tokenizers.Tokenizer], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: build_encoder(kind, raw_tokenizers[kind], tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(scope="session")
def untrained(encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders of the clash schema with random weights, one for each kind of tokenizer."""
    import torch

    from clashnlp.training.start import start
    from clashnlp.training.trainer import save_model

    folders = {}
    for kind, encoder in encoders.items():
        torch.manual_seed(1)
        network, tokenizer, config = start(encoder, schema=None)
        folders[kind] = tmp_path_factory.mktemp(f"model-{kind}")
        save_model(folders[kind], network, tokenizer, config)
    return folders
