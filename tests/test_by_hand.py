"""Counts, places and actors against what a language model's reading of development spans gave, one by one and without sight of the rules.

No person has checked these answers. Only positions and answers are kept here. The texts are not in the
repository: name the folder of the data sets in CLASHNLP_DATA.
"""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT

from clashnlp import actors, casualties, places
from clashnlp.formats import read_documents
from clashnlp.gazetteer import CITY, Entry
from clashnlp.types import Document, Span

DEV = Path(os.environ.get("CLASHNLP_DATA", ROOT.parent / "shared" / "data")) / "annotated" / "dev.jsonl"
needs_texts = pytest.mark.skipif(not DEV.is_file(), reason=f"the development reports are not in {DEV}; name their folder in CLASHNLP_DATA")
# Kilometres that an answer of each precision may be off; the answers have their own where they are wider.
TOLERANCE = {"exact": 15, "area": 60, "province": 150, "country": 600}


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "tests" / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    return {document.id: document for document in read_documents(DEV)}


def span_of(document: Document, row: dict, *labels: str) -> Span:
    return next(one for one in document.spans if one.label in labels and (one.start, one.end) == (row["start"], row["end"]))


@pytest.mark.parametrize(("name", "size"), [("counts", 200), ("places", 150), ("actors", 150)])
def test_the_answers_are_in_four_languages(name, size):
    assert len({(row["document"], row["start"], row["end"]) for row in rows(name)}) == size
    assert {row["document"].split("-")[0] for row in rows(name)} == {"ar", "en", "fa", "tr"}


@needs_texts
def test_counts(documents):
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row in rows("counts"):
        document = documents[row["document"]]
        span = span_of(document, row, "CASUALTY")
        inside = any(span.start <= one.start and one.end <= span.end for one in document.of("FACTION"))
        count = casualties.parse(span.text, lang=document.lang, faction_inside=inside)
        total[document.lang] += 1
        right[document.lang] += count is not None and (count.low, count.high) == (row["low"], row["high"])
    print({lang: f"{right[lang]} of {total[lang]}" for lang in total})
    assert sum(right.values()) >= 0.98 * sum(total.values())
    assert all(right[lang] >= 0.95 * total[lang] for lang in total)


@needs_texts
def test_places(documents):
    given = right = resolvable = 0
    located = {name: places.geocode(documents[name]) for name in {row["document"] for row in rows("places")}}
    for row in rows("places"):
        place = located[row["document"]][span_of(documents[row["document"]], row, "LOCATION")]
        resolvable += row["resolvable"]
        if place is not None:
            given += 1
            if row["resolvable"] and place.country == row["country"]:
                allowed = max(row["radius_km"], TOLERANCE[place.precision])
                one = Entry(0, CITY, "", "", None, place.latitude, place.longitude, 0, None)
                other = Entry(0, CITY, "", "", None, row["latitude"], row["longitude"], 0, None)
                right += places.distance(one, other) <= allowed
    print(f"precision {right / given:.3f} of {given}, recall {right / resolvable:.3f} of {resolvable}")
    assert right / given >= 0.94
    assert right / resolvable >= 0.66


@needs_texts
def test_actors(documents):
    given = right = linked = 0
    for row in rows("actors"):
        document = documents[row["document"]]
        span = span_of(document, row, "FACTION", "PATRON")
        countries = Counter(place.country for place in places.geocode(document).values() if place is not None)
        actor = actors.link(span.text, label=span.label, lang=document.lang, countries=[name for name, _ in countries.most_common(1)])
        gold = row["actor"] if isinstance(row["actor"], list) else [row["actor"]]
        linked += gold != [None]
        if actor is not None:
            given += 1
            right += (f"state:{actor.id}" if actor.kind == "state" else actor.id) in gold
    print(f"precision {right / given:.3f} of {given}, recall {right / linked:.3f} of {linked}")
    assert right / given >= 0.97
    assert right / linked >= 0.88
