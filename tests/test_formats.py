import csv
import datetime
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import CLASH, DataError, Document, Relation, Span
from clashnlp.formats import inline, jsonl, read_documents
from clashnlp.formats.plain import Source

WORDS = ["قتل", "ستة", "لروسيا", "Aleppo", "🚨", "Suriye'de", "می‌جنگند", "12", "-", "ﷺ", "\n"]


@st.composite
def documents(draw):
    """Documents with spans that nest but do not cross, of all labels, and relations between them."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
    text = " ".join(words).strip("\n") or "x"
    spans = []
    taken: list[tuple[int, int]] = []
    for at in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        if any(s < start < e < end or start < s < end < e for s, e in taken) or (start, end) in taken:
            continue
        taken.append((start, end))
        label = draw(st.sampled_from(CLASH.labels))
        values = {"outcome": draw(st.sampled_from(CLASH.attributes[0].values))} if label == "CASUALTY" else {}
        spans.append(Span(start, end, label, text[start:end], f"T{at}", attributes=values))
    relations = []
    if len(spans) > 1:
        relations = [Relation(spans[0], spans[1], draw(st.sampled_from([r.label for r in CLASH.relations])))]
    return Document(text, id="d1", lang="ar", spans=tuple(spans), relations=tuple(relations), meta={"source": "own"})


def keys(document):
    spans = {(s.start, s.end, s.label, tuple(s.attributes.items())) for s in document.spans}
    links = {(r.head.start, r.head.end, r.tail.start, r.tail.end, r.label) for r in document.relations}
    return document.text, document.id, document.lang, dict(document.meta), spans, links


@given(documents())
@settings(max_examples=300, deadline=None)
def test_inline_notation_holds_what_was_written(document):
    [back] = inline.read(io.BytesIO(inline.write(document).encode()), Source("f", "f"), on_error=pytest.fail)
    assert keys(back) == keys(document)


@given(documents())
@settings(max_examples=200, deadline=None)
def test_json_lines_hold_what_was_written(document):
    [back] = jsonl.read(io.BytesIO(jsonl.write(document).encode()), Source("f", "f"), on_error=pytest.fail)
    assert back == document


def test_inline_example_of_the_guidelines(tmp_path):
    (tmp_path / "a.inline").write_text(
        "===== id=a lang=ar\n[[C1:killed|ستة قتلى]] من [[F1|الميليشيات [[P1|الإيرانية]]]]\n---\nF1 BACKED_BY P1\n"
        "\n===== id=b lang=en\nNothing.\n---\n",
        encoding="utf-8",
    )
    one, other = read_documents(tmp_path / "a.inline")
    assert one.text == "ستة قتلى من الميليشيات الإيرانية"
    assert [(s.id, s.label, s.text) for s in one.spans] == [
        ("C1", "CASUALTY", "ستة قتلى"),
        ("F1", "FACTION", "الميليشيات الإيرانية"),
        ("P1", "PATRON", "الإيرانية"),
    ]
    assert one.spans[0].attributes == {"outcome": "killed"}
    assert [(r.head.id, r.label, r.tail.id) for r in one.relations] == [("F1", "BACKED_BY", "P1")]
    assert (other.text, other.spans) == ("Nothing.", ())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[[F1|a", "mark F1 is not closed"),
        ("a]] b", "closes nothing"),
        ("[[X1|a]]", "mark X1 has no label"),
        ("[[C1:dead|a]]", "value 'dead'"),
        ("[[F1|a]]\n---\nF1 BACKED_BY P1", "relation line"),
        ("[[F1|a]] [[F1|b]]", "stands 2 times"),
    ],
)
def test_inline_mistakes_name_the_document_and_its_line(tmp_path, body, message):
    path = tmp_path / "x.inline"
    path.write_text(f"===== id=good lang=en\nfine\n---\n===== id=bad lang=en\n{body}\n", encoding="utf-8")
    problems = []
    assert [document.id for document in read_documents(path, on_error=problems.append)] == ["good"]
    assert len(problems) == 1
    assert f"{path}:4: document bad" in str(problems[0])
    assert message in str(problems[0])


@pytest.mark.parametrize("header", ["===== id=b", "===== id=a b lang=en", "=====id=b lang=en", "===== lang=en id=b"])
def test_a_header_that_is_not_well_made_costs_its_document(tmp_path, header):
    """And does not make it a part of the one before."""
    path = tmp_path / "x.inline"
    path.write_text(f"===== id=a lang=en\n[[F1|Red]]\n---\n{header}\n[[P1|Blue]]\n---\n===== id=c lang=en\nfine\n", encoding="utf-8")
    problems = []
    found = list(read_documents(path, on_error=problems.append))
    assert [(document.id, document.text) for document in found] == [("a", "Red"), ("c", "fine")]
    [problem] = problems
    assert f"{path}:4: the header '{header}' must read" in str(problem)


def test_json_lines_go_on_behind_a_broken_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b'{"id": 1, "text": "a", "url": "u"}\n{"text": \n\n[]\n\xff\n{"body": "b"}\n{"text": "c"}\n'
        b'{"text": "ab", "spans": [{"id": "F1", "start": 0, "end": 1, "label": "X", "text": "b"}]}\n'
    )
    problems = []
    found = list(read_documents(path, on_error=problems.append))
    assert [(document.id, document.text, dict(document.meta)) for document in found] == [(1, "a", {"url": "u"}), ("x-7", "c", {})]
    places = [str(problem).split(": ")[0] for problem in problems]
    assert places == [f"{path}:{line}" for line in (2, 4, 5, 6, 8)]
    assert "broken JSON" in str(problems[0])
    assert "span 'F1' at 0-1 reads 'b'" in str(problems[4])
    with pytest.raises(DataError, match=r"x.jsonl:2"):
        list(read_documents(path))


def test_tables(tmp_path):
    rows = [{"id": "r1", "report": 'قتل "ستة"\nجنود, هنا', "lang": "ar", "day": "1"}, {"id": "", "report": "b", "lang": "", "day": "2"}]
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    pq.write_table(pa.Table.from_pylist([{**row, "day": int(row["day"])} for row in rows]), tmp_path / "t.parquet")
    for name, day in (("t.csv", "1"), ("t.parquet", 1)):
        one, other = read_documents(tmp_path / name, text_column="report")
        assert (one.id, one.text, one.lang, dict(one.meta)) == ("r1", rows[0]["report"], "ar", {"day": day})
        assert (other.id, other.lang) == ("t-4" if name == "t.csv" else "t-2", None)
        with pytest.raises(DataError, match=r"no column 'text'; name one with --text-column .*: id, report, lang, day"):
            list(read_documents(tmp_path / name))


def test_one_bad_byte_costs_one_row(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfid,text\n1,a\n2,b\xff\n3,"c\n\xef\xbb\xbfd"\n')
    problems = []
    found = list(read_documents(tmp_path / "a.csv", on_error=problems.append))
    assert [(document.id, document.text) for document in found] == [("1", "a"), ("3", "c\n\ufeffd")]
    assert [str(problem).split(": ")[0] for problem in problems] == [f"{tmp_path}/a.csv:3"]


def test_columns_that_share_a_name_with_the_output(tmp_path):
    (tmp_path / "a.csv").write_text("id,body,text,labels\n1,b,t,pol\n", encoding="utf-8")
    [document] = read_documents(tmp_path / "a.csv", text_column="body")
    row = json.loads(jsonl.write(document))
    assert (row["text"], row["text_"], row["labels_"]) == ("b", "t", "pol")
    assert Document.from_dict(row).text == "b"
    (tmp_path / "b.csv").write_text("id,text,text\n1,a,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="names a column twice: text"):
        list(read_documents(tmp_path / "b.csv"))


def test_reports_with_annotations_of_other_kinds_can_be_predicted(tmp_path):
    rows = [
        {"text": "a", "labels": "politics", "spans": "none", "relations": {}},
        {"body": "b", "text": "t", "spans": [{"start": 9, "end": 10, "label": "X"}]},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [one] = list(read_documents(tmp_path / "a.jsonl", annotated=False, on_error=lambda _: None))[:1]
    assert (one.text, dict(one.meta)) == ("a", {"labels": "politics", "spans": "none", "relations": {}})
    problems = []
    [other] = read_documents(tmp_path / "a.jsonl", annotated=False, text_column="body", on_error=problems.append)
    assert (other.text, dict(other.meta)) == ("b", {"text": "t"})
    assert "there is no key 'body'; name the report's key with --text-column: text, labels" in str(problems[0])


def test_values_that_json_cannot_hold_are_written_all_the_same(tmp_path):
    rows = [{"id": 1.5, "text": "a", "day": datetime.date(2026, 1, 2), "lang": "ar", "raw": b"x"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    [document] = read_documents(tmp_path / "a.parquet")
    assert json.loads(jsonl.write(document))["day"] == "2026-01-02"
    assert document.id == "1.5"
    broken = Document("a", meta={"url": "x\udc80"})
    assert json.loads(jsonl.write(broken).encode("utf-8"))["url"] == "x\udc80"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "n": ' + "9" * 5000 + "}", "broken JSON"),
        ('{"text": "ab", "spans": [{"start": 0, "end": 1, "label": "X", "score": [1]}]}', "'score' must be a number"),
        ("[" * 100_000, "broken JSON"),
    ],
)
def test_odd_json(tmp_path, line, message):
    (tmp_path / "a.jsonl").write_text(line + '\n{"text": "b", "n": NaN}\n')
    problems = []
    [document] = read_documents(tmp_path / "a.jsonl", on_error=problems.append)
    assert dict(document.meta) == {"n": None}
    assert message in str(problems[0])


@pytest.mark.parametrize(
    "document",
    [
        Document("a", id="x"),
        Document("a", id="x y", lang="en"),
        Document("\na", id="x", lang="en"),
        Document("a\r\nb", id="x", lang="en"),
        Document("[a]", id="x", lang="en", spans=(Span(1, 3, "FACTION", "a]", "F1"),)),
        Document("a", id="x", lang="en", meta={"url": "u"}),
        Document("a", id="x", lang="en", labels=("FACTION",)),
    ],
)
def test_inline_notation_refuses_what_it_cannot_hold(document):
    with pytest.raises(DataError, match="inline notation"):
        inline.write(document)


def test_attributes_that_share_a_name_with_the_span(tmp_path):
    values = {"label": "x", "text": "y", "score": "3", "start": "z", "note": "n"}
    document = Document("ab", "d", spans=(Span(0, 1, "FACTION", "a", "T1", attributes=values),))
    row = json.loads(jsonl.write(document))
    assert (row["spans"][0]["label"], row["spans"][0]["label_"], row["spans"][0]["score_"]) == ("FACTION", "x", "3")
    assert Document.from_dict(row) == document


def test_labels_without_a_mark_are_refused(tmp_path):
    own = Document("ab", "x", "en", (Span(0, 1, "PERSON", "a", "T1"),))
    with pytest.raises(DataError, match="there is no mark for PERSON, but only for FACTION"):
        inline.write(own)
    assert inline.write_all([own, Document("c", "y", "en")], tmp_path / "a.inline").documents == 1


def test_broken_tables(tmp_path):
    problems = []
    (tmp_path / "a.csv").write_text("id,text\n1,a\n2,b,c\n3,d\n", encoding="utf-8")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "c.csv").write_bytes(b"")
    found = [document.text for document in read_documents(tmp_path, on_error=problems.append)]
    assert found == ["a", "d"]
    assert [str(problem).split(": ")[0] for problem in problems] == [f"{tmp_path}/{name}" for name in ("a.csv:3", "b.parquet", "c.csv")]


def test_a_broken_row_of_a_table_is_named_by_the_line_where_it_begins(tmp_path):
    problems = []
    (tmp_path / "a.csv").write_text('id,text\n1,"a\nb"\n2,"never closed\n3,c\n', encoding="utf-8")
    (tmp_path / "b.csv").write_text('id,"te"xt\n1,a\n', encoding="utf-8")
    (tmp_path / "c.csv").write_text("\nid,text\n1,a\n", encoding="utf-8")
    assert [document.text for document in read_documents(tmp_path, on_error=problems.append)] == ["a\nb"]
    assert [str(problem).split(": ")[0] for problem in problems] == [f"{tmp_path}/{name}" for name in ("a.csv:4", "b.csv:1", "c.csv")]
    assert "close every quote" in str(problems[0]) and "its first line is empty" in str(problems[2])


def test_tables_of_a_spreadsheet_with_semicolons(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffid;text;lang\r\n1;"İki asker, ""dün"";\r\nöldü";tr\r\n'.encode())
    [document] = read_documents(tmp_path / "a.csv")
    assert (document.id, document.text, document.lang) == ("1", 'İki asker, "dün";\r\nöldü', "tr")


def test_a_long_report_fits_into_a_csv_field(tmp_path):
    text = "كلمة " * 200_000
    (tmp_path / "a.csv").write_text(f"text\n{text}\n", encoding="utf-8")
    [document] = read_documents(tmp_path / "a.csv")
    assert document.text == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"caf\xe9", "is not UTF-8 .byte 0xe9 at 3."),
        (b"a\0b", "holds a zero byte at 1"),
        ("abc".encode("utf-16"), "is UTF-16"),
    ],
)
def test_files_that_are_no_utf8_text(tmp_path, data, message):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DataError, match=message):
        list(read_documents(tmp_path / "a.txt"))


def test_folders_are_read_in_order_with_the_rest_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_bytes("\ufeffbe\r\n".encode())
    (tmp_path / "sub" / "a.txt").write_text("sub", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "a"}) + "\n", encoding="utf-8")
    (tmp_path / "ignored.pdf").write_bytes(b"%PDF")
    found = list(read_documents(tmp_path))
    assert [(document.id, document.text) for document in found] == [("a-1", "a"), ("b", "be\r\n"), ("sub/a", "sub")]
    problems = []
    assert list(read_documents(tmp_path / "ignored.pdf", on_error=problems.append)) == []
    assert list(read_documents(tmp_path / "missing.txt", on_error=problems.append)) == []
    assert "no reader for .pdf" in str(problems[0])
    assert "No such file" in str(problems[1])
