import json
import random
from collections import Counter
from pathlib import Path

import pytest
from conftest import CORPUS
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import CLASH, Document, Span
from clashnlp.cli import main
from clashnlp.near import near_groups
from clashnlp.split import split, together

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


@st.composite
def documents(draw):
    """Reports of a few runs of words, many of which stand in others too, with spans of several labels."""
    runs = ["one two three four five six seven", "قتل ستة جنود في هجوم على حاجز", "red orange yellow green blue violet", "end", ""]
    result = []
    for at in range(draw(st.integers(0, 12))):
        text = " ".join(draw(st.lists(st.sampled_from(runs), max_size=3)))
        words = [word for word in text.split()[:4] if word]
        spans, start = [], 0
        for number, word in enumerate(words):
            start = text.index(word, start)
            spans.append(Span(start, start + len(word), draw(st.sampled_from(CLASH.labels)), word, f"S{number}"))
            start += len(word)
        result.append(Document(text, at, draw(st.sampled_from(["ar", "en", None])), tuple(spans)))
    return result


@settings(max_examples=60, deadline=None)
@given(documents(), st.sampled_from([SHARES, {"a": 0.5, "b": 0.5}, {"all": 1.0}]), st.integers(0, 3), st.randoms(use_true_random=False))
def test_every_document_is_in_one_part_and_nothing_leaks_in_any_order(given, shares, seed, random):
    parts = split(given, CLASH, together(given), shares=shares, seed=seed)
    assert len(parts) == len(given)
    assert set(parts) <= set(shares)
    for group in near_groups([document.text for document in given]):
        assert len({parts[at] for at in group.members}) == 1
    assert len({(document.text, part) for document, part in zip(given, parts, strict=True)}) == len({document.text for document in given})
    order = list(range(len(given)))
    random.shuffle(order)
    shuffled = [given[at] for at in order]
    assert split(shuffled, CLASH, together(shuffled), shares=shares, seed=seed) == [parts[at] for at in order]


def test_parts_are_like_the_whole(corpus):
    groups = together(corpus)
    parts = split(corpus, CLASH, groups, shares=SHARES)
    assert parts == split(corpus, CLASH, groups, shares=SHARES)
    assert parts != split(corpus, CLASH, groups, shares=SHARES, seed=1)
    for name, counts in {
        "documents": Counter(parts),
        "Arabic": Counter(part for document, part in zip(corpus, parts, strict=True) if document.lang == "ar"),
        "spans": Counter({part: sum(len(d.spans) for d, own in zip(corpus, parts, strict=True) if own == part) for part in SHARES}),
        "PATRON": Counter({part: sum(len(d.of("PATRON")) for d, own in zip(corpus, parts, strict=True) if own == part) for part in SHARES}),
    }.items():
        for part, share in SHARES.items():
            assert counts[part] / sum(counts.values()) == pytest.approx(share, abs=0.03), (name, part)


def test_a_rare_label_reaches_every_part():
    given = [Document(f"{at} {at + 1} {at + 2}", at, "en") for at in range(100)]
    rare = [Document(f"x{at} y", f"r{at}", "en", (Span(0, 2, "PATRON", f"x{at}", "P1"),)) for at in range(10)]
    parts = split(given + rare, CLASH, together(given + rare), shares=SHARES)
    assert Counter(parts[100:]) == {"train": 8, "dev": 1, "test": 1}


def test_large_groups_do_not_break_the_shares():
    texts = [f"{at % 20} a b c d e f g h i j k l m n {at % 20} {at // 20}" if at < 100 else f"only {at} stands here" for at in range(300)]
    given = [Document(text, at) for at, text in enumerate(texts)]
    parts = Counter(split(given, CLASH, together(given), shares={"a": 0.5, "b": 0.5}))
    assert abs(parts["a"] - parts["b"]) <= 2


def write(path: Path, lines) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def test_files_hold_the_lines_as_they_were(tmp_path, capsys):
    lines = [
        json.dumps({"text": f"{at} soldiers fell", "id": at, "x": [0.1 + 0.2, None], "lang": "en"}).encode() + end
        for at, end in enumerate([b"\n", b"\r\n", b"\n"] * 9 + [b""])
    ]
    lines[3] = (
        '{"id": "\\u0641", "text":  "قتل ستة جنود", "spans": [{"start":0,"end":3,"label":"CASUALTY","n":0.30000000000000004}]}\n'.encode()
    )
    path = write(tmp_path / "in.jsonl", [b"\xef\xbb\xbf", *lines[:5], b"\n", *lines[5:]])
    assert main(["split", str(path), "--output", str(tmp_path / "out"), "--shares", "train=0.75,dev=0.25"]) == 0
    found = [(tmp_path / "out" / f"{part}.jsonl").read_bytes().splitlines() for part in ("train", "dev")]
    assert sorted(found[0] + found[1]) == sorted(line.rstrip(b"\r\n") for line in lines)
    assert len(found[1]) == 7
    # Within a part the order is that of the input.
    assert [line for line in map(bytes.strip, lines) if line in found[0]] == found[0]
    out = capsys.readouterr().out
    assert "reports en" in out and "train 75%" in out


def test_the_order_of_the_input_does_not_matter(tmp_path, capsys):
    lines = [json.dumps({"id": at, "text": f"report number {at} of many {at * 7}"}).encode() + b"\n" for at in range(40)]
    sets = []
    for name in ("a", "b"):
        random.Random(name).shuffle(lines)
        main(["split", str(write(tmp_path / f"{name}.jsonl", lines)), "--output", str(tmp_path / name)])
        sets.append({part: set((tmp_path / name / f"{part}.jsonl").read_bytes().splitlines()) for part in SHARES})
    assert sets[0] == sets[1]


def test_other_formats_become_json_lines(tmp_path, capsys):
    assert main(["split", str(CORPUS / "ru_fr.inline"), "--output", str(tmp_path / "out")]) == 0
    rows = [json.loads(line) for part in SHARES for line in (tmp_path / "out" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 31
    assert all(row["spans"] and row["lang"] in ("ru", "fr") for row in rows)


def test_what_is_there_is_not_overwritten(tmp_path, capsys):
    path = write(tmp_path / "in.jsonl", [b'{"text": "a"}\n'])
    out = tmp_path / "out"
    out.mkdir()
    (out / "test.jsonl").write_text("mine")
    command = ["split", str(path), "--output", str(out), "--shares", "train=0.5,dev=0.5"]
    assert main(command) == 2
    assert "with --force" in capsys.readouterr().err
    assert (out / "test.jsonl").read_text() == "mine" and not (out / "train.jsonl").exists()
    assert main([*command, "--force"]) == 0
    assert "also holds test.jsonl" in capsys.readouterr().err
    assert main(["split", str(out / "train.jsonl"), "--output", str(out), "--force"]) == 2
    assert "is among the inputs" in capsys.readouterr().err


def test_lines_that_cannot_be_read_are_counted(tmp_path, capsys):
    path = write(tmp_path / "in.jsonl", [b'{"text": "a"}\n', b"no json\n"])
    assert main(["split", str(path), "--output", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert "in.jsonl:2: broken JSON" in err and "1 reports split, 1 problems" in err
    assert main(["split", str(tmp_path / "none.jsonl"), "--output", str(tmp_path / "out2")]) == 2


@pytest.mark.parametrize("value", ["train=0.8", "train=0.5,train=0.5", "../x=1", "train=1.5,dev=-0.5", "train", "a=0.5,b=nan"])
def test_shares_must_be_shares(value, capsys):
    with pytest.raises(SystemExit):
        main(["split", "a.jsonl", "--output", "out", "--shares", value])
    assert "--shares" in capsys.readouterr().err
