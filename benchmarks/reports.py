"""Reports to measure speed on: sentences of this repository's own corpus, put together to the lengths and languages of real reports."""

import random
from pathlib import Path

from clashnlp.formats import read_documents
from clashnlp.tokens import sentence_bounds

CORPUS = Path(__file__).parents[1] / "training" / "corpus"
# Of 443 annotated news reports (the training set that the model card names): every fifth percentile of their lengths in characters, and
# their languages.
LENGTHS = (401, 565, 685, 834, 920, 1025, 1124, 1223, 1338, 1426, 1533, 1672, 1747, 1839, 2012, 2124, 2171, 2232, 2270, 2336, 2525)
LANGUAGES = {"ar": 198, "en": 160, "tr": 48, "fa": 37}


def make_reports(number: int, *, seed: int = 0) -> list[str]:
    """So many reports; the same ones for the same seed."""
    draw = random.Random(seed)
    sentences: dict[str, list[str]] = {lang: [] for lang in LANGUAGES}
    for document in read_documents(CORPUS):
        for start, end in sentence_bounds(document.text).tolist() if document.lang in sentences else []:
            sentences[document.lang].append(document.text[start:end].strip())
    reports = []
    for _ in range(number):
        lang = draw.choices(list(LANGUAGES), list(LANGUAGES.values()))[0]
        at = draw.random() * (len(LENGTHS) - 1)
        low, high = LENGTHS[int(at)], LENGTHS[int(at) + 1]
        wanted, report = low + (high - low) * (at % 1), ""
        while len(report) < wanted:
            report += draw.choice(sentences[lang]) + " "
        reports.append(report[: int(wanted)].strip())
    return reports
