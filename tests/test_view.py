"""What people see: every character of a text is shown once and as text, every span is marked, crossing ones too."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clashnlp import CLASH, Analysis, Document, Relation, Span, view

TEXT = "قصفت الميليشيات الإيرانية <b>بلدة</b> & قُتل ستة"
BACKED = Span(5, 25, "FACTION", TEXT[5:25], "F1", 0.91)
IRANIAN = Span(16, 25, "PATRON", TEXT[16:25], "P1", 0.8)
SIX = Span(len(TEXT) - 3, len(TEXT), "CASUALTY", "ستة", "C1", 0.7, {"outcome": "killed"})
ANALYSIS = Analysis(TEXT, "a<1>", "ar", (BACKED, IRANIAN, SIX), (Relation(BACKED, IRANIAN, "BACKED_BY", 0.86),))


class Reader(HTMLParser):
    """Reads a fragment back: the text outside chips, and the extent of every mark, piece by piece."""

    def __init__(self):
        super().__init__()
        self.text, self.open, self.pieces, self.chips, self.tags = "", [], [], 0, []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "span":
            self.chips += 1
        if tag == "mark":
            self.open.append((dict(attrs)["title"].split()[0], len(self.text)))

    def handle_endtag(self, tag):
        assert self.tags.pop() == tag, "elements do not cross"
        if tag == "span":
            self.chips -= 1
        if tag == "mark":
            label, start = self.open.pop()
            self.pieces.append((start, len(self.text), label))

    def handle_data(self, data):
        if not self.chips:
            self.text += data


def read(document):
    reader = Reader()
    reader.feed(view.marked(document))
    reader.close()
    assert not reader.tags
    return reader


def test_nested_spans_stand_inside_each_other():
    shown = view.marked(ANALYSIS)
    assert '<mark class="l0" title="FACTION 0.91">الميليشيات <mark class="l1" title="PATRON 0.80">الإيرانية' in shown
    assert '<span class="clash-chip">C1 killed</span>' in shown
    assert '<div class="clash-text" dir="auto" lang="ar">' in shown
    assert "<code>BACKED_BY</code>" in shown
    assert "<small>0.86</small>" in shown


def test_nothing_of_a_text_is_markup():
    bad = "<script>alert(1)</script>\"'&<!--"
    span = Span(0, len(bad), '"><img src=x>', bad, "<i>", attributes={"outcome": "<u>"})
    document = Document(bad, "</style><script>", '"><script>', (span,), (Relation(span, span, "<s>"),))
    for shown in (view.html(document), view.page(bad, view.marked(document, notes={span: "<p>"}))):
        assert not re.search(r"<(script|img|i|u|s|p|!--)[ >]", shown.split("</head>")[-1])
        assert shown.count("</style>") == 1
    assert "<title>&lt;script&gt;" in view.page(bad, "")


@given(st.text(alphabet="ab <&ي\n😀", min_size=1, max_size=12).flatmap(
    lambda text: st.tuples(
        st.just(text),
        st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text)), st.sampled_from(CLASH.labels)), max_size=5),
    )
))  # fmt: skip
def test_any_spans_are_shown_where_they_are(made):
    text, extents = made
    extents = {extent for extent in extents if extent[0] < extent[1]}
    spans = tuple(Span(start, end, label, text[start:end], str(at)) for at, (start, end, label) in enumerate(sorted(extents)))
    reader = read(Document(text, spans=spans))
    assert reader.text == text
    for start, end, label in extents:
        # A span that crosses another comes in pieces; together they cover it.
        pieces = [piece for piece in reader.pieces if piece[2] == label and start <= piece[0] and piece[1] <= end]
        assert {at for piece in pieces for at in range(*piece[:2])} == set(range(start, end))
    assert view.marked(Document(text, spans=spans)).count("clash-chip") == len(spans)


def test_what_is_wrong_is_outlined_and_says_so():
    shown = view.marked(ANALYSIS, notes={IRANIAN: "invented", ANALYSIS.relations[0]: "missed"})
    assert '<mark class="l1 wrong"' in shown
    assert "P1 · invented" in shown
    assert "<em>missed</em>" in shown
    assert shown.count("wrong") == 2


def test_symmetric_relations_have_no_arrowhead_to_one_side():
    other = Span(0, 4, "FACTION", TEXT[:4], "F2")
    shown = view.marked(Document(TEXT, spans=(other, BACKED), relations=(Relation(other, BACKED, "CLASHED_WITH"),)))
    assert "↔" in shown
    assert "→" not in shown


def test_labels_of_another_schema_get_colours():
    shown = view.html(Document("x", spans=(Span(0, 1, "WEAPON", "x", "W1"),)))
    assert '<b class="l4">WEAPON</b>' in shown


def test_notebooks_show_analyses():
    assert ANALYSIS._repr_html_() == view.html(ANALYSIS)
    assert "a&lt;1&gt;" in ANALYSIS._repr_html_()


def test_a_page_loads_nothing():
    page = view.page("t", view.marked(ANALYSIS))
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    assert unescape(page).count("الإيرانية") == 3  # In the text, and as both ends of the relation.


@pytest.mark.parametrize("colour", [True, False])
def test_the_terminal_gets_the_same(colour):
    assert ("\x1b[" in view.summary(ANALYSIS, CLASH, colour=colour)) is colour
