"""Which numbers does a text state? Digits of every script; number words in Arabic, English, Turkish, Persian, Russian and French."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

LANGUAGES = ("ar", "en", "tr", "fa", "ru", "fr")


@dataclass(frozen=True, slots=True)
class Number:
    """A cardinal number: `text[start:end]` states `value`. Clitics in front and suffixes behind digits stay outside."""

    start: int
    end: int
    value: int


class Word(NamedTuple):
    """A run of letters or of digits, with its folded form."""

    start: int
    end: int
    key: str


class _Part(NamedTuple):
    """A word of a number.

    Kinds: u 1-9; t 10-19; s the Arabic ten, to which a unit is added; d 20-90, and 10 where it takes units; h 200-900 in one word;
    H hundred; M thousand and more; N two thousand and more in one word; A the Arabic word that is one or two thousand; Z a dozen and
    the like; F a half; B "and a half"; D digits; & and; a an article.
    """

    kind: str
    value: float
    opens: bool
    start: int
    end: int


_MARKS = "\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed"
_BIDI = "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_WORD = re.compile(rf"\d+|[^\W\d_](?:[^\W\d_]|[{_MARKS}{_BIDI}\u200c](?=[^\W\d_{_MARKS}])|[{_MARKS}])*")
_DROPPED = re.compile(f"[{_MARKS}{_BIDI}\u200c]")
_ALIKE = {"ا": "أإآٱ", "ي": "ىی", "ك": "ک", "ه": "ةۀھہ", "е": "ё", "i": "ıî", "a": "â", "u": "û"}
_FOLDS = {ord(letter): to for to, letters in _ALIKE.items() for letter in letters}

# Digits with thousands in groups, or with decimals; a group that a comma or a point sets off has three digits.
_GROUPED = r"\d{1,3}(?:(?:[.,'’\u060c\u066c\u00a0\u2009\u202f]%s)\d{3})+(?!\d)"
_DIGITS = rf"(?<!\d)(?:{_GROUPED % ''}|\d+[.,\u066b]\d+|\d+)"
_SPACED = rf"(?<!\d)(?:{_GROUPED % '| '}|\d+[.,\u066b]\d+|\d+)"
_SEPARATORS = re.compile(r"[.,'’\u060c\u066c\u00a0\u2009\u202f ]")
# Designations (M23, F-16), times and dates are no cardinals; behind the digits, ordinal endings and units of measure are not either.
_NOT_BEFORE = re.compile(r"[A-Za-zА-Яа-я_]$|[A-ZА-Я][-‐‑]$|\d[:/.,]$")
_NOT_AFTER = re.compile(r"[:/]\d|[.]\d+[.]|[A-Za-zÀ-ɏА-Яа-я]|-(?:й|я|е|го|му|ая|ый|ой|ю|м)\b|(?:مین|م|ام)\b|['’]?[ıiuü]?nc[ıiuü]")
_TURKISH_ORDINAL = re.compile(r"['’]?[ıiuü]?nc[ıiuü]|\.(?=\s+[^\W\d])|[A-Za-zÀ-ɏ]+\d|[:/]\d")
_TURKISH_CASE = re.compile(r"(?:l[ıi]k|l[uü]k|s?[ıiuüİ])?(?:n?[ıiuü]n?|[yn]?[ae]|[dt][ae]n?|n[dt][ae]n?)?\b")

# Which kinds may follow each other, plainly and across an "and" (in French before one and eleven only).
_PLAIN = {
    "ar": "us uH uM sM dM HM hM DM FM FZ uZ DH",
    "en": "du uH tH dH DH Hu Ht Hd uM tM dM HM DM Mu Mt Md MD uZ tZ DZ FZ FM FH aH aM aZ Fa",
    "tr": "du uH Hd Hu uM dM HM DM MH Md Mu MD DH uZ DZ FM FZ uB dB DB BM",
    "fa": "uH uM tM dM hM HM DM FM uZ DZ DH",
    "ru": "du hd hu ht uM dM tM hM DM Mu Md Mt Mh MD uZ tZ DZ FZ FM",
    "fr": "du dt tu ud uH DH Hu Ht Hd uM tM dM HM DM Mu Mt Md MH MM MD uF FM FZ uZ tZ dZ DZ",
}
_JOINED = {
    "ar": "ud Hu Hs Hd hu hs hd Mu Ms Md MH Mh MD MM MN Nu Ns Nd NH Nh ND MF NF",
    "en": "Hu Ht Hd Mu Mt Md MD",
    "tr": "",
    "fa": "du hd hu ht Hd Hu Ht Mu Mt Md Mh MH MD MM MF",
    "ru": "",
    "fr": "du dt",
}
_GAP = re.compile(rf"[\s{_BIDI}\u200c]*(?:[-‐‑][\s{_BIDI}]*)?")
_COMMA = re.compile(r",\s*")
# "On Monday", "on Sunday", "Tuesday" and "per cent" are spelt like numbers.
_ARABIC_DAYS = ("الاحد", "الاثنين")
_NOT_NUMBERS = {"tr": ("onu", "onun", "ona", "ondan", "yüzü", "yüzünü", "yüzünün", "yüzünden", "bini"), "fa": ("نهم",)}
_TURKISH_SUFFIX = re.compile(r"(?:s?[iuü](?:n(?:[iuü]n?|[ae]|d[ae]n?))?|[dt][ae]n)")
_CLITIC = re.compile(rf"([وف])?([{_MARKS}]*)([بلك])?([{_MARKS}]*)(ال|ل)?")

_HINTS = {
    "en": "the of and at least more than killed people wounded injured were was dead civilians soldiers others about dozens hundreds",
    "fr": "le la les de des du et au moins plus civils soldats morts blessés tués personnes dont ont été jusqu environ plusieurs",
    "tr": "en az fazla kişi kişinin ölü yaralı asker sivil ve çok sayıda rehine onlarca yüzlerce binlerce çocuk kadın polis yaklaşık",
}


def fold(text: str) -> str:
    """The form under which words are compared: lower case, no marks, Arabic and Persian letters alike, and so Turkish i and ı."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", text).lower()).translate(_FOLDS)


def words(text: str) -> list[Word]:
    """The words of a text, digits apart from letters; a zero-width non-joiner does not end a word."""
    # A lone tatweel folds to nothing, a ligature such as U+FDFA to several words.
    found = (Word(match.start(), match.end(), "".join(fold(match.group()).split())) for match in _WORD.finditer(text))
    return [word for word in found if word.key]


def language(text: str, lang: str | None = None) -> str:
    """The language whose number words the text is read with: the one given where it is known, else a guess from letters and words."""
    short = (lang or "").lower().replace("_", "-").split("-")[0]
    if short in LANGUAGES:
        return short
    if re.search(r"[\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufefe]", text):
        # Letters and words that Arabic does not have.
        persian = re.search(r"[پچژگ]|[\u200c\u06a9\u06cc]|[۰-۹]|(?<!\w)(?:نفر|تن|سه|هزار|از|در|را|صد|ده|دو|شش)(?!\w)", text)
        return "fa" if persian else "ar"
    if re.search(r"[\u0400-\u04ff]", text):
        return "ru"
    keys = [word.key for word in words(text)]
    scores = {name: sum(key in _hints(name) for key in keys) for name in ("en", "fr", "tr")}
    if re.search("[ğşıİ]", text):
        scores["tr"] += 2
    return max(scores, key=lambda name: scores[name])


def find(text: str, lang: str | None = None) -> list[Number]:
    """The cardinal numbers of a text, in order.

    Ordinals, designations (M23), times and dates are none. What a number counts is not asked: ages, units and shares are numbers here.

    Args:
        text: any text.
        lang: its language, a code such as `ar` or `en-US`; None or another one: a guess from letters and words.
    """
    lang = language(text, lang)
    parts = list(_parts(text, lang))
    found: list[Number] = []
    at = 0
    while at < len(parts):
        behind, value = _compose(text, parts, at, lang)
        if behind > at:
            found.append(Number(parts[at].start, parts[behind - 1].end, value))
        at = max(behind, at + 1)
    return found


@cache
def _hints(lang: str) -> frozenset[str]:
    return frozenset(fold(_HINTS[lang]).split()) | {key for key, rows in _lexicon(lang).items() if rows[0] not in "&a"}


@cache
def _tables() -> dict[str, list[tuple[str, float, int, bool, str]]]:
    """Rows by language: kind, first value, step, whether a number can begin with it, and the words, spelling variants between slashes."""
    tables: dict[str, list[tuple[str, float, int, bool, str]]]
    tables = json.loads(resources.files("clashnlp").joinpath("data/numerals.json").read_text(encoding="utf-8"))
    return tables


@cache
def _lexicon(lang: str) -> dict[str, tuple[str, float, bool]]:
    """Folded number words of a language, with kind, value and whether a number can begin with them."""
    lexicon: dict[str, tuple[str, float, bool]] = {}
    for kind, first, step, opens, spelt in _tables()[lang]:
        for index, variants in enumerate(spelt.split()):
            for key in fold(variants).split("/"):
                lexicon.setdefault(key, (kind, first + index * step, opens))
    return lexicon


def _parts(text: str, lang: str) -> Iterator[_Part]:
    """The words of the text that may belong to a number, in order."""
    at = 0
    digits = re.compile(_SPACED if lang in ("ru", "fr") else _DIGITS)
    found = words(text)
    for index, word in enumerate(found):
        if word.start < at:
            continue
        if word.key[0].isdigit():
            match = digits.match(text, word.start)
            if match:
                at = match.end()
                yield from _digits(text, match, lang)
            continue
        after = found[index + 1].key if index + 1 < len(found) else ""
        before = found[index - 1].key if index else ""
        if (lang == "fa" and after in ("ها", "شنبه", "هاي")) or (lang == "ar" and before == "في" and word.key == "المئه"):
            continue
        if (lang == "fr" and before == "pour" and word.key == "cent") or (lang == "en" and word.key == "one" and before == "no"):
            continue
        yield from _word(text, word, after, lang)


def _digits(text: str, match: re.Match[str], lang: str) -> Iterator[_Part]:
    start, end = match.span()
    shown = unicodedata.normalize("NFKC", match.group())
    behind = text[end : end + 12]
    if _NOT_BEFORE.search(text[max(0, start - 2) : start]):
        return
    factor = 1
    if lang == "tr":
        if _TURKISH_ORDINAL.match(behind) or (behind[:1].isalpha() and not _TURKISH_CASE.match(behind)):
            return
    elif re.match(r"[kK]\b", behind):
        factor, end = 1000, end + 1
    elif _NOT_AFTER.match(behind):
        return
    if re.fullmatch(_GROUPED % "| ", match.group()) and len(_SEPARATORS.split(match.group())) > 1:
        value: float = int(_SEPARATORS.sub("", shown))
    else:
        value = float(re.sub(r"[,\u066b]", ".", shown)) if not shown.isdigit() else int(shown)
    yield _Part("D", value * factor, True, start, end)


def _word(text: str, word: Word, after: str, lang: str) -> Iterator[_Part]:
    raw = text[word.start : word.end]
    if "\u200c" in raw:
        # Persian writes a compound number as one word, but tens of and the like end in a plural suffix.
        cuts = re.finditer(r"[^\u200c]+", raw)
        pieces = [Word(word.start + cut.start(), word.start + cut.end(), fold(cut.group())) for cut in cuts]
        if len(pieces) > 1:
            for piece, behind in zip(pieces, [*(piece.key for piece in pieces[1:]), after], strict=True):
                if behind in ("ها", "هاي", "شنبه"):
                    return
                yield from _word(text, piece, behind, lang)
            return
    lexicon = _lexicon(lang)
    if word.key in _NOT_NUMBERS.get(lang, ()) and not after.startswith(("fazla", "çok", "aşkin")):
        return
    if word.key in lexicon:
        yield _named(text, word, after, lang)
    elif lang in ("ar", "fa"):
        yield from _clitics(text, word, after, lang)
    elif lang == "tr":
        yield from _glued(word, after)


def _named(text: str, word: Word, after: str, lang: str) -> _Part:
    kind, value, opens = _lexicon(lang)[word.key]
    if lang == "ar" and word.key == "الفا":
        # Without tanwin the dual before a noun (two thousand killed), or a thousand behind its number: the reader tells them apart.
        kind, opens = ("M" if "\u064b" in text[word.start : word.end] or after == "من" else "A"), True
    if lang == "tr" and word.key == "bin":
        # Usama bin Ladin.
        opens = not re.search(r"[^\W\d_][ \t]+$", text[: word.start]) or not text[word.end :].lstrip()[:1].isupper()
    return _Part(kind, value, opens, word.start, word.end)


def _clitics(text: str, word: Word, after: str, lang: str) -> Iterator[_Part]:
    """The number behind conjunction, preposition and article; the conjunction is a part of its own."""
    if word.key in _ARABIC_DAYS:
        return
    raw = text[word.start : word.end]
    match = _CLITIC.match(raw)
    conjunction = bool(match and match.group(1))
    # The article and the preposition are optional letters of the word itself: the longest rest that is a number wins.
    for cut in range(1, min(len(raw), match.end() if match else 0) + 1):
        rest = Word(word.start + cut, word.end, fold(raw[cut:]))
        if rest.key in _lexicon(lang) and raw[cut : cut + 1].isalpha() and _lexicon(lang)[rest.key][0] != "&":
            if lang == "fa" and raw[:cut] != "و":
                return
            if conjunction:
                yield _Part("&", 0, False, word.start, word.start + 1)
            part = _named(text, rest, after, lang)
            yield part
            return


@cache
def _turkish_words() -> str:
    """A pattern for the words that Turkish numbers are glued from."""
    return "|".join(sorted((key for key, row in _lexicon("tr").items() if row[0] in "udHM"), key=len, reverse=True))


def _glued(word: Word, after: str) -> Iterator[_Part]:
    """The parts of a Turkish number written as one word (yüzyirmiüç), or with a possessive or ablative (ikisinin, ondan fazla)."""
    lexicon, names = _lexicon("tr"), _turkish_words()
    match = re.fullmatch(rf"((?:{names})+)({_TURKISH_SUFFIX.pattern})?", word.key)
    if not match:
        return
    suffix = match.group(2) or ""
    if re.fullmatch("[dt][ae]n", suffix) and not after.startswith(("fazla", "çok", "az")):
        return
    for key in re.findall(names, match.group(1)):
        kind, value, opens = lexicon[key]
        yield _Part(kind, value, opens, word.start, word.end)


def _compose(text: str, parts: list[_Part], first: int, lang: str) -> tuple[int, int]:
    """The index behind the longest number that begins at `parts[first]`, and its value; `first` itself where none begins there."""
    part = parts[first]
    if not part.opens:
        return first, 0
    reader = _Reader(lang)
    reader.begin(part)
    behind, value = (first + 1, reader.value()) if reader.complete() else (first, 0)
    at, joined = first + 1, False
    while at < len(parts):
        part, gap = parts[at], text[parts[at - 1].end : parts[at].start]
        comma = lang == "en" and reader.last == "M" and bool(_COMMA.fullmatch(gap))
        if not (_GAP.fullmatch(gap) or comma):
            break
        if part.kind == "&":
            if joined:
                break
            joined = True
        else:
            if not reader.add(part, joined):
                break
            joined = False
            # "Two thousand, three hundred", but not "two thousand, three of them".
            reader.pending = (reader.pending or comma) and part.kind not in "HM"
            if reader.complete():
                behind, value = at + 1, reader.value()
        at += 1
    return behind, value


class _Reader:
    """Adds up the parts of one number."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.total, self.group, self.least = 0.0, 0.0, float("inf")
        self.last, self.last_value = "", 0.0
        self.pending = False

    def begin(self, part: _Part) -> None:
        """Take the first part."""
        self._take(part._replace(kind="N") if part.kind == "A" else part)

    def add(self, part: _Part, joined: bool) -> bool:
        """Whether the part continues the number; it is added if so."""
        part = part._replace(kind="M") if part.kind == "A" else part
        pair = self.last + part.kind
        if pair not in (_JOINED if joined else _PLAIN)[self.lang].split():
            return False
        if not self._fits(part, joined):
            return False
        self._take(part)
        return True

    def _fits(self, part: _Part, joined: bool) -> bool:
        pair = self.last + part.kind
        if self.lang == "fr":
            # Sixty and eighty take ten to nineteen, ten takes seven to nine.
            wrong = (pair == "dt" and self.last_value not in (60, 80)) or (pair == "tu" and (self.last_value != 10 or part.value < 7))
            if wrong or (pair == "ud" and (self.last_value, part.value) != (4, 20)) or (joined and part.value not in (1, 11)):
                return False
        if part.kind == "H":
            return self.last in "MNa" or self.group < 100
        if part.kind in "MN":
            return part.value < self.least
        if part.kind == "D":
            return self.last != "M" or (part.value < self.least and part.value == int(part.value))
        return part.kind != "u" or part.value > 0

    def _take(self, part: _Part) -> None:
        kind, value = part.kind, part.value
        if self.last + kind == "ud" and self.lang == "fr":
            # Four twenties; the four is in the group.
            self.group += 76
            value = 80
        elif kind in "utsdhD":
            self.group += value
        elif kind == "a":
            self.group = self.group or 1
        elif kind in ("H", "Z"):
            self.group = (self.group or 1) * value
        elif kind == "B":
            self.group += 0.5
        elif kind == "F" and self.last in ("M", "N"):
            self.total += self.least * value
        elif kind == "F":
            self.group = value
        else:
            self.total += (2 if kind == "N" else self.group or 1) * value
            self.group, self.least = 0.0, value
        self.last, self.last_value = (kind, value) if kind != "a" or self.last != "F" else (self.last, self.last_value)

    def complete(self) -> bool:
        """Whether the parts so far are a whole number."""
        value = self.total + self.group
        return not self.pending and value == int(value) and self.last != "a" and (self.last != "F" or self.total > 0)

    def value(self) -> int:
        """What the parts add up to."""
        return round(self.total + self.group)
