"""Where on the map is a location span? Chooses among the places that bear its name by what else the report names, or says none."""

from __future__ import annotations

import dataclasses
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from clashnlp import actors, gazetteer
from clashnlp.gazetteer import CITY, COUNTRY, PROVINCE, REGION, Entry
from clashnlp.numerals import fold
from clashnlp.types import Document, Place, Span

# Words around a name, by what they make of it. An area is somewhere around the place named; a province word asks for the division of that
# name; a part (a street, a quarter) bears a name of its own, which says nothing of towns that happen to bear it too.
_AREA = (
    "north south east west northern southern eastern western northeast northwest southeast southwest northeastern northwestern"
    " southeastern southwestern central near outskirts suburb suburbs countryside rural around airport airbase airfield base camp crossing"
    " border borders front frontline axis coast port harbor harbour mountain mountains valley desert dam bridge field plain surroundings"
    " vicinity gateway"
    " ريف ارياف مطار مخيم جبل جبال تل تله معبر محيط اطراف ضواحي ضاحيه ساحل شمال جنوب شرق غرب شرقي غربي شمالي جنوبي شرقيه غربيه شماليه"
    " جنوبيه وسط وسطي اوسط قرب مشارف جبهه محور قاعده ميناء عسكري عسكريه دولي حدود حدودي حدوديه باديه صحراء جسر سد حقل سهل وادي سلسله"
    " kirsal kirsali kuzey guney dogu bati kuzeyi guneyi dogusu batisi kuzeydogu guneydogu kuzeybati guneybati sinir siniri havaalani"
    " havalimani ussu us kampi kamp cephesi cevresi civari yakinlari dagi daglari vadisi limani kapisi sahili merkezi"
    " حومه فرودگاه اردوگاه مرز مرزي گذرگاه پايگاه كوه كوهستان كوههاي نزديكي بندر دره هوايي نظامي"
)
_PROVINCE = "province governorate state oblast region wilayat wilaya محافظه ولايه اقليم ili vilayeti eyaleti استان ولايت ايالت"
_PLAIN = (
    "the of in a and city town village municipality county old new part parts country capital whole all"
    " مدينه مدن بلده بلدات قريه قري منطقه مناطق ناحيه قضاء مديريه مديريتي مركز كل بلاد عاصمه دوله داخل"
    " sehri kenti kasabasi koyu koyleri ilcesi beldesi bolgesi kent sehir ulke ulkenin baskenti"
    " شهر شهرستان روستاي روستا منطقه شهرك بخش كشور پايتخت اين"
)
_PART = (
    "road highway street square neighborhood neighbourhood district quarter hospital university mosque church school embassy headquarters"
    " حي احياء شارع طريق ساحه ميدان دوار مستشفي جامعه مسجد مدرسه محله مصنع سوق"
    " mahallesi caddesi sokagi meydani yolu otoyolu buyukelciligi"
    " محله خيابان ميدان جاده بيمارستان سفارت"
)
_WORDS = {
    word: kind for kind, words in (("area", _AREA), ("province", _PROVINCE), ("plain", _PLAIN), ("part", _PART)) for word in words.split()
}
# Arabic prepositions and conjunction on the word; Turkish case endings with and without apostrophe.
_ARABIC = re.compile("^(?:و|ف)?(?:ب|ل|ك)?")
_TURKISH = re.compile(r"(?:n?[dt][ea](?:ki|n)?|[yn]?[ea]|n?[iu]n|[ns]?[iu]|l[ei])$")
_APOSTROPHE = re.compile(r"['’](?:\w{0,6})(?=\s|$)")
# Arabic names that begin with the letter for "and", or with what looks like a preposition before an article.
_OWN_WAW = re.compile(
    r"و(?:حد|لاي|زار|اشنطن|اد[يى]|كال|فاق|لد|رشفان|سط|طن|جه|اغنر|قاي|ثوار|ائل|ليد|اسط|اح[اةه]|رقل|هران|دان|يل|جد|ست|رش|صاب|شاح|ازع)"
)
_OWN_ARTICLE = re.compile(r"بال(?:ميرا|ي\b|يرمو|تيمور|ما\b|و\b)")
# Gulfs and seas lie in no country.
_WATERS = re.compile(
    r"\b(?:gulf|sea|ocean|strait|korfezi|körfezi|denizi?|okyanusu)\b|(?:^|\s)(?:ال)?(?:خليج|بحر|محيط|دريا|درياي|اقيانوس)\b"
)
_EARTH = 6371.0
# A name has to win by this much, in the units of the score: about a factor of three in odds.
_MARGIN = 1.0
_NEAR_KM = 40.0
_AROUND_KM = 120.0
_SMALL = 15_000
_LARGE = 1_000_000


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a span's words may mean: places, and whether the span is only somewhere at them."""

    entries: tuple[Entry, ...]
    area: bool
    province: bool
    part: bool


def geocode(document: Document) -> dict[Span, Place | None]:
    """The place of each LOCATION span; None where its name is unknown, or fits several places about as well.

    Spans of one text mean one place in a report. A description (the southern suburbs of Aleppo) is its anchor's place, as an area; a name
    that no table has takes the place of what it is LOCATED_IN, one step coarser, or else the one country that the report speaks of if no
    place elsewhere bears it.
    """
    spans = document.of("LOCATION")
    if not spans:
        return {}
    readings = {span.text: read(span.text, lang=document.lang) for span in spans}
    parents: dict[str, list[str]] = {}
    for relation in document.relations:
        if relation.label == "LOCATED_IN" and relation.head.label == relation.tail.label == "LOCATION":
            parents.setdefault(relation.head.text, []).append(relation.tail.text)
    chosen: dict[str, Entry | None] = dict.fromkeys(readings)
    # What is sure tells of the names beside it, above all of those inside it.
    for _ in range(3):
        before = dict(chosen)
        for text, reading in readings.items():
            others = [other for name, other in readings.items() if name != text]
            sure = [entry for name, entry in before.items() if entry is not None and name != text]
            around = tuple(entry for parent in parents.get(text, ()) if (entry := before.get(parent)) is not None)
            chosen[text] = _choose(reading, _votes(others, sure=sure), around)
    common = _common([entry for entry in chosen.values() if entry is not None])
    places: dict[str, Place | None] = {}
    for text, reading in readings.items():
        entry = chosen[text]
        if entry is not None:
            places[text] = _place(entry, area=reading.area)
        else:
            outer = next((found for parent in parents.get(text, ()) if (found := chosen.get(parent)) is not None), None)
            if outer is None and not reading.entries and not _WATERS.search(fold(text)):
                # Nothing of that name is known elsewhere, so nothing speaks against the report's own country.
                outer = common
            # It keeps its own name: two villages of one district are two places.
            around_it = None if outer is None else _place(outer, area=True)
            places[text] = around_it and dataclasses.replace(
                around_it, name=bare(text, document.lang), geonameid=None, inside=around_it.name
            )
    return {span: places[span.text] for span in spans}


def bare(name: str, lang: str | None) -> str:
    """An Arabic name without the conjunction and the preposition that are written on its first word; any other name as it is."""
    if lang != "ar":
        return name
    if name.startswith("و") and len(name) > 3 and not _OWN_WAW.match(name):
        name = name[1:]
    if name.startswith("لل") and len(name) > 4:
        return "ال" + name[2:]
    article = name.startswith("بال") and len(name) > 5 and not _OWN_ARTICLE.match(name)
    # Without an article, only before a word that says what sort of place or party is named.
    sort = name[:1] in ("ب", "ل", "ك") and (actors.is_sort(first := name[1:].split()[0], lang) or fold(first) in _WORDS)
    return name[1:] if article or sort else name


def _common(entries: list[Entry]) -> Entry | None:
    """The country that all these places are in, if it is one and the report names it or two places of it; None else."""
    countries = {entry.country for entry in entries}
    if len(countries) != 1 or (len(entries) < 2 and entries[0].kind != COUNTRY):
        return None
    return gazetteer.load().country(countries.pop())


def read(text: str, *, lang: str | None) -> _Reading:
    """The places that a location span may mean, by its words alone."""
    index = gazetteer.load()
    words = _words(text, lang)
    # The longest stretch of words that is a name wins, so that Jabal al-Zawiya is not the Zawiya of Libya.
    for length in range(len(words), 0, -1):
        for first in range(len(words) - length + 1):
            inside = words[first : first + length]
            rest = words[:first] + words[first + length :]
            kinds = {_kind(forms) for forms in rest}
            if None in kinds or all(_kind(forms) for forms in inside):
                continue
            entries = _entries(inside, index)
            if entries:
                part = "part" in kinds
                area = bool(kinds & {"area", "part"})
                return _Reading(() if part else entries, area, "province" in kinds, part)
    return _Reading((), True, False, any(_kind(forms) == "part" for forms in words))


def _words(text: str, lang: str | None) -> list[list[str]]:
    """The words of a span, each in its possible forms: as written, without clitics, without case endings."""
    if lang == "en":
        text = re.sub(r"['’]s\b", "", text)
    plain = _APOSTROPHE.sub("", text) if lang in ("tr", "en", None) else text
    found = []
    for at, word in enumerate(gazetteer.key(plain).split()):
        forms = [word]
        clitics = _ARABIC.match(word)
        if lang in ("ar", None) and at == 0 and clitics and clitics.end():
            forms += [word[cut:] for cut in range(1, clitics.end() + 1) if len(word) - cut > 1]
            if word.startswith(("لل", "ولل")):
                forms.append("ال" + word[word.index("لل") + 2 :])
        if lang == "tr":
            stem = word
            while len(stem) > 3 and (match := _TURKISH.search(stem)) and match.start() > 2:
                stem = stem[: match.start()]
                forms.append(stem)
        found.append(forms)
    return found


def _kind(forms: list[str]) -> str | None:
    return next((_WORDS[form] for word in forms for form in (word, word.removeprefix("ال")) if form in _WORDS), None)


def _entries(words: list[list[str]], index: gazetteer.Gazetteer) -> tuple[Entry, ...]:
    """The places whose name is these words; of the forms of the last word the longest that is a name, and so of the first."""
    middle = [forms[0] for forms in words]
    for first in words[0]:
        for last in words[-1] if len(words) > 1 else [""]:
            form = " ".join([first, *middle[1:-1], last]).strip()
            # As written first, then without the article.
            for name in sorted(gazetteer.keys(form), key=len, reverse=True) if len(form) > 2 else ():
                if found := index.find(name):
                    return found
    return ()


def _votes(readings: Iterable[_Reading], *, sure: Iterable[Entry] = ()) -> dict[str, float]:
    """How much speaks for each country: shares of the names that may lie there, more for countries named as such."""
    votes: dict[str, float] = {}
    for reading in readings:
        weights: dict[str, float] = {}
        for entry in reading.entries:
            weight = 4.0 if entry.kind in (COUNTRY, PROVINCE, REGION) else math.sqrt(entry.population + 100) / 300
            weights[entry.country] = max(weights.get(entry.country, 0.0), weight)
        total = sum(weights.values())
        for country, weight in weights.items():
            votes[country] = votes.get(country, 0.0) + weight / total
    for entry in sure:
        votes[entry.country] = votes.get(entry.country, 0.0) + 1.0
    total = sum(votes.values())
    return {country: vote / total for country, vote in votes.items()} if total else {}


def _choose(reading: _Reading, votes: dict[str, float], around: tuple[Entry, ...]) -> Entry | None:
    """The entry that fits best, if it does so clearly."""
    scored = [(_score(entry, reading, votes, around), entry) for entry in reading.entries]
    ranked = sorted(scored, key=lambda pair: (-pair[0], pair[1].number))
    if not ranked:
        return None
    best_score, best = ranked[0]
    for other_score, other in ranked[1:]:
        # A town and the province of its name are one answer; so are two entries of one spot.
        same = other.country == best.country and (PROVINCE in (other.kind, best.kind) or distance(best, other) < _NEAR_KM)
        if not same and best_score - other_score < _MARGIN:
            return None
    if around:
        return best if best.country in {outer.country for outer in around} else None
    return best if best.kind != CITY or _supported(best, votes) else None


def _score(entry: Entry, reading: _Reading, votes: dict[str, float], around: tuple[Entry, ...]) -> float:
    """How well an entry fits, in natural logarithms of odds, or so; weights set by eye on training and development reports."""
    value = 0.5 * math.log10(entry.population + 100) + 2.0 * math.log(votes.get(entry.country, 0.0) + 0.02)
    value += {CITY: 0.5, REGION: 1.0, PROVINCE: 3.0 if reading.province else 0.0, COUNTRY: 2.0}[entry.kind]
    for outer in around:
        if outer.kind == PROVINCE and outer.country == entry.country and outer.name == entry.admin1:
            value += 4.0
        elif outer.kind in (CITY, REGION) and distance(entry, outer) < _AROUND_KM:
            value += 3.0
        else:
            value += 1.5 if outer.country == entry.country else -4.0
    return value


def _supported(city: Entry, votes: dict[str, float]) -> bool:
    """Whether what else the report names lets the city be meant: its country for a small one, no other country for a larger one."""
    support, most = votes.get(city.country, 0.0), max(votes.values(), default=0.0)
    return not (city.population < _SMALL and support < 0.3) and not (city.population < _LARGE and support < most / 3)


def _place(entry: Entry, *, area: bool) -> Place:
    precision = {CITY: "exact", REGION: "area", PROVINCE: "province", COUNTRY: "country"}[entry.kind]
    return Place(
        name=_plain(entry.name),
        country=entry.country,
        latitude=entry.latitude,
        longitude=entry.longitude,
        precision="area" if area and precision == "exact" else precision,
        admin1=entry.admin1,
        geonameid=entry.geonameid,
    )


def _plain(name: str) -> str:
    """The name in plain letters, as analysts type it: Sarmin, not Sarmīn."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return re.sub("[ʻʼʽʾʿ‘’`´]", "'", bare).strip("'")


def distance(one: Entry | Place, other: Entry | Place) -> float:
    """Kilometres between two places along a great circle (haversine formula, Sinnott 1984, "Virtues of the haversine")."""
    lat1, lon1, lat2, lon2 = map(math.radians, (one.latitude, one.longitude, other.latitude, other.longitude))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH * math.asin(min(1.0, math.sqrt(half)))
