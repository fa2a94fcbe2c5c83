"""Writes the model whose weights are the mean of several models' weights, with temperatures and thresholds fitted anew.

    python training/average.py --models DIR DIR ... --dev dev.jsonl --output DIR

The models must have been fine-tuned from one encoder with one schema: then their mean lies in a region of low loss, and often reads better
than each of them (Wortsman et al. 2022, "Model soups").
"""

import argparse
from pathlib import Path

import torch

from clashnlp import ClashModel
from clashnlp.backends.torch import TorchBackend
from clashnlp.config import ModelConfig
from clashnlp.evaluate import evaluate, summary
from clashnlp.formats import read_documents
from clashnlp.network import ClashNetwork, load_network
from clashnlp.store import CONFIG_FILE, TOKENIZER_FILE
from clashnlp.tokens import Tokenizer
from clashnlp.training.calibrate import calibrate
from clashnlp.training.trainer import save_model


def average(folders: list[Path]) -> tuple[ClashNetwork, ModelConfig]:
    """A network with the mean weights of those models, and the configuration of the last.

    Raises:
        SystemExit: the models differ in schema or shape.
    """
    configs = [ModelConfig.load(folder / CONFIG_FILE) for folder in folders]
    for folder, config in zip(folders, configs, strict=True):
        if config.schema != configs[0].schema or dict(config.encoder) != dict(configs[0].encoder):
            raise SystemExit(f"{folder} has another schema or encoder than {folders[0]}; only models of one shape can be averaged")
    networks = [load_network(folder, config) for folder, config in zip(folders, configs, strict=True)]
    mean = networks[0].state_dict()
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            mean[name] = torch.stack([network.state_dict()[name] for network in networks]).mean(dim=0)
    networks[0].load_state_dict(mean)
    return networks[0].eval(), configs[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--dev", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    network, config = average(args.models)
    tokenizer = Tokenizer.load(args.models[0] / TOKENIZER_FILE)
    documents = list(read_documents(args.dev))
    config = calibrate(ClashModel(config, tokenizer, TorchBackend(network, torch.device("cpu"))), documents)
    facts = {**config.training, "averaged": len(set(args.models))}  # One may be named twice, to count twice.
    save_model(args.output, network, tokenizer, config.replace(training=facts))
    model = ClashModel.from_pretrained(args.output)
    print(summary(evaluate(documents, list(model.predict_many(documents)), config.schema)))


if __name__ == "__main__":
    main()
