"""Rows that analysts load: ACLED's and UCDP's columns, GeoJSON, CSV that runs no formula, Parquet, a DataFrame."""

import csv
import datetime
import io
import json

import pytest

from clashnlp.formats import inline
from clashnlp.output import OUTPUT_FORMATS, write
from clashnlp.records import read
from clashnlp.rows import ACLED_COLUMNS, UCDP_COLUMNS, Records, cell
from clashnlp.types import Analysis, Document

BATTLE = """
[[F1|Syrian army]] units clashed with [[F2|Hayat Tahrir al-Sham]] in [[L1|Saraqib]], in [[L2|Idlib]], [[L3|Syria]], on 3 March 2018.
[[C1:killed|Five [[F3|Syrian army]] soldiers]] and [[C2:killed|at least three civilians]] were killed, according to the observatory.
[[C3:wounded|Dozens]] were wounded. [[P1|Russia]]-backed [[F4|Syrian army]] units withdrew.
---
F1 CLASHED_WITH F2
F1 LOCATED_IN L1
F2 LOCATED_IN L1
L1 LOCATED_IN L2
L2 LOCATED_IN L3
C1 SUFFERED_BY F3
F4 BACKED_BY P1
"""


@pytest.fixture(scope="module")
def report() -> Analysis:
    document = inline.parse(BATTLE.strip("\n"), id="r1", lang="en", meta={"source": "=Agency"})
    return Analysis(document.text, id="r1", lang="en", spans=document.spans, relations=document.relations, meta=document.meta)


@pytest.fixture(scope="module")
def found(report) -> Records:
    return Records((record, report) for record in read(report))


def test_acled_row(found):
    (row,) = found.rows("acled")
    assert tuple(row) == ACLED_COLUMNS
    assert (row["event_id"], row["event_date"], row["country"], row["location"], row["geo_precision"]) == (
        "r1-1",
        "2018-03-03",
        "SY",
        "Saraqib",
        1,
    )
    assert row["actor1"].startswith("Syrian") and "Tahrir" in row["actor2"] and row["assoc_actor_1"] == "Russia"
    # The most conservative number: five soldiers and three civilians or more.
    assert row["fatalities"] == 8
    assert row["notes"].startswith("Syrian army units clashed with")


def test_ucdp_row(found):
    (row,) = found.rows("ucdp")
    assert tuple(row) == UCDP_COLUMNS
    assert (row["deaths_a"], row["deaths_b"], row["deaths_civilians"], row["deaths_unknown"]) == (5, 0, 3, 0)
    assert (row["low"], row["best"], row["high"], row["where_prec"]) == (8, 8, None, 1)


def test_wide_row(found):
    (row,) = found.rows()
    assert (row["killed_low"], row["killed_high"], row["killed_civilians"]) == (8, None, 3)
    assert (row["wounded_low"], row["wounded_high"]) == (12, None)
    assert row["side_a_patrons"] == "Russia" and row["claimants"] == "observatory" and row["denied"] is False


def test_everything_points_to_its_spans_and_sentences(found, report):
    (row,) = found.to_dicts()
    assert json.loads(json.dumps(row)) == row
    spans = [span for side in row["sides"] for party in side for span in party["spans"]]
    spans += [span for toll in row["tolls"] for span in toll["spans"]] + [span for site in row["sites"] for span in site["spans"]]
    assert len(spans) >= 7
    assert all(report.text[span["start"] : span["end"]] == span["text"] for span in spans)
    assert all(report.text[one["start"] : one["end"]].strip() == one["text"] for one in row["sentences"])
    assert row["totals"]["killed"] == {"low": 8, "high": None}


def test_geojson_is_a_feature_collection(found):
    collection = found.to_geojson()
    (feature,) = collection["features"]
    assert collection["type"] == "FeatureCollection" and feature["type"] == "Feature"
    longitude, latitude = feature["geometry"]["coordinates"]
    assert 36 < longitude < 37.5 and 35.5 < latitude < 36.2
    assert "longitude" not in feature["properties"]


def test_a_record_without_a_known_place_has_no_geometry():
    document = inline.parse("[[F1|Tigers]] fought [[F2|Lions]].\n---\nF1 CLASHED_WITH F2", id="r", lang="en")
    records = Records((record, document) for record in read(document))
    assert records.to_geojson()["features"][0]["geometry"] is None
    assert records.rows("acled")[0]["latitude"] is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_runs_as_a_formula(text):
    assert cell(text) == "'" + text


def test_numbers_stay_numbers():
    assert cell(-1.5) == -1.5 and cell(0) == 0 and cell(None) == "" and cell("Aleppo") == "Aleppo"


def written(report, format: str, **options) -> bytes:
    out = io.BytesIO()
    assert write([report], out, format=format, **options) == 1
    return out.getvalue()


@pytest.mark.parametrize("format", ["acled", "ucdp", "csv"])
def test_csv_reads_back(report, found, format):
    rows = list(csv.DictReader(io.StringIO(written(report, format).decode("utf-8"), newline="")))
    expected = found.rows("wide" if format == "csv" else format)
    assert [list(row) for row in rows] == [list(row) for row in expected]
    assert rows[0]["latitude"] == str(expected[0]["latitude"])
    assert rows[0].get("source", rows[0].get("source_article")) == "'=Agency"


def test_records_and_geojson_are_json(report, found):
    assert [json.loads(line) for line in written(report, "records").decode().splitlines()] == found.to_dicts()
    assert json.loads(written(report, "geojson")) == found.to_geojson()


def test_parquet_keeps_types(report, found):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(written(report, "parquet")))
    assert table.to_pylist() == found.rows()
    assert str(table.schema.field("latitude").type) == "double" and str(table.schema.field("killed_low").type) == "int64"


@pytest.mark.parametrize("format", OUTPUT_FORMATS)
def test_no_reports_give_a_valid_empty_file(format):
    out = io.BytesIO()
    assert write([], out, format=format) == 0


def test_a_data_frame(found):
    pytest.importorskip("pandas")
    frame = found.to_pandas("acled")
    assert list(frame.columns) == list(ACLED_COLUMNS) and frame["fatalities"].tolist() == [8]
    assert len(Records([]).to_pandas("ucdp")) == 0
    with pytest.raises(ValueError, match="choose one of wide, acled, ucdp"):
        found.rows("gtd")


def test_days_are_counted_from_the_day_of_publication():
    document = inline.parse("[[F1|Tigers]] fought [[F2|Lions]] yesterday.\n---\nF1 CLASHED_WITH F2", id="r", lang="en")
    assert read(document)[0].date is None
    assert read(document, published=datetime.date(2020, 5, 2))[0].date == "2020-05-01"
    own = Document(document.text, lang="en", spans=document.spans, relations=document.relations, meta={"date": "2019-01-02T10:00:00Z"})
    assert read(own, published=datetime.date(2020, 5, 2))[0].date == "2019-01-01"


def test_a_timestamp_is_a_day_and_any_source_can_be_written():
    document = inline.parse("[[F1|Tigers]] fought [[F2|Lions]] on 3 March.\n---\nF1 CLASHED_WITH F2", id="r", lang="en")
    meta = {"date": datetime.datetime(2018, 5, 6, 10), "source": ["a", "b"]}
    analysis = Analysis(document.text, id="r", lang="en", spans=document.spans, relations=document.relations, meta=meta)
    for format in OUTPUT_FORMATS[1:]:
        written(analysis, format)
    assert read(analysis)[0].date == "2018-03-03"


def test_who_only_suffered_is_not_the_first_actor():
    document = inline.parse("[[C1:killed|Five [[F1|Lions]] fighters]] died in a bombing.\n---\nC1 SUFFERED_BY F1", id="r", lang="en")
    (row,) = Records((record, document) for record in read(document)).rows("acled")
    assert row["actor1"] is None and row["actor2"] == "Lions" and row["fatalities"] == 5


def test_a_total_is_not_added_to_its_parts():
    document = inline.parse(
        "[[F1|Tigers]] fought [[F2|Lions]]. [[C1:killed|5 [[F3|Tigers]]]] and [[C2:killed|5 [[F4|Lions]]]] died. "
        "In total [[C3:killed|ten people]] died.\n---\nF1 CLASHED_WITH F2\nC1 SUFFERED_BY F3\nC2 SUFFERED_BY F4",
        id="r",
        lang="en",
    )
    (row,) = Records((record, document) for record in read(document)).rows("ucdp")
    assert (row["deaths_a"], row["deaths_b"], row["best"]) == (5, 5, 10)


def killed(marked: str, lang: str) -> tuple[int, int | None]:
    document = inline.parse(marked, id="r", lang=lang)
    (row,) = Records((record, document) for record in read(document)).rows()
    return row["killed_low"], row["killed_high"]


@pytest.mark.parametrize(
    ("lang", "some", "number"),
    [
        ("en", "several fighters", "18 fighters"),
        ("ar", "عشرات المسلحين", "18 مسلحا"),
        ("tr", "onlarca militan", "18 militan"),
        ("fa", "چند شبه‌نظامی", "۱۸ شبه‌نظامی"),
    ],
)
def test_a_number_stands_for_several_or_dozens_elsewhere(lang, some, number):
    text = f"[[F1|Tigers]], [[F2|Lions]]: [[C1:killed|{some}]]\n[[F3|Tigers]], [[F4|Lions]]: [[C2:killed|{number}]]."
    links = "F1 CLASHED_WITH F2\nF3 CLASHED_WITH F4\nC1 SUFFERED_BY F2\nC2 SUFFERED_BY F4"
    assert killed(f"{text}\n---\n{links}", lang) == (18, 18)


def test_of_what_one_source_says_the_largest_number_holds():
    text = "[[F1|Tigers]] killed [[C1:killed|43 [[F2|Lions]]]]. [[C2:killed|16 [[F3|Lions]]]] of these died in one raid."
    assert killed(text + "\n---\nF1 CLASHED_WITH F2\nC1 SUFFERED_BY F2\nC2 SUFFERED_BY F3", "en") == (43, 43)


def test_the_dead_without_a_number_are_those_who_are_counted():
    text = "[[F1|Tigers]] killed [[C1:killed|12 civilians]]. [[C2:killed|The dead]] were buried on Friday."
    assert killed(text + "\n---\nC1 INFLICTED_BY F1", "en") == (12, 12)


def test_whom_a_sentence_adds_up_is_no_longer_of_one_kind():
    text = "[[C1:killed|34 hostages]] died when [[F1|Tigers]] came. [[C2:killed|34 hostages]] and [[C3:killed|15 soldiers]] died."
    assert killed(text + "\n---\nC1 INFLICTED_BY F1", "en") == (49, 49)


@pytest.mark.parametrize(
    ("lang", "dead", "bodies"),
    [
        ("en", "Nine [[F3|Lions]]", "The bodies of five [[F4|Lions]]"),
        ("ar", "تسعة من [[F3|الأسود]]", "جثث خمسة من [[F4|الأسود]]"),
        ("tr", "dokuz [[F3|Aslan]] üyesi", "beş [[F4|Aslan]] üyesinin cesedi"),
        ("fa", "نه عضو [[F3|شیرها]]", "اجساد پنج عضو [[F4|شیرها]]"),
    ],
)
def test_bodies_that_are_found_are_those_of_the_dead(lang, dead, bodies):
    text = f"[[F1|Tigers]], [[F2|Lions]]: [[C1:killed|{dead}]]; [[C2:killed|{bodies}]].\n---\nF1 CLASHED_WITH F2\n"
    assert killed(text + "C1 SUFFERED_BY F2\nC2 SUFFERED_BY F2", lang) == (9, 9)


def test_bodies_of_whom_nothing_else_tells_are_counted():
    text = "[[F1|Tigers]] fought [[F2|Lions]] and left [[C1:killed|seven bodies]].\n---\nF1 CLASHED_WITH F2"
    assert killed(text, "en") == (7, 7)


def test_a_name_in_short_is_no_second_victim_and_two_of_one_family_are_two():
    text = "[[F1|Tigers]] fought [[F2|Lions]]. [[C1:killed|Captain Adam Hale]] and [[C2:killed|{}]] were killed. [[C3:killed|Hale]] was 40."
    links = "\n---\nF1 CLASHED_WITH F2"
    assert killed(text.format("Bob Reed") + links, "en") == (2, 2)
    assert killed(text.format("Bob Hale").replace("[[C3:killed|Hale]]", "[[C3:killed|Adam Hale]]") + links, "en") == (2, 2)
