"""Our own table of places: its rows checked against GeoNames, against their provinces, and against each other; and found in the index."""

import csv
import re
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from conftest import ROOT
from test_places import found, report

from clashnlp import gazetteer
from clashnlp.gazetteer import CITY, Entry, key, keys
from clashnlp.places import distance

COLUMNS = ("en", "ar", "tr", "fa")
LATIN, ARABIC = r"[0-9A-Za-zÀ-ɏə .'’()-]+", r"[0-9A-Z\u0600-\u06ff\u200c .()-]+"
SCRIPT = {"en": LATIN, "ar": ARABIC, "tr": LATIN, "fa": ARABIC}
SAME_KM = 12
# A name nearer than this to a bearer of it, and not at it, is a mistake more likely than another place.
OTHER_KM = 45
# An airbase some way from the village of its name; GeoNames has a village's name at the next town.
APART = {("IL", "Nevatim airbase"), ("SY", "Abu Hardub")}
# One spelling of two places.
HOMONYMS = {("SY", "soran"), ("SY", "hader")}


class Row(NamedTuple):
    values: dict[str, str]
    place: Entry
    names: list[str]


def table(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def rows() -> tuple[Row, ...]:
    made = []
    for row in table(ROOT / "training" / "places" / "places_of_war.tsv"):
        where = (float(row["latitude"]), float(row["longitude"]), int(row["population"]), None)
        names = [row["name"], *(name for column in COLUMNS for name in row[column].split("|") if name)]
        made.append(Row(row, Entry(0, CITY, row["name"], row["country"], row["admin1"], *where), names))
    return tuple(made)


@cache
def cities(country: str) -> tuple[list[Entry], np.ndarray]:
    """GeoNames' cities of a country, and where they are."""
    index = gazetteer.load()
    numbers = np.flatnonzero(index._tables["country"] == index._countries.index(country))
    listed = [entry for entry in map(index.entry, numbers.tolist()) if entry.kind == CITY and entry.geonameid]
    return listed, np.array([(entry.latitude, entry.longitude) for entry in listed])


def bearers(row: Row) -> list[tuple[float, Entry]]:
    """GeoNames' cities of the row's country that have one of its names, the nearest first."""
    index = gazetteer.load()
    named = {entry.number: entry for name in row.names for form in keys(name) for entry in index.find(form)}
    same = [entry for entry in named.values() if entry.kind == CITY and entry.geonameid and entry.country == row.place.country]
    return sorted((distance(row.place, entry), entry) for entry in same)


def test_rows_are_whole():
    provinces = {(row["country"], row["name"]) for row in table(ROOT / "clashnlp" / "data" / "provinces.tsv")}
    assert len({(row.place.country, row.place.name) for row in rows()}) == len(rows()) >= 600
    wrong = [row.place for row in rows() if (row.place.country, row.place.admin1) not in provinces]
    wrong += [row.place for row in rows() if row.values["kind"] not in ("city", "quarter", "region") or len(row.names) < 2]
    for row in rows():
        for column in COLUMNS:
            wrong += [(row.place.name, name) for name in row.values[column].split("|") if name and not re.fullmatch(SCRIPT[column], name)]
    assert not wrong


def test_places_are_inside_the_box_around_their_country():
    outside = []
    for row in rows():
        spots = cities(row.place.country)[1]
        here = (row.place.latitude, row.place.longitude)
        if (here < spots.min(axis=0) - 1).any() or (here > spots.max(axis=0) + 1).any():
            outside.append(row.place)
    # Posts in the desert, and a river town, more than a degree beyond the last town that GeoNames has.
    assert {place.name for place in outside} == {"Al-Uweinat", "Maaten al-Sarra", "Trebil", "Al-Walid Iraq", "Renk"}


def test_the_province_is_that_of_a_town_nearby():
    strange = []
    for row in rows():
        listed, spots = cities(row.place.country)
        scale = np.array([1.0, np.cos(np.radians(row.place.latitude))])
        near = np.argsort((((spots - (row.place.latitude, row.place.longitude)) * scale) ** 2).sum(axis=1))[:10]
        if row.place.admin1 not in {listed[at].admin1 for at in near.tolist()}:
            strange.append((row.place, listed[near[0]]))
    assert not strange


def test_coordinates_agree_with_those_that_geonames_has_of_the_name():
    apart, off = [], []
    for row in rows():
        if row.values["kind"] == "region":
            continue
        kilometres, entry = next(iter(bearers(row)), (OTHER_KM, None))
        if kilometres < SAME_KM:
            off.append(kilometres)
        elif kilometres < OTHER_KM and (row.place.country, row.place.name) not in APART:
            apart.append((row.place, entry))
    print(f"{len(off)} of {len(rows())} known to GeoNames, half within {np.median(off):.1f} km, 95 % within {np.quantile(off, 0.95):.1f}")
    assert not apart
    assert len(off) > 600 and np.quantile(off, 0.95) < 5


def test_no_name_is_in_two_spots_of_a_country():
    spots: dict[tuple[str, str], list[Entry]] = {}
    for row in rows():
        for form in {form for name in row.names for form in keys(name)}:
            spots.setdefault((row.place.country, form), []).append(row.place)
    twice = {name: places for name, places in spots.items() if len(places) > 1}
    assert twice.keys() == HOMONYMS, twice


def test_every_name_is_in_the_index_at_its_place():
    index = gazetteer.load()
    lost = [
        (row.place.name, name)
        for row in rows()
        for name in row.names
        if not any(distance(row.place, entry) < 60 and entry.country == row.place.country for entry in index.find(key(name)))
    ]
    assert not lost


@pytest.mark.parametrize(
    ("lang", "names", "asked", "expected"),
    [
        ("tr", ("Azez", "Suriye"), "Azez", ("SY", "exact")),
        ("tr", ("El Bab'da", "Suriye"), "El Bab'da", ("SY", "exact")),
        ("tr", ("Rasulayn", "Suriye"), "Rasulayn", ("SY", "exact")),
        ("ar", ("مطار التيفور", "سوريا"), "مطار التيفور", ("SY", "exact")),
        ("ar", ("حي الشيخ مقصود", "حلب"), "حي الشيخ مقصود", ("SY", "exact")),
        ("en", ("Sheikh Maqsoud neighbourhood", "Aleppo"), "Sheikh Maqsoud neighbourhood", ("SY", "exact")),
        ("ar", ("قاعدة عين الأسد", "العراق"), "قاعدة عين الأسد", ("IQ", "exact")),
        ("en", ("Conoco gas field", "Deir ez-Zor"), "Conoco gas field", ("SY", "area")),
        ("fa", ("گذرگاه رفح", "غزه"), "گذرگاه رفح", ("PS", "exact")),
    ],
)
def test_places_of_war_are_on_the_map(lang, names, asked, expected):
    assert found(report(*names, lang=lang))[asked][1:] == expected
