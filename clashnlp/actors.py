"""Who is it that a faction or patron span names? One actor across scripts and spellings, from tables of armed actors and states.

A name is looked up as it is written, then without clitics and case endings, then without the words around it that say what sort of
thing it is ("forces", "fighters of"). The longest name that the tables hold wins; nothing is matched because it merely looks alike.
What several actors are called ("the army") is settled by the country, or left open.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import chain
from json import loads
from typing import NamedTuple, TypeAlias

from clashnlp.types import Actor

LABELS = ("FACTION", "PATRON")
LANGUAGES = ("en", "ar", "tr", "fa", "ru", "fr")

# Before the decomposition, which would part a hamza from its alef; a zero-width non-joiner parts words.
_ALIKE = {"ا": "أإآٱ", "و": "ؤ", "ي": "ىیېئ", "ه": "ةۀھہ", "ك": "ک", "i": "ı", "o": "ø", "l": "ł", "d": "đ", " ": "\u200c_"}
_DROPPED = "'’‘`´.ʿʾʼـ\u061c\u200b\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_MARKS = (range(0x300, 0x370), range(0x610, 0x61B), range(0x64B, 0x660), range(0x6D6, 0x6EE), (0x670,))
_LETTERS = {ord(letter): to for to, letters in _ALIKE.items() for letter in letters}
_REST: dict[int, str | None] = {**_LETTERS, **{ord(letter): None for letter in _DROPPED}, **dict.fromkeys(chain(*_MARKS))}
_REST |= {ord(digit): str(value) for digits in ("٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹") for value, digit in enumerate(digits)}
# An English possessive, a French article.
_CLITIC = re.compile(r"['’]s\b|\b[ld]['’](?=\w)")
_BETWEEN = re.compile(r"[^\w\n]+")
# Articles, wherever they stand, and the space before a Persian plural.
_ARTICLE = re.compile(r"\b(?:ال(?=\w\w)|(?:the|al|el|ad|ash|ar|as|at|az|an|es|ed|et|er|ul|la|le|les) (?=\w))| (?=(?:ها|هاي|هايي)\b)")

_TURKISH = re.compile(
    r"(?=.)(?:l[iu](?:k)?)?(?:l[ae]r)?(?:s?[iu])?(?:n?[iu]n|y?[iu]|n[iu]|[yn]?[ae]|n?[dt][ae]n?|y?l[ae]|n?c[ae])?(?:y?d[iu])?"
)
_ENDINGS = {"tr": _TURKISH, "en": re.compile("s"), "fr": re.compile("e?s?"), "fa": re.compile("هايي|هاي|ها|ست|ان"), "ar": re.compile("ا")}
_RUSSIAN = re.compile(r"(?<=\w\w\w)(?:[аеиоуыэюя]*(?:[аыяи]ми|[оеыи](?:го|му|х|м)|[ая][мх]|[ое]в))?[аеиоуыэюяь]*\b")
# Longest first: conjunction, preposition, article; the article after a preposition loses its alef.
_PREFIXES = ("و", "ف", "ب", "ل", "ك", "لل", "وب", "ول", "وك", "فل", "فب", "ولل", "فلل")
_PARENTHESIS = re.compile(r"\(([^()]*)\)")
_IN_ACRONYMS = re.compile("['’.]")
# Acronyms that are common words even in four letters.
_ALSO_WORDS = frozenset(("fact", "mend"))


class _Ambiguous(NamedTuple):
    """A name of several actors: whose it is by country, and perhaps elsewhere (`else`); `*` where it is the state, whichever it is."""

    by_country: Mapping[str, str]


_Names: TypeAlias = Mapping[str, Actor | _Ambiguous]


@dataclass(frozen=True, slots=True)
class _Table:
    """What the tables hold.

    `names` has actors, states and ambiguous names under folded names; `words` the words of all these; `capitals` the short acronyms,
    read in capitals only or as one of the tables' own spellings; `friends` an actor's countries and backers; `parts` the countries
    where a jihadist network has a branch that is an actor of its own; `armies` the armed forces of states.
    """

    actors: dict[str, Actor]
    names: _Names
    words: frozenset[str]
    capitals: dict[str, set[str]]
    friends: dict[str, frozenset[str]]
    parts: dict[str, set[str]]
    armies: dict[str, Actor]


class _Hit(NamedTuple):
    """A name of the tables inside a span: what it names, the sorts of the words around it, the state that goes with it."""

    target: Actor | _Ambiguous
    around: frozenset[str]
    country: str | None = None


def link(name: str, *, label: str = "FACTION", lang: str | None = None, countries: Sequence[str] = ()) -> Actor | None:
    """The actor that a span names; None where the tables do not know it, or where several could be meant.

    A nationality with a military noun ("Russian forces") is that state's armed forces where the tables have them, else the state;
    with a noun for other armed men ("Iranian militias") it is neither.

    Args:
        name: the span's text.
        label: the span's label; only FACTION and PATRON name actors.
        lang: the text's language, a code such as `ar`; None or another one: the endings of all languages are tried.
        countries: ISO 3166-1 alpha-2 codes of where the text is about, the surest first; they settle ambiguous names.
    """
    if label not in LABELS:
        return None
    return _link(name, _short(lang), tuple(country.upper() for country in countries))


def state(name: str, *, lang: str | None = None) -> Actor | None:
    """The state that a name, nationality or capital stands for, with its ISO 3166-1 alpha-2 code as id; None if it is none."""
    for words in _variants(fold(name).split(), _short(lang)):
        found = _lookup(words, name)
        if found is not None:
            return found if isinstance(found, Actor) and found.kind == "state" else None
    return None


def is_sort(word: str, lang: str) -> bool:
    """Whether a word says what sort of party is named ("forces", "fighters")."""
    return fold(word) in _sorts(lang)


def army(country: str) -> Actor | None:
    """The armed forces of a state, by its ISO 3166-1 alpha-2 code; None where the tables have none."""
    return _table().armies.get(country)


def fold(text: str) -> str:
    """The form under which names are compared: no case, marks, punctuation and articles; Arabic and Persian letters alike."""
    text = _CLITIC.sub("", text.translate(_LETTERS).casefold())
    text = _BETWEEN.sub(" ", unicodedata.normalize("NFKD", text).translate(_REST))
    return _ARTICLE.sub("", text.strip())


def _short(lang: str | None) -> str | None:
    short = (lang or "").lower().replace("_", "-").split("-")[0]
    return short if short in LANGUAGES else None


@lru_cache(maxsize=4096)
def _link(name: str, lang: str | None, countries: tuple[str, ...]) -> Actor | None:
    match = _PARENTHESIS.search(name)
    readings = [name, name[: match.start()] + name[match.end() :], match.group(1)] if match else [name]
    for at, reading in enumerate(readings):
        hit = next(_hits(reading, lang), None)
        actor = _settle(hit, countries) if hit else None
        # A state in parentheses says where, not who.
        if actor and (at < 2 or actor.kind != "state"):
            return actor
    return None


def _settle(hit: _Hit, countries: tuple[str, ...]) -> Actor | None:
    """The one actor that is meant by a name of the tables."""
    actor = hit.target
    if isinstance(actor, _Ambiguous):
        settled = _of_countries(actor, (hit.country,) if hit.country else countries)
        if settled is None:
            return None
        actor = settled
    if "irregulars" in hit.around and actor.kind in ("state", "state_force", "police"):
        return None
    if actor.kind != "state":
        return actor
    if "group" in hit.around:
        return None
    military = hit.around & {"army", "troops", "kind_of_troops"}
    return _table().armies.get(actor.id, actor) if military else actor


def _of_countries(name: _Ambiguous, countries: tuple[str, ...]) -> Actor | None:
    """Whom the name means in the first of the countries that knows it, or else anywhere."""
    actors = _table().actors
    if "*" in name.by_country:
        return next((actors[country] for country in countries if country in actors), None)
    found = next((country for country in (*countries, "else") if country in name.by_country), None)
    return actors[name.by_country[found]] if found else None


def _hits(name: str, lang: str | None) -> Iterator[_Hit]:
    """The names of the tables that a text can be read as, the likeliest first: whole, then without the words around it."""
    variants = list(_variants(fold(name).split(), lang))
    for words in variants:
        if (target := _lookup(words, name)) is not None:
            yield _Hit(target, frozenset())
    for words in variants:
        yield from _inside(words, name, _sorts(lang))
    if variants and re.search("[а-я]", variants[0][0]):
        stems = _RUSSIAN.sub("", " ".join(variants[0])).split()
        sorts = {_RUSSIAN.sub("", word): sort for word, sort in _sorts("ru").items()}
        yield from _inside(stems, name, sorts, _russian())


def _variants(words: list[str], lang: str | None) -> Iterator[list[str]]:
    """The words as they are, without Arabic clitics, then with the endings taken from words that no name holds."""
    if not words or len(words) > 15:
        return
    variants = [words]
    if lang in ("ar", None) and "ء" <= words[0][0] <= "ي":
        for prefix in _PREFIXES:
            if words[0].startswith(prefix) and len(words[0]) > len(prefix) + (len(words) == 1):
                first = words[0][len(prefix) :]
                # The article was not seen behind the clitic.
                bare = first[2:] if first.startswith("ال") and len(first) > 3 else first
                variants += [[bare, *words[1:]]]
    yield from variants
    known = _table().words
    rooted = [[word if word in known else _root(word, lang) for word in variant] for variant in variants]
    yield from (words for words, variant in zip(rooted, variants, strict=True) if words != variant)
    # The last word may be one of another name and yet carry an ending here.
    yield from ([*words[:-1], last] for words in rooted if (last := _root(words[-1], lang)) != words[-1])


def _root(word: str, lang: str | None) -> str:
    """The longest word of the tables that this one is with an ending behind it; the word itself if there is none."""
    known = _table().words
    endings = [_ENDINGS[lang]] if lang in _ENDINGS else list(_ENDINGS.values()) if lang is None else []
    for cut in range(len(word) - 1, 0, -1):
        if word[:cut] in known and any(ending.fullmatch(word, cut) for ending in endings):
            return word[:cut]
    return word


def _lookup(words: Sequence[str], name: str, names: _Names | None = None) -> Actor | _Ambiguous | None:
    """What the tables have under these words; acronyms that are words as well only if the text has them in capitals."""
    table = _table()
    key = " ".join(words)
    found = (names or table.names).get(key)
    if found is None or key not in table.capitals:
        return found
    plain = _IN_ACRONYMS.sub("", name)
    for match in re.finditer(r"\w+", plain):
        written = match.group()[: len(key)]
        title = len(key) > 3 and key not in _ALSO_WORDS and written[0].isupper()
        if fold(written) == key and (title or written.isupper() or written in table.capitals[key]):
            return found
    return None


def _inside(words: list[str], name: str, sorts: Mapping[str, str], names: _Names | None = None) -> Iterator[_Hit]:
    """Names inside the words, the longest first, where every word around them is one that says what sort of thing is named."""
    size = len(words)
    first = next((at for at in range(size) if words[at] not in sorts), size)
    last = next((at for at in range(size, 0, -1) if words[at - 1] not in sorts), 0)
    windows = [(begin, end) for begin in range(first + 1) for end in range(max(last, begin + 1), size + 1)]
    for begin, end in sorted(windows, key=lambda window: window[0] - window[1]):
        around = frozenset(sorts[word] for word in chain(words[:begin], words[end:]))
        inner = words[begin:end]
        target = _lookup(inner, name, names)
        # An army of that name would be another actor.
        if target is not None and ("army" not in around or not isinstance(target, Actor) or target.kind in ("state", "state_force")):
            yield _Hit(target, around)
        for cut in range(1, len(inner)):
            for nation, rest in ((inner[:cut], inner[cut:]), (inner[cut:], inner[:cut])):
                whose = _lookup(nation, name, names)
                if isinstance(whose, Actor) and whose.kind == "state":
                    hits = (_of_nation(whose, _lookup(named, name, names), between) for named, between in _trimmed(rest, sorts))
                    yield from (hit._replace(around=hit.around | around) for hit in hits if hit)


def _trimmed(words: list[str], sorts: Mapping[str, str]) -> Iterator[tuple[list[str], frozenset[str]]]:
    """The words, then what is left of them without words that say what sort of thing they name, with the sorts of those."""
    yield words, frozenset()
    for cut in range(1, len(words)):
        if all(word in sorts for word in words[:cut]):
            yield words[cut:], frozenset(sorts[word] for word in words[:cut])
        if all(word in sorts for word in words[-cut:]):
            yield words[:-cut], frozenset(sorts[word] for word in words[-cut:])


def _of_nation(nation: Actor, rest: Actor | _Ambiguous | None, around: frozenset[str]) -> _Hit | None:
    """A name with a nationality: an ambiguous one that it settles, or an actor that fights there or is backed from there."""
    table = _table()
    if isinstance(rest, _Ambiguous):
        # The army that a Palestinian text means is no Palestinian army.
        actor = nation if "*" in rest.by_country else table.actors.get(rest.by_country.get(nation.id, ""))
        own = actor is not None and actor.countries[0] == nation.id and actor.kind != "external"
    else:
        own = rest is not None and nation.id in table.friends.get(rest.id, ()) and nation.id not in table.parts.get(rest.id, ())
    return _Hit(rest, around, nation.id) if rest is not None and own else None


@cache
def _table() -> _Table:
    """The tables, read once."""
    armed, open_names, states = (_rows(name) for name in ("actors.tsv", "ambiguous_actors.tsv", "states.tsv"))
    actors = {row[0]: Actor(row[0], row[1], row[2], tuple(row[3].split("|"))) for row in armed}
    friends = {row[0]: frozenset(f"{row[3]}|{row[4]}".split("|")) for row in armed}
    parts: dict[str, set[str]] = {}
    for row in armed:
        if row[5] and actors[row[5]].kind == "jihadist":
            parts.setdefault(row[5], set()).add(row[3].split("|")[0])
    actors |= {row[0]: Actor(row[0], row[2], "state", (row[0],)) for row in states}
    targets: list[tuple[Actor | _Ambiguous, list[str]]] = [(actors[row[0]], [row[1], *row[6:]]) for row in armed]
    targets += [(actors[row[0]], row[2:]) for row in states]
    for row in open_names:
        by_country = (pair.partition(":") for pair in row[0].split("|") if pair)
        targets.append((_Ambiguous({country: actor for country, _, actor in by_country}), row[1:]))
    spelt = [[name for cell in cells for name in cell.split("|") if name] for _, cells in targets]
    # Folded all at once, which is much faster than one by one.
    keys = fold("\n".join(chain(*spelt))).split("\n")
    pairs = [(name, key.strip()) for name, key in zip(chain(*spelt), keys, strict=True)]
    owners = chain.from_iterable([target] * len(group) for (target, _), group in zip(targets, spelt, strict=True))
    names = {key: target for (_, key), target in zip(pairs, owners, strict=True)}
    armies = {country: actors[actor] for country, actor in _army_rows(open_names) if actors[actor].countries[0] == country}
    words = frozenset(chain.from_iterable(key.split() for key in names)) | frozenset(_sorts(None))
    return _Table(actors, names, words, _capitals(pairs), friends, parts, armies)


def _capitals(pairs: list[tuple[str, str]]) -> dict[str, set[str]]:
    """Folded acronyms of at most four letters, with their spellings; none that is also the folded form of a plain word."""
    short = [(name, key) for name, key in pairs if len(key) < 5 and " " not in key]
    plain = {key for name, key in short if not name.isupper() and sum(letter.isupper() for letter in name) < 2}
    found: dict[str, set[str]] = {}
    for name, key in short:
        if key not in plain:
            found.setdefault(key, set()).add(_IN_ACRONYMS.sub("", name))
    return found


def _rows(name: str) -> list[list[str]]:
    """The rows of a table behind its head."""
    text = resources.files("clashnlp").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.split("\n")[1:] if line]


def _army_rows(rows: list[list[str]]) -> list[tuple[str, str]]:
    """Country and actor of those whom the bare word for army can mean: the first row of the ambiguous names."""
    return [(country, actor) for country, _, actor in (pair.partition(":") for pair in rows[0][0].split("|"))]


@cache
def _sorts(lang: str | None) -> dict[str, str]:
    """Words that say what sort of thing a name is, with that sort; what a word is in the text's own language goes first."""
    table = loads(resources.files("clashnlp").joinpath("data/actor_words.json").read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    # A word that is a group anywhere is taken for one, which keeps names open.
    for sort in ("particle", "adjective", "government", "kind_of_troops", "troops", "army", "group", "irregulars"):
        for words in table.values():
            found.update(dict.fromkeys(fold(words[sort].replace(" ", "\n")).split("\n"), sort))
    for sort, words in table.get(lang, {}).items():
        found.update(dict.fromkeys(fold(words.replace(" ", "\n")).split("\n"), sort))
    found.pop("", None)
    return found


@cache
def _russian() -> _Names:
    """The Russian names without the endings of their words; not those that several actors would share."""
    found: dict[str, Actor | _Ambiguous] = {}
    shared: set[str] = set()
    for key, target in _table().names.items():
        if re.search("[а-я]", key):
            stem = _RUSSIAN.sub("", key)
            if found.setdefault(stem, target) != target:
                shared.add(stem)
    return {stem: target for stem, target in found.items() if stem not in shared}
