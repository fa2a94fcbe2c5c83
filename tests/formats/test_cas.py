import io
import json
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_brat import TEXT, VALUES, documents, keys
from test_brat import reading as read_with

from clashnlp import DataError, Document, MissingDependencyError, Relation, Span
from clashnlp.formats import cas

cassis = pytest.importorskip("cassis")

DKPRO = "de.tudarmstadt.ukp.dkpro.core.api."


def reading(path, **options):
    return read_with(path, cas, **options)


def type_system(*further):
    layers = "".join(
        f"<typeDescription><name>{name}</name><supertypeName>{above}</supertypeName><features>"
        + "".join(
            f"<featureDescription><name>{feature}</name><rangeTypeName>{kind}</rangeTypeName></featureDescription>"
            for feature, kind in features.items()
        )
        + "</features></typeDescription>"
        for name, above, features in (
            ("webanno.custom.ClashSpan", "uima.tcas.Annotation", {"label": "uima.cas.String", "outcome": "uima.cas.String"}),
            (
                "webanno.custom.ClashRel",
                "uima.tcas.Annotation",
                {"Governor": "uima.tcas.Annotation", "Dependent": "uima.tcas.Annotation", "label": "uima.cas.String"},
            ),
            *further,
        )
    )
    spaces = 'xmlns="http://uima.apache.org/resourceSpecifier"'
    return f'<?xml version="1.0" encoding="UTF-8"?><typeSystemDescription {spaces}><types>{layers}</types></typeSystemDescription>'


def xmi(body, members, head='<?xml version="1.0" encoding="UTF-8"?>', text=TEXT):
    return f"""{head}
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:tcas="http:///uima/tcas.ecore"
 xmlns:custom="http:///webanno/custom.ecore" xmlns:type="http:///de/tudarmstadt/ukp/dkpro/core/api/metadata/type.ecore" xmi:version="2.0">
<cas:NULL xmi:id="0"/>
{body}
<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="{text}"/>
<cas:View sofa="1" members="{members}"/>
</xmi:XMI>"""


BODY = """<tcas:DocumentAnnotation xmi:id="8" sofa="1" begin="0" end="65" language="x-unspecified"/>
<custom:ClashSpan xmi:id="20" sofa="1" begin="3" end="18" label="FACTION"/>
<custom:ClashSpan xmi:id="21" sofa="1" begin="29" end="33" label="PATRON"/>
<custom:ClashSpan xmi:id="22" sofa="1" begin="41" end="53" label="CASUALTY" outcome="killed"/>
<custom:ClashRel xmi:id="30" sofa="1" begin="29" end="33" Governor="20" Dependent="21" label="BACKED_BY"/>
"""
SAMPLE = xmi(BODY, "8 20 21 22 30")


def put(folder, data=SAMPLE, types=None, name="x.xmi"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "TypeSystem.xml").write_text(types or type_system(), encoding="utf-8")
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder / name


def shape(document):
    spans = [(span.id, span.text, span.label, dict(span.attributes)) for span in document.spans]
    return spans, [(r.head.id, r.label, r.tail.id) for r in document.relations]


EXPECTED = (
    [
        ("20", "Houthi fighters", "FACTION", {}),
        ("21", "Iran", "PATRON", {}),
        ("22", "two soldiers", "CASUALTY", {"outcome": "killed"}),
    ],
    [("20", "BACKED_BY", "21")],
)


@pytest.mark.parametrize("data", [SAMPLE, "\ufeff" + SAMPLE, SAMPLE.replace("\n", "\r\n")])
def test_sample(tmp_path, data):
    [document], account, problems = reading(put(tmp_path, data))
    assert problems == []
    assert (document.id, document.text, document.lang, dict(document.meta)) == ("x", TEXT, None, {})
    assert shape(document) == EXPECTED
    assert (account.dropped, account.repaired, account.spans, account.relations) == ({}, {}, 3, 1)


def test_json_of_the_library(tmp_path):
    put(tmp_path)
    with (tmp_path / "TypeSystem.xml").open("rb") as file:
        types = cassis.load_typesystem(file)
    with (tmp_path / "x.xmi").open("rb") as file:
        loaded = cassis.load_cas_from_xmi(file, typesystem=types)
    (tmp_path / "json").mkdir()
    loaded.to_json(tmp_path / "json" / "y.json")
    [document], account, problems = reading(tmp_path / "json")
    assert (problems, account.dropped) == ([], {})
    assert (document.text, shape(document)) == (TEXT, EXPECTED)
    (tmp_path / "json" / "project.json").write_text("{}")
    assert reading(tmp_path / "json")[1].dropped == {"JSON files that are no CAS": ["project.json"]}
    [problem] = reading(tmp_path / "json" / "project.json")[2]
    assert "is no CAS, or a damaged one" in problem


def test_the_library_reads_what_is_written(tmp_path):
    [document], _, _ = reading(put(tmp_path / "in"))
    document = Document(document.text, "d", "en", document.spans, document.relations)
    assert cas.write([document], tmp_path / "out").dropped == {}
    with (tmp_path / "out" / "TypeSystem.xml").open("rb") as file:
        types = cassis.load_typesystem(file)
    with (tmp_path / "out" / "d.xmi").open("rb") as file:
        loaded = cassis.load_cas_from_xmi(file, typesystem=types)
    spans = loaded.select(cas.SPAN_LAYER)
    assert [(fs.get_covered_text(), fs.label, fs.outcome) for fs in spans] == [
        ("Houthi fighters", "FACTION", None),
        ("Iran", "PATRON", None),
        ("two soldiers", "CASUALTY", "killed"),
    ]
    [link] = loaded.select(cas.RELATION_LAYER)
    assert (link.Governor, link.Dependent, link.begin, link.end) == (spans[0], spans[1], 28, 32)
    assert (loaded.document_language, len(loaded.select(f"{DKPRO}segmentation.type.Token"))) == ("en", 12)
    assert 'begin="3" end="18"' in (tmp_path / "out" / "d.xmi").read_text(encoding="utf-8")
    cas.write([document], tmp_path / "d.json")
    with (tmp_path / "d.json").open("rb") as file:
        assert [fs.get_covered_text() for fs in cassis.load_cas_from_json(file).select(cas.SPAN_LAYER)] == [
            fs.get_covered_text() for fs in spans
        ]


def test_layers_slots_and_unknown_types(tmp_path):
    string = "uima.cas.String"
    types = type_system(
        (f"{DKPRO}ner.type.NamedEntity", "uima.tcas.Annotation", {"value": string, "identifier": string, "sure": "uima.cas.Boolean"}),
        (f"{DKPRO}segmentation.type.Token", "uima.tcas.Annotation", {}),
        (f"{DKPRO}lexmorph.type.pos.POS", "uima.tcas.Annotation", {"PosValue": string}),
        (
            "webanno.custom.Fight",
            "uima.tcas.Annotation",
            {"Roles": "uima.cas.FSArray", "score": "uima.cas.Double", "i7n_order": "uima.cas.Integer"},
        ),
        ("webanno.custom.FightRolesLink", "uima.cas.TOP", {"role": string, "target": "uima.tcas.Annotation"}),
        ("webanno.custom.CorefLink", "uima.tcas.Annotation", {"referenceType": string, "next": "webanno.custom.CorefLink"}),
    )
    body = """<ner:NamedEntity xmi:id="40" sofa="1" begin="0" end="1" value="ORG" identifier="http://x" sure="true"/>
<ner:NamedEntity xmi:id="41" sofa="1" begin="2" end="3"/>
<pos:POS xmi:id="42" sofa="1" begin="0" end="1" PosValue="N"/>
<segmentation:Token xmi:id="43" sofa="1" begin="0" end="1"/>
<custom:Fight xmi:id="44" sofa="1" begin="2" end="3" Roles="50 51 52" score="0.25" i7n_order="3"/>
<custom:CorefLink xmi:id="45" sofa="1" begin="0" end="1" referenceType="pr"/>
<custom:Unknown xmi:id="46" sofa="1" begin="0" end="1"/>
<custom:FightRolesLink xmi:id="50" role="side" target="40"/>
<custom:FightRolesLink xmi:id="51" target="40"/>
<custom:FightRolesLink xmi:id="52" role="side" target="41"/>
<custom:ClashRel xmi:id="53" sofa="1" begin="2" end="3" Governor="41" Dependent="40" label="X"/>
<custom:ClashRel xmi:id="54" sofa="1" begin="2" end="3" Governor="44" Dependent="40"/>"""
    data = xmi(body, "40 41 42 43 44 45 46 53 54", text="a b").replace(
        "xmlns:custom",
        'xmlns:ner="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" '
        'xmlns:pos="http:///de/tudarmstadt/ukp/dkpro/core/api/lexmorph/type/pos.ecore" '
        'xmlns:segmentation="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore" xmlns:custom',
    )
    [document], account, problems = reading(put(tmp_path, data, types))
    assert problems == []
    assert shape(document) == (
        [("40", "a", "ORG", {"identifier": "http://x", "sure": "true"}), ("44", "b", "Fight", {})],
        [("44", "side", "40"), ("44", "Roles", "40")],
    )
    assert document.spans[1].score == 0.25
    assert account.dropped == {
        "types that the type system lacks: webanno.custom.Unknown": ["x"],
        "spans without a label": ["x/41"],
        f"layers that are not read: {DKPRO}lexmorph.type.pos.POS": ["x"],
        "layers that are not read: webanno.custom.CorefLink": ["x"],
        "relations of a span that is not there": ["x/41-40", "x/44-41"],
        "relations without a label": ["x/54"],
    }
    assert shape(reading(tmp_path / "x.xmi", layers=["Fight"])[0][0])[0] == [("44", "b", "Fight", {})]
    assert shape(reading(tmp_path / "x.xmi", label="identifier", layers=["NamedEntity"])[0][0])[0] == [
        ("40", "a", "http://x", {"value": "ORG", "sure": "true"})
    ]


def test_offsets_that_are_none(tmp_path):
    body = BODY.replace('begin="29" end="33" label="PATRON"', 'begin="1" end="33" label="PATRON"').replace('end="53"', 'end="530"')
    path = put(tmp_path, xmi(body, "8 20 21 22 30"))
    [document], account, [problem] = reading(path)
    assert shape(document) == (EXPECTED[0][:1], [])
    assert problem.startswith(f"{path}: 2 offsets lie outside the text or inside a character; XMI counts UTF-16 units")
    assert account.dropped == {
        "spans that are empty or outside the text": ["x/21", "x/22"],
        "relations of a span that is not there": ["x/20-21"],
    }


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY s SYSTEM "file:///etc/hostname">]>"""


@pytest.mark.parametrize("as_json", [False, True])
def test_documents_may_have_attributes_that_those_before_lack(tmp_path, as_json):
    values = [{}, {"outcome": "killed"}, {"note": "b", "outcome": "wounded"}]
    given = [Document("ab", f"d{at}", None, (Span(0, 2, "CASUALTY", "ab", "1", attributes=row),)) for at, row in enumerate(values)]
    assert cas.write(given, tmp_path / "out", json=as_json).dropped == {}
    found, _, problems = reading(tmp_path / "out")
    assert ([dict(document.spans[0].attributes) for document in found], problems) == (values, [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (xmi(BODY, "8", head=BOMB, text="&b;"), "declares entities"),
        (xmi(BODY, "8", head=BOMB, text="&s;"), "declares entities"),
        (xmi(BODY, "8", head='<?xml version="1.0" encoding="UTF-7"?>'), "an encoding other than UTF-8"),
        (SAMPLE.encode("utf-16"), "is UTF-16"),
        (SAMPLE[:-20], "is no CAS, or a damaged one"),
        (SAMPLE.replace('Governor="20"', 'Governor="99"'), "is no CAS, or a damaged one"),
        (SAMPLE.replace(f'sofaString="{TEXT}"', ""), "holds no text"),
        ("", "is no CAS, or a damaged one"),
    ],
)
def test_files_that_are_not_read(tmp_path, data, message):
    path = put(tmp_path, data, name="a.xmi")
    put(tmp_path)
    found, _, [problem] = reading(tmp_path)
    assert [document.id for document in found] == ["x"]
    assert problem.startswith(f"{path}: ")
    assert message in problem


def test_entities_of_type_systems(tmp_path):
    path = put(tmp_path, types=BOMB + type_system().split("?>")[1])
    assert "declares entities" in reading(path)[2][0]
    (tmp_path / "TypeSystem.xml").unlink()
    assert reading(path)[2] == [
        f"{path}: the type system is missing; put the TypeSystem.xml of the export beside the file, or export JSON CAS"
    ]


def test_projects_of_inception(tmp_path):
    def archive(data):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as file:
            file.writestr("TypeSystem.xml", type_system())
            file.writestr("some.xmi", data)
        return inner.getvalue()

    with zipfile.ZipFile(tmp_path / "project.zip", "w") as outer:
        for who in ("INITIAL_CAS", "alice", "bob"):
            outer.writestr(f"annotation/a.txt/{who}.zip", archive(SAMPLE))
        outer.writestr("curation/a.txt/CURATION_USER.zip", archive(SAMPLE))
        outer.writestr("exportedproject.json", "{}")
    found, account, problems = reading(tmp_path / "project.zip")
    assert problems == []
    assert [(document.id, document.meta["annotator"]) for document in found] == [
        ("a.txt", who) for who in ("alice", "bob", "CURATION_USER")
    ]
    assert len(account.dropped["states before any annotation (INITIAL_CAS)"]) == 1
    assert cas.write(found, tmp_path / "out").dropped == {}
    again, _, _ = reading(tmp_path / "out")
    assert sorted(map(keys, again), key=str) == sorted(map(keys, found), key=str)


def test_meta_data_of_inception(tmp_path):
    names = ("documentTitle", "documentId", "collectionId")
    types = type_system((f"{DKPRO}metadata.type.DocumentMetaData", "uima.tcas.DocumentAnnotation", dict.fromkeys(names, "uima.cas.String")))
    note = 'begin="0" end="65" language="ar" documentTitle="a.txt" documentId="alice" collectionId="news"/>'
    data = SAMPLE.replace("tcas:DocumentAnnotation", "type:DocumentMetaData").replace('begin="0" end="65" language="x-unspecified"/>', note)
    [document], account, _ = reading(put(tmp_path, data, types))
    assert (document.id, document.lang, document.meta) == ("a.txt", "ar", {"annotator": "alice", "collection": "news"})
    assert account.dropped == {}
    [document], _, _ = reading(put(tmp_path, data.replace(' collectionId="news"', ""), types))
    assert (document.id, document.meta) == ("alice", {"title": "a.txt"})


def test_what_the_format_cannot_hold_is_counted(tmp_path):
    span = Span(0, 1, "X", "a", "B1", 0.5, {"my-name": "n", "label": "x"})
    documents_ = [
        Document("a", "../d", "en", (span,), (Relation(span, span, "AT", 0.25),), labels=("X",), meta={"url": "u"}),
        Document("a\x01b", "e"),
    ]
    account = cas.write(documents_, tmp_path / "out.zip")
    assert account.documents == 1
    assert set(account.dropped) == {
        "lists of the labels annotated for",
        "meta data: url",
        "attributes whose name the format cannot hold: label",
        "attributes whose name the format cannot hold: my-name",
        "documents with control characters, which XML cannot hold and JSON can",
    }
    [back], _, problems = reading(tmp_path / "out.zip")
    assert problems == []
    assert (back.id, back.spans[0].score, back.relations[0].score) == ("../d", 0.5, 0.25)
    assert cas.write(documents_, tmp_path / "json", json=True).documents == 2
    assert sorted(document.text for document in reading(tmp_path / "json")[0]) == ["a", "a\x01b"]
    with pytest.raises(DataError, match="holds one document"):
        cas.write(documents_, tmp_path / "x.xmi")


def test_the_library_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cassis", None)
    with pytest.raises(MissingDependencyError, match="pip install 'clashnlp\\[cas]'"):
        reading(tmp_path)
    with pytest.raises(MissingDependencyError, match="pip install 'clashnlp\\[cas]'"):
        cas.write([], tmp_path)


@given(documents(lang=st.sampled_from([None, "ar", "en"]), scores=True, values=[*VALUES, "", "\n\t\r <&\"'>"]), st.booleans())
@settings(max_examples=50, deadline=None)
def test_writing_then_reading_is_the_identity(tmp_path_factory, document, as_json):
    path = tmp_path_factory.mktemp("cas") / f"d.{'json' if as_json else 'xmi'}"
    account = cas.write([document], path)
    assert (account.dropped, account.repaired) == ({}, {})
    [back], account, problems = reading(path)
    assert (problems, account.dropped, account.repaired) == ([], {}, {})
    assert keys(back) == keys(document)
    assert json.loads(path.read_bytes()) if as_json else True
