"""Puts the annotations of training/annotations back onto their texts, which belong to their publishers and are not in this repository.

    python training/restore.py --annotations training/annotations/*.jsonl --text DIR --output train.jsonl --held-out held_out.jsonl

DIR holds the files of raw news that the annotations name. A line of an annotation file names one, the number of the document in it
(documents are separated by an empty line), from which character on (the first, if it does not say) and how many were annotated, and the
SHA-256 digest of these; how often the document was read, if more than once (`--readings 2` leaves the others out); then spans as id, start,
end, label and outcome, and relations as head, tail and label. A document whose text is another than the one annotated is reported and left
out. About one document in fifteen, chosen by a checksum of its id, goes to the held-out file: to measure on, not to train on.
"""

import argparse
import hashlib
import json
import lzma
import sys
import zlib
from pathlib import Path
from typing import Any

from clashnlp import Document

HELD_OUT = 15


def read_texts(path: Path) -> list[str]:
    """The documents of a file of raw news."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return file.read().split("\n\n")


def restore(row: dict[str, Any], texts: list[str]) -> Document:
    """The annotated document of a line.

    Raises:
        ValueError: the text is not the one that was annotated.
    """
    at = row["document"]
    begin = row.get("start", 0)
    text = texts[at].strip()[begin : begin + row["length"]] if at < len(texts) else ""
    if hashlib.sha256(text.encode()).hexdigest() != row["sha256"]:
        raise ValueError(f"{row['id']}: document {at} of {row['file']} is not the text that was annotated")
    spans = []
    for span_id, start, end, label, *outcome in row["spans"]:
        span = {"id": span_id, "start": start, "end": end, "label": label}
        spans.append({**span, "outcome": outcome[0]} if outcome else span)
    relations = [{"head": head, "tail": tail, "label": label} for head, tail, label in row["relations"]]
    source = {"source": f"annotations/{row['lang']}"}
    return Document.from_dict({"id": row["id"], "lang": row["lang"], "text": text, "spans": spans, "relations": relations, **source})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, nargs="+", required=True)
    parser.add_argument("--text", type=Path, required=True, help="folder of the files of raw news")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--readings", type=int, default=1, help="only documents that were read at least that often")
    args = parser.parse_args()
    texts: dict[str, list[str]] = {}
    counts = [0, 0]
    lost = passed = 0
    with args.output.open("w", encoding="utf-8") as train, args.held_out.open("w", encoding="utf-8") as held_out:
        for path in args.annotations:
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if row.get("readings", 1) < args.readings:
                    passed += 1
                    continue
                if row["file"] not in texts:
                    texts[row["file"]] = read_texts(args.text / row["file"])
                try:
                    document = restore(row, texts[row["file"]])
                except ValueError as error:
                    lost += 1
                    print(error, file=sys.stderr)
                    continue
                held = zlib.crc32(row["id"].encode()) % HELD_OUT == 0
                counts[held] += 1
                (held_out if held else train).write(json.dumps(document.to_dict(), ensure_ascii=False) + "\n")
    print(f"{counts[0]} annotated documents in {args.output}, {counts[1]} in {args.held_out}; {lost} left out, {passed} read too seldom")


if __name__ == "__main__":
    main()
