"""How many victims altogether? Adds up what one sentence counts, and keeps apart what two sources say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clashnlp import casualties, numerals
from clashnlp.numerals import fold
from clashnlp.types import Count, Kind, Span, Toll

# "Four others" are added to those who were told of before.
_OTHERS = re.compile(
    r"\b(?:others?|another|more(?! than)|diğer|başka|daha(?! (?:fazla|çok|az))|autres?)\b"
    r"|(?:^|\s)و?(?:ال)?(?:اخرين|اخرون|اخر|اخري|اخران|اخريات)(?:\s|$)|دیگر|ديگر|друг"
)
# What stands between a number of victims and some of the same: "ten people, among them three children".
_PART = re.compile(
    r"(?:\b(?:including|among them|among whom|of whom|of them|dont|parmi)\b|بين(?:هم|هما|هن)|من(?:هم|هما)\b|aralarında|از جمله"
    r"|среди них|в том числе"
    # Nothing but a preposition may follow: what stands further on is a clause of its own.
    r")\W*(?:\w+\W+)?$"
)
# The same behind the second number: "three children were among the dead".
_AMONG = re.compile(
    r"^\W*(?:(?:was|were|are|is)\s+)?among (?:the|those) (?:\w+\s+)?(?:dead|killed|victims|wounded|injured|fatalities)\b"
    r"|^\W*(?:كانوا |كان |كن )?(?:من )?بين (?:القتلى|الضحايا|الجرحى|المصابين)|^\W*(?:ölenler|yaralılar|kurbanlar) arasında"
    r"|^\W*(?:در میان|از جمله) (?:کشته|قربانیان|زخمی)"
)
# What stands before one of the victims told of before: "one of the dead is Captain ...".
_ONE_OF = re.compile(
    r"(?:\bone of (?:the|those) (?:\w+\s+)?(?:dead|killed|victims|wounded)"
    r"|(?:[أا]حد|[إا]حدى) (?:القتلى|القتيلين|الضحايا|الجرحى|الجريحين|المصابين)"
    r"|(?:ölenlerden|yaralılardan|ölen\w*) (?:biri|birinin)|یکی از (?:کشته|قربانیان|زخمی)\S*)\W*(?:\S+\s+){0,2}$"
)
# The dead who are found or handed over were killed before.
_BODIES = re.compile(
    r"\b(?:body|bodies|corpses?|remains|cese[td]\w*|cenaze\w*|naaş\w*|naas\w*)\b|(?:^|\s)[وبل]?(?:ال)?(?:جثث|جثه|جثمان|جثامين|اشلاء)|جسد|اجساد|پيكر|پیکر|جنازه"
)
# What makes a number the toll of a war and not of a clash: "since the war began", "since 2011".
_WAR = r"(?:war|conflict|uprising|revolution|year|century)"
_WAR_AR = r"(?:ال)?(?:حرب|نزاع|صراع|ازمه|ثوره|احتجاجات|انتفاضه|تمرد|عام)"
_YEAR = r"(?:19|20)\d\d"
_BACKGROUND = re.compile(
    rf"\bsince (?:the )?(?:(?:start|beginning|outbreak) of (?:\S+ ){{0,3}}{_WAR}|(?:\S+ ){{0,2}}{_WAR} (?:began|started|broke|erupted)"
    rf"|(?:\w+ )?{_YEAR})\b"
    rf"|منذ (?:(?:بدء|بدايه|اندلاع|انطلاق|نشوب|تفجر) {_WAR_AR}|(?:\S+ )?{_YEAR})"
    rf"|(?:savaş\w*|çatişma\w*|{_YEAR}) ?(?:['’]?[dt][ae]n|yilin\w+|baş\w+) (?:\w+ )?(?:beri|bu yana)\b"
    rf"|از (?:(?:زمان )?(?:اغاز|شروع|ابتداي) (?:جنگ|درگيري|بحران|سال)|سال)"
)
_OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Statement:
    """One casualty span, read: its count, whose members they were and who caused them (sides), who says so and in which sentence.

    `part` tells that the victims are among those of the span before.
    """

    span: Span
    count: Count
    side: int | None
    by: int | None
    claimant: str | None
    sentence: tuple[int, int]
    part: bool = False


def count(span: Span, *, lang: str, combatants: bool) -> Count | None:
    """The count of a casualty span; None where it states no victim."""
    return casualties.parse(span.text, lang=lang, outcome=span.attributes.get(_OUTCOME), faction_inside=combatants)


def number(span: Span, *, lang: str) -> tuple[str | None, int] | None:
    """The outcome of a casualty span and the least number of victims; None where its words name no number."""
    found = count(span, lang=lang, combatants=False) if numerals.find(span.text, lang) else None
    return None if found is None else (found.outcome, found.low)


def is_part(between: str, behind: str) -> bool:
    """Whether the words between two casualty spans, or those behind the second, make it a part of the first."""
    return _PART.search(between.lower()) is not None or _AMONG.search(behind.lower()) is not None


def is_one_of(before: str) -> bool:
    """Whether the words before a casualty span make it one of the victims that were told of before."""
    return _ONE_OF.search(before.lower()) is not None


def is_background(sentence: str) -> bool:
    """Whether a sentence counts the victims of a whole war."""
    return _BACKGROUND.search(fold(sentence)) is not None


def collect(statements: Iterable[Statement]) -> list[Toll]:
    """The tolls of a clash, in the order of the text.

    Within a sentence, counts of one side and outcome add up. A later sentence repeats a toll (equal bounds), names some of its victims,
    adds to it (four others), or is a claim of its own.
    """
    groups: dict[tuple[tuple[int, int], str | None, int | None, str | None, bool], list[Statement]] = {}
    told = sorted(statements, key=lambda one: one.span.start)
    for one in told:
        if _is_found(one, told):
            continue
        key = (one.sentence, one.claimant, one.side, one.count.outcome, one.count.kind == "civilian")
        before = [other for other in groups if other[3] == one.count.outcome and one.sentence[0] - other[0][1] <= 1]
        if one.part and any(other[0] == one.sentence or not one.count.names for other in before):
            # They are counted already, on whichever side.
            continue
        groups.setdefault(key, []).append(one)
    tolls: list[Toll] = []
    for group in groups.values():
        toll = _toll(group)
        if not _merged(toll, group[0].span, tolls):
            tolls.append(toll)
    return tolls


def _is_found(one: Statement, told: list[Statement]) -> bool:
    """Whether these are bodies of victims that are told of elsewhere."""
    return _BODIES.search(fold(one.span.text)) is not None and any(
        other.count.outcome == one.count.outcome and other.count.low >= one.count.low and _BODIES.search(fold(other.span.text)) is None
        for other in told
        if other.side == one.side or None in (other.side, one.side)
    )


def total(tolls: Iterable[Toll]) -> tuple[int, int | None] | None:
    """The range that covers what the sources say of one number; None without any toll.

    A source agrees with itself, so its largest number holds. Who names no number ("dozens") contradicts nobody who names one.
    """
    voices: dict[str | None, list[Count]] = {}
    kept = list(tolls)
    numbers = [toll.count for toll in kept if not is_vague(toll)]
    for toll in kept:
        if not is_vague(toll) or all(one.high is not None and one.high < toll.count.low for one in numbers):
            voices.setdefault(toll.claimant, []).append(toll.count)
    ranges = [_agreed(counts) for counts in voices.values()]
    highs = [high for _, high in ranges]
    if not ranges:
        return None
    return min(low for low, _ in ranges), None if None in highs else max(high for high in highs if high is not None)


def is_vague(toll: Toll) -> bool:
    """Whether the toll names no number, only "dozens", "several" or a plural."""
    return toll.count.high is None and not any(numerals.find(span.text) for span in toll.spans)


def _agreed(counts: list[Count]) -> tuple[int, int | None]:
    """The range that agrees with all that one source says, its largest number at least."""
    low = max(one.low for one in counts)
    return low, min((one.high for one in counts if one.high is not None and one.high >= low), default=None)


def added(ranges: Sequence[tuple[int, int | None]]) -> tuple[int, int | None]:
    """The sum of ranges of different victims."""
    highs = [high for _, high in ranges]
    return sum(low for low, _ in ranges), None if None in highs else sum(high for high in highs if high is not None)


def _toll(group: list[Statement]) -> Toll:
    numbered = [one.count for one in group if not one.count.names]
    named: list[Count] = []
    for one in group:
        if one.count.names and not _known(one.count.names, tuple(name for count in named for name in count.names)):
            named.append(one.count)
    # Names beside a number are those of its victims, as far as it goes.
    counted = numbered if numbered and sum(one.low for one in numbered) >= max(len(named), 2) else numbered + named
    low, high = added([(one.low, one.high) for one in counted])
    names = tuple(dict.fromkeys(name for one in named for name in one.names))
    kinds = {one.count.kind for one in group}
    kind: Kind = next(iter(kinds)) if len(kinds) == 1 else "unknown"
    first = group[0]
    by = next((one.by for one in group if one.by is not None), None)
    whole = Count(low, high, first.count.outcome, kind, names)
    return Toll(whole, first.side, by, first.claimant, tuple(one.span for one in group))


def _merged(toll: Toll, first: Span, tolls: list[Toll]) -> bool:
    """Whether the toll went into one of those before."""
    for at in range(len(tolls) - 1, -1, -1):
        other = tolls[at]
        if other.count.outcome != toll.count.outcome or (other.side != toll.side and None not in (other.side, toll.side)):
            continue
        if "civilian" in (other.count.kind, toll.count.kind) and other.count.kind != toll.count.kind:
            continue
        apart = None not in (other.claimant, toll.claimant) and other.claimant != toll.claimant
        low, high = other.count.low, other.count.high
        if (low, high) == (toll.count.low, toll.count.high) and not apart and bool(other.count.names) == bool(toll.count.names):
            same = not toll.count.names or _known(toll.count.names, other.count.names)
        else:
            same = bool(toll.count.names) and toll.count.low <= low and _known(toll.count.names, other.count.names)
        part = bool(toll.count.names) and not other.count.names and (high is None or toll.count.low <= high)
        told = toll.count.low <= low and any(fold(first.text) == fold(span.text) for span in other.spans)
        more = _OTHERS.search(fold(first.text)) is not None and not apart and not told
        if told and not apart:
            tolls[at] = _union(other, toll, low, high)
            return True
        if same or part:
            tolls[at] = _union(other, toll, low, high)
            return True
        if more or (toll.count.names and other.count.names and not same and not apart):
            # Others, or somebody else by name.
            tolls[at] = _union(other, toll, *added([(low, high), (toll.count.low, toll.count.high)]))
            return True
    return False


def _known(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether these are names that stood there before, perhaps in a fuller form."""
    words = [set(fold(other).split()) for other in others]
    return all(any(own <= other or other <= own for other in words) for own in (set(fold(name).split()) for name in names))


def _union(one: Toll, other: Toll, low: int, high: int | None) -> Toll:
    names = tuple(dict.fromkeys((*one.count.names, *other.count.names)))
    kind = one.count.kind if one.count.kind != "unknown" else other.count.kind
    side = one.side if one.side is not None else other.side
    by = one.by if one.by is not None else other.by
    count = Count(low, high, one.count.outcome, kind, names)
    return Toll(count, side, by, one.claimant or other.claimant, one.spans + other.spans)
