import pytest
from hypothesis import given, settings
from test_labelstudio import TEXT, content, documents

from clashnlp import Document, Relation, Span
from clashnlp.formats import conll
from clashnlp.formats.exchange import Account

SAMPLE = "-DOCSTART- -X- O O\nHouthi\tB-FACTION\nfighters\tI-FACTION\nbacked\tO\nby\tO\nIran\tB-PATRON\n\nMarib\tB-LOCATION\n"


@pytest.fixture
def load(tmp_path):
    def read(text, **options):
        path = tmp_path / "set.conll"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        account, problems = Account(), []
        found = list(conll.read(path, account=account, on_error=problems.append, **options))
        return found, account, [str(problem) for problem in problems]

    return read


def spans(document):
    return [(s.label, s.text) for s in document.spans]


def held(document):
    """The spans that one column of tags holds, without ids and scores."""
    kept = []
    for span in sorted(document.spans, key=lambda span: span.start - span.end):
        if span.text.strip() and not any(span.start < other.end and other.start < span.end for other in kept):
            kept.append(span)
    found = []
    for span in kept:
        start = span.start + len(span.text) - len(span.text.lstrip())
        found.append((start, start + len(span.text.strip()), span.label, span.attributes.get("outcome")))
    return sorted(found, key=str)


@given(documents())
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("a") / "a.conll"
    account, read = conll.write([document, document], path), Account()
    back = list(conll.read(path, account=read, on_error=pytest.fail))
    assert len(back) == 2
    for one in back:
        assert content(one)[:5] == content(document)[:5]
        assert sorted(((s.start, s.end, s.label, s.attributes.get("outcome")) for s in one.spans), key=str) == held(document)
    assert (read.spans, read.repaired, read.dropped) == (account.spans, {}, {})
    assert account.spans == 2 * len(held(document))
    assert len(account.dropped.get("relations", [])) == 2 * len(document.relations)


def test_the_sample(load):
    [document], account, problems = load(SAMPLE)
    assert (document.id, document.text) == ("set-1", "Houthi fighters backed by Iran\nMarib")
    assert spans(document) == [("FACTION", "Houthi fighters"), ("PATRON", "Iran"), ("LOCATION", "Marib")]
    assert (account.repaired, account.dropped, problems) == ({}, {}, [])


def test_what_one_document_is(load):
    text = SAMPLE.partition("\n")[2]
    assert [d.text for d in load(text)[0]] == ["Houthi fighters backed by Iran", "Marib"]
    assert [d.text for d in load(text, documents="file")[0]] == ["Houthi fighters backed by Iran\nMarib"]
    assert [d.id for d in load(SAMPLE * 2)[0]] == ["set-1", "set-9"]
    assert [d.id for d in load(SAMPLE, documents="sentence")[0]] == ["set-1", "set-8"]


@pytest.mark.parametrize(
    ("tags", "repaired"),
    [
        ("B-F I-F O B-F B-F O", 0),  # IOB2
        ("I-F I-F O I-F B-F O", 0),  # IOB1
        ("B-F L-F O U-F U-F O", 0),  # BILOU
        ("B-F E-F O S-F S-F O", 0),  # BIOES
        ("B-F I-F O I-F B-F O", 1),  # IOB2 with a mistake
        ("B_F I_F O B_F B_F _", 0),
    ],
)
def test_schemes(load, tags, repaired):
    rows = [f"w{at} {tag}" for at, tag in enumerate(tags.split())]
    [document], account, _ = load("\n".join(rows))
    assert spans(document) == [("F", "w0 w1"), ("F", "w3"), ("F", "w4")]
    assert len(account.repaired.get("spans that begin with I-", [])) == repaired
    assert account.repaired in ({}, {"spans that begin with I-": ["set-1/4"]})


def test_tags_without_prefixes_and_changes_of_label(load):
    assert spans(load("a\tF\nb\tF\nc\tP\nd\tO\n")[0][0]) == [("F", "a b"), ("P", "c")]
    [document], account, _ = load("a\tB-F\nb\tI-P\nc\tI-P\n")
    assert spans(document) == [("F", "a"), ("P", "b c")]
    assert account.repaired == {"spans that begin with I-": ["set-1/2"]}


@pytest.mark.parametrize(
    "text",
    [
        "Iran NNP B-NP B-PATRON\nand CC O O\nQom NNP B-NP B-LOCATION",
        "Iran  B-PATRON\nand  O\nQom  B-LOCATION\n",
        "1\tIran\t_\tB-PATRON\n2\tand\t_\tO\n3-4\tQomand\t_\t_\n3\tQom\t_\tB-LOCATION\n",
        "\ufeffIran\tB-PATRON\r\nand\tO\r\nQom\tB-LOCATION\r\n\r\n",
    ],
)
def test_columns(load, text):
    [document], _, problems = load(text)
    assert (document.text, spans(document), problems) == ("Iran and Qom", [("PATRON", "Iran"), ("LOCATION", "Qom")], [])


def test_the_column_of_the_tags_can_be_named(load):
    assert spans(load("Iran B-PATRON x\nQom O y\n", column=1)[0][0]) == [("PATRON", "Iran")]
    assert "has no word and tag" in load("Iran B-PATRON\n", column=7)[2][0]


def test_tags_before_the_words_are_read_where_they_are_named_and_else_refused(load):
    tagged = "B-FACTION\tHouthi\nI-FACTION\tfighters\nO\tfrom\nB-PATRON\tIran\n"
    found, _, problems = load(tagged)
    assert found == [] and "the first column holds the tags; name it with column=0" in problems[0]
    [document], _, _ = load(tagged, column=0)
    assert (document.text, spans(document)) == ("Houthi fighters from Iran", [("FACTION", "Houthi fighters"), ("PATRON", "Iran")])
    [document], _, _ = load("1\tIran\tB-PATRON\n", column=2)
    assert spans(document) == [("PATRON", "Iran")]


@pytest.mark.parametrize("tag", ["B", "B-"])
def test_tags_without_a_label_are_refused(load, tag):
    found, _, problems = load(f"Iran\t{tag}\nhit\tO\n")
    assert found == [] and f"line 1 has the tag {tag!r}" in problems[0]


def test_text_lines_give_the_text_back(load):
    text = (
        "# sent_id = s1\n# text = Iran-backed  men, in Marib.\n"
        "Iran\tB-PATRON\n-\tO\nbacked\tO\nmen\tO\n,\tO\nin\tO\nMarib\tB-LOCATION\n.\tO\n\n"
        '# sent_id = s2\n# text = "Iran."\n"\tO\nIran\tB-PATRON\n.\tO\n"\tO\n\n'
        "# sent_id = s3\n# text = Something else\nIran\tB-PATRON\nleft\tO\n"
    )
    found, account, _ = load(text)
    assert [(d.id, d.text) for d in found] == [("s1", "Iran-backed  men, in Marib."), ("s2", '"Iran."'), ("s3", "Iran left")]
    assert [(s.start, s.end) for s in found[0].spans] == [(0, 4), (21, 26)]
    assert account.repaired == {"texts that do not hold their words, joined by spaces": ["s3"]}


def test_sentences_of_one_document_with_a_text_each(load):
    text = (
        "# newdoc id = d\n# genre = news\n# text = In Marib.\nIn\tO\nMarib\tB-L\n.\tO\n\n"
        "# text = Iran left.\nIran\tB-P\nleft\tO\n.\tO\n\n# newdoc\n# text = a\na\tO\n"
    )
    one, other = load(text)[0]
    assert (one.id, one.text, dict(one.meta)) == ("d", "In Marib.\nIran left.", {"genre": "news"})
    assert spans(one) == [("L", "Marib"), ("P", "Iran")]
    assert (other.id, other.text) == ("set-13", "a")


def test_the_export_of_label_studio(load):
    text = "-DOCSTART- -X- O\nTroops -X- _ B-FACTION\nleft -X- _ O\nMarib -X- _ B-LOCATION\n\nQuiet -X- _ O\n\n"
    one, other = load(text)[0]
    assert (one.text, spans(one), other.text) == ("Troops left Marib", [("FACTION", "Troops"), ("LOCATION", "Marib")], "Quiet")


def test_shared_task_of_2021(load):
    text = "SAMPLE_START\tO\nTroops\tB-participant\nleft\tO\n[SEP]\tO\nMarib\tB-place\n\nSAMPLE_START\tO\nQuiet\tO\n"
    one, other = load(text)[0]
    assert (one.text, spans(one), other.text) == ("Troops left\nMarib", [("participant", "Troops"), ("place", "Marib")], "Quiet")


def test_words_cut_into_letters_are_refused(load):
    letters = "".join(f"{letter}\t{tag}\n" for letter, tag in zip("الحجابفيصنعاء", ["B-P", *["I-P"] * 5, *["O"] * 7], strict=True))
    found, _, problems = load(f"{letters}\nصنعاء\tB-L\n")
    assert [d.text for d in found] == ["صنعاء"]
    assert "set.conll:1: the words are cut into single letters" in problems[0]
    [document] = load("# text = الحجاب في صنعاء\n" + letters)[0]
    assert spans(document) == [("P", "الحجاب")]


def test_hash_signs_are_words_where_they_have_tags(load):
    [document] = load("# newdoc id = d\n#\tO\n#Marib\tB-L\n")[0]
    assert (document.text, spans(document)) == ("# #Marib", [("L", "#Marib")])
    [document] = load("# O\n#Marib B-L\n")[0]
    assert document.text == "# #Marib"


def test_outcomes_in_labels(load):
    [document] = load("two\tB-CASUALTY:killed\nmen\tI-CASUALTY:killed\nat\tB-X:y\n")[0]
    assert [(s.label, dict(s.attributes)) for s in document.spans] == [("CASUALTY", {"outcome": "killed"}), ("X:y", {})]


def test_problems_name_the_line(load, tmp_path):
    found, account, problems = load(b"a\tO\n\nIran\n\nb\tO\n\n\xff\tO\n\nc\tB-F\n\nd\tXX\n")
    assert [d.text for d in found] == ["a", "b", "c"]
    place = f"{tmp_path}/set.conll"
    assert [problem.partition(": ")[0] for problem in problems] == [f"{place}:3", f"{place}:7", f"{place}:11"]
    assert "line 11 has the tag 'XX'" in problems[2]
    assert account.dropped == {"documents with broken lines": [f"{place}:3", f"{place}:7"]}
    list(conll.read(tmp_path / "gone", account=Account(), on_error=problems.append))
    assert "there is no such file" in str(problems[-1])
    assert load("")[0] == []


def test_what_cannot_be_written_is_counted(tmp_path):
    outer, inner = Span(2, 17, "FACTION", "Houthi fighters", "F1", 0.5), Span(9, 17, "CASUALTY", "fighters", "C1")
    blank, wide = Span(1, 2, "LOCATION", " ", "L1"), Span(27, 32, "PATRON", " Iran", "P1", attributes={"note": "n"})
    document = Document(TEXT, id="d", spans=(outer, inner, blank, wide), relations=(Relation(outer, wide, "BACKED_BY"),))
    account = conll.write([document], tmp_path / "a.conll")
    assert (account.documents, account.spans, account.relations) == (1, 2, 0)
    assert account.dropped == {
        "spans that overlap a longer one": ["d/C1"],
        "spans of white space": ["d/L1"],
        "scores": ["d/F1"],
        "white space at the ends of spans": ["d/P1"],
        "relations": ["d/F1-P1"],
        "attributes that a label cannot hold: note": ["d/P1"],
    }


def test_sentences_are_set_apart_where_no_span_crosses(tmp_path):
    text = "Iran left. Men\nfell in Marib."
    document = Document(text, id="d", spans=(Span(11, 19, "CASUALTY", "Men\nfell", "C1"),))
    conll.write([document], tmp_path / "a.conll")
    blocks = (tmp_path / "a.conll").read_text(encoding="utf-8").strip().split("\n\n")
    assert [block.count("\n") for block in blocks] == [4, 4]
    [back] = conll.read(tmp_path / "a.conll", account=Account(), on_error=pytest.fail)
    assert (back.text, spans(back)) == (text, [("CASUALTY", "Men\nfell")])


def test_without_comments(tmp_path):
    document = Document("Iran left", id="d", spans=(Span(0, 4, "PATRON", "Iran", "P1"),))
    account = conll.write([document], tmp_path / "a.conll", comments=False)
    assert (tmp_path / "a.conll").read_text(encoding="utf-8") == "-DOCSTART-\tO\n\nIran\tB-PATRON\nleft\tO\n\n"
    assert account.dropped == {"ids, texts and meta data, without comments": ["d"]}
    [back] = conll.read(tmp_path / "a.conll", account=Account(), on_error=pytest.fail)
    assert (back.text, spans(back)) == ("Iran left", [("PATRON", "Iran")])


def test_seqeval_reads_the_tags(tmp_path):
    metrics = pytest.importorskip("seqeval.metrics.sequence_labeling")
    spans = (
        Span(2, 17, "FACTION", "Houthi fighters", "F1"),
        Span(40, 52, "CASUALTY", "two soldiers", "C1", attributes={"outcome": "killed"}),
    )
    conll.write([Document(TEXT, id="d", spans=spans)], tmp_path / "a.conll")
    lines = (tmp_path / "a.conll").read_text(encoding="utf-8").splitlines()
    tags = [line.split("\t")[1] for line in lines if "\t" in line]
    assert metrics.get_entities(tags) == [("FACTION", 1, 2), ("CASUALTY:killed", 7, 8)]
