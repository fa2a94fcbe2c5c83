"""What does the text around a clash say of it? Who claims a sentence, who denies something in it, and when it happened."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from clashnlp.actors import fold as fold_name
from clashnlp.numerals import fold

# A claimant is at most this many words: what is longer is a clause and no name.
_MOST_WORDS = 9

_NAME = r"(?P<name>[^\s.,،;؛:!?؟\"“”«»()]+(?:\s+[^\s.,،;؛:!?؟\"“”«»()]+){0,8}?)"
# The same without the case ending of its last word, which a pattern names behind it.
_STEM = _NAME.replace("]+)", "]+?)").replace("]+(?:", "]+?(?:")
# A name as English writes it, of capitalised words and the small ones between them, behind an article: where a report has lost its commas.
_CAPITALS = (
    r"(?P<name>(?:(?:state|official|local|pro-\w+|news|agency|monitoring|group)\s+)*"
    r"[A-Z][\w'’-]*(?:\s+(?:for|of|and|in|on|[A-Z][\w'’-]*)){0,7})"
)
_SAID = r"(?:said|says|told|reported|announced|claimed|confirmed|stated|declared|added)"
_SAID_AR = r"(?:و|ف)?(?:قال|ذكر|[أا]فاد|[أا]علن|[أا]كد|[أا]وضح|[أا]ضاف|صرح|زعم|كشف|[أا]ورد|نقل)ت?"
# What is told as a noun: "spoke of the killing of".
_TELLING_AR = r"ب?(?:مقتل|مصرع|[إا]صاب[ةت]|سقوط|وقوع|اندلاع|تعرض|وفاة|استشهاد|ارتفاع|وصول|اعتقال|اختطاف|(?<=ب)[أا]ن)\S*"
# What stands between a name and what it says: an outlet in quotes, an acronym in brackets, a day between commas.
_ASIDE_AR = r"(?:\s*(?:(?:لـ?\s?)?[\"“«][^\"”»]{1,40}[\"”»]،?|\([^)]{1,30}\)،?|،[^،.]{1,40}،|،(?=\s*(?:ب?[إأا]ن|قد)\s)))*"
_SAID_TR = r"(?:açıkla(?:dı|ndı|mada)|bildir(?:di|ildi)|duyurdu|söyledi|belirtti|iddia etti|kaydetti|ifade etti|öne sürdü)"
_SAID_FA = r"(?:(?:اعلام کرد|گفت|تأکید کرد|تاکید کرد|خبر داد|گزارش داد|مدعی شد|نوشت)(?:ه است|ند)?|افزود)"
# Each pattern names its claimant; the first that matches a sentence wins.
_CLAIMS = {
    "en": (
        rf"\b[Aa]ccording to (?:the |an? )?{_NAME}(?=[,.;:]|$|\s(?:who|which|that|and)\b)",
        rf"(?:^|[,;”\"]\s*|\bbut )(?:the |The |an? |An? )?{_NAME} (?:also |had |has |have |later )?{_SAID}\b",
        rf"\bthe {_CAPITALS}(?:\s\([^)]*\))? (?:also |had |has |have |later )?{_SAID}\b",
    ),
    "ar": (
        rf"(?:^|[\s،])(?:و?وفق[اً]*|و?ب?حسب(?:ما)?|نقل[اً]* عن|و?طبق[اً]*)\s+(?:ل?ما\s+)?(?:{_SAID_AR}ه?\s+(?:به\s+)?)?(?:ل(?=[^ل\s]))?"
        rf"{_NAME}(?=\s*[،,.؛:(\"“«]|$|\s(?:فإن|إن|أن|التي|الذي|{_TELLING_AR})\b)",
        rf"(?:^|[\s،]){_SAID_AR}\s+{_NAME}{_ASIDE_AR}\s*(?<=[\s،])(?:(?:في|خلال|عبر|لل?)\S*\s+[^،.]{{0,60}}?،?\s*)?"
        rf"(?:إن|أن|ان|إنه|أنه|إنها|أنها|بأن|عن|:|{_TELLING_AR})(?=\s|$|:)",
        rf"(?:^|[\s،])(?P<had>(?:و|ف)?كانت?)\s+{_NAME}\s+قد\s+(?:تحدثت?|ذكرت?|[أا]علنت?|[أا]فادت?|قالت?|[أا]كدت?)\b",
        rf"(?:^|[\s،])(?:و|ف)?تبن[ىت]\s+{_NAME}\s+(?:ال(?:هجوم|تفجير|عملية|اعتداء|مسؤولية|غارة)\S*|في بيان|عبر)",
    ),
    "tr": (
        rf"(?:^|[,;]\s*){_STEM}['’]?[yn]?[ae] göre\b",
        rf"(?:^|[,;]\s*){_STEM}['’]?n?[dt][ae]n yapılan (?:yazılı )?açıklama\w*",
        rf"(?:^|[.!?]\s*)(?P<name>(?:[Yy]erel|[Gg]üvenlik|[Aa]skeri|[Tt]ıbbi|[Rr]esmi|[Mm]uhalif|[Hh]astane)\s+kaynakla[rı]\w*)\s[^.]*\b{_SAID_TR}\s*[.!…]?\s*$",
        rf"^{_NAME}(?: d[ae])?,\s[^.]*\b{_SAID_TR}\s*[.!…]?\s*$",
    ),
    "fa": (
        rf"(?:^|[\s،])(?:به|طبق|بر ?اساس|بنا ?بر|بنا به) (?:گزارش|گفتهٔ?|گفته‌ی|نقل از|اعلام)\s+{_NAME}(?=[،,.؛:]|$)",
        rf"^{_NAME}(?:\s+(?:روز|در|امروز|شامگاه|بامداد)\s[^.]*)?\s+{_SAID_FA}(?=\s|[،.:]|$)",
    ),
}
# Pronouns, verbs and prepositional phrases, which name nobody.
_NO_NAME = re.compile(
    r"^(?:he|she|it|they|who|which|that|him|her|them|this|and|but|as|in|at|on|by|for|such|also|no|no one"
    r"|öte yandan|bu|buna|o|ona|bun\w*|edinilen .*|dün|bugün|وی|او|آنها|في|فيه|من|عن|على|[إا]نه|[إا]نها|هو|هي|ذلك|تعبير\w+|[أا]ن|[إا]ن"
    r"|[أا]فادت?|نقلت?|آخر حصيلة)(?:\s|$)"
    r"|^این$|(?:^|\s)(?:was|were|is|are|be|been|being|could|did|not|what|if|we)(?:\s|$)|نفر .*کشته|نفر .*زخمی",
    re.IGNORECASE,
)
# What leads over to a name, and what follows one but is no part of it: a day, "also", "who are part of".
_BEFORE_NAME = re.compile(
    r"^(?:meanwhile|later|earlier|while|also|however|öte yandan|son olarak|ancak|bu arada|همچنین)(?:\s\w+day)?\s+(?:(?:the|an?)\s+)?",
    re.IGNORECASE,
)
_BEHIND_NAME = re.compile(
    r"\s+(?:(?:had|has|have|earlier|further|also|even|meanwhile|on \w+day|ayrıca|ise|dün|bugün"
    r"|هم|همچنین|نیز|در روز|روز|صبح|عصر|شامگاه|(?:چهار|پنج|یک|دو|سه)?\u200c?شنبه"
    r"|يوم|اليوم|[أا]مس|صباح|مساء|فجر|ليل|السبت|الأحد|الاثنين|الإثنين|الثلاثاء|الأربعاء|الخميس|الجمعة|حتى الآن|آنذاك|وقتها|[أا]يض[اً]+"
    r"|التابعة?|الموالية?|مسؤوليته)(?:\s.*)?|لـ|-)$",
    re.DOTALL,
)
_DENIALS = {
    "en": r"\b(?:den(?:y|ies|ied|ying)|refuted?|rejected (?:the )?(?:claims?|reports?|allegations?)"
    r"|no (?:casualties|deaths|injuries|victims)|no one was (?:killed|hurt|injured))\b",
    "ar": r"(?:^|\s)(?:و|ف)?(?:نفى|نفت|ينفي|تنفي|نافيا|نافية|كذبت?|دحض|لا صحة ل\S*"
    r"|دون (?:وقوع|سقوط|أن تسفر عن) (?:أي )?(?:ضحايا|إصابات|خسائر|قتلى))(?=\s|[،.]|$)",
    "tr": r"\b(?:yalanla(?:dı|yan|yarak|ndı|makta)\w*|reddet(?:ti|ti(?:ği|kleri)\w*)"
    r"|ölen ya da yaralanan (?:yok|olmadı)|can kaybı (?:yok|yaşanmadı|olmadı)|kayıp (?:yok|vermedi|olmadı)\w*)",
    "fa": r"(?:تکذیب (?:کرد|کردند|کرده|شد)|رد (?:کرد|کردند)|تلفاتی (?:نداشت|در پی نداشت|گزارش نشد))",
}

_MONTHS = {
    1: "january jan يناير كانون_الثاني ocak ژانویه",
    2: "february feb فبراير شباط şubat فوریه",
    3: "march mar مارس آذار mart",
    4: "april apr أبريل ابريل نيسان nisan آوریل",
    5: "may مايو أيار mayıs مه می",
    6: "june jun يونيو حزيران haziran ژوئن",
    7: "july jul يوليو تموز temmuz ژوئیه جولای",
    8: "august aug أغسطس آب ağustos اوت آگوست",
    9: "september sept sep سبتمبر أيلول eylül سپتامبر",
    10: "october oct أكتوبر تشرين_الأول ekim اکتبر",
    11: "november nov نوفمبر تشرين_الثاني kasım نوامبر",
    12: "december dec ديسمبر كانون_الأول aralık دسامبر",
}
_DAYS = (
    "monday الاثنين الإثنين pazartesi دوشنبه دو_شنبه",
    "tuesday الثلاثاء salı سه‌شنبه سه_شنبه",
    "wednesday الأربعاء الاربعاء çarşamba چهارشنبه چهار_شنبه",
    "thursday الخميس perşembe پنجشنبه پنج_شنبه",
    "friday الجمعة cuma جمعه",
    "saturday السبت cumartesi شنبه",
    "sunday الأحد الاحد pazar_günü یکشنبه یک_شنبه",
)
_RELATIVE = {
    0: "today اليوم bugün امروز tonight",
    1: "yesterday أمس امس البارحة dün دیروز دیشب",
    2: "",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims a sentence, as the text names them; where that name stands (`text[start:end]`), and from where on the claim holds."""

    name: str
    start: int
    end: int
    since: int


def claimant(text: str, start: int, end: int, *, lang: str | None) -> Claim | None:
    """Who the sentence `text[start:end]` names as the source of what it says; None where it names nobody.

    English, Arabic, Turkish and Persian are read; sentences of other languages name nobody here.
    """
    for pattern in _CLAIMS.get(lang or "", ()):
        match = re.search(pattern, text[start:end], re.MULTILINE)
        # What counts something is a headline, or a clause.
        if (
            match
            and len(match["name"].split()) <= _MOST_WORDS
            and not re.search(r"\d", match["name"])
            and not _NO_NAME.search(match["name"])
        ):
            name = _BEHIND_NAME.sub("", match["name"])
            lead = _BEFORE_NAME.match(name)
            first = start + match.start("name") + (lead.end() if lead else 0)
            last = start + match.start("name") + len(name)
            # "After doctors had spoken of nine" says nothing of the figure before it.
            since = start + match.start() if "had" in match.groupdict() else start
            return Claim(text[first:last], first, last, since)
    return None


def voices(names: Iterable[str]) -> dict[str, str]:
    """For each claimant of a report, in the order of the text, the fuller name that stands for the same one there ("the Observatory")."""
    words = {name: set(fold_name(name).split()) for name in names}
    found: dict[str, str] = {}
    for name, own in words.items():
        # The latest before it, or else the first behind.
        fuller = [*reversed(found), *words]
        found[name] = next((found.get(other, other) for other in fuller if own < words[other]), name)
    return found


def denies(text: str, start: int, end: int, *, lang: str | None) -> bool:
    """Whether the sentence `text[start:end]` denies something, or says that nobody was hurt."""
    pattern = _DENIALS.get(lang or "")
    return bool(pattern and re.search(pattern, text[start:end], re.IGNORECASE))


def _table(rows: dict[int, str]) -> dict[str, int]:
    return {fold(name).replace("_", " "): number for number, names in rows.items() for name in names.split()}


_MONTH_OF = _table(_MONTHS)
_DAY_OF = _table(dict(enumerate(_DAYS)))
_RELATIVE_OF = _table(_RELATIVE)


def _alternatives(table: dict[str, int]) -> str:
    return "|".join(sorted((re.escape(name) for name in table), key=len, reverse=True))


_MONTH_NAMES = _alternatives(_MONTH_OF)
# Arabic writers give two names of a month: كانون الثاني/يناير.
_SECOND = rf"(?:\s*[/(]\s*(?:{_MONTH_NAMES})\)?)?"
# Turkish case endings: with an apostrophe, or (as many sites drop it) one of those that no other word of this length has behind a month.
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_ENDING = r"(?:\.|['’]\w{1,4}|(?<=[a-zğışçöü])(?:(?:t|d)[ae]n?))?"
_DAY_FIRST = re.compile(
    rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+|من\s+)?(?:شهر\s+)?(?P<month>{_MONTH_NAMES}){_SECOND}"
    rf"{_ENDING}(?!\w)(?:[\s,]+{_YEAR}(?!\d))?"
)
_MONTH_FIRST = re.compile(
    rf"(?<!\w)(?P<month>{_MONTH_NAMES})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(?P<year>(?:19|20)\d\d))?"
)
_ISO = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)")
# "Since 3 March" and "as of Monday" say when something else began.
_SINCE = re.compile(r"(?:\bsince|منذ|\bاز)\s+(?:\w+\s+){0,2}(?:ال)?$")
_SINCE_BEHIND = re.compile(r"\W*(?:\w+\W+){0,2}(?:beri|bu yana|itibaren)\b")
_NUMERIC = re.compile(r"(?<![\d./-])(?P<day>\d{1,2})[./-](?P<month>\d{1,2})[./-](?P<year>(?:19|20)\d\d)(?!\d)")
_WEEKDAY = re.compile(rf"(?<!\w)(?:ب|ل|ال)?(?P<day>{_alternatives(_DAY_OF)})(?!\w)")
_NEAR = re.compile(rf"(?<!\w)(?P<word>{_alternatives(_RELATIVE_OF)})(?!\w)")


def date(text: str, *, reference: datetime.date | None = None) -> datetime.date | None:
    """The day that a text names; None where it names none, or only one that needs a reference day and there is none.

    Full dates are taken as they are; a date without its year is the last such day up to the reference; yesterday, today and a weekday
    count back from it. Day and month of 3/4/2018 are read in that order, as most of the languages write them.

    Args:
        text: a sentence, in Arabic, English, Turkish or Persian; digits of any script.
        reference: the day on which the text was published.
    """
    line = "".join(str(unicodedata.digit(char)) if char.isdigit() and unicodedata.digit(char, -1) >= 0 else char for char in fold(text))
    for pattern in (_ISO, _DAY_FIRST, _MONTH_FIRST, _NUMERIC):
        match = _first(pattern, line)
        if match:
            month = int(match["month"]) if match["month"].isdigit() else _MONTH_OF[match["month"]]
            found = _day(match["year"], month, int(match["day"]), reference)
            if found is not None:
                return found
    if reference is None:
        return None
    near = _first(_NEAR, line)
    if near:
        return reference - datetime.timedelta(days=_RELATIVE_OF[near["word"]])
    weekday = _first(_WEEKDAY, line)
    if weekday:
        return reference - datetime.timedelta(days=(reference.weekday() - _DAY_OF[weekday["day"]]) % 7)
    return None


def _first(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    """The first match that is no day since when something has gone on."""
    found = pattern.finditer(line)
    return next((one for one in found if not _SINCE.search(line[: one.start()]) and not _SINCE_BEHIND.match(line, one.end())), None)


def _day(year: str | None, month: int, day: int, reference: datetime.date | None) -> datetime.date | None:
    try:
        if year is not None:
            return datetime.date(int(year), month, day)
        if reference is None:
            return None
        this_year = datetime.date(reference.year, month, day)
        return this_year if this_year <= reference else datetime.date(reference.year - 1, month, day)
    except ValueError:
        return None
