"""Where do model files live? In the package, in a local folder, or in a repository of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clashnlp.errors import ModelError

CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
WEIGHTS_FILE = "model.safetensors"
# A model whole: what is copied and uploaded, with its card. Whatever else lies in its folder stays there.
MODEL_FILES = (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, "encoder.onnx", "encoder.int8.onnx", "relate.onnx")
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
    "encoder.int8.onnx",
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


def model_files(folder: Path) -> list[Path]:
    """The files of the model in that folder, without its card.

    Raises:
        ModelError: the folder holds no whole clashnlp model.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no folder {folder}")
    if missing := [name for name in MODEL_FILES[:3] if not (folder / name).is_file()]:
        raise ModelError(
            f"{folder} lacks {', '.join(missing)}, so it is no clashnlp model; name a folder that `clashnlp train --output` wrote"
        )
    return [folder / name for name in MODEL_FILES if (folder / name).is_file()]


def push(files: Sequence[Path], name: str, *, private: bool = False, revision: str | None = None) -> str:
    """The address of the repository of the Hugging Face Hub that the files of one folder were uploaded to; it is made where there is none.

    Args:
        files: what to upload.
        name: organisation/model.
        private: make a new repository private.
        revision: branch to upload to, made where there is none.

    Raises:
        ModelError: the name is no Hub id, or the Hub refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    api = HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(name, branch=revision, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=files[0].parent,
            allow_patterns=[file.name for file in files],
            # Graphs of the model that was there before.
            delete_patterns=[name for name in MODEL_FILES if name not in {file.name for file in files}],
            revision=revision,
            commit_message="Upload a clashnlp model",
        )
    except HFValidationError:
        raise ModelError(f"{name!r} is no Hub id such as organisation/model") from None
    except Exception as error:  # As in `download`.
        raise ModelError(
            f"the Hub refused {name} ({_brief(error)}); log in with `hf auth login`, or set HF_TOKEN to a token that may write"
        ) from None
    return str(address)


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
        raise ModelError(f"there is no folder {name}, and the Hub gave no repository of that name ({_brief(error)})") from None


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
