"""Changed copies of documents: every span still stands where it should, and what a swap may touch."""

import numpy as np
import pytest
from conftest import build_tokenizer

from clashnlp.config import ModelConfig
from clashnlp.schema import CLASH
from clashnlp.tokens import Tokenizer, split_words
from clashnlp.training.augment import Augmenter, Noise, Reports, edit
from clashnlp.training.data import make_examples
from clashnlp.types import Document, Relation, Span


def document(text: str, *spans: tuple[str, str], lang: str = "en") -> Document:
    found = []
    for at, (label, surface) in enumerate(spans):
        start = text.index(surface)
        attributes = {"outcome": "killed"} if label == "CASUALTY" else {}
        found.append(Span(start, start + len(surface), label, surface, id=f"T{at}", attributes=attributes))
    return Document(text=text, id="d", lang=lang, spans=tuple(found))


def test_edit_moves_spans_behind_and_widens_those_around():
    before = document(
        "Three Tigers fighters, and others, fell in Aruz.",
        ("CASUALTY", "Three Tigers fighters"),
        ("FACTION", "Tigers"),
        ("LOCATION", "Aruz"),
    )
    before = Document(before.text, spans=before.spans, relations=(Relation(before.spans[0], before.spans[2], "LOCATED_IN"),))
    after = edit(before, [(6, 12, "Northern Lions"), (21, 22, ""), (33, 34, "")])
    assert after.text == "Three Northern Lions fighters and others fell in Aruz."
    assert [span.text for span in after.spans] == ["Three Northern Lions fighters", "Northern Lions", "Aruz"]
    assert after.spans[0].attributes == {"outcome": "killed"}
    assert (after.relations[0].head, after.relations[0].tail) == (after.spans[0], after.spans[2])


def test_edit_without_edits_changes_nothing():
    before = document("Aruz fell.", ("LOCATION", "Aruz"))
    assert edit(before, []) == before


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_the_corpus_keep_spans_on_words_and_relations_whole(corpus, seed):
    augmenter = Augmenter(corpus, CLASH)
    random = np.random.default_rng(seed)
    swapped = 0
    for before in corpus:
        after = augmenter(before, random)
        assert [(one.label, one.id, one.attributes) for one in after.spans] == [(one.label, one.id, one.attributes) for one in before.spans]
        assert len(after.relations) == len(before.relations)
        edges = {int(edge) for edge in split_words(after.text).ravel()}
        assert {edge for span in after.spans for edge in (span.start, span.end)} <= edges
        swapped += sum(old.text != new.text for old, new in zip(before.spans, after.spans, strict=True))
    assert swapped > 1000


def test_a_name_is_swapped_alike_in_all_its_places_for_one_of_its_kind():
    text = "Tigers took Aruz. Aruz belongs to Tigers."
    spans = [
        Span(at, at + len(name), label, name, id=f"{label}{at}")
        for label, name in (("FACTION", "Tigers"), ("LOCATION", "Aruz"))
        for at in range(len(text))
        if text.startswith(name, at)
    ]
    before = Document(text, lang="en", spans=tuple(spans))
    other = document("Lions left Belun.", ("FACTION", "Lions"), ("LOCATION", "Belun"))
    foreign = document("أسود", ("FACTION", "أسود"), lang="ar")
    augmenter = Augmenter([before, other, foreign], CLASH)
    seen = set()
    for seed in range(60):
        after = augmenter(before, np.random.default_rng(seed))
        names = {(span.label, span.text) for span in after.spans}
        assert len(names) == 2 and names <= {("FACTION", "Tigers"), ("FACTION", "Lions"), ("LOCATION", "Aruz"), ("LOCATION", "Belun")}
        seen |= names
    assert len(seen) == 4


def test_counts_and_patrons_on_a_factions_own_extent_are_not_swapped():
    text = "At least 9 dead as Ruritanian militias shell Aruz"
    spans = (
        Span(0, 15, "CASUALTY", "At least 9 dead", id="C"),
        Span(19, 29, "FACTION", "Ruritanian", id="F"),
        Span(19, 29, "PATRON", "Ruritanian", id="P"),
    )
    before = Document(text, lang="en", spans=spans)
    other = document("Lions, Elbonia", ("FACTION", "Lions"), ("PATRON", "Elbonia"))
    augmenter = Augmenter([before, other], CLASH)
    assert all(augmenter(before, np.random.default_rng(seed)).text == text for seed in range(20))


@pytest.fixture(scope="module")
def reports_of(corpus):
    documents = corpus[:40]
    tokenizer = Tokenizer(build_tokenizer("wordpiece", [one.text for one in documents]))
    config = ModelConfig(schema=CLASH, encoder={"model_type": "bert"})

    def build(**options) -> Reports:
        return Reports(documents, tokenizer, config, Noise(**{"changed": 0.5, "hidden": 0.1, "seed": 3, **options}))

    plain, _ = make_examples(documents, tokenizer, config, name="train")
    return build, plain, tokenizer


def test_without_changes_the_reports_are_the_examples(reports_of):
    build, plain, _ = reports_of
    reports = build(changed=0.0, hidden=0.0)
    assert [reports[at] for at in range(len(reports))] == plain


def test_hidden_words_are_mask_tokens_and_the_annotation_stays(reports_of):
    build, plain, tokenizer = reports_of
    reports = build(changed=0.0, hidden=0.2)
    mask = tokenizer.backend.token_to_id("[MASK]")
    hidden = total = 0
    for at, before in enumerate(plain):
        after = reports[at]
        assert {key: value for key, value in after.items() if key != "ids"} == {key: value for key, value in before.items() if key != "ids"}
        assert all(new in (old, mask) for old, new in zip(before["ids"], after["ids"], strict=True))
        hidden += sum(after["ids"][first] == mask for first in after["first"])
        total += len(after["first"])
    assert 0.17 < hidden / total < 0.23


def test_a_pass_sees_the_same_again_and_another_pass_does_not(reports_of):
    build, _, _ = reports_of
    one, other = build(), build()
    first = [one[at] for at in range(len(one))]
    assert [other[at] for at in reversed(range(len(other)))][::-1] == first
    one.epoch = 1
    assert [one[at] for at in range(len(one))] != first
