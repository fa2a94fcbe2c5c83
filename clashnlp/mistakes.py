"""What kind of mistakes were made? Sorts what was missed and what was claimed wrongly into classes, each mistake into one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SpanKey = tuple[int, int, str]
RelationKey = tuple[SpanKey, SpanKey, str]

SPAN_CLASSES = ("wrong edges", "wrong label", "missed", "invented")
RELATION_CLASSES = ("span not found", "not related", "other relation", "wrong span", "invented")


class Mistake(NamedTuple):
    """One mistake: its class, the label of the span or relation, and where it is (start, end)."""

    kind: str
    label: str
    start: int
    end: int


def span_mistakes(gold: set[SpanKey], predicted: set[SpanKey]) -> list[Mistake]:
    """The mistakes of one document's spans, in order.

    An annotated span that was not found is a mistake of `wrong edges` where a predicted span of its label overlaps it, of `wrong label`
    where one of another label has its extent, else `missed`. A predicted span is `invented` where no annotated one of its label overlaps
    it and none has its extent; other wrong predictions belong to a mistake that is counted already.
    """
    found: list[Mistake] = []
    wrong = predicted - gold
    for start, end, label in gold - predicted:
        if _overlapping(start, end, label, wrong):
            kind = "wrong edges"
        elif any(other[:2] == (start, end) for other in wrong):
            kind = "wrong label"
        else:
            kind = "missed"
        found.append(Mistake(kind, label, start, end))
    for start, end, label in wrong:
        if not _overlapping(start, end, label, gold) and not any(other[:2] == (start, end) for other in gold - predicted):
            found.append(Mistake("invented", label, start, end))
    return sorted(found, key=lambda mistake: mistake[2:] + mistake[:2])


def relation_mistakes(gold: set[RelationKey], predicted: set[RelationKey], gold_spans: set[SpanKey], spans: set[SpanKey]) -> list[Mistake]:
    """The mistakes of one document's relations, in order.

    A missing relation is a mistake of `span not found` where one of its spans was not predicted, of `other relation` where another one was
    predicted between them, else `not related`. A wrong prediction is a `wrong span` where one of its spans is not annotated, else
    `invented`, unless its pair has another relation, which is counted already.
    """
    found: list[Mistake] = []
    claimed = {frozenset(key[:2]) for key in predicted - gold}
    linked = {frozenset(key[:2]) for key in gold - predicted}
    for key in gold - predicted:
        head, tail = key[:2]
        if head not in spans or tail not in spans:
            kind = "span not found"
        else:
            kind = "other relation" if frozenset((head, tail)) in claimed else "not related"
        found.append(_between(kind, key))
    for key in predicted - gold:
        head, tail = key[:2]
        if head not in gold_spans or tail not in gold_spans:
            found.append(_between("wrong span", key))
        elif frozenset((head, tail)) not in linked:
            found.append(_between("invented", key))
    return sorted(found, key=lambda mistake: mistake[2:] + mistake[:2])


def relation_confusion(
    gold: Sequence[set[RelationKey]],
    predicted: Sequence[set[RelationKey]],
    gold_spans: Sequence[set[SpanKey]],
    spans: Sequence[set[SpanKey]],
) -> dict[str, dict[str, int]]:
    """How often each annotated relation (outer key) was predicted as which (inner key), pair of spans by pair of spans.

    What is missing counts as predicted `not related`, or `span not found` where one of its spans was not predicted; what is wrong stands
    under annotated `not related`, or `wrong span` where one of its spans is not annotated. The right label from tail to head is `reversed`.
    """
    table: dict[str, Counter[str]] = {}
    for want, have, known, found in zip(gold, predicted, gold_spans, spans, strict=True):
        for label in (key[2] for key in want & have):
            table.setdefault(label, Counter())[label] += 1
        left = sorted(have - want)
        for key in sorted(want - have):
            # Of several wrong relations between the two spans, one of the same label stands for it.
            other = min((one for one in left if {*one[:2]} == {*key[:2]}), key=lambda one: one[2] != key[2], default=None)
            if other is not None:
                left.remove(other)
                said = "reversed" if other[2] == key[2] else other[2]
            else:
                said = "not related" if {*key[:2]} <= found else "span not found"
            table.setdefault(key[2], Counter())[said] += 1
        for key in left:
            table.setdefault("not related" if {*key[:2]} <= known else "wrong span", Counter())[key[2]] += 1
    return {label: dict(row.most_common()) for label, row in sorted(table.items())}


def count(mistakes: Iterable[Mistake], classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """How many mistakes of each class, for each label that has any; the label `all` comes first."""
    table: dict[str, Counter[str]] = {"all": Counter()}
    for mistake in mistakes:
        for label in ("all", mistake.label):
            table.setdefault(label, Counter())[mistake.kind] += 1
    return {label: {kind: row[kind] for kind in classes} for label, row in table.items()}


def _overlapping(start: int, end: int, label: str, keys: set[SpanKey]) -> bool:
    return any(other[2] == label and other[0] < end and start < other[1] for other in keys)


def _between(kind: str, key: RelationKey) -> Mistake:
    head, tail, label = key
    return Mistake(kind, label, min(head[0], tail[0]), max(head[1], tail[1]))
