"""Which statements speak of one clash? Groups mentions into parties and sites, and relations and victims into clashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from clashnlp import actors, places, tolls
from clashnlp.numerals import fold, language
from clashnlp.tokens import sentence_bounds
from clashnlp.types import Actor, Document, Place, Relation, Span

Linker = Callable[[Span], Actor | None]

# Relations that say who stands against whom, and where.
FOUGHT, BY, OF, IN, BACKED = "CLASHED_WITH", "INFLICTED_BY", "SUFFERED_BY", "LOCATED_IN", "BACKED_BY"
# A first line of more words is a paragraph.
_TITLE_WORDS = 25
# Smaller numbers are alike by chance.
_TELLING = 4
_SURELY_TELLING = 10
_NEAR_KM = 50


@dataclass(slots=True)
class Entity:
    """Mentions of one party or of one site."""

    spans: list[Span] = field(default_factory=list)
    actor: Actor | None = None
    place: Place | None = None


@dataclass(slots=True)
class Clash:
    """A clash that is being put together; parties and sites by their index."""

    pairs: set[tuple[int, int]] = field(default_factory=set)
    alone: set[int] = field(default_factory=set)
    sites: set[int] = field(default_factory=set)
    sentences: set[int] = field(default_factory=set)
    scores: list[float] = field(default_factory=list)
    casualties: list[Span] = field(default_factory=list)
    # Whether it is no clash but the toll of a whole war.
    background: bool = False

    @property
    def parties(self) -> set[int]:
        """Everyone in it."""
        return {party for pair in self.pairs for party in pair} | self.alone


class Report:
    """A document's spans, grouped into parties and sites, and its relations by label."""

    def __init__(self, document: Document, located: dict[Span, Place | None], link: Linker) -> None:
        self.document = document
        self.link = link
        self.lang = document.lang or language(document.text)
        self.bounds = sentence_bounds(document.text)
        first = document.text.lstrip().split("\n", 1)[0]
        title = len(first) < len(document.text.strip()) and len(first.split()) <= _TITLE_WORDS and not first.rstrip().endswith(".")
        # So many sentences are the headline.
        self.headline = int(np.sum(self.bounds[:, 1] <= document.text.index(first) + len(first) + 1)) if title else 0
        self.tails: dict[tuple[str, Span], list[Relation]] = {}
        for relation in document.relations:
            self.tails.setdefault((relation.label, relation.head), []).append(relation)
        self.parties: list[Entity] = []
        self.party_of = self._grouped(document.of("FACTION"), self.parties, located, link)
        self.sites: list[Entity] = []
        self.site_of = self._grouped(document.of("LOCATION"), self.sites, located, link)
        self.numbers = {span: tolls.number(span, lang=self.lang) for span in document.of("CASUALTY")}
        # A site lies in others; only the narrowest says where a clash was.
        self.within = {
            (self.site_of[one.head], self.site_of[one.tail])
            for one in document.relations
            if one.label == IN and one.head in self.site_of and one.tail in self.site_of
        }
        self.within |= {
            (inner, outer)
            for inner, one in enumerate(self.sites)
            for outer, other in enumerate(self.sites)
            if inner != outer and _lies_in(one.place, other.place)
        }

    def _grouped(self, spans: list[Span], entities: list[Entity], located: dict[Span, Place | None], link: Linker) -> dict[Span, int]:
        index: dict[tuple[str, object], int] = {}
        group: dict[Span, int] = {}
        names = {fold(span.text) for span in spans}
        actors_of = {span: link(span) for span in spans if span.label == "FACTION"}
        for one in spans:
            # "The resistance" is the one that was named in full.
            span, last = one, None
            while span is not last and span in actors_of and actors_of[span] is None:
                span, last = _fuller(span, spans, self.lang), span
            actor = actors_of.get(span)
            place = located.get(span)
            if actor is not None:
                key: tuple[str, object] = ("actor", actor.id)
            elif place is not None:
                key = ("place", (place.name, place.country, place.precision))
            else:
                key = ("name", bare_key(span.text, self.lang, names))
            if key not in index:
                index[key] = len(entities)
                entities.append(Entity(actor=actor, place=place))
            group[one] = index[key]
            entities[group[one]].spans.append(one)
        return group

    def sentence(self, span: Span) -> int:
        """The sentence that a span stands in."""
        return int(np.searchsorted(self.bounds[:, 1], span.start, side="right"))

    def breadth(self, site: int) -> tuple[int, int]:
        """A key that puts the narrowest site first, then the first named."""
        inner = sum((other, site) in self.within for other in range(len(self.sites)))
        return inner, self.sites[site].spans[0].start

    def tail(self, label: str, span: Span) -> list[Span]:
        """The spans that relations of that label lead to from the span."""
        return [relation.tail for relation in self.tails.get((label, span), ())]

    def together(self, one: set[int], other: set[int]) -> bool:
        """Whether two sets of sites may be one place: they share a site, or one lies in the other's."""
        return any(a == b or (a, b) in self.within or (b, a) in self.within for a in one for b in other)

    def near(self, one: set[int], other: set[int]) -> bool:
        """Whether two sets of sites may be about one spot: two are near each other, or only about known and in one country."""
        pairs = [(self.sites[a].place, self.sites[b].place) for a in one for b in other]
        return any(a is None or b is None or (a.country == b.country and _about(a, b)) for a, b in pairs)

    def told(self, clash: Clash) -> set[tuple[str | None, int]]:
        """The outcomes and numbers of the clash's victims that are too large to be another's by chance."""
        numbers = (self.numbers[span] for span in clash.casualties)
        return {number for number in numbers if number is not None and number[1] >= _TELLING}

    def narrow(self, sites: set[int]) -> bool:
        """Whether one of the sites is not a whole country."""
        return any(place is None or place.precision != "country" for place in (self.sites[site].place for site in sites))

    def sites_at(self, spans: Iterable[Span]) -> set[int]:
        """The narrowest sites that these spans are located in."""
        found = {self.site_of[tail] for span in spans for tail in self.tail(IN, span) if tail in self.site_of}
        return {site for site in found if not any((other, site) in self.within for other in found if other != site)}


def clashes_of(report: Report) -> list[Clash]:
    """The clashes that a report tells of, in the order of the text, each with its victims."""
    document = report.document
    clashes: list[Clash] = []
    for edge in _edges(report):
        _merge(edge, clashes, report)
    clashes = _joined(clashes, report)
    # Those that say where or whose come first; a bare number in a headline goes to the clash that is told of below it.
    stated = {span: bool(report.tail(IN, span) or report.tail(OF, span) or report.tail(BY, span)) for span in document.of("CASUALTY")}
    one_of = {span for span in stated if tolls.is_one_of(document.text[report.bounds[report.sentence(span), 0] : span.start])}

    def order(span: Span) -> tuple[bool | int, ...]:
        # Headlines last of all, and before them what is only said to be in a country: they repeat.
        sites = report.sites_at([span])
        wide = bool(sites) and not report.narrow(sites)
        return span in one_of, report.sentence(span) < report.headline, not stated[span], wide, span.start

    for span in sorted(stated, key=order):
        _assign(span, report, clashes, one_of=span in one_of)
    clashes = _retold([one for one in clashes if one.pairs or one.casualties], report)
    return sorted(clashes, key=lambda one: min(one.sentences))


def _lies_in(inner: Place | None, outer: Place | None) -> bool:
    """Whether a place lies in another one by its province or country."""
    if inner is None or outer is None or inner.country != outer.country or inner.precision == outer.precision or outer.inside:
        return False
    if outer.precision == "area" and inner.precision == "exact":
        # The countryside of a town, as far as the report goes, is where the town is.
        return inner.geonameid is not None and inner.geonameid == outer.geonameid
    return outer.precision == "country" or (outer.precision == "province" and inner.admin1 == outer.admin1 and inner.precision != "country")


def _about(one: Place, other: Place) -> bool:
    """Whether one of two places is an area or a region, or both are near each other."""
    return not one.precision == other.precision == "exact" or places.distance(one, other) < _NEAR_KM


def bare_key(text: str, lang: str, names: set[str]) -> str:
    """The folded name; without an Arabic clitic where the name without it stands in the report as well."""
    key = fold(places.bare(text, lang))
    if lang == "ar" and key[:1] in "وفبلك":
        for rest in (key[1:], "ال" + key[2:] if key.startswith("لل") else key[1:]):
            if rest in names:
                return rest
    return key.removeprefix("the ")


def _fuller(span: Span, spans: list[Span], lang: str) -> Span:
    """The span that names the same party in more words, behind its name or (English, Turkish) before it; the span itself if none does."""
    words = _words_of(span.text, lang)

    def fuller(other: Span) -> bool:
        longer = _words_of(other.text, lang)
        return len(longer) > len(words) > 0 and words == (longer[: len(words)] if lang in ("ar", "fa") else longer[-len(words) :])

    before = [other for other in spans if other.start < span.start and fuller(other)]
    return before[-1] if before else next((other for other in spans if fuller(other)), span)


# Reports name few parties, over and over, and each name is held against each other one.
@lru_cache(maxsize=4096)
def _words_of(name: str, lang: str) -> tuple[str, ...]:
    """The folded words of a party's name, without an Arabic clitic."""
    return tuple(actors.fold(places.bare(name, lang)).split())


def _edges(report: Report) -> list[Clash]:
    """Every statement that two parties fought, or that one hurt somebody, in the order of the text."""
    edges: list[tuple[int, Clash]] = []

    def add(heads: tuple[Span, Span | None], spans: Sequence[Span], score: float | None) -> None:
        one, other = heads
        first, second = report.party_of[one], None if other is None else report.party_of[other]
        if first == second and (other is None or fold(one.text) == fold(other.text)):
            return
        edge = Clash(sites=report.sites_at(spans), sentences={report.sentence(span) for span in spans})
        if second is None:
            edge.alone.add(first)
        else:
            edge.pairs.add((min(first, second), max(first, second)))
        if score is not None and second is not None:
            edge.scores.append(score)
        edges.append((min(span.start for span in spans), edge))

    for relation in report.document.relations:
        head, tail = relation.head, relation.tail
        if relation.label == FOUGHT and head in report.party_of and tail in report.party_of:
            add((head, tail), (head, tail), relation.score)
        elif relation.label == BY and tail in report.party_of:
            victims = [span for span in report.tail(OF, head) if span in report.party_of]
            for victim in victims:
                add((victim, tail), (head, victim, tail), relation.score)
            if not victims:
                add((tail, None), (head, tail), relation.score)
    return [edge for _, edge in sorted(edges, key=lambda pair: pair[0])]


def _merge(edge: Clash, clashes: list[Clash], report: Report) -> None:
    """Adds a statement to the clash that it speaks of, or as a new one."""
    # The latest clash first: a statement without a place speaks of what was told last.
    for clash in reversed(clashes):
        same = edge.pairs == clash.pairs if edge.pairs else edge.alone <= clash.parties
        shared = report.together(edge.sites, clash.sites)
        near = bool(edge.sentences & clash.sentences)
        if max(clash.sentences) < report.headline <= min(edge.sentences) and (same or clash.parties <= edge.parties):
            # What a headline tells is told again below it, with the place in other words.
            clash.sites = clash.sites if shared else edge.sites or clash.sites
            near = True
        elif not same:
            continue
        if near or shared or (edge.pairs and not (edge.sites and clash.sites)):
            _absorb(clash, edge)
            return
    clashes.append(edge)


def _absorb(clash: Clash, other: Clash) -> None:
    clash.pairs |= other.pairs
    clash.alone |= other.alone
    clash.sites |= other.sites
    clash.sentences |= other.sentences
    clash.scores += other.scores
    clash.casualties += other.casualties


def _joined(clashes: list[Clash], report: Report) -> list[Clash]:
    """The clashes, those of one place or one sentence with a party in common as one, as long as it still has sides."""
    joined: list[Clash] = []
    for clash in clashes:
        for other in joined:
            shared = clash.parties & other.parties
            near = not (clash.sites and other.sites) and clash.sentences & other.sentences
            together = report.together(clash.sites, other.sites) or near
            if shared and together and len(sides_of(clash.pairs | other.pairs)) <= 2:
                _absorb(other, clash)
                break
        else:
            joined.append(clash)
    return joined


def _retold(clashes: list[Clash], report: Report) -> list[Clash]:
    """The clashes, those with one number of victims as one, unless places or parties speak against it."""
    kept: list[Clash] = []
    for clash in clashes:
        for other in kept:
            number = max((number for _, number in report.told(clash) & report.told(other)), default=0)
            together = not (clash.sites and other.sites) or report.together(clash.sites, other.sites)
            alike = together or (number >= _SURELY_TELLING and report.near(clash.sites, other.sites))
            known = not (clash.parties and other.parties) or clash.parties & other.parties
            if number and alike and known and len(sides_of(clash.pairs | other.pairs)) <= 2:
                _absorb(other, clash)
                break
        else:
            kept.append(clash)
    return kept


def sides_of(pairs: set[tuple[int, int]]) -> list[set[int]]:
    """Two sides, so that no pair stands on one; a side a party where that cannot be (everyone against everyone, infighting)."""
    colour: dict[int, int] = {}
    for start in sorted({party for pair in pairs for party in pair}):
        colour.setdefault(start, 0)
        queue = [start]
        while queue:
            party = queue.pop()
            for one, other in pairs:
                if party in (one, other):
                    enemy = other if party == one else one
                    if enemy not in colour:
                        colour[enemy] = 1 - colour[party]
                        queue.append(enemy)
    if any(colour[one] == colour[other] for one, other in pairs):
        return [{party} for party in sorted(colour)]
    return [side for side in ({party for party, at in colour.items() if at == number} for number in (0, 1)) if side]


def _assign(span: Span, report: Report, clashes: list[Clash], *, one_of: bool) -> None:
    """Puts a casualty to the clash that it belongs to; one that belongs to none makes a record without sides.

    `one_of` tells that the text calls it one of the victims told of before, so it goes where the last of these went.
    """
    parties = {report.party_of[tail] for label in (OF, BY) for tail in report.tail(label, span) if tail in report.party_of}
    sites, sentence = report.sites_at([span]), report.sentence(span)

    number = report.numbers[span]
    background = not parties and tolls.is_background(report.document.text[slice(*report.bounds[sentence])])

    def fit(clash: Clash) -> tuple[int, int]:
        distance = min(abs(sentence - other) for other in clash.sentences)
        known, together = len(parties & clash.parties), report.together(sites, clash.sites)
        # A country, and a place in another one, are where many things happen.
        close = known or distance < 2 or sentence < report.headline or report.narrow(sites & clash.sites)
        again = number in report.told(clash)
        apart = bool(sites and clash.sites and not together)
        if clash.background != background and not again:
            return -9, -distance
        return 4 * known + 3 * bool(together and close) + 3 * (again and not apart) + 2 * (
            sentence in clash.sentences
        ) - 2 * apart, -distance

    before = [(other.start, clash) for clash in clashes for other in clash.casualties if one_of and other.start < span.start]
    best = max(before, key=lambda pair: pair[0])[1] if before else max(clashes, key=fit, default=None)
    # Two sentences on, "four others were wounded" still speaks of the clash before.
    if best is None or (not before and fit(best)[0] <= 0 and (parties or sites or background or fit(best)[1] < -2)):
        best = Clash(alone=parties, background=background)
        clashes.append(best)
    if not best.parties:
        best.alone |= parties
    best.casualties.append(span)
    best.sentences.add(sentence)
    best.sites |= sites if not best.sites else set()
