"""Gives an encoder other word embeddings, to measure what they are worth: of a vocabulary of another size, or made by skip-gram.

    python training/embeddings.py --text ../shared/data/pretrain/*.txt.xz --init ../shared/data/encoder --output DIR --pieces 16000
    python training/embeddings.py --text ../shared/data/pretrain/*.txt.xz --init ../shared/data/encoder --output DIR --skip-gram

`--pieces` trains a WordPiece tokenizer of the same kind with so many pieces on the text. A piece that both vocabularies have keeps its
embedding, another one gets the mean of the old pieces that it is cut into as a word of its own. The ids differ from run to run.

`--skip-gram` (needs gensim) forgets the embeddings and maps skip-gram vectors of the pieces linearly into their space. The map is fitted by
ridge regression on pieces of small Latin letters alone, as if the encoder had been made for English; what a map finds is shorter than what
it was fitted on, so it is stretched to the same variance. Pieces that are too rare in the text get random embeddings at the old ones'
scale.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pretrain import first_lines, read_documents
from tokenizers import Tokenizer, trainers
from transformers import AutoModel, PreTrainedModel

from clashnlp.network import without_pooler

# In the order that `training/pretrain.py` counts on.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = "embeddings.word_embeddings.weight"
ANCHOR = re.compile("(##)?[a-z]+")
ANCHORS = 4000
WIDTH = 200
RIDGE = 10.0


def retrained(tokenizer: Tokenizer, texts: list[str], pieces: int) -> Tokenizer:
    """A tokenizer of the same kind with so many pieces, special ones first, trained on the texts.

    Raises:
        SystemExit: the texts have more letters, or fewer pieces.
    """
    new = Tokenizer.from_str(tokenizer.to_str())
    new.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=pieces, special_tokens=list(SPECIAL), limit_alphabet=2000))
    if new.get_vocab_size() != pieces:
        raise SystemExit(f"on these texts a vocabulary of {pieces} pieces would come to {new.get_vocab_size()}; choose another size")
    return new


def carried(old: Tokenizer, new: Tokenizer, weights: torch.Tensor) -> torch.Tensor:
    """Embeddings (pieces of the new tokenizer, D) from those of the old one (its pieces, D)."""
    known = old.get_vocab()
    rows = weights.new_empty(new.get_vocab_size(), weights.shape[1])
    for piece, at in new.get_vocab().items():
        parts = [known[piece]] if piece in known else old.encode(piece.removeprefix("##"), add_special_tokens=False).ids
        rows[at] = weights[parts].mean(dim=0) if parts else weights.mean(dim=0)
    return rows


def skip_gram(tokenizer: Tokenizer, texts: list[str], *, least: int) -> dict[str, NDArray[np.float32]]:
    """Vectors (WIDTH,) of the pieces that stand at least so often in the texts, the most frequent first."""
    from gensim.models import Word2Vec

    names = {at: piece for piece, at in tokenizer.get_vocab().items()}
    lines = [[names[at] for at in encoding.ids] for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    model = Word2Vec(vector_size=WIDTH, window=5, sg=1, negative=5, min_count=least, workers=1, seed=1)
    model.build_vocab(lines)
    if not len(model.wv):
        raise SystemExit(f"no piece stands {least} times in the texts; give more text, or a lower --least")
    model.train(lines, total_examples=len(lines), epochs=3)
    vectors = model.wv
    return {piece: vectors[piece] for piece in vectors.index_to_key}


def mapped(
    vectors: dict[str, NDArray[np.float32]], tokenizer: Tokenizer, weights: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Embeddings (pieces, D) in the space of the old ones: special pieces stay, others are mapped from the vectors or drawn at random."""
    ids = tokenizer.get_vocab()
    anchors = [piece for piece in vectors if ANCHOR.fullmatch(piece)][:ANCHORS]
    if len(anchors) < 2:
        raise SystemExit("the texts hold fewer than two pieces of small Latin letters, which the map is fitted on")
    given, wanted = np.stack([vectors[piece] for piece in anchors]), weights[[ids[piece] for piece in anchors]].numpy()
    start, end = given.mean(axis=0), wanted.mean(axis=0)
    given, wanted = given - start, wanted - end
    turn = np.linalg.solve(given.T @ given + RIDGE * np.eye(WIDTH), given.T @ wanted)
    found = (np.stack(list(vectors.values())) - start) @ turn
    found = found * (wanted.std() / found.std()) + end
    rows = torch.empty_like(weights).normal_(float(weights.mean()), float(weights.std()), generator=generator)
    rows[[ids[piece] for piece in vectors]] = torch.from_numpy(found).to(rows.dtype)
    special = [ids[token] for token in SPECIAL]
    rows[special] = weights[special]
    return rows


def save(encoder: PreTrainedModel, rows: torch.Tensor, tokenizer: Tokenizer, output: Path) -> None:
    """Writes a folder that `clashnlp train --init` and `training/pretrain.py --init` take."""
    encoder.resize_token_embeddings(len(rows), mean_resizing=False)
    encoder.get_parameter(WORDS).data.copy_(rows)
    encoder.save_pretrained(output)
    tokenizer.save(str(output / "tokenizer.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, nargs="+", required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--leave-out", type=Path, help="JSON Lines of documents that must not be seen, e.g. the development set")
    parser.add_argument("--least", type=int, default=3, help="of --skip-gram: how often a piece must stand in the text (default: 3)")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--pieces", type=int, help="size of the new vocabulary")
    kind.add_argument("--skip-gram", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    texts = read_documents(args.text, leave_out=first_lines(args.leave_out))
    tokenizer = Tokenizer.from_file(str(args.init / "tokenizer.json"))
    kind_of = json.loads(tokenizer.to_str())["model"]["type"]
    if kind_of != "WordPiece" or [tokenizer.token_to_id(token) for token in SPECIAL] != list(range(len(SPECIAL))):
        raise SystemExit(f"{args.init}: its tokenizer ({kind_of}) must be a WordPiece whose first pieces are {' '.join(SPECIAL)}")
    encoder = without_pooler(AutoModel.from_pretrained, args.init, dtype=torch.float32)
    weights = encoder.get_parameter(WORDS).data.clone()
    if args.skip_gram:
        vectors = skip_gram(tokenizer, texts, least=args.least)
        rows = mapped(vectors, tokenizer, weights)
        print(f"{len(vectors)} of {len(weights)} pieces have vectors")
    else:
        new = retrained(tokenizer, texts, args.pieces)
        rows = carried(tokenizer, new, weights)
        print(f"{len(set(new.get_vocab()) & set(tokenizer.get_vocab()))} of {len(rows)} pieces are old ones")
        tokenizer = new
    save(encoder, rows, tokenizer, args.output)


if __name__ == "__main__":
    main()
