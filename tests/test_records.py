"""Clash records of reports of our own: sides, places, tolls, claims; and what must not be counted twice."""

import datetime

import pytest

from clashnlp import claims, places, tolls
from clashnlp.formats import inline
from clashnlp.records import read as package_read
from clashnlp.records import records
from clashnlp.types import Actor, Count, Document

ACTORS = {
    "hezbollah": Actor("hezbollah", "Hezbollah", "militia", ("LB",)),
    "حزب الله": Actor("hezbollah", "Hezbollah", "militia", ("LB",)),
    "saa": Actor("saa", "Syrian Arab Armed Forces", "state_force", ("SY",)),
}


def link(span):
    return ACTORS.get(span.text.lower())


def read(marked: str, *, lang: str = "en", published: datetime.date | None = None):
    document: Document = inline.parse(marked.strip("\n"), id="r", lang=lang)
    return records(document, located=places.geocode(document), link=link, published=published), document


def parties(marked: str, *, lang: str) -> list[list[tuple[str, ...]]]:
    """Every party with its patrons, as the package's own tables name them."""
    found = package_read(inline.parse(marked, id="r", lang=lang))
    return [[(party.name, *(patron.name for patron in party.patrons)) for party in side] for record in found for side in record.sides]


def sides(record) -> list[list[str]]:
    return [[party.name for party in side] for side in record.sides]


BATTLE = """
[[F1|Tigers]] clashed with [[F2|Lions]] in [[L1|Saraqib]], in [[L2|Idlib]], on Monday.
[[C1:killed|Five [[F3|Lions]] fighters]] were killed, according to the local network.
---
F1 CLASHED_WITH F2
F1 LOCATED_IN L1
F2 LOCATED_IN L1
L1 LOCATED_IN L2
C1 SUFFERED_BY F3
"""


def test_one_battle_is_one_record_with_its_evidence():
    (record,), document = read(BATTLE, published=datetime.date(2026, 11, 18))
    assert sides(record) == [["Tigers"], ["Lions"]]
    assert [(site.name, site.place.country, site.place.precision) for site in record.sites] == [("Saraqib", "SY", "exact")]
    (toll,) = record.tolls
    assert toll.count == Count(5, 5, "killed", "combatant") and toll.side == 1 and toll.claimant == "local network"
    assert record.date == "2026-11-16" and record.claimants == ("local network",)
    assert [document.text[start:end].split()[0] for start, end in record.sentences] == ["Tigers", "Five"]
    assert {span.id for side in record.sides for party in side for span in party.spans} == {"F1", "F2", "F3"}


def test_a_headline_and_a_paragraph_that_stands_twice_count_once():
    paragraph = "[[F{a}|Tigers]] attacked [[F{b}|Lions]] in [[L{a}|Saraqib]]. [[C{a}:killed|Five [[F{c}|Lions]] fighters]] died there."
    text = "[[F1|Tigers]] attack [[F2|Lions]]\n" + paragraph.format(a=3, b=4, c=5) + "\n" + paragraph.format(a=6, b=7, c=8)
    links = ["F1 CLASHED_WITH F2"]
    for a, b, c in ((3, 4, 5), (6, 7, 8)):
        links += [
            f"F{a} CLASHED_WITH F{b}",
            f"F{a} LOCATED_IN L{a}",
            f"F{b} LOCATED_IN L{a}",
            f"C{a} SUFFERED_BY F{c}",
            f"C{a} LOCATED_IN L{a}",
        ]
    (record,), _ = read(text + "\n---\n" + "\n".join(links))
    assert sides(record) == [["Tigers"], ["Lions"]]
    assert [toll.count for toll in record.tolls] == [Count(5, 5, "killed", "combatant")]
    assert len(record.tolls[0].spans) == 2


def test_two_tolls_of_two_sources_stay_two_claims_and_the_range_covers_both():
    (record,), _ = read("""
[[F1|Tigers]] fought [[F2|Lions]] in [[L1|Saraqib]]. [[C1:killed|Ten [[F3|Lions]] fighters]] were killed, according to the observatory.
According to the army, [[C2:killed|fifteen [[F4|Lions]] fighters]] were killed.
---
F1 CLASHED_WITH F2
F1 LOCATED_IN L1
C1 SUFFERED_BY F3
C2 SUFFERED_BY F4
""")
    assert [(toll.claimant, toll.count.low) for toll in record.tolls] == [("observatory", 10), ("army", 15)]
    assert tolls.total(record.tolls) == (10, 15)


def test_allies_stand_on_one_side():
    (record,), _ = read("""
[[F1|Tigers]] and [[F2|Bears]] attacked [[F3|Lions]] in [[L1|Saraqib]].
---
F1 CLASHED_WITH F3
F2 CLASHED_WITH F3
F1 LOCATED_IN L1
F2 LOCATED_IN L1
F3 LOCATED_IN L1
""")
    assert sides(record) == [["Tigers", "Bears"], ["Lions"]]


def test_two_places_are_two_clashes():
    found, _ = read("""
[[F1|Tigers]] attacked [[F2|Lions]] in [[L1|Saraqib]]. [[F3|Tigers]] also attacked [[F4|Lions]] in [[L2|Manbij]].
---
F1 CLASHED_WITH F2
F1 LOCATED_IN L1
F2 LOCATED_IN L1
F3 CLASHED_WITH F4
F3 LOCATED_IN L2
F4 LOCATED_IN L2
""")
    assert [[site.name for site in record.sites] for record in found] == [["Saraqib"], ["Manbij"]]
    assert [record.number for record in found] == [1, 2]


def test_an_attack_on_civilians_has_one_side_and_civilian_victims():
    (record,), _ = read("""
[[F1|Tigers]] shelled [[L1|Saraqib]]. [[C1:killed|Two children]] were killed and [[C2:wounded|four others]] were wounded in the shelling.
---
C1 INFLICTED_BY F1
C2 INFLICTED_BY F1
C1 LOCATED_IN L1
C2 LOCATED_IN L1
""")
    assert sides(record) == [["Tigers"]]
    assert {(toll.count.outcome, toll.count.low, toll.count.kind, toll.by, toll.side) for toll in record.tolls} == {
        ("killed", 2, "civilian", 0, None),
        ("wounded", 4, "unknown", 0, None),
    }


def test_victims_of_nobody_named_make_a_record_without_sides():
    (record,), _ = read("""
A bomb killed [[C1:killed|20 people]] in [[L1|Baghdad]], in [[L2|Iraq]].
---
C1 LOCATED_IN L1
L1 LOCATED_IN L2
""")
    assert record.sides == () and record.sites[0].place.country == "IQ" and record.tolls[0].count.low == 20


def test_patrons_are_those_that_the_text_names_for_the_party():
    (record,), _ = read("""
[[P1|Ruritania]]-backed [[F1|Tigers]] attacked [[F2|Lions]].
---
F1 BACKED_BY P1
F1 CLASHED_WITH F2
""")
    assert [[patron.name for patron in party.patrons] for side in record.sides for party in side] == [["Ruritania"], []]


def test_names_of_one_actor_are_one_party():
    (record,), _ = read("""
[[F1|Hezbollah]] attacked [[F2|Lions]]. [[F3|حزب الله]] fought [[F4|Lions]].
---
F1 CLASHED_WITH F2
F3 CLASHED_WITH F4
""")
    assert sides(record) == [["Hezbollah"], ["Lions"]] and len(record.sides[0][0].spans) == 2


def test_others_are_added_and_the_named_dead_are_among_the_counted():
    (record,), _ = read("""
[[F1|Tigers]] attacked [[F2|Lions]]. [[C1:killed|Three [[F3|Lions]] fighters]] were killed.
[[C2:killed|Two others]] died later. [[C3:killed|Captain Adam Hale]] was among the dead.
---
F1 CLASHED_WITH F2
C1 SUFFERED_BY F3
C2 SUFFERED_BY F2
C3 SUFFERED_BY F2
""")
    (toll,) = record.tolls
    assert (toll.count.low, toll.count.high, toll.count.names) == (5, 5, ("Adam Hale",))


def test_victims_among_those_before_are_not_added():
    (record,), _ = read("""
[[F1|Tigers]] shelled [[L1|Saraqib]]. [[C1:killed|Ten people]] died, among them [[C2:killed|three children]].
---
F1 LOCATED_IN L1
C1 INFLICTED_BY F1
C2 INFLICTED_BY F1
""")
    assert [(toll.count.low, toll.count.high) for toll in record.tolls] == [(10, 10)]


def test_an_arabic_conjunction_is_no_part_of_a_name():
    (record,), _ = read("اشتبك [[F1|نمور الشمال]] [[F2|ومسلحون محليون]].\n---\nF1 CLASHED_WITH F2", lang="ar")
    assert sides(record) == [["نمور الشمال"], ["مسلحون محليون"]]


def test_a_denial_is_kept_as_one():
    (record,), document = read("""
[[F1|Tigers]] said they had driven [[F2|Lions]] out of [[L1|Saraqib]]. A spokesman denied this.
---
F1 CLASHED_WITH F2
F2 LOCATED_IN L1
""")
    assert [document.text[start:end] for start, end in record.denials] == ["A spokesman denied this."]


def test_a_report_without_a_clash_has_no_records():
    assert read("[[F1|Tigers]] trained in [[L1|Saraqib]].\n---\nF1 LOCATED_IN L1")[0] == []
    assert records(Document("Nothing happened."), located={}, link=link) == []


@pytest.mark.parametrize(
    ("lang", "sentence", "name"),
    [
        ("en", "According to the hospital, five people died.", "hospital"),
        ("en", "Five people died, the army said on Monday.", "army"),
        ("ar", "وقال المرصد السوري إن خمسة أشخاص قتلوا.", "المرصد السوري"),
        ("ar", "قتل خمسة أشخاص بحسب مصدر طبي.", "مصدر طبي"),
        ("ar", "وفق ما أفاد المرصد المحلي، قتل خمسة أشخاص.", "المرصد المحلي"),
        ("ar", "قتل خمسة أشخاص حسبما ذكرت مصادر طبية.", "مصادر طبية"),
        ("ar", "وأفاد المرصد المحلي، الثلاثاء، بمقتل خمسة أشخاص.", "المرصد المحلي"),
        ("ar", "وقالت مصادر ميدانية، إن خمسة أشخاص قتلوا.", "مصادر ميدانية"),
        ("ar", 'وأفاد مراسل "صوت الجبل" بمقتل خمسة أشخاص.', "مراسل"),
        ("ar", "وأكدت مصادر أمنية مقتل خمسة أشخاص.", "مصادر أمنية"),
        ("ar", "قتل خمسة أشخاص، بحسب مصدر أمني الأحد.", "مصدر أمني"),
        ("ar", "وأضاف أن المعارك أسفرت عن مقتل خمسة أشخاص.", None),
        ("en", "Five people died, the valley watch had earlier said.", "valley watch"),
        ("en", "Meanwhile the hill hospital said five people died.", "hill hospital"),
        ("fa", "طبق اعلام وزارت بهداشت، پنج نفر کشته شدند.", "وزارت بهداشت"),
        ("tr", "Valiliğe göre beş kişi öldü.", "Valiliğ"),
        ("tr", "Valilikten yapılan açıklamada beş kişinin öldüğü belirtildi.", "Valilik"),
        ("fa", "به گزارش خبرگزاری، پنج نفر کشته شدند.", "خبرگزاری"),
        ("en", "Five people died.", None),
        ("de", "Laut Polizei starben fünf Menschen.", None),
    ],
)
def test_claimants(lang, sentence, name):
    claim = claims.claimant(sentence, 0, len(sentence), lang=lang)
    assert (claim.name if claim else None) == name
    assert claim is None or sentence[claim.start : claim.end] == claim.name


@pytest.mark.parametrize(
    ("lang", "sentence", "expected"),
    [
        ("en", "The ministry denied the report.", True),
        ("en", "There were no casualties.", True),
        ("en", "Ten people died.", False),
        ("ar", "ونفى الجيش سقوط قتلى في صفوفه.", True),
        ("ar", "قتل عشرة أشخاص.", False),
        ("tr", "Bakanlık haberi yalanladı.", True),
        ("fa", "وزارت دفاع این خبر را تکذیب کرد.", True),
    ],
)
def test_denials(lang, sentence, expected):
    assert claims.denies(sentence, 0, len(sentence), lang=lang) is expected


WEDNESDAY = datetime.date(2026, 11, 18)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 3 March 2018", "2018-03-03"),
        ("on March 3rd, 2018", "2018-03-03"),
        ("2018-03-03", "2018-03-03"),
        ("في 3 آذار/مارس 2018", "2018-03-03"),
        ("يوم ٣ مارس ٢٠١٨", "2018-03-03"),
        ("3 Mart 2018'de", "2018-03-03"),
        ("03.03.2018", "2018-03-03"),
        ("on Monday", "2026-11-16"),
        ("أمس", "2026-11-17"),
        ("dün", "2026-11-17"),
        ("امروز", "2026-11-18"),
        ("یوم الجمعة", "2026-11-13"),
        ("on 20 December", "2025-12-20"),
        ("on 31 February 2018", None),
        ("no day at all", None),
        ("the siege that has gone on since Monday", None),
        ("القصف المستمر منذ مساء الجمعة", None),
        ("المعارك الدائرة منذ 3 مارس 2018 تجددت أمس", "2026-11-17"),
        ("3 Mart'tan beri süren kuşatma", None),
        ("محاصره‌ای که از روز جمعه ادامه دارد", None),
    ],
)
def test_dates(text, expected):
    found = claims.date(text, reference=WEDNESDAY)
    assert (None if found is None else found.isoformat()) == expected


def test_a_relative_day_needs_a_reference():
    assert claims.date("yesterday") is None and claims.date("on 3 March") is None
    assert claims.date("on 3 March 2018") == datetime.date(2018, 3, 3)


def killed(marked: str, **options) -> list[tuple[int, int | None]]:
    found, _ = read(marked, **options)
    return [(toll.count.low, toll.count.high) for record in found for toll in record.tolls if toll.count.outcome == "killed"]


def test_a_number_with_more_than_adds_nobody():
    text = "[[F1|Tigers]] fought [[F2|Lions]]. [[C1:killed|5 people]] were killed. [[C2:killed|more than 5 people]] were killed."
    assert (5, 5) in killed(text + "\n---\nF1 CLASHED_WITH F2") and (10, None) not in killed(text + "\n---\nF1 CLASHED_WITH F2")


def test_a_clause_of_its_own_behind_including_is_counted():
    text = "[[F1|Tigers]] shelled a base. [[C1:killed|Ten soldiers]] were killed, including an officer, "
    text += "and [[C2:wounded|20 people]] were wounded."
    (record,), _ = read(text + "\n---\nC1 INFLICTED_BY F1\nC2 INFLICTED_BY F1")
    assert {(toll.count.outcome, toll.count.low) for toll in record.tolls} == {("killed", 10), ("wounded", 20)}


def test_a_headline_in_the_province_and_a_body_in_the_town_are_one_clash():
    (record,), _ = read("""
[[F1|Tigers]] attack [[F2|Lions]] in [[L1|Idlib province]]: [[C1:killed|ten soldiers]] killed

[[F3|Tigers]] attacked [[F4|Lions]] in [[L2|Saraqib]], in [[L3|Syria]]. [[C2:killed|Ten soldiers]] were killed.
---
F1 CLASHED_WITH F2
F1 LOCATED_IN L1
F3 CLASHED_WITH F4
F3 LOCATED_IN L2
L2 LOCATED_IN L3
""")
    assert [(toll.count.low, len(toll.spans)) for toll in record.tolls] == [(10, 2)]
    assert record.sites[0].name == "Saraqib"


def test_two_people_named_in_two_sentences_are_two():
    text = "[[F1|Tigers]] fought [[F2|Lions]]. [[C1:killed|Captain Adam Hale]] was killed. [[C2:killed|Sergeant Bob Reed]] was killed."
    assert killed(text + "\n---\nF1 CLASHED_WITH F2") == [(2, 2)]


def test_a_toll_of_both_sides_belongs_to_neither():
    text = "[[F1|Tigers]] fought [[F2|Lions]]. [[C1:killed|Ten fighters]] of both were killed."
    (record,), _ = read(text + "\n---\nF1 CLASHED_WITH F2\nC1 SUFFERED_BY F1\nC1 SUFFERED_BY F2")
    assert [toll.side for toll in record.tolls] == [None]


@pytest.mark.parametrize(
    ("lang", "text"),
    [("en", "3 martyrs"), ("en", "they sat down"), ("tr", "2 mayın"), ("fa", "5 مهاجم"), ("fa", "2 مین"), ("tr", "Pazar yerine")],
)
def test_what_only_looks_like_a_date(lang, text):
    assert claims.date(text, reference=WEDNESDAY) is None


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("en", "Ten people were reported killed."),
        ("en", "He said ten people died."),
        ("en", "According to him, ten people died."),
        ("tr", "Buna göre on kişi öldü."),
    ],
)
def test_pronouns_and_passives_are_no_claimants(lang, sentence):
    assert claims.claimant(sentence, 0, len(sentence), lang=lang) is None


def test_a_headline_claims_nothing_and_too_is_no_name():
    text = "Northern alliance raid kills 7 hill fighters ministry says"
    assert claims.claimant(text, 0, len(text), lang="en") is None
    text = "دیده‌بان محلی هم اعلام کرد که دو تن کشته شدند."
    assert claims.claimant(text, 0, len(text), lang="fa").name == "دیده‌بان محلی"


def test_a_source_named_in_short_is_the_one_named_in_full():
    (record,), _ = read("""
[[F1|Tigers]] fought [[F2|Lions]]. [[C1:killed|Ten [[F3|Lions]]]] died, according to the Valley Watch of Saraqib.
According to the Watch, [[C2:killed|four [[F4|Lions]]]] of these were children.
---
F1 CLASHED_WITH F2
C1 SUFFERED_BY F3
C2 SUFFERED_BY F4
""")
    assert record.claimants == ("Valley Watch of Saraqib",)
    assert tolls.total(record.tolls) == (10, 10)
    assert claims.voices(["Hale", "Adam Hale", "the army"]) == {"Hale": "Adam Hale", "Adam Hale": "Adam Hale", "the army": "the army"}


@pytest.mark.parametrize(
    ("lang", "first", "second", "name"),
    [
        ("en", "Turkey", "Turkish army", "Turkish Armed Forces"),
        ("ar", "تركيا", "الجيش التركي", "Turkish Armed Forces"),
        ("tr", "Türkiye", "Türk ordusu", "Turkish Armed Forces"),
        ("fa", "ترکیه", "ارتش ترکیه", "Turkish Armed Forces"),
        ("en", "Turkey", "Turkey", "Turkey"),
    ],
)
def test_a_state_and_its_army_are_one_party(lang, first, second, name):
    text = f"[[F1|{first}]], [[F2|Lions]]. [[F3|{second}]], [[F4|Lions]].\n---\nF1 CLASHED_WITH F2\nF3 CLASHED_WITH F4"
    assert parties(text, lang=lang) == [[(name,)], [("Lions",)]]


def test_nobody_backs_himself_and_no_state_its_own_army():
    text = "[[P1|Syria]]-backed [[F1|Syrian army]] units and [[P2|Hezbollah]]-led [[F2|Hezbollah]] men fought [[F3|Lions]].\n---\n"
    text += "F1 BACKED_BY P1\nF2 BACKED_BY P2\nF1 CLASHED_WITH F3\nF2 CLASHED_WITH F3"
    assert parties(text, lang="en") == [[("Syrian Arab Armed Forces",), ("Hezbollah",)], [("Lions",)]]


@pytest.mark.parametrize(
    ("lang", "full", "short"),
    [
        ("ar", "مقاومة الوديان", "والمقاومة"),
        ("fa", "جبهه دره‌ها", "جبهه"),
        ("en", "Valley fighters", "fighters"),
        ("tr", "Vadi direnişi", "direnişi"),
    ],
)
def test_a_party_named_in_short_is_the_one_named_in_full(lang, full, short):
    text = f"[[F1|{full}]], [[F2|Lions]]. [[F3|{short}]], [[F4|Lions]].\n---\nF1 CLASHED_WITH F2\nF3 CLASHED_WITH F4"
    assert parties(text, lang=lang) == [[(full,)], [("Lions",)]]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("والساحل الشرقي", "الساحل الشرقي"),
        ("بالساحل الشرقي", "الساحل الشرقي"),
        ("للساحل الشرقي", "الساحل الشرقي"),
        ("وبريف سرمين", "ريف سرمين"),
        ("لقوات الوديان", "قوات الوديان"),
        ("بلدة سرمين", "بلدة سرمين"),
        ("وادي سرمين", "وادي سرمين"),
        ("بالميرا", "بالميرا"),
        ("لواء سرمين", "لواء سرمين"),
    ],
)
def test_arabic_names_stand_without_what_is_only_written_on_them(written, name):
    assert places.bare(written, "ar") == name and places.bare(written, "fa") == written


@pytest.mark.parametrize(
    ("lang", "headline", "body"),
    [
        ("en", "Raid hits [[L1|Damascus]]", "The raid hit [[L2|the mill road]]."),
        ("ar", "غارة على [[L1|دمشق]]", "استهدفت الغارة [[L2|طريق المطحنة]]."),
        ("tr", "[[L1|Şam]] vuruldu", "Saldırı [[L2|değirmen yolunu]] hedef aldı."),
        ("fa", "حمله به [[L1|دمشق]]", "این حمله [[L2|جاده آسیاب]] را هدف گرفت."),
    ],
)
def test_a_headline_tells_of_the_clash_below_it_with_the_place_in_other_words(lang, headline, body):
    text = f"[[F1|Tigers]], [[F2|Lions]]: {headline}\n[[F3|Tigers]], [[F4|Lions]]. {body}\n---\n"
    links = "F1 CLASHED_WITH F2\nF1 LOCATED_IN L1\nF3 CLASHED_WITH F4\nF3 LOCATED_IN L2"
    (record,), _ = read(text + links, lang=lang)
    assert [span.id for site in record.sites for span in site.spans] == ["L2"]
    assert len(record.sentences) == 2


def test_victims_in_a_town_are_not_those_of_a_battle_elsewhere_in_its_country():
    found, _ = read("""
Bomb kills [[C1:killed|12 people]] in [[L1|Syria]]
A bomb killed [[C2:killed|12 people]] in [[L2|Damascus]], in [[L3|Syria]]. Nobody claimed it. Talks went on.
[[F1|Tigers]] fought [[F2|Lions]] all over [[L4|Syria]].
---
C1 LOCATED_IN L1
C2 LOCATED_IN L2
L2 LOCATED_IN L3
F1 CLASHED_WITH F2
F1 LOCATED_IN L4
F2 LOCATED_IN L4
""")
    assert [(sides(record), [toll.count.low for toll in record.tolls]) for record in found] == [
        ([], [12]),
        ([["Tigers"], ["Lions"]], []),
    ]
    assert found[0].sites[0].name == "Damascus"


@pytest.mark.parametrize(
    ("lang", "first", "second"),
    [
        ("en", "The mill paper wrote of [[C1:killed|30 dead]].", "The hill radio told of [[C2:killed|30 people]] killed."),
        ("ar", "تحدثت صحيفة عن [[C1:killed|30 قتيلا]].", "وذكرت إذاعة مقتل [[C2:killed|30 شخصا]]."),
        ("tr", "Gazete [[C1:killed|30 ölü]] yazdı.", "Radyo [[C2:killed|30 kişinin]] öldüğünü duyurdu."),
        ("fa", "روزنامه از [[C1:killed|۳۰ کشته]] خبر داد.", "رادیو کشته شدن [[C2:killed|سی نفر]] را گزارش داد."),
    ],
)
def test_a_strike_that_several_sources_tell_of_is_one_by_its_toll(lang, first, second):
    talk = "Then they talked. " * 4
    text = f"[[F1|Tigers]] [[L1|the mill road]]. {first} {talk}[[F2|Tigers]] [[L2|the old mill]]. {second}\n---\n"
    (record,), _ = read(text + "C1 INFLICTED_BY F1\nC2 INFLICTED_BY F2\nC1 LOCATED_IN L1\nC2 LOCATED_IN L2", lang=lang)
    assert [(toll.count.low, toll.count.high) for toll in record.tolls] == [(30, 30)]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "More than [[C2:killed|300,000 people]] have died since the war began."),
        ("ar", "وقتل أكثر من [[C2:killed|300 ألف شخص]] منذ اندلاع النزاع."),
        ("tr", "Savaşın başından bu yana [[C2:killed|300 bin kişi]] öldü."),
        ("fa", "از آغاز جنگ [[C2:killed|۳۰۰ هزار نفر]] کشته شدند."),
    ],
)
def test_the_toll_of_a_whole_war_is_not_that_of_the_clash(lang, words):
    found, _ = read(
        f"[[F1|Tigers]], [[F2|Lions]]: [[C1:killed|4 [[F3|Lions]]]]. {words}\n---\nF1 CLASHED_WITH F2\nC1 SUFFERED_BY F3", lang=lang
    )
    assert [[toll.count.low for toll in record.tolls] for record in found] == [[4], [300_000]]


def test_whose_fighters_died_is_known_where_nobody_names_the_attacker():
    (record,), _ = read("""
A blast killed [[C1:killed|two men]] in [[L1|Saraqib]]. [[C2:killed|Nine [[F1|Lions]]]] died as well.
---
C1 LOCATED_IN L1
C2 SUFFERED_BY F1
C2 LOCATED_IN L1
""")
    assert sides(record) == [["Lions"]] and [(toll.count.low, toll.side) for toll in record.tolls] == [(2, None), (9, 0)]
