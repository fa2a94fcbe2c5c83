"""What is a model's evaluation as a page? Scores, confusions, mistakes, calibration and the worst documents, in one file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from clashnlp import plots, view
from clashnlp.errors import MissingDependencyError
from clashnlp.evaluate import Score, relation_key, scored_keys, span_key, strict_score
from clashnlp.mistakes import span_mistakes
from clashnlp.schema import Schema
from clashnlp.types import Document, Relation, Span

log = logging.getLogger(__name__)

_GROUPS = {"labels": "by label", "langs": "by language", "sources": "by source"}
_STRICT = ("annotated", "predicted", "precision", "recall", "F1", "95 % interval", "0 to 1")
_SPANS = (
    "Strict: the same first and last character, and the same label. Partial: a span that overlaps one of its label counts half. "
    "Type: any overlap with a span of the same label counts. The interval is that of the strict F1 over documents drawn with "
    "replacement; a single document has none."
)
_RELATIONS = "A relation is right if both of its spans are, to the character, and its label is."
_CONFUSION = (
    "What people annotated is a row, what the model said a column. Not related: no relation between the two spans. "
    "Span not found, wrong span: one of the two was missed, or is not annotated, so that no relation could be right."
)
_ATTRIBUTE = "Rows are annotated, columns predicted; of the spans that were found, to the character."
_MISTAKES = "Each mistake is counted once. Invented: nothing like it was annotated. Wrong span: a relation of a span that is not annotated."
_CALIBRATION = (
    "A score of 0.8 should be right four times of five. Below the diagonal the scores are too high, above it too low; "
    "the larger a dot, the more spans or relations have such a score."
)
_WORST = (
    "Lowest F1 of spans and relations together first. What is outlined is wrong: on the left what the model did not find, on the right "
    "what it said and people did not. The chip behind a span is its id, by which the relations below the text name it."
)


def build(
    metrics: Mapping[str, Any],
    pairs: Sequence[tuple[Document, Document]],
    schema: Schema,
    *,
    worst: int = 10,
    facts: Mapping[str, str] | None = None,
) -> str:
    """The page, which needs no other file: no script, no picture, no font from elsewhere.

    Without matplotlib the page has no plots, and says so; the figures are in its tables all the same.

    Args:
        metrics: what `clashnlp.evaluate.evaluate` returns for these documents.
        pairs: each annotated document with what the model says about it.
        schema: the model's.
        worst: how many documents to show side by side at most.
        facts: what was measured on what, for the head of the page.
    """
    rows = {"documents": f"{metrics['documents']:,}", **(facts or {})}
    parts = [
        "<h1>Evaluation</h1>",
        "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd><bdi>{escape(value)}</bdi></dd>" for name, value in rows.items()) + "</dl>",
        _tiles(metrics),
        f"<h2>Spans</h2><p>{_SPANS}</p>",
        _scores(metrics["spans"], {"partial F1": metrics["spans_partial"], "type F1": metrics["spans_type"]}),
        f"<h2>Relations</h2><p>{_RELATIONS}</p>",
        _scores(metrics["relations"], {}),
        f"<h2>Which relation was taken for which</h2><p>{_CONFUSION}</p>",
        _confusion(metrics["relation_confusion"], [relation.label for relation in schema.relations]),
    ]
    for attribute in schema.attributes:
        title = f"<h2>Which {escape(attribute.name)} was taken for which</h2><p>{_ATTRIBUTE}</p>"
        parts += [title, _confusion(metrics["attributes"][attribute.name]["confusion"], attribute.values)]
    parts.append(f"<h2>Mistakes</h2><p>{_MISTAKES}</p>")
    parts.append('<div class="beside">' + "".join(_mistakes(*row) for row in metrics["mistakes"].items()) + "</div>")
    if metrics["calibration"]:
        parts.append(f"<h2>How far scores can be trusted</h2><p>{_CALIBRATION}</p>{_calibration(metrics['calibration'])}")
    parts.append(f"<h2>Worst documents</h2><p>{_WORST}</p>{view.key(schema)}")
    parts += _worst(pairs, schema, worst) or ["<p>There is no document with a mistake.</p>"]
    return view.page("clashnlp evaluation", "\n".join(parts))


def _tiles(metrics: Mapping[str, Any]) -> str:
    def interval(row: Mapping[str, Any]) -> str:
        return "95 %: {:.3f} to {:.3f}".format(*row["interval"])

    spans, relations, false = metrics["spans"], metrics["relations"], metrics["false_relations"]
    tiles = [
        ("spans, strict F1", spans["f1"], interval(spans)),
        ("spans, partial F1", metrics["spans_partial"]["f1"], "overlaps count half"),
        ("spans, type F1", metrics["spans_type"]["f1"], "any overlap counts"),
        ("relations, strict F1", relations["f1"], interval(relations)),
        *((f"{name} accuracy", row["accuracy"], f"of {row['spans']:,} found spans") for name, row in metrics["attributes"].items()),
        ("false relations", false["rate"], f"of {false['pairs']:,} unrelated pairs in one sentence"),
    ]
    return (
        '<div class="tiles">'
        + "".join(f"<div><span>{escape(name)}</span><b>{value:.3f}</b><small>{escape(note)}</small></div>" for name, value, note in tiles)
        + "</div>"
    )


def _scores(strict: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of a kind of scores, all and by group."""
    body = [_scored("all", strict, [other["f1"] for other in others.values()])]
    for group, title in _GROUPS.items():
        rows = {name: row for name, row in strict.get(group, {}).items() if row["gold"] or row["predicted"]}
        if rows:
            body.append(f'<tr class="group"><th colspan="{1 + len(_STRICT) + len(others)}">{title}</th></tr>')
        body += [_scored(name, row, [other[group][name]["f1"] for other in others.values()]) for name, row in rows.items()]
    return _table([*_STRICT, *others], body)


def _scored(name: str, row: Mapping[str, Any], others: Iterable[float]) -> str:
    """A row of the table of scores, with its F1 as a dot on its interval."""
    low, high = row["interval"]
    dot = f'<i class="whisker" style="--low:{low};--high:{high};--at:{row["f1"]}"></i>'
    interval = f"{low:.3f} to {high:.3f}" if low < high else ""
    return _row(name, [row["gold"], row["predicted"], row["precision"], row["recall"], row["f1"], interval, dot, *others])


def _confusion(table: Mapping[str, Mapping[str, int]], order: Sequence[str]) -> str:
    """What was annotated, a row, against what was predicted, a column; cells are shaded by their share of the row."""
    rows = [*order, *(name for name in table if name not in order)]
    columns = [*order, *dict.fromkeys(name for row in table.values() for name in row if name not in order)]
    body = []
    for name in rows:
        row = table.get(name, {})
        total = sum(row.values())
        cells = [
            f'<td class="{"right" if column == name else "wrong"}" style="--share:{row[column] / total:.2f}">{row[column]:,}</td>'
            if column in row
            else "<td></td>"
            for column in columns
        ]
        if total:
            body.append(f"<tr><th><bdi>{escape(name)}</bdi></th>{''.join(cells)}</tr>")
    return _table(columns, body)


def _mistakes(name: str, table: Mapping[str, Mapping[str, int]]) -> str:
    body = [_row(label, table[label].values()) for label in ["all", *sorted(set(table) - {"all"})]]
    return f"<div><h3>{escape(name)}</h3>{_table(table['all'], body)}</div>"


def _calibration(parts: Mapping[str, Mapping[str, Any]]) -> str:
    body = []
    for name, part in parts.items():
        body.append(f'<tr class="group"><th colspan="4">{escape(name)}: calibration error {part["error"]:.3f}</th></tr>')
        body += [_row(f"{low:.1f} to {low + 0.1:.1f}", [size, mean, right]) for low, size, mean, right in part["bins"]]
    table = _table(["how many", "mean score", "share right"], body)
    return f'<div class="beside">{table}{_plot(lambda: plots.calibration(parts))}</div>'


def _table(head: Iterable[str], body: Iterable[str]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _row(name: str, values: Iterable[Any]) -> str:
    cells = (f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value for value in values)
    return f"<tr><th><bdi>{escape(name)}</bdi></th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _plot(draw: Callable[[], str]) -> str:
    """The plot, or a line that says what it needs."""
    try:
        return draw()
    except MissingDependencyError as error:
        log.warning("the page has no plot here: %s", error)
        return f"<p><em>No plot: {escape(str(error))}</em></p>"


def _worst(pairs: Sequence[tuple[Document, Document]], schema: Schema, most: int) -> list[str]:
    """The documents with mistakes, worst first, as annotated and as predicted."""
    ranked = []
    for at, (want, have) in enumerate(pairs):
        keys = scored_keys([want], [have], schema)
        spans, relations = strict_score(keys.gold_spans, keys.spans), strict_score(keys.gold_relations, keys.relations)
        both = Score(spans.right + relations.right, spans.predicted + relations.predicted, spans.gold + relations.gold)
        if wrong := both.predicted + both.gold - 2 * both.right:
            ranked.append((both.f1, -wrong, at))
    return [_compared(*pairs[at], schema, f1) for f1, _, at in sorted(ranked)[:most]]


def _compared(want: Document, have: Document, schema: Schema, f1: float) -> str:
    """A document as annotated beside the same as predicted, with a note at what is wrong."""
    [gold_spans], [spans], [gold_relations], [relations] = scored_keys([want], [have], schema)
    missed: dict[Span | Relation, str] = {}
    wrong: dict[Span | Relation, str] = {}
    for document, notes, default, here, there, linked in (
        (want, missed, "missed", gold_spans, spans, gold_relations - relations),
        (have, wrong, "invented", spans, gold_spans, relations - gold_relations),
    ):
        kinds = {(*mistake[2:], mistake.label): mistake.kind for mistake in span_mistakes(here, there)}
        for span in document.spans:
            if span_key(span) in here - there:
                kind = kinds[span_key(span)]
                notes[span] = default if kind == "missed" else kind
        notes.update({relation: default for relation in document.relations if relation_key(relation, schema) in linked})
    values = {span_key(span): span.attributes for span in want.spans}
    for span in have.spans:
        if differing := [value for name, value in values.get(span_key(span), {}).items() if span.attributes.get(name) != value]:
            wrong[span] = f"annotated {', '.join(differing)}"
    title = " · ".join(str(word) for word in (want.id, want.lang, want.meta.get("source")) if word)
    return (
        f'<h3><bdi>{escape(title)}</bdi> <small>F1 {f1:.3f}</small></h3><div class="compared">'
        f"<div><h4>annotated</h4>{view.marked(want, schema, notes=missed)}</div>"
        f"<div><h4>predicted</h4>{view.marked(have, schema, notes=wrong)}</div></div>"
    )
