"""Counts against those that an analyst's reading of 200 development spans gave; only positions and numbers are kept here, not the texts."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT

from clashnlp import casualties
from clashnlp.formats import read_documents

ROWS = [json.loads(line) for line in (ROOT / "tests" / "data" / "counts.jsonl").read_text(encoding="utf-8").splitlines()]
DEV = Path(os.environ.get("CLASHNLP_DATA", ROOT.parent / "shared" / "data")) / "annotated" / "dev.jsonl"


def test_the_hand_counts_are_of_two_hundred_spans_in_four_languages():
    assert len({(row["document"], row["start"], row["end"]) for row in ROWS}) == 200
    assert {row["document"].split("-")[0] for row in ROWS} == {"ar", "en", "fa", "tr"}


@pytest.mark.skipif(not DEV.is_file(), reason=f"the development reports are not in {DEV}; name their folder in CLASHNLP_DATA")
def test_counts_agree_with_those_made_by_hand():
    documents = {document.id: document for document in read_documents(DEV)}
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in ROWS:
        document = documents[row["document"]]
        span = next(one for one in document.of("CASUALTY") if (one.start, one.end) == (row["start"], row["end"]))
        inside = any(span.start <= one.start and one.end <= span.end for one in document.of("FACTION"))
        count = casualties.parse(span.text, lang=document.lang, faction_inside=inside)
        total[document.lang] += 1
        right[document.lang] += count is not None and (count.low, count.high) == (row["low"], row["high"])
    print({lang: f"{right[lang]} of {total[lang]}" for lang in total})
    assert sum(right.values()) >= 0.98 * len(ROWS)
    assert all(right[lang] >= 0.95 * total[lang] for lang in total)
