import json

import pytest

from clashnlp import CLASH, Document, ModelConfig, ModelError, Relation, Schema, Span


def test_clash_schema_survives_json():
    assert Schema.from_dict(json.loads(json.dumps(CLASH.to_dict()))) == CLASH


def test_ids_begin_with_the_shortest_prefix_of_their_own():
    assert CLASH.id_prefixes() == {"FACTION": "F", "PATRON": "P", "LOCATION": "L", "CASUALTY": "C"}
    assert Schema(("PER", "PLACE", "ORG", "PERSON")).id_prefixes() == {"PER": "PER", "PLACE": "PL", "ORG": "O", "PERSON": "PERS"}
    assert Schema(("LOC", "LOC2")).id_prefixes() == {"LOC": "LOC", "LOC2": "LOC2-"}


def test_notes_are_no_attributes():
    spans = [Span(at, at + 1, "X", "a", f"s{at}", attributes={"note": f"seen by {at}", "kind": "k"}) for at in range(30)]
    assert Schema.from_documents([Document("a" * 30, spans=tuple(spans))]).values == (("kind", "k"),)


def test_schema_of_documents():
    person, city = Span(0, 3, "PER", "Ana", "a", attributes={"role": "poet"}), Span(13, 17, "LOC", "Rome", "b")
    document = Document("Ana lives in Rome", spans=(person, city), relations=(Relation(person, city, "Live_In"),))
    schema = Schema.from_documents([document])
    assert schema.labels == ("LOC", "PER")
    assert schema.values == (("role", "poet"),)
    assert schema.relation("Live_In").signatures == (("PER", "LOC"),)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"labels": []}, "at least one"),
        ({"labels": ["A", "A"]}, "twice"),
        ({"labels": ["A"], "relations": [{"label": "R", "signatures": [["A", "B"]]}]}, "does not list: B"),
        ({"labels": ["A"], "colour": 1}, "unknown key in the schema: colour"),
        ({"relations": []}, "malformed"),
        ({"labels": "PER"}, "must be a list"),
        ({"labels": ["A", 3]}, "without a name"),
        ({"labels": ["A"], "attributes": [{"name": "a", "labels": ["A"], "values": []}]}, "needs values"),
    ],
)
def test_bad_schemas_are_refused(row, message):
    with pytest.raises(ModelError, match=message):
        Schema.from_dict(row)


def test_config_survives_its_file(tmp_path):
    config = ModelConfig(encoder={"model_type": "bert"}, window=100, relation_thresholds={"BACKED_BY": 0.4})
    config.save(tmp_path / "config.json")
    assert ModelConfig.load(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format version 99, this clashnlp reads version 1"),
        ({"windows": 3}, "unknown key in config.json: windows"),
        ({"overlap": 500}, "overlap must be"),
        ({"window": "254"}, "window must be a whole number, it is '254'"),
        ({"tag_temperature": 0}, "tag_temperature must be a number above 0"),
        ({"span_thresholds": []}, "span_thresholds must be a JSON object"),
        ({"encoder": {"max_position_embeddings": 128}}, "windows of 256 tokens do not fit the encoder's 128 positions"),
        ({"format_version": True}, "format version True"),
    ],
)
def test_bad_configs_name_the_file(tmp_path, change, message):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**ModelConfig().to_dict(), **change}))
    with pytest.raises(ModelError, match=message) as caught:
        ModelConfig.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [("{", "not a JSON file"), ("[]", "a configuration is a JSON object")])
def test_config_that_is_no_configuration(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        ModelConfig.load(tmp_path / "config.json")
