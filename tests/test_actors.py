"""Faction and patron names against their actors, and the tables against themselves."""

import re
from collections import Counter, defaultdict

import pytest
from conftest import ROOT

from clashnlp import actors
from clashnlp.types import Actor

DATA = ROOT / "clashnlp" / "data"
KINDS = {"state_force", "rebel", "militia", "jihadist", "external", "police", "gang"}
LANGUAGES = ("en", "ar", "tr", "fa", "ru", "fr")
MEMBERS = {
    code
    for line in (
        "AF AL DZ AD AO AG AR AM AU AT AZ BS BH BD BB BY BE BZ BJ BT BO BA BW BR BN BG BF BI CV KH CM CA CF TD CL CN CO KM CG CD CR CI HR",
        "CU CY CZ DK DJ DM DO EC EG SV GQ ER EE SZ ET FJ FI FR GA GM GE DE GH GR GD GT GN GW GY HT HN HU IS IN ID IR IQ IE IL IT JM JP JO",
        "KZ KE KI KP KR KW KG LA LV LB LS LR LY LI LT LU MG MW MY MV ML MT MH MR MU MX FM MD MC MN ME MA MZ MM NA NR NP NL NZ NI NE NG MK",
        "NO OM PK PW PA PG PY PE PH PL PT QA RO RU RW KN LC VC WS SM ST SA SN RS SC SL SG SK SI SB SO ZA SS ES LK SD SR SE CH SY TJ TZ TH",
        "TL TG TO TT TN TR TM TV UG UA AE GB US UY UZ VU VE VN YE ZM ZW",
    )
    for code in line.split()
}

# Name, language, id of its actor.
NAMES = [
    # One actor across scripts and spellings.
    ("أنصار الله", "ar", "ansar-allah"),
    ("الحوثيون", "ar", "ansar-allah"),
    ("Houthis", "en", "ansar-allah"),
    ("Ansar Allah", "en", "ansar-allah"),
    ("Husiler", "tr", "ansar-allah"),
    ("انصارالله", "fa", "ansar-allah"),
    ("хуситы", "ru", "ansar-allah"),
    ("rebelles houthis", "fr", "ansar-allah"),
    ("داعش", "ar", "islamic-state"),
    ("ISIL", "en", "islamic-state"),
    ("Da’esh", "en", "islamic-state"),
    ("Isis", "en", "islamic-state"),
    ("DEAŞ", "tr", "islamic-state"),
    ("ИГИЛ", "ru", "islamic-state"),
    ("État islamique", "fr", "islamic-state"),
    ("حزب الله", "ar", "hezbollah"),
    ("Hizballah", "en", "hezbollah"),
    ("حزب‌الله", "fa", "hezbollah"),
    ("Hashd al-Shaabi", "en", "pmf"),
    ("الحشد الشعبی", "fa", "pmf"),
    ("حشدالشعبی", "fa", "pmf"),
    ("Haşdi Şabi", "tr", "pmf"),
    ("قسد", "ar", "sdf"),
    ("SDG", "tr", "sdf"),
    ("Özgür Suriye Ordusu", "tr", "free-syrian-army"),
    ("El-Kaide", "tr", "al-qaeda"),
    ("al-Qaida", "en", "al-qaeda"),
    ("القاعدة", "ar", "al-qaeda"),
    ("M23", "fr", "m23"),
    ("طالبان", "fa", "taliban"),
    ("Taliban", "en", "taliban"),
    ("ЧВК Вагнер", "ru", "wagner"),
    ("ВСУ", "ru", "armed-forces-ukraine"),
    ("DHKP-C", "tr", "dhkp-c"),
    ("قوات الدعم السريع", "ar", "rsf"),
    ("NATO", "en", "nato"),
    # Arabic clitics and articles.
    ("للحوثيين", "ar", "ansar-allah"),
    ("والحوثي", "ar", "ansar-allah"),
    ("وللحوثيين", "ar", "ansar-allah"),
    ("حوثياً", "ar", "ansar-allah"),
    ("بالتحالف العربي", "ar", "saudi-led-coalition"),
    ("#تحالف_دعم_الشرعية", "ar", "saudi-led-coalition"),
    ("لحزب الله اللبناني", "ar", "hezbollah"),
    ("ففيلق الرحمن", "ar", "failaq-al-rahman"),
    ("وقوات سوريا الديمقراطية", "ar", "sdf"),
    ("لهيئة تحرير الشام", "ar", "hts"),
    ("كالحشد الشعبي", "ar", "pmf"),
    ("وألوية العمالقة", "ar", "giants-brigades"),
    ("لواء القدس", "ar", "liwa-al-quds"),
    # Turkish endings, with and without an apostrophe.
    ("Husilerin", "tr", "ansar-allah"),
    ("PKK'lı", "tr", "pkk"),
    ("PKKlı", "tr", "pkk"),
    ("PKK'lılar", "tr", "pkk"),
    ("PKK’nın", "tr", "pkk"),
    ("Hamasın", "tr", "hamas"),
    ("El Kaidenin", "tr", "al-qaeda"),
    ("DHKP-Cye", "tr", "dhkp-c"),
    ("Özgür Suriye Ordusunun", "tr", "free-syrian-army"),
    ("Suriye ordusuna", "tr", "syrian-arab-armed-forces"),
    ("ESAD GÜÇLERİNİN", "tr", "syrian-arab-armed-forces"),
    ("YPG'lilerin", "tr", "ypg"),
    ("İzzettin Kassam Tugaylarının", "tr", "qassam-brigades"),
    ("Taliban'dan", "tr", "taliban"),
    # Persian plurals and ezafe.
    ("حوثی‌ها", "fa", "ansar-allah"),
    ("حوثی ها", "fa", "ansar-allah"),
    ("حوثی‌های", "fa", "ansar-allah"),
    ("داعشی‌ها", "fa", "islamic-state"),
    ("نیرو‌های آمریکا", "fa", "us-armed-forces"),
    ("آمریکاست", "fa", "US"),
    # English possessives and plurals, also where the apostrophe was lost.
    ("Hezbollah's", "en", "hezbollah"),
    ("ISILs", "en", "islamic-state"),
    ("al-Qaedas", "en", "al-qaeda"),
    ("Assad’s regime", "en", "syrian-arab-armed-forces"),
    ("Peoples Protection Units", "en", "ypg"),
    ("Ahrar al-Shams", "en", "ahrar-al-sham"),
    # Russian cases.
    ("Хезболлы", "ru", "hezbollah"),
    ("российскими войсками", "ru", "russian-armed-forces"),
    ("боевики ХАМАС", "ru", "hamas"),
    # Words around the name.
    ("Houthi fighters", "en", "ansar-allah"),
    ("Boko Haram insurgents", "en", "boko-haram"),
    ("Daesh terrorist group", "en", "islamic-state"),
    ("عناصر داعش", "ar", "islamic-state"),
    ("مسلحي جماعة الحوثي", "ar", "ansar-allah"),
    ("الميليشيات الحوثية الانقلابية", "ar", "ansar-allah"),
    ("ميليشيا الحوثي الإيرانية", "ar", "ansar-allah"),
    ("تنظيم داعش الإرهابي", "ar", "islamic-state"),
    ("المتمردين الحوثيين", "ar", "ansar-allah"),
    ("مقاتلي حركة حماس", "ar", "hamas"),
    ("terör örgütü PKK", "tr", "pkk"),
    ("Hizbullah militanları", "tr", "hezbollah"),
    ("Hamas güçleri", "tr", "hamas"),
    ("گروه تروریستی داعش", "fa", "islamic-state"),
    ("نیروهای طالبان", "fa", "taliban"),
    ("انصارالله یمن", "fa", "ansar-allah"),
    ("شبه‌نظامیان حوثی", "fa", "ansar-allah"),
    ("combattants du Hezbollah", "fr", "hezbollah"),
    ("Kurdistan Workers' Party (PKK)", "en", "pkk"),
    # A nationality of its own, with words between.
    ("Lebanese militant group Hezbollah", "en", "hezbollah"),
    ("Sudan's paramilitary Rapid Support Forces", "en", "rsf"),
    ("Yemeni Houthi rebels", "en", "ansar-allah"),
    ("جماعة الحوثي اليمنية", "ar", "ansar-allah"),
    ("Nijeryalı terör örgütü Boko Haram", "tr", "boko-haram"),
    # The longer name wins.
    ("Islamic State in Libya", "en", "is-libya"),
    ("ISIS-K", "en", "is-khorasan"),
    ("al Qaeda in the Islamic Maghreb", "en", "aqim"),
    ("Pakistani Taliban", "en", "ttp"),
    ("Kataib Hezbollah", "en", "kataib-hezbollah"),
    ("كتائب حزب الله العراقي", "ar", "kataib-hezbollah"),
    ("القاعدة في جزيرة العرب", "ar", "aqap"),
    ("Suriye Milli Ordusu", "tr", "syrian-national-army"),
    ("Quds Force", "en", "quds-force"),
    ("Hezbollah al-Nujaba", "en", "harakat-al-nujaba"),
    # A nationality with a military noun is that state's army, where the table has one.
    ("Russian forces", "en", "russian-armed-forces"),
    ("Russias military", "en", "russian-armed-forces"),
    ("القوات الروسية", "ar", "russian-armed-forces"),
    ("للقوات التركية", "ar", "turkish-armed-forces"),
    ("جنديين سعوديين", "ar", "saudi-armed-forces"),
    ("Türk askerleri", "tr", "turkish-armed-forces"),
    ("Amerikan askerlerinin", "tr", "us-armed-forces"),
    ("ارتش سوریه", "fa", "syrian-arab-armed-forces"),
    ("نظامیان آمریکایی", "fa", "us-armed-forces"),
    ("سرباز ترکیه", "fa", "turkish-armed-forces"),
    ("армия России", "ru", "russian-armed-forces"),
    ("армией обороны Израиля", "ru", "idf"),
    ("боевиков Хезболлы", "ru", "hezbollah"),
    ("Россией", "ru", "RU"),
    ("soldats français", "fr", "french-armed-forces"),
    ("U.S. Marines", "en", "us-marines"),
    ("Israeli Air Force", "en", "israeli-air-force"),
    ("Danish soldiers", "en", "DK"),
    ("Palestinian army", "en", "PS"),
    ("القوات البلجيكية", "ar", "BE"),
    ("Alman askerleri", "tr", "DE"),
    # States by name, adjective, capital and government.
    ("الإيرانية", "ar", "IR"),
    ("Iranian", "en", "IR"),
    ("İran", "tr", "IR"),
    ("İran'ın", "tr", "IR"),
    ("ایرانی", "fa", "IR"),
    ("لإيران", "ar", "IR"),
    ("وإيران", "ar", "IR"),
    ("إسرائيلياً", "ar", "IL"),
    ("Suriyenin", "tr", "SY"),
    ("Rusya'nın", "tr", "RU"),
    ("Russias", "en", "RU"),
    ("Syrian government", "en", "SY"),
    ("الحكومة السورية", "ar", "SY"),
    ("Tahran yönetimi", "tr", "IR"),
    ("دولت آمریکا", "fa", "US"),
    ("США", "ru", "US"),
    ("россиян", "ru", None),
    ("U.S", "en", "US"),
    ("لأنقرة", "ar", "TR"),
    ("آمریکایی‌ها", "fa", "US"),
]

# Name, language: left open, whichever way one guesses.
OPEN = [
    ("Iranian militias", "en"),
    ("Iran-backed militias", "en"),
    ("الميليشيات الإيرانية", "ar"),
    ("ميليشيات تركية", "ar"),
    ("Iranian-backed forces", "en"),
    ("US-backed fighters", "en"),
    ("Turkish-backed gangs", "en"),
    ("Russian mercenaries", "en"),
    ("Syrian rebels", "en"),
    ("Syrian opposition forces", "en"),
    ("Suriyeli muhalifler", "tr"),
    ("rejim muhalifi", "tr"),
    ("Esad karşıtı silahlı militanların", "tr"),
    ("فصائل سورية", "ar"),
    ("مقاتلين إيرانيين", "ar"),
    ("مخالفان سوریه", "fa"),
    ("شبه‌نظامیان وابسته به ترکیه", "fa"),
    ("شبه‌نظامیان ایران", "fa"),
    ("الجيش", "ar"),
    ("the army", "en"),
    ("the regime", "en"),
    ("government forces", "en"),
    ("القوات الحكومية", "ar"),
    ("التحالف", "ar"),
    ("ordu", "tr"),
    ("ارتش", "fa"),
    ("Kurds", "en"),
    ("الأكراد", "ar"),
    ("rebels", "en"),
    ("militants", "en"),
    ("terrorists", "en"),
    ("الميليشيات", "ar"),
    ("teröristler", "tr"),
    ("is", "en"),
    ("us", "en"),
    ("fact", "en"),
    ("jam", "en"),
    ("car", "en"),
    ("Libyan army", "en"),
    ("ارتش یمن", "fa"),
    ("SNA", "en"),
    ("4th Division", "en"),
    ("اللواء 111", "ar"),
    ("Islamist group (Mali)", "en"),
    ("army of Hamastan", "en"),
    ("Houtis", None),
    ("Hezbolla Ansar", None),
    ("Syrian army militia", "en"),
    ("Greek police", "en"),
    ("dissident Houthis", "en"),
    ("Pakistani Hezbollah", "en"),
    ("Syrian rebel army", "en"),
    ("anti-Houthi forces", "en"),
    ("", None),
    ("...", None),
    ("()", None),
    ("فصائل مدعومة من تركيا وإيران", "ar"),
    ("Iran and Russia", "en"),
]

# Name, countries, id.
BY_COUNTRY = [
    ("الجيش", ("YE",), "yemeni-armed-forces"),
    ("للجيش", ("SY",), "syrian-arab-armed-forces"),
    ("the army", ("ML",), "malian-armed-forces"),
    ("ordunun", ("TR",), "turkish-armed-forces"),
    ("ارتش", ("IR",), "iranian-armed-forces"),
    ("ارتش", ("YE",), None),
    ("the regime", ("SY",), "syrian-arab-armed-forces"),
    ("قوات النظام", ("SY",), "syrian-arab-armed-forces"),
    ("the regime", ("FR",), None),
    ("government forces", ("ET",), "endf"),
    ("government forces", ("XX", "ET"), "endf"),
    ("والتحالف", ("YE",), "saudi-led-coalition"),
    ("coalition", ("IQ",), "global-coalition"),
    ("الجيش الوطني", ("YE", "SY"), "yemeni-armed-forces"),
    ("الجيش الوطني", ("SY", "YE"), "syrian-national-army"),
    ("الميليشيات الإيرانية", ("YE",), "ansar-allah"),
    ("Iranian militias", ("SY",), "iranian-backed-militias"),
    ("Iranian militias", ("IR",), None),
    ("4th Division", ("SY",), "syria-4th-division"),
    ("SNA", ("SO",), "somali-national-army"),
    ("the government", ("sy",), "SY"),
    ("الحكومة", ("YE",), "YE"),
    ("الحكومة", (), None),
    ("opposition", ("SY",), None),
    ("Taliban", (), "taliban"),
    ("Taliban'ın", ("PK",), "ttp"),
    ("طالبان", ("AF", "PK"), "taliban"),
    ("Afghan Taliban", ("PK",), "taliban"),
    ("Taliban gangs", ("PK",), "ttp"),
    ("government soldiers", ("ML",), "malian-armed-forces"),
    # A nationality in the name goes before the countries of the text.
    ("Turkish police", ("SY",), "turkish-police"),
    ("Iraqi security forces", ("SY",), "iraqi-security-forces"),
    ("قوات الحكومة اليمنية", ("SA",), "yemeni-armed-forces"),
    ("Israeli navy", (), "israeli-navy"),
    ("Saudi air force", ("YE",), "saudi-air-force"),
]


def name_of(actor: Actor | None) -> str | None:
    return actor.id if actor else None


@pytest.mark.parametrize(("name", "lang", "expected"), NAMES)
def test_a_name_links_to_its_actor(name, lang, expected):
    assert name_of(actors.link(name, lang=lang)) == expected
    assert name_of(actors.link(name, label="PATRON", lang=lang)) == expected


@pytest.mark.parametrize(("name", "lang", "expected"), NAMES)
def test_no_other_actor_without_the_language(name, lang, expected):
    assert name_of(actors.link(name)) == expected


@pytest.mark.parametrize(("name", "lang"), OPEN)
def test_what_is_not_sure_stays_open(name, lang):
    assert actors.link(name, lang=lang) is None
    assert actors.link(name) is None


@pytest.mark.parametrize(("name", "countries", "expected"), BY_COUNTRY)
def test_countries_settle_ambiguous_names(name, countries, expected):
    assert name_of(actors.link(name, lang="fa" if name == "ارتش" else None, countries=countries)) == expected


def test_only_factions_and_patrons_are_actors():
    assert actors.link("Iran", label="LOCATION") is None


def test_what_an_actor_holds():
    assert actors.link("الحوثي") == Actor("ansar-allah", "Ansar Allah", "rebel", ("YE",))
    assert actors.state("الإيرانية") == Actor("IR", "Iran", "state", ("IR",))


@pytest.mark.parametrize(
    ("name", "lang", "code"),
    [
        ("Iran", "en", "IR"),
        ("للسعودية", "ar", "SA"),
        ("Moskovadan", "tr", "RU"),
        ("واشنگتن", "fa", "US"),
        ("российских", "ru", "RU"),
        ("Syriens", "fr", "SY"),
        ("Nigerien", "en", "NE"),
        ("Nigerian", "en", "NG"),
        ("السويداء", "ar", None),
        ("Hezbollah", "en", None),
        ("us", "en", None),
        ("", None, None),
    ],
)
def test_states(name, lang, code):
    assert name_of(actors.state(name, lang=lang)) == code


# The tables.


def rows(name: str) -> list[dict[str, str]]:
    head, *lines = (DATA / name).read_text(encoding="utf-8").rstrip("\n").split("\n")
    keys = head.split("\t")
    return [dict(zip(keys, line.split("\t"), strict=True)) for line in lines]


def names(row: dict[str, str]) -> list[tuple[str, str]]:
    return [(lang, name) for lang in LANGUAGES for name in row[lang].split("|") if name]


def cell(value: str) -> list[str]:
    return [part for part in value.split("|") if part]


ARMED, AMBIGUOUS, STATES = rows("actors.tsv"), rows("ambiguous_actors.tsv"), rows("states.tsv")
IDS, CODES = {row["id"] for row in ARMED}, {row["id"] for row in STATES}


def test_the_tables_are_large_enough():
    assert len(ARMED) >= 300
    assert len(MEMBERS) == 193
    assert MEMBERS | {"PS", "VA", "XK", "TW", "EH"} == CODES
    assert len({row["iso3"] for row in STATES}) == len(STATES)


def test_rows_are_whole():
    ids = [row["id"] for row in ARMED + STATES]
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    for row in ARMED:
        assert row["kind"] in KINDS, row["id"]
        assert row["part_of"] in IDS | {""}, row["id"]
        assert row["countries"] and set(cell(row["countries"]) + cell(row["backed_by"])) <= CODES, row["id"]
        above, seen = row["part_of"], {row["id"]}
        parents = {other["id"]: other["part_of"] for other in ARMED}
        while above:
            assert above not in seen, f"{row['id']} is part of itself"
            seen.add(above)
            above = parents[above]
    for row in AMBIGUOUS:
        for pair in cell(row["by_country"]):
            country, _, actor = pair.partition(":")
            assert pair == "*" or (country in CODES | {"else"} and actor in IDS), pair
    for row in STATES:
        assert all(row[lang] for lang in LANGUAGES), row["id"]


def test_names_are_clean():
    scripts = {"ar": "[\u0600-\u06ff]", "fa": "[\u0600-\u06ff]", "ru": "[\u0400-\u04ff]"}
    for row in ARMED + AMBIGUOUS + STATES:
        for lang, name in names(row):
            assert name == name.strip() and "  " not in name and actors.fold(name), name
            assert lang not in scripts or re.search(scripts[lang], name), name


def test_a_name_belongs_to_one_actor():
    owners = defaultdict(set)
    for row in ARMED + STATES:
        for name in [row["name"], *(name for _, name in names(row))]:
            owners[actors.fold(name)].add(row["id"])
    for at, row in enumerate(AMBIGUOUS):
        for _, name in names(row):
            owners[actors.fold(name)].add(f"ambiguous {at}")
    assert {key: found for key, found in owners.items() if len(found) > 1} == {}


def test_every_name_links_to_its_own_actor():
    wrong = []
    for row in ARMED + STATES:
        for lang, name in [("en", row["name"]), *names(row)]:
            wrong += [(name, row["id"]) for spoken in (lang, None) if name_of(actors.link(name, lang=spoken)) != row["id"]]
    assert wrong == []


@pytest.mark.parametrize("clitic", ["و", "ف", "ب", "ل", "ك", "ول", "وب"])
def test_every_arabic_name_links_behind_a_clitic(clitic):
    wrong = []
    for row in ARMED + STATES:
        for lang, name in names(row):
            if lang == "ar":
                joined = re.sub("^ال", "ل", name) if clitic.endswith("ل") else name
                found = name_of(actors.link(clitic + joined, lang="ar"))
                wrong += [(clitic + joined, row["id"], found)] if found != row["id"] else []
    assert wrong == []


def test_ambiguous_names_are_settled_by_each_of_their_countries():
    for row in AMBIGUOUS:
        for lang, name in names(row):
            default = re.search("else:([^|]+)", row["by_country"])
            assert name_of(actors.link(name, lang=lang)) == (default.group(1) if default else None), name
            for pair in cell(row["by_country"]):
                country, _, actor = pair.partition(":")
                expected = actor or "YE"
                assert name_of(actors.link(name, lang=lang, countries=("YE" if pair == "*" else country,))) == expected, name
