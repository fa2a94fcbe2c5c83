"""Which words tell of casualties? The items of a casualty span, and the nouns, quantities and phrases of six languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from clashnlp import numerals
from clashnlp.numerals import fold
from clashnlp.types import Kind


class Item(NamedTuple):
    """A word of the span, a number (`key` is #) or a mark that matters."""

    key: str
    start: int
    end: int
    value: int | None = None


class Noun(NamedTuple):
    """How many a noun alone means, and who they are.

    Numbers: s one, d two, p plural, a plural or dual, c several at once (a family), w a participle (the wounded), which any noun overrides.
    """

    number: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word lists of one language, under folded words.

    `patterns` finds phrases in the items of a span joined by spaces; `vague` says what words such as "dozens" mean; `ranks` make a named
    victim a combatant, `titles` do not; `cut` holds the prepositions behind which a phrase's head does not stand.
    """

    lang: str
    patterns: dict[str, re.Pattern[str]]
    vague: dict[str, int]
    nouns: dict[str, Noun]
    compounds: frozenset[tuple[str, str]]
    ranks: frozenset[str]
    titles: frozenset[str]
    cut: frozenset[str]


_PATTERNS = (
    "at_least",
    "up_to",
    "fewer",
    "range",
    "several",
    "part",
    "part_after",
    "and",
    "share",
    "nobody",
    "not_counts",
    "called",
    "alias",
)
# Clitics before an Arabic word: and, so; by, to, like; the article.
_PREFIX = {"ar": "(?:[وف]?[بلك]?(?:ال|ل)?)?"}
_PRONOUN = re.compile(r"(.{2,}?)(?:هما|ها|هم|هن|ه|نا|كم)")
_TURKISH_CASES = r"(?:[iuü]m[iuü]z|s?[iuü])?(?:[yn]?[iuü]n?|[yn]?[ae]|n?[dt][ae]n?|y?l[ae]|n?c[ae])?(?:ki)?"
_TURKISH = re.compile(rf"(l[ae]r)?{_TURKISH_CASES}")
_RUSSIAN = {
    "m": (",а,у,ом,е", "ы,ов,ам,ами,ах"),
    "k": (",а,у,ом,е", "и,ов,ам,ами,ах"),
    "h": (",а,у,ом,е", "и,ей,ам,ами,ах"),
    "j": ("ь,я,ю,ем,е", "и,ей,ям,ями,ях"),
    "c": ("а,у,ем,е", "ы,ев,ам,ами,ах"),
    "f": ("а,у,е,ой", "ы,и,,ам,ами,ах"),
    "o": ("о,у,ом,е", "а,,ам,ами,ах"),
    "gen": ("", "е,,ам,ами,ах"),
    "a": ("ый,ого,ому,ом,ая,ой,ую", "ые,ых,ым,ыми"),
    "s": ("ий,его,ему,ем,ая,ую", "ие,их,им,ими"),
    "0": ("", ""),
    "p": ("-", ""),
}


@cache
def lexicon_of(lang: str) -> Lexicon:
    """The word lists of a language, read once."""
    table = json.loads(resources.files("clashnlp").joinpath("data/casualties.json").read_text(encoding="utf-8"))[lang]
    nouns: dict[str, Noun] = {}
    groups = [("w", {"unknown": table["weak"]}), ("s", table["singulars"]), ("d", table["duals"]), ("a", table["ambiguous"])]
    groups += [("c", table["collective"]), ("p", table["plurals"])]
    for number, group in groups:
        for kind, spelt in group.items():
            nouns.update({key: Noun(number, kind) for key in fold(spelt).split()})
    # A plural that is another noun's dual keeps its own meaning, and so does a singular that is another's plural.
    for kind, spelt in table["nouns"].items():
        for entry in fold(spelt).split():
            for key, number in _forms(entry, lang):
                nouns.setdefault(key, Noun(number, kind))
    return Lexicon(
        lang=lang,
        patterns={name: _pattern(table.get(name, []), lang) for name in _PATTERNS},
        vague={fold(key): value for key, value in table["vague"].items()},
        nouns=nouns,
        compounds=frozenset((one, two) for one, _, two in (key.partition("_") for key in nouns) if two),
        ranks=frozenset(fold(table["ranks"]).split()),
        titles=frozenset(fold(table["titles"] + " " + table["adjectives"]).split()),
        cut=frozenset(table["cut"].split()),
    )


def _pattern(phrases: Any, lang: str) -> re.Pattern[str]:
    """A pattern for any of the phrases, between spaces; it never matches where there are none."""
    if not phrases:
        return re.compile("(?!)")
    folded = "|".join(fold(phrase) for phrase in sorted(phrases, key=len, reverse=True))
    return re.compile(rf"(?<!\S){_PREFIX.get(lang, '')}(?:{folded})(?!\S)")


def _forms(entry: str, lang: str) -> Iterator[tuple[str, str]]:
    """The forms of a noun (singular, and plural behind a colon), each with its number."""
    single, _, plural = entry.partition(":")
    if lang == "ru":
        stem, _, name = single.partition("/")
        for number, endings in zip("sp", _RUSSIAN[name], strict=True):
            yield from ((stem + ending, number) for ending in endings.split(",") if ending != "-")
        return
    yield from ((form, "p" if form == plural else "s") for form in single.split("/"))
    if plural:
        yield plural, "p"
    if lang == "ar":
        stem = single[:-1] + "ت" if single.endswith("ه") else single
        yield stem + "ان", "d"
        # -ين is the dual's alone where the plural is another word.
        yield stem + "ين", "d" if plural or stem != single else "a"
        yield from () if plural else ((single.removesuffix("ه") + "ات", "p"), (stem + "ون", "p"), (stem + "و", "p"), (stem + "ي", "a"))
    elif lang == "fa":
        base = single[:-1] + "گ" if single.endswith("ه") else single
        yield single + "ي", "s"
        yield from ((stem, "p") for ending in ("ها", "هاي", "هايي", "هايش") for stem in (single + ending,))
        yield from ((stem + ending, "p") for stem in (single, base) for ending in ("ان", "اني", "انش", "انشان"))
        yield single + "يان", "p"
    elif lang in ("en", "fr") and not plural:
        ending = "es" if lang == "en" and single.endswith(("ch", "s", "x")) else "ies" if lang == "en" and single.endswith("y") else "s"
        yield (single[:-1] if ending == "ies" else single) + ending, "p"


def noun(key: str, lexicon: Lexicon) -> Noun | None:
    """The noun that a folded word is a form of."""
    found = lexicon.nouns.get(key)
    if found or lexicon.lang not in ("ar", "tr"):
        return found
    if lexicon.lang == "tr":
        for cut in range(len(key) - 1, 2, -1):
            found, ending = lexicon.nouns.get(key[:cut]), _TURKISH.fullmatch(key[cut:])
            if found and ending:
                return found._replace(number="p") if ending.group(1) and found.number == "s" else found
        return None
    for word in bare(key):
        tries = [word, word.removesuffix("ا")]
        if match := _PRONOUN.fullmatch(word):
            stem = match.group(1)
            tries += [stem, stem + "ن" if stem.endswith("ي") else stem, stem[:-1] + "ه" if stem.endswith("ت") else stem]
            tries += [stem[:-1] + "ي" if stem.endswith("ا") else stem]
        for form in tries:
            if form in lexicon.nouns:
                return lexicon.nouns[form]
    return None


def bare(key: str) -> Iterator[str]:
    """An Arabic word, then what is left of it without its clitics."""
    yield key
    for prefix in ("ال", "و", "ف", "ب", "ل", "ك", "لل", "وال", "بال", "فال", "ولل", "وب", "ول"):
        if key.startswith(prefix) and len(key) > len(prefix) + 2:
            yield key[len(prefix) :]


def items_of(text: str, lexicon: Lexicon) -> list[Item]:
    """The words, numbers and telling marks of a span, in order."""
    numbers = {number.start: number for number in numerals.find(text, lexicon.lang)}
    items: list[Item] = []
    behind = 0
    for word in numerals.words(text):
        if word.start < behind:
            continue
        between = re.sub(r"[^-–—,،;؛(%٪+&]", "", text[items[-1].end : word.start]) if items else ""
        begin = next((at for at in range(word.start, word.end) if at in numbers), None)
        for mark in re.sub("[،;؛]", ",", between)[:2]:
            # A dash matters between numbers only.
            if mark not in "-–—" or (items[-1].value is not None and begin == word.start):
                items.append(Item("-" if mark in "–—" else "%" if mark == "٪" else mark, word.start, word.start))
        if begin is None:
            items.extend(_split(word, lexicon))
            behind = word.end
        else:
            if begin > word.start:
                items.append(Item(fold(text[word.start : begin]), word.start, begin))
            number = numbers[begin]
            items.append(Item("#", number.start, number.end, number.value))
            behind = max(number.end, word.end if word.key[0].isalpha() else number.end)
    tail = text[items[-1].end :].strip()[:1] if items else ""
    if tail in ("%", "٪", "+"):
        items.append(Item("+" if tail == "+" else "%", len(text), len(text)))
    merged: list[Item] = []
    for item in items:
        last = merged[-1] if merged else item
        if (last.key, item.key) in lexicon.compounds | {("ده", "ها"), ("صد", "ها")}:
            merged[-1] = item._replace(key=last.key + ("" if item.key == "ها" else "_") + item.key, start=last.start)
        else:
            merged.append(item)
    return merged


def _split(word: numerals.Word, lexicon: Lexicon) -> Iterator[Item]:
    """The word; an Arabic conjunction before a known noun apart."""
    key = word.key
    if lexicon.lang == "ar" and key[0] == "و" and len(key) > 3 and key not in lexicon.nouns and noun(key[1:], lexicon):
        yield Item("و", word.start, word.start + 1)
        yield Item(key[1:], word.start + 1, word.end)
    else:
        yield Item(key, word.start, word.end)


def matches(name: str, line: str, lexicon: Lexicon) -> list[tuple[int, int]]:
    """Where the phrases of that name stand: first item and the item behind."""
    return [(line.count(" ", 0, found.start()), line.count(" ", 0, found.end()) + 1) for found in lexicon.patterns[name].finditer(line)]
