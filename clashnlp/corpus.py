"""What is wrong between annotated documents? Repeated reports, within a file and across files, and names that are read in two ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from clashnlp.agreement import agreement
from clashnlp.check import Finding, Severity, at_span, quoted, shorten
from clashnlp.evaluate import relation_keys, span_key
from clashnlp.formats.entries import Entry
from clashnlp.near import near_groups
from clashnlp.numerals import fold
from clashnlp.schema import Schema
from clashnlp.types import Document, Span

DOCUMENTS, EMPTY = "reports", "unmarked"
_NAMED = 5


def tally(document: Document, schema: Schema) -> Counter[str]:
    """How many spans of each label, attributes of each value and relations of each type the document has."""
    counts = Counter(span.label for span in document.spans)
    for attribute in schema.attributes:
        carriers = (span for span in document.spans if span.label in attribute.labels)
        counts.update(f"{attribute.name}={span.attributes.get(attribute.name, '?')}" for span in carriers)
    counts.update(relation.label for relation in document.relations)
    return counts


def repeats(entries: Sequence[Entry], *, threshold: float, annotators: bool = False) -> Iterator[Finding]:
    """The groups of reports with the same text, and of those with nearly the same.

    Between files, which are taken for parts of one data set, they are worse than within: what is measured on one part was seen in the
    other. Documents whose `annotator` differs are no repeats of each other; with `annotators`, neither are those of different files.
    """

    def parts(group: Iterable[int]) -> list[list[Entry]]:
        """The group's documents by who annotated them."""
        found: dict[Hashable, list[Entry]] = {}
        for at in group:
            entry = entries[at]
            found.setdefault((str(entry.document.meta.get("annotator")), entry.file if annotators else ""), []).append(entry)
        return [part for part in found.values() if len(part) > 1]

    for group in same_texts(entries):
        for part in parts(group):
            yield _repeat(part, ("error", "leak"), ("warning", "repeat"), "the same text as")
    for near in near_groups([entry.document.text for entry in entries], threshold=threshold):
        for part in parts(near.members):
            different = list({entry.document.text: entry for entry in reversed(part)}.values())[::-1]
            if len(different) > 1:
                files = {entry.file for entry in part}
                # Copies of one text stand for the files that they are in.
                shown = different if len({entry.file for entry in different}) == len(files) else part
                least = "at least " if len(near.members) > 2 else ""
                text = f"nearly the same text ({least}{near.share:.0%} of the shorter one's 5-word runs) as"
                yield _repeat(shown, ("warning", "near leak"), ("info", "near repeat"), text)


def _repeat(part: Sequence[Entry], across: tuple[Severity, str], within: tuple[Severity, str], message: str) -> Finding:
    first, *others = part
    severity, kind = across if any(entry.file != first.file for entry in others) else within
    names = [str(entry.document.id) if kind == within[1] else f"{entry.document.id} in {entry.file}" for entry in others]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return Finding(
        severity,
        kind,
        f"{message} {', '.join(names[:_NAMED])}{more}",
        first.document.id,
        text=shorten(first.document.text),
        file=first.file,
        line=first.line,
        others=tuple((entry.file, entry.document.id) for entry in others),
    )


def in_entry(finding: Finding, entry: Entry) -> Finding:
    """The finding with the place of its document."""
    return replace(finding, file=entry.file, line=entry.line)


def same_ids(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Documents that bear the id of an earlier one of their file, and have another text."""
    seen: dict[tuple[str, str | int], Document] = {}
    for entry in entries:
        document = entry.document
        earlier = seen.setdefault((entry.file, document.id), document)
        if earlier.text != document.text:
            text = shorten(document.text)
            yield Finding("warning", "same id", "an earlier report bears this id", document.id, text=text, file=entry.file, line=entry.line)


def two_labels(entries: Iterable[Entry]) -> Iterator[Finding]:
    """The names that stand under several labels, the most lopsided first, each at the first place of its rarest label."""
    places: dict[str, dict[str, tuple[Entry, Span]]] = {}
    counts: dict[str, Counter[str]] = {}
    for entry in entries:
        for span in entry.document.spans:
            name = fold(span.text)
            counts.setdefault(name, Counter())[span.label] += 1
            places.setdefault(name, {}).setdefault(span.label, (entry, span))
    found = [(row.most_common(), places[name]) for name, row in counts.items() if len(row) > 1]
    for row, first in sorted(found, key=lambda one: one[0][-1][1] / sum(count for _, count in one[0])):
        entry, span = first[row[-1][0]]
        message = f"{quoted(span.text)} is " + ", ".join(f"{label} {count}×" for label, count in row)
        yield in_entry(at_span("info", "two labels", message, entry.document, span), entry)


def annotated_twice(entries: Sequence[Entry], schema: Schema) -> tuple[list[tuple[Document, Document]], list[Finding]]:
    """Every pair of annotations of one text, and a finding for each pair that differs.

    Copies in one file, of one annotator and with the same annotation, are no second annotation. Texts on which nothing is marked by
    anyone are left out.
    """
    pairs, findings = [], []
    for group in same_texts(entries):
        versions: dict[Hashable, Entry] = {}
        for at in group:
            document = entries[at].document
            content = frozenset(map(span_key, document.spans)), frozenset(relation_keys(document, schema))
            versions.setdefault((entries[at].file, str(document.meta.get("annotator")), content), entries[at])
        if not any(entry.document.spans for entry in versions.values()):
            continue
        for one, other in combinations(versions.values(), 2):
            pair = (one.document, other.document)
            pairs.append(pair)
            row = agreement([pair], schema)
            if not {row["span_f1"], row["relation_f1"]} <= {None, 1}:
                figures = ", ".join(
                    f"{name} {row[key]:.2f}"
                    for name, key in (("span F1", "span_f1"), ("kappa", "kappa"), ("relation F1", "relation_f1"))
                    if row[key] is not None
                )
                message = f"{other.document.id} in {other.file} reads it differently: {figures}"
                finding = Finding("info", "disagreement", message, one.document.id, text=shorten(one.document.text))
                findings.append(in_entry(finding, one))
    return pairs, findings


def same_texts(entries: Sequence[Entry]) -> list[list[int]]:
    """The groups of at least two entries with the same text, by their places; texts without a word are left out."""
    places: dict[str, list[int]] = {}
    for at, entry in enumerate(entries):
        places.setdefault(entry.document.text, []).append(at)
    return [group for text, group in places.items() if len(group) > 1 and any(map(str.isalnum, text))]
