"""Where do model files live? In the package, in a local folder, or in a repository of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from clashnlp.errors import ModelError

CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
WEIGHTS_FILE = "model.safetensors"
# What is fetched from the Hub, by name: never weights in other formats than safetensors (nothing is unpickled), and never the exports
# for other runtimes that many encoders carry, which are larger than the encoder itself.
_DOWNLOADED = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "model*.safetensors",
    "model.safetensors.index.json",
    "encoder.onnx",
    "relate.onnx",
    "README.md",
]
EMBEDDED = Path(__file__).parent / "data" / "model"


def find_model(name: str | Path | None, *, revision: str | None = None) -> Path:
    """The folder that holds a model: the embedded one for None, else a local folder or a downloaded repository of the Hub.

    Raises:
        ModelError: there is no such folder or repository, or it holds no clashnlp model.
    """
    if name is None:
        folder = EMBEDDED
        if not (folder / CONFIG_FILE).is_file():
            raise ModelError("this installation of clashnlp has no embedded model; install the wheel, or name a model folder or Hub id")
    elif Path(name).is_dir():
        folder = Path(name)
    else:
        folder = download(str(name), revision=revision)
    for file in (CONFIG_FILE, TOKENIZER_FILE):
        if not (folder / file).is_file():
            raise ModelError(f"{folder} lacks {file}, so it is no clashnlp model; name a folder that `clashnlp train --output` wrote")
    return folder


def download(name: str, *, revision: str | None = None) -> Path:
    """The local copy of a repository of the Hugging Face Hub, fetched where it is not in the cache yet.

    Raises:
        ModelError: the name is no Hub id, the repository does not exist, or it can neither be reached nor found in the cache.
    """
    # Imported here: the Hub's client takes a third of a second, and the embedded model does without.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    if Path(name).is_absolute() or name.startswith(("./", "../", "~")) or name.count("/") > 1:
        raise ModelError(f"there is no folder {name}")
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_DOWNLOADED))
    except HFValidationError:
        raise ModelError(f"{name!r} is neither a folder nor a Hub id such as organisation/model") from None
    except Exception as error:  # The client raises errors of several HTTP libraries.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"there is no folder {name}, and the Hub gave no repository of that name ({reason})") from None
