"""Records of 12 reports of our own, in four languages, against rows that were written before the rules had seen the reports.

The rows are a language model's reading; no person has checked them. Run with -s to see the figures and what is wrong.
"""

import datetime
import json
from collections import Counter

from conftest import ROOT

from clashnlp import ClashModel
from clashnlp.formats import read_documents
from clashnlp.numerals import fold
from clashnlp.records import read
from clashnlp.rows import wide

DATA = ROOT / "tests" / "data"
EXPECTED = [json.loads(line) for line in (DATA / "records.jsonl").read_text(encoding="utf-8").splitlines()]
DOCUMENTS = list(read_documents(DATA / "records.inline"))
PUBLISHED = {row["document"]: datetime.date.fromisoformat(row["published"]) for row in EXPECTED}
OUTCOMES = ("killed", "wounded", "captured", "missing")


def values(record, document) -> dict:
    """What is compared of a record."""
    row = wide(record, document)
    sides = sorted(sorted(party.name for party in side) for side in record.sides)
    patrons = sorted({(party.name, patron.name) for side in record.sides for party in side for patron in party.patrons})
    counts = {outcome: (row[f"{outcome}_low"], row[f"{outcome}_high"]) for outcome in OUTCOMES}
    return {
        "sides": sides,
        "patrons": patrons,
        "location": {span.text for site in record.sites[:1] for span in site.spans},
        "country": row["country"],
        "date": row["date"],
        **{outcome: None if bounds == (None, None) else bounds for outcome, bounds in counts.items()},
        "civilians": row["killed_civilians"] or 0,
        "claimants": record.claimants,
        "denied": row["denied"],
    }


def agrees(name: str, have, want) -> bool:
    """Whether a value is right; of a place and of who claims, any wording of the text will do."""
    if name == "location":
        return any(want in text for text in have)
    if name == "claimants":
        fits = [any(fold(one) in fold(other) or fold(other) in fold(one) for other in have) for one in want]
        return len(have) == len(want) and all(fits)
    return have == want


def expected(row: dict) -> dict:
    counts = {outcome: tuple(row[outcome]) if row.get(outcome) else None for outcome in OUTCOMES}
    patrons = {(side[0], name) for side, names in zip(row["sides"], row["patrons"], strict=True) for name in names}
    kept = {name: row[name] for name in ("location", "country", "date", "civilians", "denied")}
    return {"sides": sorted(map(sorted, row["sides"])), "patrons": sorted(patrons), **counts, **kept, "claimants": row["claimants"]}


def score(analyses) -> tuple[Counter, Counter, int, int]:
    """Values right and asked for, by name; records found and asked for."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    found = 0
    for document in analyses:
        have = [values(record, document) for record in read(document, published=PUBLISHED.get(document.id))]
        found += len(have)
        for want in (expected(row) for row in EXPECTED if row["document"] == document.id):
            # The record that agrees most, sides and place before all.
            def fit(one: dict, want: dict = want) -> int:
                # Sides and place before all.
                return sum(agrees(name, one[name], value) * (9 if name in ("sides", "location") else 1) for name, value in want.items())

            best = max(have, key=fit, default=None)
            if best is not None:
                have.remove(best)
            for name, value in want.items():
                total[name] += 1
                good = best is not None and agrees(name, best[name], value)
                right[name] += good
                if not good:
                    print(f"  {document.id} {name}: {best[name] if best else 'no record'}, should be {value}")
        for one in have:
            print(f"  {document.id}: a record too many {one}")
    print(", ".join(f"{name} {right[name]}/{total[name]}" for name in total))
    print(f"values {sum(right.values())} of {sum(total.values())}; records {found}, should be {len(EXPECTED)}")
    return right, total, found, len(EXPECTED)


def test_records_from_the_annotation():
    right, total, found, wanted = score(DOCUMENTS)
    # The rules were mended on what these reports showed; the first measurement is in the changelog.
    assert sum(right.values()) >= 0.95 * sum(total.values()) and found <= wanted + 1


def test_records_from_the_embedded_model():
    right, total, found, wanted = score(ClashModel.from_pretrained().predict_many(DOCUMENTS))
    assert sum(right.values()) >= 0.6 * sum(total.values()) and found <= wanted + 3
