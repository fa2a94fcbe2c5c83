"""Checks annotated reports: what training would lose, what would spoil a measurement, and what a person should look at."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clashnlp import __version__, corpus
from clashnlp.agreement import agreement
from clashnlp.check import KINDS, SEVERITIES, Finding, check_document, missed_spans
from clashnlp.commands.files import DONE, INCOMPLETE, check_output, progress
from clashnlp.commands.options import add_input_format, add_model, add_near, load_model, positive, read_schema, share
from clashnlp.errors import DataError
from clashnlp.formats.entries import Entry, read_entries
from clashnlp.schema import CLASH, Schema
from clashnlp.view import one_line

_TITLES = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("note", "notes")}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser."""
    command = commands.add_parser("check", help="find what is wrong in annotated reports")
    command.add_argument("inputs", nargs="+", metavar="DATA", help="annotated files or folders; several are parts of one data set")
    add_input_format(command)
    command.add_argument("-o", "--output", "--json", type=Path, metavar="FILE", help="write the report to this file as JSON")
    command.add_argument("--strict", action="store_true", help="fail on warnings as well")
    command.add_argument("--annotators", action="store_true", help="the files hold the same reports, each by another annotator")
    command.add_argument("--schema", help="'clash', 'data' for the labels that the files use, or a JSON file (default: clash)")
    add_near(command)
    text = "have a model read the reports, and note spans this sure where nothing is marked (0.9, say)"
    command.add_argument("--missed", type=share, metavar="SCORE", help=text)
    command.add_argument("--show", type=positive, default=5, metavar="N", help="findings of a kind to print (default: 5); the JSON has all")
    add_model(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carries the command out."""
    check_output(options.output, options.inputs)
    findings: list[Finding] = []

    def refuse(file: str, error: DataError) -> None:
        match = re.fullmatch(r":(?:(\d+):)? (.*)", str(error).removeprefix(file), re.DOTALL)
        line, message = match.groups() if match else (None, str(error))
        findings.append(Finding("error", "unreadable", message, file=file, line=int(line) if line else None))

    entries = list(read_entries(options.inputs, format=options.input_format, on_error=refuse))
    if not entries and not findings:
        raise DataError(f"{', '.join(options.inputs)}: no document to check")
    schema = _schema(options.schema, entries)
    for entry in entries:
        findings += [corpus.in_entry(finding, entry) for finding in check_document(entry.document, schema)]
    findings += corpus.repeats(entries, threshold=options.near, annotators=options.annotators)
    findings += corpus.same_ids(entries)
    findings += _missed(entries, options)
    pairs, differing = corpus.annotated_twice(entries, schema)
    findings += differing
    findings += corpus.two_labels(entries)
    order = {kind: at for at, kind in enumerate(KINDS)}
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), order[finding.kind]))

    counts = _counts(entries, schema)
    agreed = agreement(pairs, schema) if pairs else None
    numbers = Counter(finding.severity for finding in findings)
    if options.output is not None:
        report = {
            "clashnlp": __version__,
            "counts": {severity: numbers[severity] for severity in SEVERITIES},
            "kinds": dict(Counter(finding.kind for finding in findings)),
            "files": counts,
            "agreement": agreed,
            "findings": [finding.to_dict() for finding in findings],
        }
        options.output.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for line in (*_count_lines(counts, schema), *_agreement_lines(agreed), *_finding_lines(findings, options.show)):
        print(one_line(line))
    parts = (f"{numbers[severity]} {_TITLES[severity][numbers[severity] != 1]}" for severity in SEVERITIES)
    print(f"{len(entries)} reports: {', '.join(parts)}")
    failed = numbers["error"] or (options.strict and numbers["warning"])
    return INCOMPLETE if failed else DONE


def _schema(value: str | None, entries: Sequence[Entry]) -> Schema:
    schema = read_schema(value)
    if schema == "data":
        return Schema.from_documents(entry.document for entry in entries)
    return schema if isinstance(schema, Schema) else CLASH


def _missed(entries: Sequence[Entry], options: argparse.Namespace) -> Iterator[Finding]:
    if options.missed is None:
        if options.model is not None:
            raise DataError("--model is used with --missed SCORE, which says how sure the model has to be; 0.9, say")
        return
    model = load_model(options)
    analyses = model.predict_many((entry.document for entry in entries), batch_tokens=options.batch_tokens)
    for entry, analysis in zip(entries, progress(analyses, show=True), strict=True):
        for finding in missed_spans(entry.document, analysis, score=options.missed):
            yield corpus.in_entry(finding, entry)


def _counts(entries: Iterable[Entry], schema: Schema) -> dict[str, dict[str, dict[str, int]]]:
    """What each file has in each language."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    for entry in entries:
        row = counts.setdefault(entry.file, {}).setdefault(entry.document.lang or "unknown", Counter())
        row[corpus.DOCUMENTS] += 1
        row[corpus.EMPTY] += not entry.document.spans
        row.update(corpus.tally(entry.document, schema))
    return {file: {lang: dict(langs[lang]) for lang in sorted(langs)} for file, langs in counts.items()}


def _count_lines(counts: Mapping[str, Mapping[str, Mapping[str, int]]], schema: Schema) -> Iterator[str]:
    """Tables of spans, values and relations, a line for each file and language, and one for all."""
    rows = {(file, lang): Counter(row) for file, langs in counts.items() for lang, row in langs.items()}
    if not rows:
        return
    total = sum(rows.values(), Counter[str]())
    values = [f"{attribute.name}={value}" for attribute in schema.attributes for value in (*attribute.values, "?")]
    relations = [relation.label for relation in schema.relations]
    labels = [corpus.DOCUMENTS, corpus.EMPTY, *schema.labels]
    others = sorted(set(total) - {*labels, *values, *relations})
    if len(rows) > 1:
        rows["all", ""] = total
    names = {place: " ".join(filter(None, place)) for place in rows}
    width = max(map(len, names.values()))
    for columns in (labels, [value for value in values if total[value]], relations, others):
        if any(total[column] for column in columns):
            yield " ".join([" " * width, *(f"{column:>8}" for column in columns)])
            for place, row in rows.items():
                yield " ".join([f"{names[place]:{width}}", *(f"{row[column]:{max(len(column), 8)}}" for column in columns)])
            yield ""


def _agreement_lines(agreed: Mapping[str, Any] | None) -> Iterator[str]:
    if agreed is None:
        return

    def show(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    yield f"{agreed['pairs']} pairs of annotations of one text, {agreed['words']} words{'':10}{'spans':>14}{'F1':>8}{'kappa':>8}"
    for label, row in agreed["labels"].items():
        yield f"  {label:20}{' and '.join(map(str, row['spans'])):>14}{show(row['f1']):>8}{show(row['kappa']):>8}"
    yield f"  {'all labels':20}{'':14}{show(agreed['span_f1']):>8}{show(agreed['kappa']):>8}"
    yield f"  relations: F1 {show(agreed['relation_f1'])}; attributes of spans that both have: {show(agreed['attributes'])} the same"
    yield ""


def _finding_lines(findings: Sequence[Finding], shown: int) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.kind), []).append(finding)
    for (severity, kind), members in groups.items():
        yield f"{_TITLES[severity][0]}: {KINDS[kind]} ({kind}): {len(members)}"
        for finding in members[:shown]:
            line = "" if finding.line is None else f":{finding.line}"
            document = "" if finding.document is None else f" {finding.document}"
            at = "" if finding.start is None else f" {finding.start}-{finding.end}"
            snippet = f" | {finding.text}" if finding.text and finding.text not in finding.message else ""
            yield f"  {finding.file}{line}{document}{at}: {finding.message}{snippet}"
        if len(members) > shown:
            yield f"  and {len(members) - shown} more"
        yield ""
