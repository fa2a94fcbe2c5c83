import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_brat import TEXT, VALUES, documents, keys
from test_brat import reading as read_with

from clashnlp import DataError, Document, Relation, Span
from clashnlp.formats import webanno

HEADER = """#FORMAT=WebAnno TSV 3.3
#T_SP=webanno.custom.ClashSpan|label
#T_RL=webanno.custom.ClashRel|label|BT_webanno.custom.ClashSpan


"""
ROWS = """1-1	0-2	🚨	_	_	_
1-2	3-9	Houthi	FACTION[1]	_	_
1-3	10-18	fighters	FACTION[1]	_	_
1-4	19-25	backed	_	_	_
1-5	26-28	by	_	_	_
1-6	29-33	Iran	PATRON	BACKED_BY	1-2[1_0]
1-7	34-40	killed	_	_	_
1-8	41-44	two	CASUALTY[2]	INFLICTED	1-2[1_2]
1-9	45-53	soldiers	CASUALTY[2]	_	_
1-10	54-58	near	_	_	_
1-11	59-64	Marib	LOCATION	AT	1-8[2_0]
1-12	64-65	.	_	_	_
"""
# A tab ends every row.
SAMPLE = f"{HEADER}#Text={TEXT}\n" + ROWS.replace("\n", "\t\n")


def reading(path, **options):
    return read_with(path, webanno, **options)


def one(tmp_path, data, **options):
    (tmp_path / "x.tsv").write_bytes(data.encode())
    found, account, problems = reading(tmp_path / "x.tsv", **options)
    assert problems == []
    return found[0], account


def shape(document):
    spans = [(span.text, span.label, dict(span.attributes)) for span in document.spans]
    return spans, [(r.head.text, r.label, r.tail.text) for r in document.relations]


def test_sample(tmp_path):
    document, account = one(tmp_path, SAMPLE)
    assert (document.id, document.text) == ("x", TEXT)
    assert [(span.id, span.start, span.end, span.label) for span in document.spans] == [
        ("T1", 2, 17, "FACTION"),
        ("T2", 28, 32, "PATRON"),
        ("T3", 40, 52, "CASUALTY"),
        ("T4", 58, 63, "LOCATION"),
    ]
    assert shape(document)[1] == [
        ("Houthi fighters", "BACKED_BY", "Iran"),
        ("Houthi fighters", "INFLICTED", "two soldiers"),
        ("two soldiers", "AT", "Marib"),
    ]
    assert (account.dropped, account.repaired) == ({}, {})


@pytest.mark.parametrize("change", [lambda data: data.replace("\n", "\r\n"), lambda data: "\ufeff" + data])
def test_line_ends_and_byte_order_marks(tmp_path, change):
    assert one(tmp_path, change(SAMPLE))[0].text == TEXT


def test_the_sample_is_written_as_it_was(tmp_path):
    document, _ = one(tmp_path, SAMPLE)
    account = webanno.write([document], tmp_path / "y.tsv")
    assert (account.documents, account.spans, account.relations, account.dropped) == (1, 4, 3, {})
    # INCEpTION escapes the underscore in values, and takes both forms.
    assert (tmp_path / "y.tsv").read_text(encoding="utf-8") == SAMPLE.replace("BACKED_BY", "BACKED\\_BY")


def test_offsets_in_code_points(tmp_path):
    lines = SAMPLE.split("\n")
    for at, line in enumerate(lines):
        if line[:2] == "1-":
            unit, extent, rest = line.split("\t", 2)
            start, end = (int(place) - (place != "0") for place in extent.split("-"))
            lines[at] = f"{unit}\t{start}-{end}\t{rest}"
    document, account = one(tmp_path, "\n".join(lines))
    assert shape(document)[0][0] == ("Houthi fighters", "FACTION", {})
    assert account.repaired == {"offsets in code points, where the format wants UTF-16": ["x"]}


def test_stacks_values_and_escapes(tmp_path):
    data = """#FORMAT=WebAnno TSV 3.2
#T_SP=webanno.custom.Loss|kind|value|score


#Text=a\\\\b c\\tdé
#Text=f\\rg
1-1\t0-3\ta\\b\t*[1]|x\\|y[2]\tKILLED[1]|\\_\\*\\[1\\]\\->\\;\\\\[2]\t0.5[1]|*[2]\t
1-2\t4-5\tc\t_\t_\t_\t
1-2.1\t4-4\t\tempty\tZERO\t*\t
1-3\t6-8\tdé\t*\t*\t*\t
1-4\t9-10\tf\t*[1]\tKILLED[1]\t0.5[1]\t
1-5\t11-12\tg\tA\t\tB\t
"""
    document, account = one(tmp_path, data)
    assert document.text == "a\\b c\tdé\nf\rg"
    assert shape(document)[0] == [("a\\b c\tdé\nf", "KILLED", {}), ("a\\b", "_*[1]->;\\", {"kind": "x|y"})]
    assert [span.score for span in document.spans] == [0.5, None]
    assert account.dropped == {"spans that are empty or outside the text": ["x/1-2.1"], "spans without a label": ["x/1-3", "x/1-5"]}
    assert shape(one(tmp_path, data, label="kind")[0])[0] == [
        ("a\\b", "x|y", {"value": "_*[1]->;\\"}),
        ("g", "A", {"value": "", "score_": "B"}),
    ]


def test_parts_of_tokens(tmp_path):
    data = """#FORMAT=WebAnno TSV 3.3
#T_SP=webanno.custom.Faction|
#T_SP=webanno.custom.ClashSpan|label|outcome


#Text=aaaaaa bbbbbb cccccc
1-1\t0-6\taaaaaa\t_\t_\t_\t
1-1.1\t3-6\taaa\t_\tX[1]|CASUALTY:killed[2]\t*[1]|*[2]\t
1-2\t7-13\tbbbbbb\t*\tX[1]|CASUALTY:killed[2]\t*[1]|*[2]\t
1-3\t14-20\tcccccc\t_\tCASUALTY:killed[2]\t*[2]\t
1-3.1\t14-17\tccc\t_\tX[1]\t*[1]\t
1-3.2\t15-16\tc\t_\tY\twounded\t
"""
    document, account = one(tmp_path, data)
    assert shape(document)[0] == [
        ("aaa bbbbbb cccccc", "CASUALTY", {"outcome": "killed"}),
        ("aaa bbbbbb ccc", "X", {}),
        ("bbbbbb", "Faction", {}),
        ("c", "Y", {"outcome": "wounded"}),
    ]
    assert account.dropped == {}
    assert shape(one(tmp_path, data, layers=["Faction"])[0])[0] == [("bbbbbb", "Faction", {})]


def test_sentences_and_what_stands_between_them(tmp_path):
    data = """#FORMAT=WebAnno TSV 3.3
#T_SP=webanno.custom.ClashSpan|label


#Text=One 🚨.
1-1\t2-5\tOne\t_\t
1-2\t6-9\t🚨.\tX[1]\t

#Sentence.id=s2
#Text=Two.
2-1\t10-13\tTwo\tX[1]\t
2-2\t13-14\t.\t_\t

#Text=Three
#Text=four
3-1\t14-19\tThree\t_\t
3-2\t20-24\tfour\tY\t

#Text=Five
4-1\t27-31\tFive\tZ\t
"""
    document, account = one(tmp_path, data)
    assert document.text == "  One 🚨.\nTwo.Three\nfour\n  Five"
    assert shape(document)[0] == [("🚨.\nTwo", "X", {}), ("four", "Y", {}), ("Five", "Z", {})]
    assert account.repaired == {"text between sentences, which the format does not hold, filled with spaces": ["x"]}


def test_relations_between_stacked_spans_slots_and_chains(tmp_path):
    entity = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
    pos = "de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS"
    dependency = "de.tudarmstadt.ukp.dkpro.core.api.syntax.type.dependency.Dependency"
    data = f"""#FORMAT=WebAnno TSV 3.3
#T_SP={pos}|PosValue
#T_SP={entity}|identifier|value
#T_SP=webanno.custom.Fight|ROLE_webanno.custom.Fight:Roles_webanno.custom.FightRolesLink|uima.tcas.Annotation|kind
#T_CH=de.tudarmstadt.ukp.dkpro.core.api.coref.type.CoreferenceLink|referenceType|referenceRelation
#T_RL={dependency}|DependencyType|BT_{pos}
#T_RL=webanno.custom.Link|value|BT_{entity}


#Text=a b c
1-1\t0-1\ta\tN\t*[1]|http://x\\_y[2]\tORG[1]|LOC[2]\t_\t_\t_\tpr[1]\tcoref->1-1\tsubj\t1-2\tIN|*\t1-2[0_2]|1-1[2_1]\t
1-2\t2-3\tb\tV\t*\tPER\tside;*\t1-1[1];1-9\tRAID\t_\t_\t_\t_\tTO\t1-1[1_0]\t
1-3\t4-5\tc\tN\t_\t_\t*;x[3]|*[4]\t1-2;1-1[2]|*\tRAID[3]|WAR[4]\t_\t_\t_\t_\t_\t_\t
"""
    document, account = one(tmp_path, data)
    assert sorted(shape(document)[0], key=str) == [
        ("a", "LOC", {"identifier": "http://x_y"}),
        ("a", "ORG", {}),
        ("b", "PER", {}),
        ("b", "RAID", {}),
        ("c", "RAID", {}),
        ("c", "WAR", {}),
    ]
    found = {(r.head.label, r.label, r.tail.label) for r in document.relations}
    assert found == {("PER", "IN", "LOC"), ("ORG", "TO", "PER"), ("RAID", "side", "ORG"), ("RAID", "Roles", "PER"), ("RAID", "x", "LOC")}
    assert account.dropped == {
        f"layers that are not read: {pos}": ["x"],
        f"layers that are not read: {dependency}": ["x"],
        "chains": ["x"],
        "relations without a label": ["x/1-1"],
        "relations of a span that is not there": ["x/T4-1-9", "x/T6-*"],
    }
    assert account.repaired == {"slots of spans, read as relations": ["x/1-2", "x/1-3", "x/1-3"]}


def test_damaged_rows_are_named_and_cost_nothing_else(tmp_path):
    lines = SAMPLE.split("\n")
    lines[10] = lines[10].replace("by", "BY").replace("_\t_\t_", "X\t_\t_")
    lines[8] = "1-3 10-18 fighters FACTION[1]"
    lines[12] = "1-7\t34-40\tkilled\t_"
    lines[16] = "1-11\t59-640\tMarib\tLOCATION\tAT\t1-8[2_0]\t"
    path = tmp_path / "x.tsv"
    path.write_text("\n".join(lines), encoding="utf-8")
    [document], account, problems = reading(path)
    assert [problem.split(": ")[0] for problem in problems] == [f"{path}:{line}" for line in (9, 13, 11, 17)]
    assert shape(document)[0] == [("Houthi", "FACTION", {}), ("Iran", "PATRON", {}), ("two soldiers", "CASUALTY", {})]
    assert account.dropped == {
        "spans on rows that do not fit the text": ["x/1-5", "x/1-11"],
        "relations of a span that is not there": ["x/T3-1-11[0]"],
    }


@pytest.mark.parametrize("data", ["", "#FORMAT=WebAnno TSV 2.0\n", "a\tb\n"])
def test_other_files(tmp_path, data):
    (tmp_path / "x.tsv").write_text(data)
    found, _, problems = reading(tmp_path / "x.tsv")
    assert found == []
    assert [problem.split(": ")[0] for problem in problems] == [f"{tmp_path}/x.tsv:1"]


def test_several_annotators_as_inception_exports_them(tmp_path):
    with zipfile.ZipFile(tmp_path / "project.zip", "w") as archive:
        for name in ("annotation/a.txt/INITIAL_CAS", "annotation/a.txt/alice", "annotation/a.txt/bob", "curation/a.txt/CURATION_USER"):
            archive.writestr(f"{name}.tsv", SAMPLE)
        archive.writestr("source/a.txt", TEXT)
    found, account, problems = reading(tmp_path / "project.zip")
    assert problems == []
    assert [(document.id, document.meta["annotator"]) for document in found] == [
        ("a.txt", who) for who in ("alice", "bob", "CURATION_USER")
    ]
    assert account.dropped == {"states before any annotation (INITIAL_CAS)": ["annotation/a.txt/INITIAL_CAS.tsv"]}
    assert webanno.write(found, tmp_path / "out").dropped == {}
    again, _, _ = reading(tmp_path / "out")
    assert sorted(map(keys, again), key=str) == sorted(map(keys, found), key=str)


def test_what_the_format_cannot_hold_is_counted(tmp_path):
    text = "\n a b"
    spans = (Span(0, 2, "X", "\n ", "B1"), Span(1, 3, "Y", " a", "B2", 0.25, {"my-name": "n", "kind": ""}))
    document = Document(text, 7, "en", spans, (Relation(spans[0], spans[1], "AT"),), labels=("X",), meta={"url": "u"})
    account = webanno.write([document, Document("\0")], tmp_path / "out")
    assert (account.documents, account.spans, account.relations) == (1, 1, 0)
    assert set(account.dropped) == {
        "languages",
        "lists of the labels annotated for",
        "meta data: url",
        "spans of white space alone",
        "attributes whose name the format cannot hold: my-name",
        "texts with zero bytes",
    }
    assert set(account.repaired) == {
        "white space at the start of texts, written as spaces",
        "white space at the edges of spans, left outside",
    }
    [back], _, problems = reading(tmp_path / "out")
    assert problems == []
    assert (back.text, back.id, shape(back)[0], back.spans[0].score) == ("  a b", "7", [("a", "Y", {"kind": ""})], 0.25)
    with pytest.raises(DataError, match="holds one document"):
        webanno.write([document, document], tmp_path / "x.tsv")


def test_sentences_are_not_cut_inside_spans(tmp_path):
    text = "One. Two.\n\nThree. Four.\nFive"
    document = Document(text, "x", spans=(Span(13, 22, "X", text[13:22], "T1"),))
    webanno.write([document], tmp_path / "x.tsv")
    texts = [line for line in (tmp_path / "x.tsv").read_text().splitlines() if line.startswith("#Text")]
    assert texts == ["#Text=One. ", "#Text=Two.", "#Text=", "#Text=", "#Text=Three. Four.", "#Text=Five"]
    assert keys(reading(tmp_path / "x.tsv")[0][0]) == keys(document)


def holds(surface):
    return surface == surface.strip()


@given(documents(whole=holds, scores=True, values=[*VALUES, "", "\n\t\r", "->"], first="  x"))
@settings(max_examples=50, deadline=None)
def test_writing_then_reading_is_the_identity(tmp_path_factory, document):
    folder = tmp_path_factory.mktemp("webanno")
    account = webanno.write([document], folder)
    assert (account.dropped, account.repaired) == ({}, {})
    [back], account, problems = reading(folder)
    assert (problems, account.dropped) == ([], {})
    assert keys(back) == keys(document)


@given(documents(whole=holds))
@settings(max_examples=50, deadline=None)
def test_texts_without_leading_white_space_come_back_without_a_note(tmp_path_factory, document):
    if document.text[:1].isspace():
        return
    folder = tmp_path_factory.mktemp("webanno")
    webanno.write([document], folder)
    [back], account, problems = reading(folder)
    assert (problems, account.dropped, account.repaired) == ([], {}, {})
    assert keys(back) == keys(document)


@given(st.text(st.sampled_from("ab\\\t|;[]_*->\n"), max_size=8))
@settings(max_examples=50, deadline=None)
def test_cells(value):
    cell = webanno._cell(value, 3)
    assert webanno._split(f"{cell}|{cell}", "|") == [cell, cell]
    match = webanno._SUFFIX.fullmatch(cell)
    assert (webanno._unescape(match[1]), match[2]) == (value, "3")
