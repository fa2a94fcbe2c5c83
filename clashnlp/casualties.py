"""How many victims does a casualty span state, and who were they? Rules and word lists in six languages, no tensors.

Where words leave the number open, the least that they can mean is taken, by these conventions:

- A stated number is both bounds; so is one with "about" or "nearly". "At least n" and "more than n" are n and more: ACLED enters the number
  given, and the most conservative of several estimates (ACLED, FAQ on fatalities).
- "Tens" is 10, "dozens" 12, "hundreds" 100, "thousands" 1,000, and more (the same FAQ); "scores" is read as 20.
- "Several", "a number of", "many" are 3 and more: the lower of ACLED's two entries for an unknown number of deaths (the higher is 10).
- Two bounds and not one figure, as in UCDP GED (low, best and high estimate) and in the casualty ranges of Airwars.
- A plural without a number is 2 and more; an Arabic one 3, since two have a form of their own. One noun, or one name, is one victim.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from clashnlp import casualty_words as words
from clashnlp import numerals
from clashnlp.casualty_words import Item, Lexicon
from clashnlp.types import Count, Kind

SEVERAL = 3

_POSSESSIVE = re.compile(r"['’]?(?:s?[ıiuü])(?:n[ıiuü]?n?|n[ea])?\b")
_POSSESSIVE_WORD = re.compile(
    r".*(?:ikisi|biri(?:si)?|üçü|dördü|beşi|altisi|yedisi|sekizi|dokuzu|onu|yirmisi|otuzu|kirki|ellisi)(?:n[iuü]?n?|n[ea])?",
)
# Arabic names that end like a plural or begin like a conjunction.
_NAMES_IN_N = re.compile(
    r"حسين|ياسين|امين|معين|حنين|الدين|شاهين|رنين|تحسين|هارون|سعدون|خلدون|زيدون|حمدون|ميمون|جبرين|سيرين|نسرين|عرين",
)
_NAMES_IN_W = re.compile(r"ول|وائ|وس|وح|وج|وض|وه[بي]|وف|ود[ايع]|ورد|واص|وصف|واث|ون|وي|وق|وطن")
_DEMONYM = re.compile(
    r".*(?:ans|ers|ists|ites|ees|ics|ims|ese|rds|abs|urks|ews|eds|ors)|sunnis|shi\w*s|"
    r"(?:israel|iraq|yemen|saud|pakistan|houth|emirat|kuwait|somal|yazid)is",
)
# Endings of plurals, for words that no list knows.
_PLURALS = {"tr": r".{2,}l[ae]r(?!ce).*", "fa": r".*(?:ها|هاي|هايي|گان|انشان)", "en": r".*[^si]s", "fr": r".*[^s]s", "ru": r".*[ыи]х?"}
_PARTICLES = frozenset(("al", "el", "l", "ul", "bin", "ibn", "abu", "abou", "umm", "ould", "de", "la", "van", "von", "der", "ben"))


class _Quantity(NamedTuple):
    """A stated number of victims: the items that state it, and its bounds."""

    first: int
    behind: int
    low: int
    high: int | None


def parse(text: str, *, lang: str | None = None, outcome: str | None = None, faction_inside: bool = False) -> Count | None:
    """How many victims the text of a casualty span states; None where it can hold none.

    Args:
        text: the span's text.
        lang: its language, a code such as `ar`; None or an unknown one: a guess from letters and words.
        outcome: what befell the victims, the span's attribute.
        faction_inside: whether a faction stands inside the span: then its victims are combatants, unless the words say otherwise.
    """
    lexicon = words.lexicon_of(numerals.language(text, lang))
    items = words.items_of(text, lexicon)
    if not items or lexicon.patterns["nobody"].match(_line(items)):
        return None
    quantities = _quantities(text, items, lexicon)
    names: tuple[str, ...] = ()
    region: Sequence[int]
    if quantities:
        low, high, region = _total(text, items, quantities, lexicon)
    else:
        low, high, names = _uncounted(text, items, lexicon)
        # A name may hold words that are nouns elsewhere.
        begin = text.find(names[0].split()[0]) if names else len(text)
        region = [at for at, item in enumerate(items) if item.start < begin]
    if low == 0 or high == 0:
        return None
    kind = _kind([items[at] for at in region], lexicon)
    if names and kind == "unknown" and any(key in lexicon.ranks for at in region for key in words.bare(items[at].key)):
        kind = "combatant"
    return Count(low, high, outcome, "combatant" if faction_inside and kind == "unknown" else kind, names)


def _line(items: Sequence[Item]) -> str:
    """The keys of the items, as the patterns of phrases read them."""
    return " ".join(item.key for item in items)


def _quantities(text: str, items: list[Item], lexicon: Lexicon) -> list[_Quantity]:
    """The stated numbers of victims, in order."""
    line = _line(items)
    ignored = {at for first, behind in words.matches("not_counts", line, lexicon) for at in range(first, behind)}
    # "Three of 12 hostages" are three.
    ignored.update(behind - 1 for _, behind in words.matches("share", line, lexicon))
    several = dict(words.matches("several", line, lexicon))
    found: list[_Quantity] = []
    at = 0
    while at < len(items):
        if at in several:
            behind = several[at]
            number = next((i for i in range(behind, min(behind + 2, len(items))) if _value(items[i], lexicon) is not None), None)
            if number is None:
                found.append(_Quantity(at, behind, SEVERAL, None))
                at = behind
                continue
            if number > at and items[number].value is not None and items[at].key in ("some", "most", "بعض", "معظم"):
                at = number
                continue
            one = _scaled(items, number, lexicon)
            # "Several hundred" is as open as "hundreds".
            found.append(_Quantity(at, one.behind, one.low, None))
            at = one.behind
        elif at not in ignored and _value(items[at], lexicon) is not None:
            one = _scaled(items, at, lexicon)
            found.append(one)
            at = one.behind
        else:
            at += 1
    found = _ranges(items, line, found, lexicon)
    return _bounded(line, found, lexicon)


def _value(item: Item, lexicon: Lexicon) -> int | None:
    """What a number or a word such as "dozens" says, None for other words."""
    if item.value is not None:
        return item.value
    keys = [item.key, *words.bare(item.key)] if lexicon.lang == "ar" else [item.key]
    return next((lexicon.vague[key] for key in keys if key in lexicon.vague), None)


def _scaled(items: list[Item], at: int, lexicon: Lexicon) -> _Quantity:
    """The quantity that begins at an item: a number, "dozens", or a product such as "tens of thousands"."""
    value, high, behind = _value(items[at], lexicon) or 0, items[at].value, at + 1
    for step in (1, 2):
        if at + step < len(items) and (step == 1 or items[at + 1].key in ("of", "de", "d", "من")):
            factor = _value(items[at + step], lexicon)
            open_word = items[at].value is None or items[at + step].value is None
            if factor in (1000, 10**6, 10**9, 100) and open_word and items[at + step].key != "tens":
                return _Quantity(at, at + step + 1, value * (factor or 1), None)
            if factor is not None:
                break
    return _Quantity(at, behind, value, high)


def _ranges(items: list[Item], line: str, found: list[_Quantity], lexicon: Lexicon) -> list[_Quantity]:
    """The quantities, those that are two ends of a range as one."""
    spans = words.matches("range", line, lexicon)
    merged: list[_Quantity] = []
    for one in found:
        last = merged[-1] if merged else None
        # Two neighbouring numbers without a word between them are a range in these languages (üç dört kişi, سه چهار نفر).
        bare = lexicon.lang in ("tr", "fa", "ru") and last is not None and last.behind == one.first and last.low < one.low <= last.low + 5
        inside = last is not None and any(first <= last.first and one.behind <= behind for first, behind in spans)
        if last is not None and last.high is not None and one.high is not None and (bare or inside):
            merged[-1] = _Quantity(last.first, one.behind, min(last.low, one.low), max(last.high, one.high))
        else:
            merged.append(one)
    return merged


def _bounded(line: str, found: list[_Quantity], lexicon: Lexicon) -> list[_Quantity]:
    """The quantities with "at least", "up to" and "fewer than" applied, each to the number next to it."""
    names = ("fewer", "up_to", "at_least")
    phrases = sorted((first, -behind, name) for name in names for first, behind in words.matches(name, line, lexicon))
    done = 0
    for first, end, name in phrases:
        # Of "no fewer than" and "fewer than" the first is meant.
        if not found or first < done:
            continue
        done = -end
        distances = [max(one.first + end + 1, first - one.behind + 1, 0) for one in found]
        at = distances.index(min(distances))
        low, high = found[at].low, found[at].high
        if name == "at_least":
            found[at] = found[at]._replace(high=None)
        elif high is not None and low == high and high > (name == "fewer"):
            found[at] = found[at]._replace(low=1, high=high - (name == "fewer"))
    return found


def _total(text: str, items: list[Item], found: list[_Quantity], lexicon: Lexicon) -> tuple[int, int | None, Sequence[int]]:
    """The bounds of all victims together, and the items that tell who they are.

    A part of a total ("3 of them children") is not added to it; what "and" joins is.
    """
    line = _line(items)
    kept, region = found, range(len(items))
    if len(found) > 1:
        if lexicon.lang == "tr" and (words.matches("part", line, lexicon) or any(_possessive(text, items, one) for one in found)):
            total = max(found, key=lambda one: one.low)
            behind = min((one.first for one in found if one.first >= total.behind), default=len(items))
            return total.low, total.high, range(total.first, behind)
        starts = [first for name in ("part", "part_after") for first, _ in words.matches(name, line, lexicon)]
        before = [one for one in found if one.behind <= min(starts, default=len(items))]
        if starts and before:
            kept, region = before, range(before[-1].behind if before[0].first > min(starts) else 0, min(starts))
        elif starts:
            kept = [max(found, key=lambda one: one.low)]
    joints = [at for first, behind in words.matches("and", line, lexicon) for at in range(first, behind) if at in region]
    joints += [at for at in region if items[at].key == ","]
    low, high = kept[0].low, kept[0].high
    for last, one in itertools.pairwise(kept):
        worded = items[last.first].value is None and items[one.first].value is None
        if worded and _head(items[last.behind : one.first], lexicon) is None:
            # "Hundreds, possibly thousands" names the same victims twice.
            low, high = min(low, one.low), None
        elif any(last.behind <= at < one.first for at in joints):
            low, high = low + one.low, None if high is None or one.high is None else high + one.high
        elif one.low > low:
            low, high = one.low, one.high
    if any((noun := _head(items[one.behind :], lexicon)) and noun.number == "c" and one.behind in region for one in kept):
        # Two families, three groups.
        high = None
    more = _single_others(items, region, kept, lexicon)
    return low + more, None if high is None else high + more, region


def _possessive(text: str, items: list[Item], one: _Quantity) -> bool:
    """Whether a Turkish number carries the suffix of a part (3'ü, ikisi)."""
    item = items[one.behind - 1]
    stated = numerals.fold(text[item.start : item.end])
    behind = text[item.end :] if stated[-1:].isdigit() else ""
    return bool(_POSSESSIVE.match(behind) or _POSSESSIVE_WORD.fullmatch(stated))


def _single_others(items: list[Item], region: Sequence[int], kept: list[_Quantity], lexicon: Lexicon) -> int:
    """How many victims stand beside the counted ones without a number ("three children and their grandmother")."""
    shared = lexicon.lang == "ar" and (max(one.low for one in kept) > 10 or any(item.key == "بين" for item in items))
    if lexicon.lang in ("tr", "fa") or shared:
        # There a singular noun follows any number, and a second one shares it (70 قتيل وجريح).
        return 0
    more = 0
    for segment in _segments(items, region, lexicon):
        if any(one.first <= at < one.behind for one in kept for at in segment) or not segment:
            continue
        head = _head([items[at] for at in segment], lexicon)
        if head is not None and head.number in "sd":
            more += 2 if head.number == "d" else 1
    return more


def _segments(items: list[Item], region: Sequence[int], lexicon: Lexicon) -> list[list[int]]:
    """The items between the words for "and"."""
    line = _line(items)
    joints = {at for first, behind in words.matches("and", line, lexicon) for at in range(first, behind)}
    segments: list[list[int]] = [[]]
    for at in region:
        if at in joints:
            segments.append([])
        else:
            segments[-1].append(at)
    return segments


def _head(items: list[Item], lexicon: Lexicon) -> words.Noun | None:
    """The noun that tells how many: the first one, in English and Turkish the last one of the phrase."""
    known: list[words.Noun] = []
    for item in items:
        found = words.noun(item.key, lexicon)
        if found:
            known.append(found)
        elif known and item.key in lexicon.cut:
            break
    strong = [one for one in known if one.number != "w"] or known
    if not strong:
        return None
    both = [one for one in strong if one.number == "d"]
    if lexicon.lang == "en" and both:
        return both[0]
    head = strong[-1 if lexicon.lang in ("en", "tr") else 0]
    if lexicon.lang == "tr" and head.number == "s" and _unknown(items, lexicon) != (1, 1):
        return head._replace(number="p")
    return head


def _kind(items: Sequence[Item], lexicon: Lexicon) -> Kind:
    """Who the victims are: what their nouns agree on."""
    found = (words.noun(item.key, lexicon) for item in items)
    kinds = {one.kind for one in found if one is not None} - {"unknown"}
    return next(iter(kinds)) if len(kinds) == 1 else "unknown"


def _uncounted(text: str, items: list[Item], lexicon: Lexicon) -> tuple[int, int | None, tuple[str, ...]]:
    """The bounds that the nouns alone give, and the names."""
    named = _name(text, items, lexicon)
    if named:
        return 1, 1, (named,)
    segments = [[items[at] for at in segment] for segment in _segments(items, range(len(items)), lexicon) if segment]
    known = [head for segment in segments if (head := _head(segment, lexicon)) is not None]
    plural = SEVERAL if lexicon.lang == "ar" else 2
    if not known:
        names = [_capitalised(text, segment, lexicon) for segment in segments]
        if all(names) and len(names) > 1 and lexicon.lang != "ar":
            return len(names), len(names), tuple(name for name in names if name)
        bounds = _unknown(items, lexicon)
        return (*bounds, ())
    exact = sum(2 if head.number == "d" else 1 for head in known if head.number in "sd")
    least = max((plural if head.number == "p" else 2 for head in known if head.number in "pacw"), default=0)
    # A bare Persian singular stands for any number once it is joined (زن و کودک).
    at_least = words.matches("at_least", _line(items), lexicon)
    open_end = least or at_least or (lexicon.lang == "fa" and len(known) > 1)
    return exact + least, None if open_end else exact, ()


def _unknown(items: list[Item], lexicon: Lexicon) -> tuple[int, int | None]:
    """The bounds of words that no list knows, from their endings."""
    key = items[0].key if lexicon.lang in ("ar", "fa", "fr") else items[-1].key
    if lexicon.lang == "ar":
        bare = key.removeprefix("و").removeprefix("ال")
        if len(bare) > 3 and bare.endswith("ون") and not _NAMES_IN_N.search(bare):
            return SEVERAL, None
        if len(bare) > 4 and bare.endswith("ين") and not _NAMES_IN_N.search(bare):
            return 2, None
        return (SEVERAL, None) if key.endswith("ات") and key != bare else (1, 1)
    demonym = lexicon.lang in ("en", "fr") and _DEMONYM.fullmatch(key)
    return (2, None) if demonym or re.fullmatch(_PLURALS[lexicon.lang], key) else (1, 1)


def _name(text: str, items: list[Item], lexicon: Lexicon) -> str | None:
    """The victim whom the span names, without rank; None where it names none."""
    line = _line(items)
    for _, behind in words.matches("called", line, lexicon):
        if behind < len(items):
            return _trimmed(text, items[behind:])
    for first, _ in words.matches("alias", line, lexicon):
        items = items[:first] or items
    if lexicon.lang in ("ar", "fa"):
        return _untitled(text, items, lexicon)
    titles = lexicon.ranks | lexicon.titles
    last = max((at for at, item in enumerate(items) if item.key in titles or words.noun(item.key, lexicon)), default=-1)
    single = len(_segments(items, range(last + 1, len(items)), lexicon)) == 1
    return _capitalised(text, items[last + 1 :], lexicon) if single else None


def _untitled(text: str, items: list[Item], lexicon: Lexicon) -> str | None:
    """What stands behind the titles in a script without capitals, where nothing speaks against a name."""
    at = 0
    while at < len(items) and _title(items, at, lexicon):
        at += 1
    rest = items[at:]
    # Persian nouns are no names; many an Arabic name is also a noun (طالب, قائد).
    plain = "s" if lexicon.lang == "ar" else ""
    nouns = [noun for item in rest if (noun := words.noun(item.key, lexicon))]
    joined = words.matches("and", _line(items), lexicon)
    if not rest or joined or any(noun.number not in plain for noun in nouns) or any(item.value is not None for item in items):
        return None
    if at and lexicon.lang == "ar":
        # Titles before a name have the article; one word behind a mere noun describes it, and so does a prepositional phrase.
        described = words.noun(items[0].key, lexicon) and (len(rest) == 1 or any(item.key in ("في", "من") for item in rest))
        if described or not items[0].key.removeprefix("و").startswith("ال"):
            return None
    return _trimmed(text, rest) if at or _unknown(rest, lexicon) == (1, 1) else None


def _title(items: list[Item], at: int, lexicon: Lexicon) -> bool:
    """Whether an Arabic or Persian word in front of a name is not part of it: a rank, a noun, an adjective of these."""
    for key in words.bare(items[at].key) if lexicon.lang == "ar" else [items[at].key]:
        noun = words.noun(key, lexicon)
        if key in lexicon.ranks or key in lexicon.titles or (noun is not None and noun.number == "s" and at == 0):
            return True
    adjective = at > 0 and items[at].key.startswith("ال") and items[at].key.endswith(("ي", "يه"))
    return adjective and len(items) > at + 2


def _capitalised(text: str, items: list[Item], lexicon: Lexicon) -> str | None:
    """The words as a name, where they look like one in a script that has capitals."""
    if not items or any(words.noun(item.key, lexicon) or item.value is not None for item in items):
        return None
    demonym = _DEMONYM.fullmatch(items[-1].key) and (len(items) == 1 or lexicon.lang == "en")
    if demonym or (len(items) == 1 and lexicon.lang == "tr" and _unknown(items, lexicon) != (1, 1)):
        return None
    proper = all(text[item.start : item.start + 1].isupper() or item.key in _PARTICLES for item in items)
    return _trimmed(text, items) if proper and text[items[-1].start : items[-1].start + 1].isupper() else None


def _trimmed(text: str, items: list[Item]) -> str:
    """The text of the items without quotes and without an Arabic conjunction in front."""
    name = text[items[0].start : items[-1].end].strip(" \"'«»“”‘’#,،").replace("#", "").replace("_", " ")
    joined = name.startswith("و") and len(name) > 3 and not _NAMES_IN_W.match(name)
    if name.startswith("بأبو") or (joined and len(name.split()) > 1):
        name = name[1:]
    return name
