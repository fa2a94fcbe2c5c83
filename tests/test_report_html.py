"""The page of an evaluation: its figures are those of the metrics, and it stands alone."""

import re
import sys

import pytest
from test_evaluate import FOUND, GOLD, IRAN, KILLED, MARIB, document

from clashnlp import CLASH, Relation, Span
from clashnlp.cli import main
from clashnlp.evaluate import evaluate
from clashnlp.formats import jsonl
from clashnlp.report_html import build


def page(gold, found, **options):
    return build(evaluate(gold, found, CLASH), list(zip(gold, found, strict=True)), CLASH, **options)


def cells(shown, row):
    [found] = re.findall(rf"<tr><th><bdi>{row}</bdi></th>(.*?)</tr>", shown)[:1]
    return re.findall(r"<td[^>]*>(.*?)</td>", found)


def test_figures_are_those_of_the_metrics():
    shown = page([GOLD], [FOUND])
    # annotated, predicted, precision, recall, F1; of one document there is no interval; partial and type F1 behind the plot.
    assert cells(shown, "all")[:6] == ["3", "4", "0.500", "0.667", "0.571", ""]
    assert cells(shown, "all")[7:] == ["0.714", "0.857"]
    assert cells(shown, "FACTION")[7:] == ["0.500", "1.000"]
    assert '<td class="wrong" style="--share:1.00">1</td>' in shown


def test_mistakes_stand_in_the_texts():
    shown = page([GOLD], [FOUND], worst=1)
    assert "F1 · wrong edges" in shown
    assert "P1 · invented" in shown
    assert "C1 wounded · annotated killed" in shown
    assert shown.count('<div class="compared">') == 1
    assert "There is no document with a mistake" in page([GOLD], [GOLD])


def test_worst_documents_come_first_and_no_more_than_asked():
    found = [document(MARIB), FOUND, GOLD]
    gold = [GOLD.__class__(GOLD.text, name, "en", GOLD.spans, GOLD.relations) for name in ("best", "worse", "right")]
    assert re.findall(r"<h3><bdi>(\w+) ·", page(gold, found)) == ["best", "worse"]
    assert re.findall(r"<h3><bdi>(\w+) ·", page(gold, found, worst=1)) == ["best"]


def test_relations_taken_for_others():
    army = Span(27, 35, "FACTION", "soldiers", "F2")
    houthi = GOLD.spans[0]
    spans = (houthi, army, KILLED, MARIB)
    gold = document(*spans, relations=(Relation(KILLED, houthi, "INFLICTED_BY"), Relation(houthi, army, "PART_OF")))
    found = document(
        *spans,
        IRAN,
        relations=(
            Relation(KILLED, houthi, "SUFFERED_BY"),
            Relation(army, houthi, "PART_OF"),
            Relation(army, MARIB, "LOCATED_IN"),
            Relation(army, IRAN, "BACKED_BY"),
        ),
    )
    assert evaluate([gold], [found], CLASH)["relation_confusion"] == {
        "INFLICTED_BY": {"SUFFERED_BY": 1},
        "PART_OF": {"reversed": 1},
        "not related": {"LOCATED_IN": 1},
        "wrong span": {"BACKED_BY": 1},
    }
    assert evaluate([gold], [document(houthi, army)], CLASH)["relation_confusion"] == {
        "INFLICTED_BY": {"span not found": 1},
        "PART_OF": {"not related": 1},
    }
    assert "<th>reversed</th>" in page([gold], [found])


def test_the_page_stands_alone(tmp_path, untrained, capsys):
    data = tmp_path / "gold.jsonl"
    rows = [GOLD, document(MARIB, meta={"source": "<b>ناطق $x$"}), document(MARIB, meta={"source": "other"})]
    data.write_text("".join(map(jsonl.write, rows)), encoding="utf-8")
    out = tmp_path / "page.html"
    assert main(["evaluate", "--data", str(data), "--html", str(out), "--worst", "2", "--model", str(untrained["wordpiece"])]) == 0
    shown = out.read_text(encoding="utf-8")
    assert "&lt;b&gt;ناطق $x$" in shown
    assert shown.count("<svg") == 1
    assert "currentColor" in shown
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", shown)
    assert not re.search(r"https?://|<script|<link|@import|url\((?!#)", body)
    ids = re.findall(r' id="([^"]*)"', shown)
    assert len(ids) == len(set(ids))
    assert main(["evaluate", "--data", str(data), "--html", str(data)]) == 2
    assert "among the inputs" in capsys.readouterr().err


def test_without_matplotlib_the_page_names_the_extra(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    scored = document(Span(0, 6, "FACTION", "Houthi", "F1", 0.9))
    shown = page([GOLD], [scored])
    assert "<svg" not in shown
    assert "pip install &#x27;clashnlp[plots]&#x27;" in shown
    assert "clashnlp[plots]" in caplog.text
    assert "0.9 to 1.0" in shown


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_scores_at_the_ends(score):
    assert "calibration error" in page([GOLD], [document(Span(0, 6, "FACTION", "Houthi", "F1", score))])
