"""Which clashes does a report tell of? Groups spans and relations into records: sides, places, victims, date, and who claims it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
from collections import Counter

from clashnlp import actors, claims, places, tolls
from clashnlp.clashes import BACKED, BY, OF, Clash, Entity, Linker, Report, bare_key, clashes_of, sides_of
from clashnlp.numerals import language
from clashnlp.types import Actor, ClashRecord, Document, Party, Place, Site, Span


def read(document: Document, *, published: datetime.date | None = None) -> list[ClashRecord]:
    """The clashes of a report, with its actors and places looked up in the package's tables; empty where it tells of none.

    Args:
        document: a report with spans and relations, as predicted or as annotated.
        published: the day from which "yesterday" and weekdays are counted, where the report has no `date` (ISO 8601) of its own.
    """
    lang = document.lang or language(document.text)
    located = places.geocode(document if document.lang else dataclasses.replace(document, lang=lang))
    # An army without a name is that of the country that the report mostly speaks of.
    countries = [country for country, _ in Counter(place.country for place in located.values() if place is not None).most_common(1)]

    def found(span: Span) -> Actor | None:
        return actors.link(span.text, label=span.label, lang=lang, countries=countries)

    fighting = {actor.id for span in document.of("FACTION") if (actor := found(span)) is not None}

    def link(span: Span) -> Actor | None:
        actor = found(span)
        # A state that fights does so with its army, if the report names that as well.
        army = actors.army(actor.id) if actor is not None and actor.kind == "state" and span.label == "FACTION" else None
        return army if army is not None and army.id in fighting else actor

    return records(document, located=located, link=link, published=_own_date(document) or published)


def _own_date(document: Document) -> datetime.date | None:
    for name in ("date", "published", "event_date"):
        value = document.meta.get(name)
        if isinstance(value, datetime.datetime):
            return value.date()
        if isinstance(value, datetime.date):
            return value
        with contextlib.suppress(ValueError):
            return datetime.date.fromisoformat(str(value)[:10])
    return None


def records(
    document: Document, *, located: dict[Span, Place | None], link: Linker, published: datetime.date | None = None
) -> list[ClashRecord]:
    """The clashes of a report, in the order of the text; empty where it tells of none.

    Statements of one pair of sides at one place are one clash, wherever they stand: a headline, its paragraph, and the paragraph's copy
    do not make three. Pairs that share a party and a place in one stretch of text are one clash of several parties.

    Args:
        document: a report with spans and relations.
        located: the place of each LOCATION span, where it is known.
        link: who a FACTION or PATRON span names.
        published: the day from which "yesterday" and weekdays are counted.
    """
    report = Report(document, located, link)
    clashes = clashes_of(report)
    told = {sentence for one in clashes for sentence in one.sentences}
    return [_record(one, number, report, published, told) for number, one in enumerate(clashes, start=1)]


def _record(clash: Clash, number: int, report: Report, published: datetime.date | None, told: set[int]) -> ClashRecord:
    text, lang = report.document.text, report.lang
    sides = sides_of(clash.pairs)
    sides += [{party} for party in sorted(clash.alone - {party for side in sides for party in side})]
    sides.sort(key=lambda side: min(report.parties[party].spans[0].start for party in side))
    sentences = sorted(clash.sentences)
    bounds = [(int(report.bounds[at, 0]), int(report.bounds[at, 1])) for at in sentences]
    named = {bound: claim for bound in bounds if (claim := claims.claimant(text, *bound, lang=lang)) is not None}
    voices = claims.voices(claim.name for claim in named.values())
    dates = (claims.date(text[start:end], reference=published) for start, end in bounds)
    day = next((found for found in dates if found is not None), None)
    side_of = {party: at for at, side in enumerate(sides) for party in side}
    # The next sentence may deny what this one tells, if it does not tell of another clash; and so may one that names a party of this.
    behind = {sentence + 1 for sentence in sentences if sentence + 1 < len(report.bounds)} - told
    naming = {report.sentence(span) for party in clash.parties for span in report.parties[party].spans} - told
    around = sorted({*sentences, *behind, *naming})
    return ClashRecord(
        document=report.document.id,
        number=number,
        sides=tuple(tuple(_party(party, report) for party in sorted(side)) for side in sides),
        sites=tuple(_site(report.sites[site], report.lang) for site in sorted(clash.sites, key=report.breadth)),
        tolls=tuple(tolls.collect(_statements(clash, report, side_of, named, voices))),
        denials=tuple(
            (int(start), int(end)) for start, end in report.bounds[around] if claims.denies(text, int(start), int(end), lang=lang)
        ),
        sentences=tuple(bounds),
        date=None if day is None else day.isoformat(),
        claimants=tuple(dict.fromkeys(voices.values())),
        score=min(clash.scores, default=None),
    )


def _statements(
    clash: Clash,
    report: Report,
    side_of: dict[int, int],
    named: dict[tuple[int, int], claims.Claim],
    voices: dict[str, str],
) -> list[tolls.Statement]:
    found = []
    text = report.document.text
    casualties = report.document.of("CASUALTY")
    for span in clash.casualties:
        ends = {
            label: [side_of[report.party_of[tail]] for tail in report.tail(label, span) if report.party_of.get(tail) in side_of]
            for label in (OF, BY)
        }
        begin, end = report.bounds[report.sentence(span)]
        bound = (int(begin), int(end))
        claim = named.get(bound)
        inside = any(one.start >= span.start and one.end <= span.end for one in report.document.of("FACTION"))
        count = tolls.count(span, lang=report.lang, combatants=inside or bool(ends[OF]))
        before = max((one.end for one in casualties if bound[0] <= one.start and one.end <= span.start), default=bound[0])
        part = tolls.is_part(text[before : span.start], text[span.end : bound[1]])
        if count is not None:
            # A toll of both sides together is nobody's own.
            side, by = (ends[label][0] if len(set(ends[label])) == 1 else None for label in (OF, BY))
            source = voices[claim.name] if claim is not None and claim.since <= span.start else None
            found.append(tolls.Statement(span, count, side, by, source, bound, part))
    return found


def _party(party: int, report: Report) -> Party:
    entity = report.parties[party]
    patrons: dict[str, Entity] = {}
    for tail in itertools.chain.from_iterable(report.tail(BACKED, span) for span in entity.spans):
        actor = report.link(tail)
        if _own(entity.actor, actor):
            continue
        backer = patrons.setdefault(actor.id if actor else bare_key(tail.text, report.lang, set()), Entity(actor=actor))
        backer.spans.append(tail)
    backing = tuple(Party(_name(backer, report.lang), tuple(backer.spans), backer.actor) for backer in patrons.values())
    return Party(_name(entity, report.lang), tuple(entity.spans), entity.actor, backing)


def _own(actor: Actor | None, backer: Actor | None) -> bool:
    """Whether a backer is the party itself, or the state whose force it is."""
    if actor is None or backer is None:
        return False
    return actor.id == backer.id or (actor.kind == "state_force" and actor.countries[:1] == (backer.id,))


def _site(entity: Entity, lang: str) -> Site:
    return Site(entity.place.name if entity.place else _name(entity, lang), tuple(entity.spans), entity.place)


def _name(entity: Entity, lang: str) -> str:
    if entity.actor is not None:
        return entity.actor.name
    return max((places.bare(span.text, lang) for span in entity.spans), key=len)
