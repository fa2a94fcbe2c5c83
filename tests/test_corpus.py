"""The repository's own corpus keeps to the annotation guidelines where a machine can tell."""

import itertools

import pytest
from conftest import ROOT

from clashnlp import CLASH
from clashnlp.formats import read_documents
from clashnlp.tokens import split_words

# Never trained on for a release: training/loop.py shows on them what corrected documents bring.
POSTS = ROOT / "training" / "posts.inline"


def test_there_are_reports_without_a_clash(corpus):
    quiet = [document for document in corpus if not any(r.label in ("CLASHED_WITH", "INFLICTED_BY") for r in document.relations)]
    assert len(quiet) >= 100


def test_ids_are_unique(corpus):
    assert len({document.id for document in corpus}) == len(corpus)


@pytest.mark.parametrize("rule", ["words", "outcomes", "signatures", "overlaps"])
def test_every_document_keeps_the_rule(corpus, rule):
    broken = []
    for document in [*corpus, *read_documents(POSTS)]:
        edges = split_words(document.text)
        starts, ends = set(edges[:, 0].tolist()), set(edges[:, 1].tolist())
        for span in document.spans:
            if rule == "words" and not (span.start in starts and span.end in ends):
                broken.append((document.id, span.text))
            if rule == "outcomes" and (span.label == "CASUALTY") != ("outcome" in span.attributes):
                broken.append((document.id, span.text))
        for label in CLASH.labels if rule == "overlaps" else ():
            spans = document.of(label)
            broken += [(document.id, b.text) for a, b in itertools.pairwise(spans) if b.start < a.end]
        for relation in document.relations if rule == "signatures" else ():
            kind = CLASH.relation(relation.label)
            late = kind.symmetric and relation.head.start > relation.tail.start
            if (relation.head.label, relation.tail.label) not in kind.signatures or late:
                broken.append((document.id, relation.label))
    assert broken == []


@pytest.mark.parametrize("name", ["CHANGELOG.md", "training/README.md", "training/card_template.md"])
def test_its_size_is_told_rightly(corpus, name):
    assert f"{len(corpus):,} reports" in (ROOT / name).read_text(encoding="utf-8")


def test_nothing_of_it_is_held_out(corpus):
    held_out = list(read_documents(ROOT / "tests" / "data" / "held_out.inline"))
    assert len(held_out) == 17
    held_out += read_documents(POSTS)
    assert not {document.text for document in held_out} & {document.text for document in corpus}
