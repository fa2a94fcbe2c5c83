"""Brings public sets with other labels into one form that `clashnlp train --schema data` takes, for training between MLM and fine-tuning.

    python training/auxiliary.py --from ../shared/data/auxiliary --output DIR

writes DIR/train.jsonl and DIR/dev.jsonl. Labels that mean the same get one name; each document names, under `labels`, those that its
source annotates, so that the others are left out of the loss and never taught as negatives. CAMEO-NER (GPL-3.0) is not read: what ships
is not trained on it. MUC-4's relations are left out, since they hold for an incident and not for what a sentence states.
"""

import argparse
import gzip
import json
import re
import zlib
from pathlib import Path
from typing import Any

# Of each source, its labels and the common names. What is not listed (dates, titles, works of art) is dropped.
PERSON, PLACE, ORGANISATION, PEOPLE, EVENT, COUNT = "PERSON", "PLACE", "ORGANISATION", "PEOPLE", "EVENT", "COUNT"
SOURCES = {
    "anercorp": {"PERS": PERSON, "LOC": PLACE, "ORG": ORGANISATION},
    "idrisi_ar": {f"LOC:{kind}": PLACE for kind in ("CTRY", "CITY", "HPOI", "PROV", "DIST", "ST", "NBHD", "OTHR", "NPOI")},
    "muc4": {"HumTgtDesc": "TARGET", "HumTgtName": "TARGET_NAME", "PerpOrg": "PERPETRATOR", "PerpInd": "PERPETRATORS"},
    "parstwiner": {"PER": PERSON, "LOC": PLACE, "ORG": ORGANISATION, "NAT": PEOPLE, "POG": "ARMED_OR_POLITICAL", "EVE": EVENT},
    "peyma": {"PER": PERSON, "LOC": PLACE, "ORG": ORGANISATION},
    "re3d": {"Person": PERSON, "Location": PLACE, "Organisation": "ORGANISATION_OR_FORCE", "Nationality": PEOPLE, "Quantity": COUNT},
    "trwikiner": {"PERSON": PERSON, "GPE": PLACE, "LOC": PLACE, "FAC": PLACE, "ORG": ORGANISATION, "NORP": PEOPLE, "CARDINAL": COUNT},
    "wojood_sample": {"PERS": PERSON, "GPE": PLACE, "LOC": PLACE, "FAC": PLACE, "NORP": PEOPLE, "CARDINAL": COUNT, "OCC": "OCCUPATION"},
}
DEV_SHARE = 0.03
# What stands behind a Turkish name's apostrophe is no part of a span in the guidelines, but is in TrWikiNER.
SUFFIX = re.compile(r"(?<=\w)['’]\w*$")


def convert(row: dict[str, Any], source: str) -> dict[str, Any]:
    """The document with common labels and without relations, and with the labels that its source annotates."""
    names = SOURCES[source]
    spans: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    # Of two overlapping spans that come to bear one label the longer is kept (Wojood nests places in places).
    for span in sorted(row["spans"], key=lambda one: (one["start"], -one["end"])):
        label = names.get(span["label"])
        if label is not None and span["start"] >= taken.get(label, 0):
            taken[label] = span["end"]
            text = SUFFIX.sub("", span["text"]) if row["lang"] == "tr" else span["text"]
            spans.append({"id": f"s{len(spans)}", "start": span["start"], "end": span["start"] + len(text), "label": label, "text": text})
    return {
        "id": row["id"],
        "lang": row["lang"],
        "text": row["text"],
        "spans": spans,
        "relations": [],
        "labels": sorted(set(names.values())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder with the sets as .jsonl.gz")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    counts = {}
    with (args.output / "train.jsonl").open("w", encoding="utf-8") as train, (args.output / "dev.jsonl").open("w", encoding="utf-8") as dev:
        for source in SOURCES:
            with gzip.open(args.source / f"{source}.jsonl.gz", "rt", encoding="utf-8") as file:
                rows = [convert(json.loads(line), source) for line in file]
            for row in rows:
                # By a checksum of the text, so that equal sentences fall on one side.
                target = dev if zlib.crc32(row["text"].encode()) % 1000 < 1000 * DEV_SHARE else train
                target.write(json.dumps(row, ensure_ascii=False) + "\n")
            counts[source] = len(rows)
    print(f"documents: {counts}")


if __name__ == "__main__":
    main()
