"""Which rows does an analyst load? Clash records in the shapes of ACLED's and UCDP's tables, as GeoJSON, and in full."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, overload

from clashnlp import tolls
from clashnlp.errors import MissingDependencyError
from clashnlp.types import ClashRecord, Document, Party, Span, Toll

# What a spreadsheet would run as a formula (OWASP, "CSV Injection"); an apostrophe in front makes it text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# ACLED: 1 the place itself, 2 its surroundings or part of a region, 3 a larger region.
_GEO_PRECISION = {"exact": 1, "area": 2, "province": 3, "country": 3}
# UCDP GED: 1 the place itself, 2 within about 25 km of it, 4 first-level division, 6 country.
_WHERE_PRECISION = {"exact": 1, "area": 2, "province": 4, "country": 6}
_LISTED = "; "

ACLED_COLUMNS = (
    "event_id",
    "event_date",
    "actor1",
    "assoc_actor_1",
    "actor2",
    "assoc_actor_2",
    "country",
    "admin1",
    "location",
    "latitude",
    "longitude",
    "geo_precision",
    "source",
    "notes",
    "fatalities",
)
UCDP_COLUMNS = (
    "id",
    "date_start",
    "side_a",
    "side_b",
    "deaths_a",
    "deaths_b",
    "deaths_civilians",
    "deaths_unknown",
    "best",
    "high",
    "low",
    "where_coordinates",
    "where_prec",
    "country",
    "adm_1",
    "latitude",
    "longitude",
    "source_article",
    "source_headline",
)


def acled(record: ClashRecord, document: Document) -> dict[str, Any]:
    """A row with ACLED's columns.

    `fatalities` is the lowest number that the report's claims allow, as ACLED takes the most conservative of several; an associated actor
    is an ally on the same side, or a patron. Victims beside a single side are `Civilians` where the text says so.
    """
    first, second = _two_sides(record)
    place = record.sites[0].place if record.sites else None
    killed = _deaths(record)
    civilian = any(toll.count.kind == "civilian" for toll in record.tolls)
    return {
        "event_id": f"{document.id}-{record.number}",
        "event_date": record.date,
        "actor1": first[0].name if first else None,
        "assoc_actor_1": _associates(first),
        "actor2": second[0].name if second else "Civilians" if civilian else None,
        "assoc_actor_2": _associates(second),
        "country": place.country if place else None,
        "admin1": place.admin1 if place else None,
        "location": record.sites[0].name if record.sites else None,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "geo_precision": _GEO_PRECISION[place.precision] if place else None,
        "source": _source(document),
        "notes": notes(record, document),
        "fatalities": _altogether(killed)[0],
    }


def ucdp(record: ClashRecord, document: Document) -> dict[str, Any]:
    """A row with UCDP GED's columns.

    Deaths by side are the low ends of their ranges, `best` is their sum and equals `low`: the report gives no better one than what it
    states. `high` is None where a claim has no upper bound.
    """
    first, second = _two_sides(record)
    place = record.sites[0].place if record.sites else None
    killed = _deaths(record)
    low, high = _altogether(killed)
    side_a = {at for at, side in enumerate(record.sides) if side and first and side[0] == first[0]}
    title = document.text.strip().split("\n", 1)[0][:200]
    return {
        "id": f"{document.id}-{record.number}",
        "date_start": record.date,
        "side_a": _LISTED.join(party.name for party in first) or None,
        "side_b": _LISTED.join(party.name for party in second) or None,
        "deaths_a": sum(bounds[0] for who, bounds in killed.items() if who in side_a),
        "deaths_b": sum(bounds[0] for who, bounds in killed.items() if isinstance(who, int) and who not in side_a),
        "deaths_civilians": killed.get("civilians", (0, 0))[0],
        "deaths_unknown": sum(killed.get(who, (0, 0))[0] for who in ("combatants", "unknown")),
        "best": low,
        "high": high,
        "low": low,
        "where_coordinates": record.sites[0].name if record.sites else None,
        "where_prec": _WHERE_PRECISION[place.precision] if place else None,
        "country": place.country if place else None,
        "adm_1": place.admin1 if place else None,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "source_article": _source(document),
        "source_headline": title or None,
    }


def full(record: ClashRecord, document: Document) -> dict[str, Any]:
    """Everything that the record holds, as JSON values; spans by id, label and offsets, sentences with their text."""
    row: dict[str, Any] = {"id": f"{document.id}-{record.number}", "document": document.id, "date": record.date}
    row["sides"] = [[_party(party) for party in side] for side in record.sides]
    row["sites"] = [
        {"name": site.name, "place": None if site.place is None else dataclasses.asdict(site.place), "spans": _spans(site.spans)}
        for site in record.sites
    ]
    row["tolls"] = [_toll(toll) for toll in record.tolls]
    for outcome in sorted({toll.count.outcome or "unknown" for toll in record.tolls}):
        low, high = _altogether(_deaths(record, outcome))
        row.setdefault("totals", {})[outcome] = {"low": low, "high": high}
    row["denials"] = [{"start": start, "end": end, "text": document.text[start:end].strip()} for start, end in record.denials]
    row["sentences"] = [{"start": start, "end": end, "text": document.text[start:end].strip()} for start, end in record.sentences]
    row["claimants"] = list(record.claimants)
    row["score"] = None if record.score is None else round(record.score, 4)
    return row


def wide(record: ClashRecord, document: Document) -> dict[str, Any]:
    """A row with everything that fits into one: sides, patrons, the place, ranges of killed and wounded, claims."""
    first, second = _two_sides(record)
    row: dict[str, Any] = {"event_id": f"{document.id}-{record.number}", "document": document.id, "date": record.date}
    for name, side in (("side_a", first), ("side_b", second)):
        row[name] = _LISTED.join(party.name for party in side) or None
        patrons = dict.fromkeys(patron.name for party in side for patron in party.patrons)
        row[f"{name}_patrons"] = _LISTED.join(patrons) or None
    place = record.sites[0].place if record.sites else None
    row["location"] = record.sites[0].name if record.sites else None
    for name in ("country", "admin1", "latitude", "longitude", "precision"):
        row[name] = getattr(place, name) if place else None
    for outcome in ("killed", "wounded", "captured", "missing"):
        ranges = _deaths(record, outcome)
        row[f"{outcome}_low"], row[f"{outcome}_high"] = _altogether(ranges) if ranges else (None, None)
        row[f"{outcome}_civilians"] = ranges.get("civilians", (None, None))[0]
    row["names"] = _LISTED.join(dict.fromkeys(name for toll in record.tolls for name in toll.count.names)) or None
    row["claimants"] = _LISTED.join(record.claimants) or None
    row["denied"] = bool(record.denials)
    row["score"] = None if record.score is None else round(record.score, 4)
    row["source"] = _source(document)
    row["notes"] = notes(record, document)
    return row


SHAPES: dict[str, Callable[[ClashRecord, Document], dict[str, Any]]] = {"wide": wide, "acled": acled, "ucdp": ucdp}


class Records(Sequence[ClashRecord]):
    """The clash records of some reports, with the reports that they come from."""

    def __init__(self, pairs: Iterable[tuple[ClashRecord, Document]]) -> None:
        self._pairs = list(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, at: int) -> ClashRecord: ...

    @overload
    def __getitem__(self, at: slice) -> Records: ...

    def __getitem__(self, at: int | slice) -> ClashRecord | Records:
        return Records(self._pairs[at]) if isinstance(at, slice) else self._pairs[at][0]

    def rows(self, shape: str = "wide") -> list[dict[str, Any]]:
        """A dictionary a record: `wide`, or with the columns of `acled` or `ucdp`."""
        if shape not in SHAPES:
            raise ValueError(f"there is no shape {shape!r}; choose one of {', '.join(SHAPES)}")
        return [SHAPES[shape](record, document) for record, document in self._pairs]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Everything, with the evidence, as JSON values."""
        return [full(record, document) for record, document in self._pairs]

    def to_geojson(self) -> dict[str, Any]:
        """A FeatureCollection (RFC 7946)."""
        return geojson(self._pairs)

    def to_pandas(self, shape: str = "wide") -> Any:
        """A pandas DataFrame with a row a record; see `rows`.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingDependencyError("records as a DataFrame need pandas; install it with: pip install pandas") from None
        columns = {"acled": list(ACLED_COLUMNS), "ucdp": list(UCDP_COLUMNS)}.get(shape)
        return pandas.DataFrame(self.rows(shape), columns=columns)


def geojson(rows: Iterable[tuple[ClashRecord, Document]]) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946) with a feature a record; its geometry is null where the place is unknown."""
    features = []
    for record, document in rows:
        properties = acled(record, document)
        longitude, latitude = properties.pop("longitude"), properties.pop("latitude")
        geometry = None if longitude is None else {"type": "Point", "coordinates": [longitude, latitude]}
        features.append({"type": "Feature", "id": properties["event_id"], "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features}


def cell(value: Any) -> Any:
    """The value as a table's cell: a text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with every value as a cell."""
    return {name: cell(value) for name, value in row.items()}


def notes(record: ClashRecord, document: Document) -> str:
    """The sentences that the record rests on, in one line, and what denies it."""
    said = " ".join(" ".join(document.text[start:end].split()) for start, end in record.sentences)
    denied = [" ".join(document.text[start:end].split()) for start, end in record.denials if (start, end) not in record.sentences]
    return said + "".join(f" [denial: {sentence}]" for sentence in denied)


def _source(document: Document) -> str | None:
    """The report's source as a text that every format can hold."""
    value = document.meta.get("source")
    if value is None or (isinstance(value, float) and math.isnan(value)):  # As tables have it where nothing stands.
        return None
    return str(value).encode("utf-8", "replace").decode()


def _two_sides(record: ClashRecord) -> tuple[tuple[Party, ...], tuple[Party, ...]]:
    """The sides as two: a state's force first, as both data sets have it; of more than two sides the others join the second."""
    victims = {toll.side for toll in record.tolls} - {toll.by for toll in record.tolls}
    if len(record.sides) == 1 and 0 in victims and not any(toll.by == 0 for toll in record.tolls):
        return (), record.sides[0]  # Who attacked is not said.
    sides = sorted(record.sides, key=lambda side: not any(party.actor and party.actor.kind in ("state", "state_force") for party in side))
    return (sides[0] if sides else (), tuple(party for side in sides[1:] for party in side))


def _associates(side: tuple[Party, ...]) -> str | None:
    names = [party.name for party in side[1:]] + [patron.name for party in side for patron in party.patrons]
    return _LISTED.join(dict.fromkeys(names)) or None


def _deaths(record: ClashRecord, outcome: str = "killed") -> dict[int | str, tuple[int, int | None]]:
    """The range of victims with that outcome: of each side, of civilians, of fighters of no side, and of others."""
    groups: dict[int | str, list[Toll]] = {}
    for toll in record.tolls:
        if (toll.count.outcome or "unknown") == outcome:
            kind = {"civilian": "civilians", "combatant": "combatants"}.get(toll.count.kind, "unknown")
            who: int | str = kind if toll.side is None else toll.side
            groups.setdefault(who, []).append(toll)
    for who in ("unknown", "combatants"):
        # "Dozens" of whomever are those who are counted elsewhere.
        if len(groups) > 1 and all(map(tolls.is_vague, groups.get(who, ()))):
            groups.pop(who, None)
    return {who: found for who, group in groups.items() if (found := tolls.total(group)) is not None}


def _altogether(ranges: Mapping[int | str, tuple[int, int | None]]) -> tuple[int, int | None]:
    """All victims together: the sum, unless those of no side are as many as the others, and so most likely their total."""
    sides = tolls.added([bounds for who, bounds in ranges.items() if isinstance(who, int)])
    fighters = _with_total(sides, ranges.get("combatants"))
    return _with_total(tolls.added([fighters, ranges.get("civilians", (0, 0))]), ranges.get("unknown"))


def _with_total(parts: tuple[int, int | None], whole: tuple[int, int | None] | None) -> tuple[int, int | None]:
    """The parts and a number that is either their total, where it is as large, or further victims."""
    if whole is None:
        return parts
    if not parts[0] or whole[0] < parts[0]:
        return tolls.added([parts, whole])
    return whole[0], None if None in (parts[1], whole[1]) else max(parts[1] or 0, whole[1] or 0)


def _party(party: Party) -> dict[str, Any]:
    actor = None if party.actor is None else {**dataclasses.asdict(party.actor), "countries": list(party.actor.countries)}
    return {"name": party.name, "actor": actor, "spans": _spans(party.spans), "patrons": [_party(patron) for patron in party.patrons]}


def _toll(toll: Toll) -> dict[str, Any]:
    row = dataclasses.asdict(toll.count)
    return {
        **row,
        "names": list(toll.count.names),
        "side": toll.side,
        "by": toll.by,
        "claimant": toll.claimant,
        "spans": _spans(toll.spans),
    }


def _spans(spans: Iterable[Span]) -> list[dict[str, Any]]:
    return [{"id": span.id, "label": span.label, "start": span.start, "end": span.end, "text": span.text} for span in spans]
