import json

import pytest

from clashnlp import CLASH, Document, ModelConfig, ModelError, Relation, Schema, Span


def test_clash_schema_survives_json():
    assert Schema.from_dict(json.loads(json.dumps(CLASH.to_dict()))) == CLASH


def test_ids_begin_with_the_shortest_prefix_of_their_own():
    assert CLASH.id_prefixes() == {"FACTION": "F", "PATRON": "P", "LOCATION": "L", "CASUALTY": "C"}
    assert Schema(("PER", "PLACE", "ORG", "PERSON")).id_prefixes() == {"PER": "PER", "PLACE": "PL", "ORG": "O", "PERSON": "PERS"}


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
    ],
)
def test_bad_configs_name_the_file(tmp_path, change, message):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**ModelConfig().to_dict(), **change}))
    with pytest.raises(ModelError, match=message) as caught:
        ModelConfig.load(path)
    assert str(path) in str(caught.value)


def test_config_that_is_no_json(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not a JSON file"):
        ModelConfig.load(tmp_path / "config.json")
