"""Continues the pretraining of an encoder on raw news, for a fixed time on the machine at hand.

    python training/pretrain.py --text ../shared/data/pretrain/*.txt.xz --init ../shared/data/encoder --output DIR --minutes 60

The objective is masked-language modelling or, with `--objective rtd`, the detection of replaced tokens.

Two thirds of the training sequences come from documents that speak of armed conflict (two words of CONFLICT or more), since the
model that ships reads nothing else; the rest keeps the languages general. The learning rate follows the clock, not a step count, so that
a slower machine ends its schedule as well. A checkpoint is written every ten minutes and at the end: a folder that
`clashnlp train --init` takes.
"""

import argparse
import copy
import json
import logging
import lzma
import math
import re
import shutil
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, PreTrainedModel

from clashnlp.training.start import PRETRAINING_FILE

log = logging.getLogger("pretrain")

# Stems, so that inflected forms and words with clitics match as well.
CONFLICT = re.compile(
    "قتل|قتيل|اشتباك|مسلح|ميليشي|مليشي|قصف|جرحى|هجوم|معارك|غارة|غارات|الجيش|تنظيم|عبوة|كمين"
    "|killed|wounded|clash|militant|militia|airstrike|shelling|rebel|insurgent|troops|soldiers|fighters|offensive|ambush|gunmen"
    "|öldürül|yaralan|çatışma|terör|saldırı|şehit|asker|operasyon|militan|örgüt|bomba"
    "|کشته|زخمی|درگیری|حمله|حملات|نظامی|شبه‌نظام|تروریست|داعش|طالبان|شهید|ارتش|بمباران",
    re.IGNORECASE,
)
CLS, SEP, MASK = 2, 3, 4
MASKED_SHARE = 0.2
# Replaced-token detection: layers of the generator, and the weight of the detection's loss (Clark et al. 2020, "ELECTRA", section 3.2).
GENERATOR_LAYERS = 2
DETECTION_WEIGHT = 50.0
CHECKPOINT_SECONDS = 600


def read_documents(paths: list[Path], *, leave_out: set[str]) -> list[str]:
    """The documents of the files (separated by empty lines), without those that begin like one of `leave_out`."""
    documents = []
    for path in paths:
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for document in file.read().split("\n\n"):
                text = document.strip()
                if text and not any(line[:60] in leave_out for line in text.split("\n")):
                    documents.append(text)
    return documents


def pack(documents: list[str], tokenizer: Tokenizer, length: int) -> np.ndarray:
    """Sequences of token ids (n, length): [CLS], then documents back to back with [SEP] between them."""
    stream: list[np.ndarray] = []
    for at in range(0, len(documents), 1000):
        for encoding in tokenizer.encode_batch_fast(documents[at : at + 1000], add_special_tokens=False):
            stream.append(np.array([*encoding.ids, SEP], dtype=np.uint16))
    tokens = np.concatenate(stream)
    rows = len(tokens) // (length - 1)
    body = tokens[: rows * (length - 1)].reshape(rows, length - 1)
    return np.concatenate([np.full((rows, 1), CLS, dtype=np.uint16), body], axis=1)


class MaskedLanguageModel(torch.nn.Module):
    """An encoder with a linear head tied to its word embeddings; starts as the identity, so a head that was not kept costs little."""

    def __init__(self, encoder: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.hidden_size
        self.transform = torch.nn.Linear(width, width)
        torch.nn.init.eye_(self.transform.weight)
        torch.nn.init.zeros_(self.transform.bias)
        self.bias = torch.nn.Parameter(torch.zeros(encoder.config.vocab_size))

    def forward(self, ids: torch.Tensor, masked: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of the masked tokens (scalar), from ids (b, t), masked (b, t) and targets (number masked,)."""
        return torch.nn.functional.cross_entropy(self.logits(ids, masked), targets)

    def logits(self, ids: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """What stands at the masked places (number masked, vocabulary)."""
        hidden = self.encoder(input_ids=ids).last_hidden_state[masked]
        words = self.encoder.get_parameter("embeddings.word_embeddings.weight")
        return torch.nn.functional.linear(self.transform(hidden), words, self.bias).float()


class ReplacedTokenDetection(torch.nn.Module):
    """An encoder that says of each token whether a small generator put it there, which learns masked-language modelling beside it.

    The generator shares the encoder's embeddings and begins as a copy of its lowest layers.
    """

    def __init__(self, encoder: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = encoder
        config = copy.deepcopy(encoder.config)
        config.num_hidden_layers = min(GENERATOR_LAYERS, config.num_hidden_layers)
        generator = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        generator.load_state_dict(encoder.state_dict(), strict=False)
        generator.embeddings = encoder.embeddings
        self.generator = MaskedLanguageModel(generator)
        self.detect = torch.nn.Linear(encoder.config.hidden_size, 1)

    def forward(self, ids: torch.Tensor, masked: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The generator's mean cross-entropy and the weighted detection loss, as one scalar; arguments as in `MaskedLanguageModel`."""
        logits = self.generator.logits(ids, masked)
        noise = -torch.empty_like(logits).exponential_().log()
        drawn = (logits.detach() + noise).argmax(dim=-1)
        shown, replaced = ids.clone(), torch.zeros_like(masked)
        shown[masked] = drawn
        replaced[masked] = drawn != targets
        found = self.detect(self.encoder(input_ids=shown).last_hidden_state).squeeze(-1).float()
        detection = torch.nn.functional.binary_cross_entropy_with_logits(found[shown > MASK], replaced[shown > MASK].float())
        return torch.nn.functional.cross_entropy(logits, targets) + DETECTION_WEIGHT * detection


OBJECTIVES: dict[str, type[MaskedLanguageModel] | type[ReplacedTokenDetection]] = {
    "mlm": MaskedLanguageModel,
    "rtd": ReplacedTokenDetection,
}


def save(model: MaskedLanguageModel | ReplacedTokenDetection, init: Path, output: Path) -> None:
    """Writes the encoder and its tokenizer; a cut during writing leaves the last checkpoint whole."""
    staging = output.with_name(output.name + ".new")
    model.encoder.save_pretrained(staging)
    for path in init.glob("tokenizer*.json"):
        shutil.copy(path, staging / path.name)
    shutil.rmtree(output, ignore_errors=True)
    staging.rename(output)


def parse_arguments() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, nargs="+", required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--objective", choices=OBJECTIVES, default="mlm", help="masked tokens (the default), or replaced ones")
    parser.add_argument("--new", choices=("nothing", "embeddings", "all"), default="nothing", help="weights that begin at random")
    parser.add_argument("--leave-out", type=Path, help="JSON Lines of documents that must not be seen, e.g. the development set")
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0, help="another one when a second run goes on from the first")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def first_lines(path: Path | None) -> set[str]:
    """The first 60 characters of every long line of the documents in a JSON Lines file; none without a file."""
    rows = path.read_text(encoding="utf-8").splitlines() if path else []
    return {part[:60] for row in rows for part in json.loads(row)["text"].split("\n") if len(part) >= 60}


def mask(ids: torch.Tensor, vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Changes the ids (b, t) in place; which of them are to be guessed (b, t), and what they were (number guessed,)."""
    chosen = (torch.rand(ids.shape) < MASKED_SHARE) & (ids > MASK)
    targets = ids[chosen]
    # Of the chosen tokens a tenth stays and a tenth becomes another token (Devlin et al. 2019, section 3.1).
    kind = torch.rand(ids.shape)
    ids[chosen & (kind < 0.8)] = MASK
    swapped = chosen & (kind >= 0.9)
    ids[swapped] = torch.randint(MASK + 1, vocabulary, (int(swapped.sum()),))
    return chosen, targets


def forget(encoder: PreTrainedModel, what: str) -> None:
    """Gives all weights, or those of the word embeddings, random values, to measure what they are worth."""
    weights = encoder.get_parameter("embeddings.word_embeddings.weight").data
    if what == "all":
        fresh = AutoModel.from_config(encoder.config).state_dict()  # type: ignore[no-untyped-call]
        encoder.load_state_dict({name: fresh[name] for name in encoder.state_dict()})
    elif what == "embeddings":
        # At the old ones' scale, which the body expects.
        weights.normal_(mean=float(weights.mean()), std=float(weights.std()))


def main() -> None:
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(args.seed)
    random = np.random.default_rng(args.seed)

    documents = read_documents(args.text, leave_out=first_lines(args.leave_out))
    tokenizer = Tokenizer.from_file(str(args.init / "tokenizer.json"))
    near = [document for document in documents if len(CONFLICT.findall(document, 0, 3000)) >= 2]
    rest = [document for document in documents if len(CONFLICT.findall(document, 0, 3000)) < 2]
    conflict, other = pack(near, tokenizer, args.length), pack(rest, tokenizer, args.length)
    log.info("%d documents; %.1f M tokens on conflict, %.1f M on other matters", len(documents), conflict.size / 1e6, other.size / 1e6)

    config = AutoConfig.from_pretrained(args.init)
    # Plain attention: on a CPU in bfloat16 the fused kernel of torch 2.13 takes a third of a step. No dropout: no text is seen twice.
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    attention = "eager" if args.device == "cpu" else "sdpa"
    encoder = AutoModel.from_pretrained(args.init, config=config, dtype=torch.float32, attn_implementation=attention)
    forget(encoder, args.new)
    model = OBJECTIVES[args.objective](encoder).to(args.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True)

    started = last_saved = time.monotonic()
    losses: list[float] = []
    step = seen = 0
    while (share := (time.monotonic() - started) / (60 * args.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * min((step + 1) / 100, 1 - share)
        count = round(args.batch * 2 / 3)
        parts = [table[random.integers(len(table), size=size)] for table, size in ((conflict, count), (other, args.batch - count))]
        ids = torch.from_numpy(np.concatenate(parts).astype(np.int64))
        masked, targets = mask(ids, config.vocab_size)
        with torch.autocast(args.device, dtype=torch.bfloat16):
            loss = model(ids.to(args.device), masked.to(args.device), targets.to(args.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        step, seen = step + 1, seen + ids.numel()
        if not math.isfinite(losses[-1]):
            raise SystemExit(f"the loss is {losses[-1]} at step {step}; start again with a smaller --learning-rate")
        if step % 100 == 0:
            rate = seen / (time.monotonic() - started)
            log.info("step %d, %.2f M tokens, loss %.3f, %.0f tokens/s", step, seen / 1e6, np.mean(losses[-100:]), rate)
        if time.monotonic() - last_saved > CHECKPOINT_SECONDS:
            save(model, args.init, args.output)
            last_saved = time.monotonic()
    save(model, args.init, args.output)
    before = args.init / PRETRAINING_FILE
    facts = {"tokens": seen, "seconds": round(time.monotonic() - started), "loss": round(float(np.mean(losses[-200:])), 3)}
    facts.update(objective=args.objective, new=args.new)
    facts["before"] = json.loads(before.read_text(encoding="utf-8")) if before.is_file() else {}
    (args.output / PRETRAINING_FILE).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    log.info("done: %d steps, %.2f M tokens, loss of the last 200 steps %.3f", step, seen / 1e6, np.mean(losses[-200:]))


if __name__ == "__main__":
    main()
