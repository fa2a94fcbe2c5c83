"""Which spans and relations did people mark in Label Studio? Its full JSON export, and pre-annotations with scores for it to show.

Offsets are checked against the spans' texts: browsers take CRLF for one character, and old versions count UTF-16 units.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import quoteattr

from clashnlp.errors import DataError
from clashnlp.formats.exchange import Account, Link, OnError, beside, build, joined, number, report_of, split_value
from clashnlp.formats.html import plain_html
from clashnlp.formats.jsonl import json_text
from clashnlp.formats.offsets import Extent, Mark, Reading, best_reading, locate, moved, same_words
from clashnlp.formats.plain import decode
from clashnlp.formats.storage import open_files, write_text
from clashnlp.schema import CLASH, Schema
from clashnlp.types import Analysis, Document, Span, identity

_LABEL_KEYS = ("labels", "hypertextlabels", "htmllabels", "paragraphlabels")
_DATA_KEYS = ("text", "id", "lang")
_ANNOTATION_KEYS = ("annotator", "ground_truth", "model_version")
_MODEL = "clashnlp"
_LINK = re.compile(r"(https?|s3|gs|azure-blob)://\S+|/data/\S+")


def read(path: Path, *, account: Account, on_error: OnError, text_key: str | None = None, predictions: bool = False) -> Iterator[Document]:
    """The documents of a .json file, or of a folder or zip of them: one for each annotation that was not cancelled.

    `text_key` is the key of the task's data that holds the text, as the labelling configuration names it behind `$`; found by default.
    With `predictions`, what models predicted is read in place of what people annotated. Export as JSON: JSON-MIN, CSV and CoNLL2003 lose
    the relations.
    """
    for name, file, export in open_files(path, (".json",), on_error).each(on_error):
        tasks = list(_tasks(export, file, PurePosixPath(name).stem, on_error))
        keys = text_key, _usual_key((task for _, task in tasks), predictions)
        for at, task in tasks:
            try:
                found = _annotations(task, predictions, account)
            except DataError as error:
                on_error(DataError(f"{at}: {error}"))
                continue
            for annotation in found:
                try:
                    yield _document(task, annotation, account, keys)
                except DataError as error:
                    on_error(DataError(f"{at}, annotation {annotation.get('id', 'without id')}: {error}"))


def write(documents: Iterable[Document], path: Path, *, predictions: bool | None = None, model_version: str = _MODEL) -> Account:
    """What was written: tasks to import, where documents in a row that differ in their annotations alone share one.

    Annotators see predictions, and correct them; None writes those where documents carry scores, and else annotations. `model_version` is
    what Label Studio calls the model whose predictions these are.
    """
    account = Account()
    numbers = itertools.count(1)

    def tasks() -> Iterator[str]:
        for at, (_, group) in enumerate(itertools.groupby(documents, key=_data), start=1):
            task: dict[str, Any] = {"id": at, "annotations": [], "predictions": []}
            for document in group:
                task["data"] = _data(document)[0]
                if document.labels is not None:
                    task["meta"] = {"labels": list(document.labels)}
                predicted = _is_predicted(document) if predictions is None else predictions
                made = _prediction(document, model_version) if predicted else _annotation(document, next(numbers))
                task["predictions" if predicted else "annotations"].append(made)
                account.use(document)
            yield ("[\n" if at == 1 else ",\n") + json_text(task)
        yield "[]\n" if not account.documents else "\n]\n"

    write_text(path, tasks())
    return account


def config(schema: Schema = CLASH) -> str:
    """The labelling configuration that goes with what `write` writes: paste it into the project's settings."""
    lines = ["<View>", '  <Labels name="label" toName="text">']
    lines += [f"    <Label value={quoteattr(label)}/>" for label in schema.labels]
    # Without this style, runs of white space look like one space, and their offsets are hard to select.
    lines += [
        "  </Labels>",
        "  <Style>.htx-text { white-space: pre-wrap; }</Style>",
        '  <Text name="text" value="$text" granularity="word"/>',
    ]
    for attribute in schema.attributes:
        when = f'perRegion="true" whenTagName="label" whenLabelValue={quoteattr(",".join(attribute.labels))}'
        lines.append(f'  <Choices name={quoteattr(attribute.name)} toName="text" {when}>')
        lines += [f"    <Choice value={quoteattr(value)}/>" for value in attribute.values]
        lines.append("  </Choices>")
    lines.append("  <Relations>")
    lines += [f"    <Relation value={quoteattr(relation.label)}/>" for relation in schema.relations]
    return "\n".join([*lines, "  </Relations>", "</View>", ""])


def _data(document: Document) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """The task's data, and the labels it was annotated for: what documents of one task have in common."""
    own = beside({key: value for key, value in document.meta.items() if key not in _ANNOTATION_KEYS}, _DATA_KEYS)
    return {"text": document.text, "id": document.id, "lang": document.lang} | own, document.labels


def _is_predicted(document: Document) -> bool:
    scores = [*(span.score for span in document.spans), *(link.score for link in document.relations)]
    return isinstance(document, Analysis) or any(score is not None for score in scores)


def _annotation(document: Document, at: int) -> dict[str, Any]:
    row: dict[str, Any] = {"id": at, "was_cancelled": False, "ground_truth": bool(document.meta.get("ground_truth", False))}
    annotator = document.meta.get("annotator")
    if isinstance(annotator, int):
        row["completed_by"] = annotator
    elif isinstance(annotator, str) and "@" in annotator:
        row["completed_by"] = {"email": annotator}
    elif annotator is not None:
        # Label Studio knows annotators by number or address, and passes over this key.
        row["annotator"] = annotator
    return row | {"result": list(_result(document))}


def _prediction(document: Document, model_version: str) -> dict[str, Any]:
    scores = [span.score for span in document.spans if span.score is not None]
    row: dict[str, Any] = {"model_version": document.meta.get("model_version", model_version)}
    if "annotator" in document.meta:
        row["annotator"] = document.meta["annotator"]
    if scores:
        row["score"] = sum(scores) / len(scores)
    return row | {"result": list(_result(document))}


def _result(document: Document) -> Iterator[dict[str, Any]]:
    for span in document.spans:
        own = {} if span.score is None else {"score": span.score}
        place = {"id": span.id, "from_name": "label", "to_name": "text"}
        extent = {"start": span.start, "end": span.end, "text": span.text}
        yield {**place, "type": "labels", "value": {**extent, "labels": [span.label]}, **own}
        for name, value in span.attributes.items():
            yield {**place, "from_name": name, "type": "choices", "value": {**extent, "choices": [value]}}
    for link in document.relations:
        own = {} if link.score is None else {"score": link.score}
        ends = {"from_id": link.head.id, "to_id": link.tail.id}
        yield {**ends, "type": "relation", "direction": "right", "labels": [link.label], **own}


def _tasks(export: bytes, file: str, stem: str, on_error: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and value of every task; the annotations of target storages, one a file, are tasks inside out."""
    try:
        value = json.loads(decode(export, file), parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        return on_error(DataError(f"{file}:{error.lineno}: broken JSON ({error}); nothing of the file was read, export it again"))
    except DataError as error:
        return on_error(error)
    except (ValueError, RecursionError) as error:
        return on_error(DataError(f"{file}: broken JSON ({error})"))
    for at, task in enumerate(value if isinstance(value, list) else [value], start=1):
        place = f"{file}: task {task.get('id', at) if isinstance(task, dict) else at}"
        if not isinstance(task, dict):
            on_error(DataError(f"{place}: a task is a JSON object, this is {task!r:.40}"))
        elif "result" in task and isinstance(task.get("task"), dict):
            yield place, {**task["task"], "annotations": [{key: item for key, item in task.items() if key != "task"}]}
        else:
            yield place, {"id": f"{stem}-{at}", **task}
    return None


def _annotations(task: Mapping[str, Any], predictions: bool, account: Account) -> list[dict[str, Any]]:
    """The annotations, or predictions, of the task that count.

    Raises:
        DataError: the file is no full export.
    """
    kinds = ("predictions",) if predictions else ("annotations", "completions")
    kind = next((kind for kind in kinds if kind in task), None)
    if not isinstance(task.get("data"), dict) or (kind is None and not predictions):
        other = "its predictions are read with predictions=true, or " if isinstance(task.get("predictions"), list) else ""
        raise DataError(f"there is no 'data' with 'annotations'; {other}export as JSON, since JSON-MIN, CSV and others lose relations")
    found = task.get(kind or "predictions") or []
    if not isinstance(found, list) or not all(isinstance(item, dict) and isinstance(item.get("result"), list | None) for item in found):
        raise DataError(f"its {kind} are not given in full: {found!r:.60}; export as JSON, with annotations and not their numbers")
    kept = []
    for annotation in found:
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            account.drop("cancelled annotations", f"{task['id']}/{annotation.get('id', '')}")
        else:
            kept.append(annotation)
    if not found:
        account.drop(f"tasks without {kind or 'predictions'}", str(task["id"]))
    return kept


def _document(task: Mapping[str, Any], annotation: Mapping[str, Any], account: Account, keys: tuple[str | None, str | None]) -> Document:
    data = task["data"]
    result, regions = _items(annotation.get("result") or []), _regions(annotation)
    row_id = identity(data.get("id", task["id"]))
    key = _text_key(data, keys, regions)
    text, shift = _text(data[key], regions)
    marks = {at: mark for at, item in enumerate(regions) if (mark := _mark(item["value"], shift)) is not None}
    reading = best_reading(text, marks.values())
    spans: list[Span] = []
    names: dict[str, list[str]] = {}
    for at, item in enumerate(regions):
        region = str(item.get("id") or f"region{at + 1}")
        place = f"{row_id}/{region}"
        if at not in marks or not _labels(item):
            account.drop("spans without a label" if at in marks else "spans without offsets in the text", place)
        elif (where := _place(text, marks[at], reading, account, place)) is not None:
            values = _values(result, item.get("id"), account, place)
            for label in _labels(item) or ():
                base, own = split_value(label)
                same = names.setdefault(region, [])
                same.append(f"{region}-{len(same) + 1}" if same else region)
                spans.append(Span(*where, base, text[slice(*where)], same[-1], number(item.get("score")), own | values))
    meta = {name: value for name, value in data.items() if name not in (key, "id", "lang")}
    meta |= _own_meta(result, annotation, account, str(row_id))
    labels = task["meta"].get("labels") if isinstance(task.get("meta"), dict) else None
    links = _links(result, str(row_id), names, {span.id: span for span in spans}, account)
    return build(report_of(row_id, text, {"lang": data.get("lang"), "labels": labels}, meta), spans, links, account)


def _items(result: list[Any]) -> list[dict[str, Any]]:
    """The items of a result, their ids as texts; the tool's own library puts relations into lists of their own."""
    flat = itertools.chain.from_iterable(item if isinstance(item, list) else [item] for item in result)
    named = [item for item in flat if isinstance(item, dict) and isinstance(item.get("type", ""), str)]
    return [item if item.get("id") is None else {**item, "id": str(item["id"])} for item in named]


def _regions(annotation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for item in _items(annotation.get("result") or []) if _labels(item) is not None]


def _labels(item: Mapping[str, Any]) -> list[str] | None:
    """The labels of a region, none for one that was left without; None for what is no region."""
    value = item.get("value")
    if not isinstance(value, dict) or item.get("type") == "relation":
        return None
    for key in _LABEL_KEYS:
        if isinstance(value.get(key), list):
            return [label for label in value[key] if isinstance(label, str) and label]
    return [] if item.get("type") in _LABEL_KEYS else None


def _text_key(data: Mapping[str, Any], keys: tuple[str | None, str | None], regions: list[dict[str, Any]]) -> str:
    """The key of the data that holds the text: the one given, else the one that fits, or of several `text`, or what fits elsewhere.

    Raises:
        DataError: none does, or several may.
    """
    given, usual = keys
    if given is not None:
        if given not in (*_fitting(data, []), "id", "lang"):
            raise DataError(f"the data hold no text under {given!r}; give one of them as text_key: {', '.join(data)}")
        return given
    best = _fitting(data, regions)
    if not best:
        raise DataError(f"the data hold no text, only {', '.join(data) or 'nothing'}; import the reports themselves")
    key = next((key for key in ("text", usual) if key in best), best[0] if len(best) == 1 else None)
    if key is None:
        names = ", ".join(data)
        raise DataError(f"which of the data is the text? Name it as the configuration does (convert --from-option text_key=NAME): {names}")
    return key


def _fitting(data: Mapping[str, Any], regions: list[dict[str, Any]]) -> list[str]:
    """The keys of the data whose texts hold the most of the regions' texts."""
    dialogues = [key for key, value in data.items() if isinstance(value, list) and value and all(isinstance(part, dict) for part in value)]
    held = [key for key, value in data.items() if isinstance(value, str) and key not in ("id", "lang")] + dialogues
    texts = [json_text(item["value"]["text"])[1:-1] for item in regions if isinstance(item["value"].get("text"), str)]
    fits = {key: sum(text in whole for text in texts) for key in held if (whole := json_text(data[key]))}
    return [key for key, fit in fits.items() if fit == max(fits.values())]


def _usual_key(tasks: Iterable[Mapping[str, Any]], predictions: bool) -> str | None:
    """The key that alone fits most of the annotations, for those without regions that would tell."""
    counts: Counter[str] = Counter()
    for task in tasks:
        with contextlib.suppress(DataError):
            fits = [_fitting(task["data"], _regions(one)) for one in _annotations(task, predictions, Account())]
            counts.update(best[0] for best in fits if len(best) == 1)
    return next((key for key, _ in counts.most_common(1)), None)


def _text(value: Any, regions: list[dict[str, Any]]) -> tuple[str, list[int]]:
    """The text, and where the paragraphs of a dialogue begin in it; HTML is reduced to what it says.

    Raises:
        DataError: the data hold a link to the text, or a dialogue whose parts have no `text`.
    """
    if isinstance(value, list):
        if not any("text" in part for part in value):
            names = ", ".join(map(str, value[0]))
            raise DataError(f"the parts of the dialogue have no key 'text', only {names}; rename the one that holds it")
        parts = [str(part.get("text", "")) for part in value]
        return "\n".join(parts), list(itertools.accumulate((len(part) + 1 for part in parts), initial=0))
    if _LINK.fullmatch(value.strip()):
        raise DataError(f"the data hold a link and no text: {value:.60}; import texts themselves, or put them in its place")
    if "<" in value and any(item.get("type") == "hypertextlabels" for item in regions):
        return plain_html(value), []
    return value, []


def _mark(value: Mapping[str, Any], paragraphs: list[int]) -> Mark | None:
    """Start, end and text of a region, from whichever fields it has them in."""
    surface = value.get("text") if isinstance(value.get("text"), str) else None
    start, end = _whole(value.get("start")), _whole(value.get("end"))
    inner = _whole(value.get("startOffset")), _whole(value.get("endOffset"))
    globally = value.get("globalOffsets")
    if isinstance(globally, dict):
        start, end = _whole(globally.get("start")), _whole(globally.get("end"))
    elif paragraphs and start is not None and end is not None:
        if None in inner or not max(start, end) < len(paragraphs) - 1:
            return None
        # The line break that joins paragraphs is ours, so the text of a region over several has none at that place.
        start, end = paragraphs[start] + (inner[0] or 0), paragraphs[end] + (inner[1] or 0)
    elif value.get("start") == value.get("end") and start is None:
        start, end = inner  # Paths into HTML whose text is one node.
    return None if start is None or end is None else (start, end, surface)


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _place(text: str, mark: Mark, reading: Reading, account: Account, place: str) -> Extent | None:
    """Where the region stands: as all of the document's are read, else wherever its own text is found."""
    surface = mark[2]
    start, end = moved((mark[0], mark[1]), reading)
    if 0 <= start < end <= len(text) and (surface is None or same_words(text[start:end], surface)):
        if reading[1] is not None:
            account.repair(reading[0], place)
        elif surface is not None and text[start:end] != surface:
            account.repair("white space in spans' texts", place)
        return start, end
    return locate(text, mark, account=account, place=place)


def _values(result: list[dict[str, Any]], region: Any, account: Account, place: str) -> dict[str, str]:
    """The attributes of a region: what was chosen, written or rated for it, by the names of the controls."""
    values: dict[str, str] = {}
    for item in result:
        if region is None or item.get("id") != region or _labels(item) is not None or not isinstance(item.get("from_name"), str):
            continue
        given = item["value"].get(item.get("type"), item["value"].get("text")) if isinstance(item.get("value"), dict) else None
        answers = [str(answer) for answer in (given if isinstance(given, list) else [given]) if answer not in (None, "")]
        if answers:
            values[item["from_name"]] = answers[0]
        for answer in answers[1:]:
            account.drop(f"further values of {item['from_name']}", f"{place}:{answer}")
    return values


def _links(result: list[Any], row_id: str, names: dict[str, list[str]], spans: dict[str, Span], account: Account) -> list[Link]:
    """The relations, each once; `names` are the ids of each region's spans."""
    symmetric = {relation.label for relation in CLASH.relations if relation.symmetric}
    links: dict[tuple[str, str, str], float | None] = {}
    for item in (item for item in result if item.get("type") == "relation"):
        head, tail = str(item.get("from_id")), str(item.get("to_id"))
        given = item.get("labels")
        labels = [label for label in (given if isinstance(given, list) else [given]) if isinstance(label, str) and label]
        direction = item.get("direction", "right")
        if not labels:
            account.drop("relations without a label", f"{row_id}/{head}-{tail}")
        if direction == "left":
            head, tail = tail, head
        for label in labels:
            both = direction == "bi" and label not in symmetric
            ends = joined(names.get(head, [head]), names.get(tail, [tail]), label, spans)
            # The guidelines' head of what has no direction is the earlier span.
            if direction == "bi" and not both and all(end in spans for end in ends) and spans[ends[1]].start < spans[ends[0]].start:
                ends = ends[::-1]
            for one in [ends, *([ends[::-1]] if both else [])]:
                links[(*one, label)] = number(item.get("score"))
    return [(*link, score) for link, score in links.items()]


def _own_meta(result: list[dict[str, Any]], annotation: Mapping[str, Any], account: Account, row_id: str) -> dict[str, Any]:
    """What is known of this annotation, and not of the task: who made it, and what was said of the document as a whole."""
    regions = {item.get("id") for item in result if _labels(item) is not None}
    meta: dict[str, Any] = {}
    for item in result:
        if item.get("type") != "relation" and item.get("id") not in regions and isinstance(item.get("value"), dict):
            given = item["value"].get(item.get("type"), item["value"].get("text", item["value"]))
            if "start" in item["value"]:
                account.drop("values of spans without a label", f"{row_id}/{item.get('id')}")
            else:
                meta[str(item.get("from_name"))] = given[0] if isinstance(given, list) and len(given) == 1 else given
    who = annotation.get("annotator", annotation.get("completed_by"))
    if isinstance(who, dict):
        who = who.get("email") or who.get("username") or who.get("id")
    own = {"annotator": who, "ground_truth": annotation.get("ground_truth") or None, "model_version": annotation.get("model_version")}
    return meta | {key: value for key, value in own.items() if value is not None and value != _MODEL}
