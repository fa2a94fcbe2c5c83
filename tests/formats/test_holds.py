"""What no format may do: lose something and not say so."""

import pytest
from hypothesis import given, settings
from test_labelstudio import documents

from clashnlp.formats import WRITERS, Account, read, write
from clashnlp.formats.holds import PROBES, holds, table

PACKAGES = {"cas": "cassis", "docbin": "spacy"}
NOT_HELD = {
    "inline": {
        "texts, with their white space",
        "crossing spans",
        "spans over line breaks",
        "other attributes",
        "scores of spans",
        "scores of relations",
        "annotators",
        "other meta data",
        "labels annotated for",
    },
    "brat": {"scores of spans", "scores of relations", "languages", "other meta data", "labels annotated for"},
    "webanno": {"languages", "other meta data", "labels annotated for"},
    "cas": {"other meta data", "labels annotated for"},
    "conll": {
        "nested spans",
        "crossing spans",
        "two labels on one extent",
        "other attributes",
        "relations",
        "scores of spans",
        "scores of relations",
    },
}


@pytest.mark.parametrize("format", WRITERS)
def test_what_a_format_does_not_hold_is_known_and_counted(format):
    pytest.importorskip(PACKAGES.get(format, "json"))
    found = {thing: holds(format, thing) for thing in PROBES}
    assert {thing for thing, (held, _) in found.items() if not held} == NOT_HELD.get(format, set())
    for thing, (held, account) in found.items():
        assert held or account.dropped or account.repaired, f"{thing} is lost in silence"


def test_the_table_has_a_column_for_each_format():
    for package in PACKAGES.values():
        pytest.importorskip(package)
    head, _, *lines = table().splitlines()
    assert head == f"|  | {' | '.join(WRITERS)} |"
    assert len(lines) == len(PROBES)
    cells = [cell.strip() for cell in next(line for line in lines if line.startswith("| relations ")).split("|")[2:-1]]
    assert dict(zip(WRITERS, cells, strict=True)) == {format: "no" if format == "conll" else "yes" for format in WRITERS}


def test_the_table_leaves_out_formats_whose_package_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cassis", None)
    assert "cas is left out: this format needs cassis; install it with: pip install 'clashnlp[cas]'" in table()


def content(document):
    """All but the ids of spans, which files are free to number."""
    spans = sorted((s.start, s.end, s.label, s.text, repr(s.score), tuple(sorted(s.attributes.items()))) for s in document.spans)
    ends = [((r.head.start, r.head.end, r.head.label), (r.tail.start, r.tail.end, r.tail.label)) for r in document.relations]
    links = sorted((*pair, r.label, repr(r.score)) for pair, r in zip(ends, document.relations, strict=True))
    return document.text, str(document.id), document.lang, document.labels, dict(document.meta), spans, links


@pytest.mark.parametrize("format", WRITERS)
@given(document=documents())
@settings(max_examples=25, deadline=None)
def test_every_document_comes_back_or_its_losses_are_counted(tmp_path_factory, format, document):
    pytest.importorskip(PACKAGES.get(format, "json"))
    path = tmp_path_factory.mktemp("any") / ("folder" if format in ("brat", "webanno", "cas") else "file")
    options = {"predictions": False} if format == "labelstudio" else {}
    written, again = write([document], path, format=format, **options), Account()
    back = list(read(path, format=format, account=again, on_error=pytest.fail))
    counted = any((written.dropped, written.repaired, again.dropped, again.repaired))
    assert counted or [content(one) for one in back] == [content(document)]
