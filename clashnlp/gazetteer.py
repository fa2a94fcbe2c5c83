"""Which places bear a name? GeoNames' cities, with provinces, regions and countries, in one compact index that is read when first asked."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from hashlib import blake2b
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FILE = "data/places.npz"
_REMEMBERED = 1 << 15
CITY, REGION, PROVINCE, COUNTRY = range(4)

_ALIKE = str.maketrans(
    {"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ۀ": "ه", "ھ": "ه", "ہ": "ه", "ı": "i", "ł": "l", "ø": "o", "đ": "d", "ß": "s"}
)
_SILENT = re.compile("[’‘ʼʻʿʾ'`ˈ\u200c\u200e\u200f\u0640]")
_GAPS = re.compile(r"[\W_]+")
# Words that many names of the Middle East begin with, in the spellings of many languages.
_VARIANTS = {
    variant: word
    for word, variants in {
        "tall": "tel tell tal",
        "dayr": "deir deyr der dair deiri",
        "ayn": "ain ein ayin aïn",
        "jabal": "jebel gebel djebel cebel jabel",
        "shaykh": "sheikh sheik cheikh seyh sheykh shekh",
        "bayt": "beit bait beyt",
        "kafr": "kfar kefr kafar kufr",
        "abu": "abou ebu",
        "umm": "um oum",
        "khirbat": "khirbet kherbet khirba",
        "wadi": "vadi ouadi",
        "ras": "res",
        "saad": "sad",
        "nahr": "nehir",
    }.items()
    for variant in variants.split()
}
_ARTICLE = re.compile(r"(?:al|el|ar|as|ash|ad|ad|at|ath|an|az|adh|er|es|en|ez|et|ed|sh) (?=\S{2})")


class Entry(NamedTuple):
    """A place that bears a name: city, region, province or country."""

    number: int
    kind: int
    name: str
    country: str
    admin1: str | None
    latitude: float
    longitude: float
    population: int
    geonameid: int | None


def key(name: str) -> str:
    """The form under which names are compared: lower case, no marks or hyphens, Arabic, Persian and Turkish letters alike."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char)).lower().translate(_ALIKE)
    words = _GAPS.sub(" ", _SILENT.sub("", plain)).split()
    return " ".join([_VARIANTS.get(words[0], words[0]), *words[1:]]) if len(words) > 1 else "".join(words)


def keys(name: str) -> set[str]:
    """The forms of a name: as it is, and without its article."""
    whole = key(name)
    bare = _ARTICLE.sub("", whole, count=1) if _ARTICLE.match(whole) else whole
    if whole.startswith("ال") and len(whole) > 4:
        bare = whole[2:]
    return {form for form in (whole, bare) if len(form) > 1}


def digest(form: str) -> int:
    """A 64-bit number for a form of a name; the index holds these instead of the names."""
    return int.from_bytes(blake2b(form.encode(), digest_size=8).digest(), "big")


class Gazetteer:
    """The index: for each form of a name, the places that bear it."""

    def __init__(self, tables: dict[str, NDArray[np.generic]]) -> None:
        self._tables = tables
        self._countries: list[str] = json.loads(bytes(tables["countries"].tobytes()))
        self._provinces: list[str] = json.loads(bytes(tables["provinces"].tobytes()))
        self._names = bytes(tables["names"].tobytes())
        # Reports name the same places over and over.
        self.find = lru_cache(_REMEMBERED)(self._find)
        self.country = cache(self._country)

    def _find(self, form: str) -> tuple[Entry, ...]:
        """The places that bear a name in this form (see `key`), the largest first."""
        number = np.uint64(digest(form))
        hashes = self._tables["hashes"]
        low, high = np.searchsorted(hashes, number, side="left"), np.searchsorted(hashes, number, side="right")
        found = [self.entry(int(at)) for at in self._tables["places"][low:high]]
        return tuple(sorted(found, key=lambda entry: (-entry.population, entry.number)))

    def entry(self, at: int) -> Entry:
        """The place of that number."""
        tables = self._tables
        start, end = tables["offsets"][at : at + 2]
        province, geonameid = int(tables["admin1"][at]), int(tables["geonameids"][at])
        return Entry(
            number=at,
            kind=int(tables["kinds"][at]),
            name=self._names[start:end].decode(),
            country=self._countries[int(tables["country"][at])],
            admin1=self._provinces[province] if province >= 0 else None,
            latitude=round(float(tables["latitudes"][at]), 4),
            longitude=round(float(tables["longitudes"][at]), 4),
            population=int(tables["populations"][at]),
            geonameid=geonameid or None,
        )

    def _country(self, code: str) -> Entry | None:
        """The country of an ISO code."""
        numbers = np.flatnonzero(self._tables["kinds"] == COUNTRY)
        return next((entry for entry in map(self.entry, numbers.tolist()) if entry.country == code), None)

    def __len__(self) -> int:
        return len(self._tables["kinds"])


@cache
def load() -> Gazetteer:
    """The gazetteer of the package; read at the first call, kept from then on."""
    with resources.as_file(resources.files("clashnlp").joinpath(FILE)) as path, np.load(path, allow_pickle=False) as tables:
        return Gazetteer({name: tables[name] for name in tables.files})


def pack(entries: Iterable[tuple[Entry, Iterable[str]]]) -> dict[str, NDArray[np.generic]]:
    """The tables of an index of these places with all their names; `Entry.number` is not used."""
    rows = list(entries)
    countries = sorted({entry.country for entry, _ in rows})
    provinces = sorted({entry.admin1 for entry, _ in rows if entry.admin1 is not None})
    forms: set[tuple[int, int]] = set()
    for at, (entry, names) in enumerate(rows):
        forms |= {(digest(form), at) for name in {entry.name, *names} for form in keys(name)}
    pairs = sorted(forms)
    blobs = [entry.name.encode() for entry, _ in rows]
    where = {name: at for at, name in enumerate(provinces)}
    return {
        "hashes": np.array([number for number, _ in pairs], dtype=np.uint64),
        "places": np.array([at for _, at in pairs], dtype=np.int32),
        "kinds": np.array([entry.kind for entry, _ in rows], dtype=np.uint8),
        "country": np.array([countries.index(entry.country) for entry, _ in rows], dtype=np.uint8),
        "admin1": np.array([-1 if entry.admin1 is None else where[entry.admin1] for entry, _ in rows], dtype=np.int16),
        "latitudes": np.array([entry.latitude for entry, _ in rows], dtype=np.float32),
        "longitudes": np.array([entry.longitude for entry, _ in rows], dtype=np.float32),
        "populations": np.array([entry.population for entry, _ in rows], dtype=np.int64).astype(np.uint32),
        "geonameids": np.array([entry.geonameid or 0 for entry, _ in rows], dtype=np.int32),
        "offsets": np.cumsum([0, *map(len, blobs)]).astype(np.int32),
        "names": np.frombuffer(b"".join(blobs), dtype=np.uint8),
        "countries": np.frombuffer(json.dumps(countries).encode(), dtype=np.uint8),
        "provinces": np.frombuffer(json.dumps(provinces).encode(), dtype=np.uint8),
    }
