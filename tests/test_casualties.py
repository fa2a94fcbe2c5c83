import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import casualties
from clashnlp.types import Count

# Text, language, low, high (None: open).
CASES = [
    # The number as stated.
    ("13 مدنياً", "ar", 13, 13),
    ("ستة قتلى", "ar", 6, 6),
    ("خمسة وثلاثين جنديا", "ar", 35, 35),
    ("10 آلاف قتيل", "ar", 10_000, 10_000),
    ("nine soldiers", "en", 9, 9),
    ("10 killed", "en", 10, 10),
    ("1,400 people", "en", 1400, 1400),
    ("1.400 kişi", "tr", 1400, 1400),
    ("15'inin", "tr", 15, 15),
    ("Rehinelerin 34", "tr", 34, 34),
    ("29 bin 359 kişi", "tr", 29_359, 29_359),
    ("۱۰ هزار نفر", "fa", 10_000, 10_000),
    ("سی و پنج سرباز", "fa", 35, 35),
    ("двое детей", "ru", 2, 2),
    ("1 400 человек", "ru", 1400, 1400),
    ("quatre-vingt-trois morts", "fr", 83, 83),
    ("une vingtaine de soldats", "fr", 20, 20),
    # At least, more than; before and after the number.
    ("عشرة على الأقل", "ar", 10, None),
    ("ما لا يقل عن 20 شخصا", "ar", 20, None),
    ("أكثر من2200 شخص", "ar", 2200, None),
    ("وأكثر من خمسين عنصرا", "ar", 50, None),
    ("at least ten", "en", 10, None),
    ("more than a dozen rebels", "en", 12, None),
    ("no fewer than 5 policemen", "en", 5, None),
    ("over 200 people", "en", 200, None),
    ("50+ civilians", "en", 50, None),
    ("en az 11 kişi", "tr", 11, None),
    ("30'dan fazla insan", "tr", 30, None),
    ("30dan fazla kişinin", "tr", 30, None),
    ("70 binden fazla kişi", "tr", 70_000, None),
    ("100'ü aşkın sivil", "tr", 100, None),
    ("ondan fazla asker", "tr", 10, None),
    ("دست‌کم هشت تن", "fa", 8, None),
    ("دست کم ۱۰ نفر", "fa", 10, None),
    ("بیش از ۱۰۰ نفر", "fa", 100, None),
    ("не менее 15 военных", "ru", 15, None),
    ("более двадцати человек", "ru", 20, None),
    ("au moins trois civils", "fr", 3, None),
    ("plus de 40 personnes", "fr", 40, None),
    ("pas moins de 12 soldats", "fr", 12, None),
    # About, nearly.
    ("نحو ثلاثين عنصرا", "ar", 30, 30),
    ("ما يقارب 200 قتيل", "ar", 200, 200),
    ("nearly 200 killed", "en", 200, 200),
    ("some 120 militants", "en", 120, 120),
    ("yaklaşık 80 kişi", "tr", 80, 80),
    ("حدود سی سرباز", "fa", 30, 30),
    ("около 50 человек", "ru", 50, 50),
    ("environ 50 morts", "fr", 50, 50),
    # Up to, fewer than, ranges.
    ("up to 300 people", "en", 1, 300),
    ("as many as 40 fighters", "en", 1, 40),
    ("fewer than 10 soldiers", "en", 1, 9),
    ("no more than 5 soldiers", "en", 1, 5),
    ("до 30 боевиков", "ru", 1, 30),
    ("jusqu'à 20 civils", "fr", 1, 20),
    ("40 إلى 50 جريحا", "ar", 40, 50),
    ("ما بين 200 إلى 300 شخص", "ar", 200, 300),
    ("بين 20 و30 قتيلا", "ar", 20, 30),
    ("10-15 people", "en", 10, 15),
    ("between 20 and 30 people", "en", 20, 30),
    ("three or four soldiers", "en", 3, 4),
    ("20 ila 30 kişi", "tr", 20, 30),
    ("üç dört kişi", "tr", 3, 4),
    ("سه تا پنج نفر", "fa", 3, 5),
    ("سه چهار نفر", "fa", 3, 4),
    ("от 10 до 15 человек", "ru", 10, 15),
    ("два-три человека", "ru", 2, 3),
    ("de 10 à 15 personnes", "fr", 10, 15),
    ("entre 10 et 15 personnes", "fr", 10, 15),
    # Words without a number.
    ("dozens of militants", "en", 12, None),
    ("tens of people", "en", 10, None),
    ("scores killed", "en", 20, None),
    ("tens of thousands of people", "en", 10_000, None),
    ("hundreds of thousands", "en", 100_000, None),
    ("several dozen fighters", "en", 12, None),
    ("several hundred people", "en", 100, None),
    ("half a dozen men", "en", 6, 6),
    ("two dozen civilians", "en", 24, 24),
    ("العشرات", "ar", 10, None),
    ("وعشرات الجرحى", "ar", 10, None),
    ("قتلى بالعشرات", "ar", 10, None),
    ("مئات الآلاف", "ar", 100_000, None),
    ("onlarca kişi", "tr", 10, None),
    ("yüz binlerce insan", "tr", 100_000, None),
    ("ده‌ها نفر", "fa", 10, None),
    ("ده ها نفر", "fa", 10, None),
    ("ده‌ها هزار تن", "fa", 10_000, None),
    ("صدها نظامی", "fa", 100, None),
    ("десятки мирных жителей", "ru", 10, None),
    ("десятки тысяч человек", "ru", 10_000, None),
    ("des dizaines de morts", "fr", 10, None),
    ("des centaines de milliers de personnes", "fr", 100_000, None),
    ("several children", "en", 3, None),
    ("a number of soldiers", "en", 3, None),
    ("عدد من المدنيين", "ar", 3, None),
    ("عدداً كبيراً من القتلى", "ar", 3, None),
    ("عدة جنود", "ar", 3, None),
    ("birkaç asker", "tr", 3, None),
    ("çok sayıda kişi", "tr", 3, None),
    ("rehinelerin bir kısmı", "tr", 3, None),
    ("شماری از معترضان", "fa", 3, None),
    ("چند مامور", "fa", 3, None),
    ("несколько солдат", "ru", 3, None),
    ("plusieurs civils", "fr", 3, None),
    # Nouns alone.
    ("civilians", "en", 2, None),
    ("women and children", "en", 2, None),
    ("the wounded", "en", 2, None),
    ("a soldier", "en", 1, 1),
    ("woman", "en", 1, 1),
    ("couple", "en", 2, 2),
    ("families", "en", 2, None),
    ("Palestinians", "en", 2, None),
    ("siviller", "tr", 2, None),
    ("yaralıların", "tr", 2, None),
    ("çocukların", "tr", 2, None),
    ("bir kişi", "tr", 1, 1),
    ("üst düzey bir komutan", "tr", 1, 1),
    ("کشته‌ها", "fa", 2, None),
    ("شهدا", "fa", 2, None),
    ("مجروحان", "fa", 2, None),
    ("یکی از معترضان", "fa", 1, 1),
    ("мирные жители", "ru", 2, None),
    ("раненые", "ru", 2, None),
    ("солдат", "ru", 1, 1),
    ("des civils", "fr", 2, None),
    ("un journaliste", "fr", 1, 1),
    # Arabic tells two from more.
    ("قتلى", "ar", 3, None),
    ("وجرحى", "ar", 3, None),
    ("نساء وأطفال", "ar", 3, None),
    ("وقتلاهم", "ar", 3, None),
    ("جنود", "ar", 3, None),
    ("قتيلان", "ar", 2, 2),
    ("قتيلين", "ar", 2, 2),
    ("جنديين", "ar", 2, 2),
    ("مدنيان", "ar", 2, 2),
    ("امرأتان", "ar", 2, 2),
    ("طفلتين", "ar", 2, 2),
    ("وضابطين", "ar", 2, 2),
    ("شخصين آخرين", "ar", 2, 2),
    ("قتيلين على الأقل", "ar", 2, None),
    ("مدنيين", "ar", 2, None),
    ("مسلحين", "ar", 2, None),
    ("مدنيين اثنين", "ar", 2, 2),
    ("جندي", "ar", 1, 1),
    ("شخص واحد على الأقل", "ar", 1, None),
    ("أحد الجنود", "ar", 1, 1),
    ("الجرحى الخمسة", "ar", 5, 5),
    # A total and a part of it.
    ("25 people, 3 of them children", "en", 25, 25),
    ("at least 25 people including four children", "en", 25, None),
    ("سبعة مدنيين بينهم ثلاثة أطفال", "ar", 7, 7),
    ("مدنيين اثنين بينهما امرأة", "ar", 2, 2),
    ("3'ü kadın 25 Suriyeli", "tr", 25, 25),
    ("ikisi çocuk 15 kişi", "tr", 15, 15),
    ("aralarında 3 çocuğun da bulunduğu 12 kişi", "tr", 12, 12),
    ("۲۰ نفر از جمله ۵ کودک", "fa", 20, 20),
    ("10 человек, в том числе двое детей", "ru", 10, 10),
    ("20 morts dont trois enfants", "fr", 20, 20),
    ("three of them", "en", 3, 3),
    # A sum.
    ("three soldiers and two civilians", "en", 5, 5),
    ("at least three soldiers and two civilians", "en", 5, None),
    ("three children and their grandmother", "en", 4, 4),
    ("wife and two daughters", "en", 3, 3),
    ("uncle and aunt", "en", 2, 2),
    ("120 soldiers and militiamen", "en", 120, 120),
    ("ثلاثة جنود ومدنيان", "ar", 5, 5),
    ("حوالي 70 قتيل وجريح", "ar", 70, 70),
    ("رجل وامرأة", "ar", 2, 2),
    ("3 asker ve 2 sivil", "tr", 5, 5),
    ("دو سرباز و سه غیرنظامی", "fa", 5, 5),
    ("deux soldats et trois civils", "fr", 5, 5),
    ("двое военных и трое гражданских", "ru", 5, 5),
    # Numbers that count no victims.
    ("a 25-year-old man", "en", 1, 1),
    ("14 yaşındaki bir çocuk", "tr", 1, 1),
    ("شاب 25 عاما", "ar", 1, 1),
    ("کودک ۱۲ ساله", "fa", 1, 1),
    ("12-летний мальчик", "ru", 1, 1),
    ("une fille de 12 ans", "fr", 1, 1),
    ("جنود من اللواء 35", "ar", 3, None),
    ("soldiers of the 47th Brigade", "en", 2, None),
    ("five fighters of M23", "en", 5, 5),
    ("40% of the civilians", "en", 2, None),
    ("17 people in 2014", "en", 17, 17),
    ("3 of 12 hostages", "en", 3, 3),
    ("some of the 30 hostages", "en", 3, None),
    ("10 kadar militan", "tr", 10, 10),
    ("hundreds, possibly thousands", "en", 100, None),
    ("both pilots", "en", 2, 2),
    ("three groups of rebels", "en", 3, None),
    ("a family of five", "en", 5, 5),
]


@pytest.mark.parametrize(("text", "lang", "low", "high"), CASES, ids=str)
def test_bounds(text, lang, low, high):
    count = casualties.parse(text, lang=lang)
    assert count is not None
    assert (count.low, count.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("three children", "civilian"),
        ("two journalists", "civilian"),
        ("villagers", "civilian"),
        ("medics", "civilian"),
        ("nine regime soldiers", "combatant"),
        ("dozens of militants", "combatant"),
        ("two police officers", "combatant"),
        ("ten people", "unknown"),
        ("three soldiers and two civilians", "unknown"),
        ("25 people, 3 of them children", "unknown"),
        ("6 جنود", "combatant"),
        ("عنصرا", "combatant"),
        ("ثلاثة أطفال", "civilian"),
        ("11 قتيلاً مدنياً", "civilian"),
        ("12 asker", "combatant"),
        ("üç sivil", "civilian"),
        ("beş kişi", "unknown"),
        ("biri çocuk üç kişi", "unknown"),
        ("دو نظامی", "combatant"),
        ("دو غیر نظامی", "civilian"),
        ("۱۰ نفر", "unknown"),
        ("пятеро боевиков", "combatant"),
        ("трое мирных жителей", "civilian"),
        ("deux soldats", "combatant"),
        ("trois enfants", "civilian"),
    ],
)
def test_kind(text, kind):
    assert casualties.parse(text).kind == kind


def test_a_faction_inside_makes_combatants_of_victims_of_unknown_kind():
    assert casualties.parse("ten Houthi members", faction_inside=True).kind == "combatant"
    assert casualties.parse("three children", faction_inside=True).kind == "civilian"
    assert casualties.parse("ten people").kind == "unknown"


@pytest.mark.parametrize(
    ("text", "lang", "names"),
    [
        ("الملازم أول أوس ديب", "ar", ("أوس ديب",)),
        ("القائد الميداني أحمد سالم", "ar", ("أحمد سالم",)),
        ("قيادي يدعى أبو خليل", "ar", ("أبو خليل",)),
        ("وعلي صالح", "ar", ("علي صالح",)),
        ("وليد سالم", "ar", ("وليد سالم",)),
        ("General John Smith", "en", ("John Smith",)),
        ("Abu Omar al-Shami", "en", ("Abu Omar al-Shami",)),
        ("John Smith and Jane Roe", "en", ("John Smith", "Jane Roe")),
        ("Tümgeneral Ali Yılmaz", "tr", ("Ali Yılmaz",)),
        ("سردار رضا احمدی", "fa", ("رضا احمدی",)),
        ("полковник Иван Петров", "ru", ("Иван Петров",)),
        ("colonel Jean Dupont", "fr", ("Jean Dupont",)),
        ("Hamas leader", "en", ()),
        ("قائد ميداني بارز", "ar", ()),
        ("10 آلاف قتيل", "ar", ()),
    ],
)
def test_names(text, lang, names):
    count = casualties.parse(text, lang=lang)
    assert count.names == names
    if names:
        assert (count.low, count.high) == (len(names), len(names))


def test_outcome_is_passed_on():
    assert casualties.parse("ten people", outcome="wounded") == Count(10, 10, "wounded")


@pytest.mark.parametrize("text", ["", " ", "...", "—", "0", "zero casualties", "none", "no casualties", "لا قتلى"])
def test_no_victim(text):
    assert casualties.parse(text) is None


@given(
    st.text(max_size=40) | st.text("ـﷺوال 12بk%.,-\u200cهاأ", max_size=12),
    st.sampled_from([None, "ar", "en", "tr", "fa", "ru", "fr", "de"]),
)
@settings(max_examples=400, deadline=None)
def test_any_text_is_read(text, lang):
    count = casualties.parse(text, lang=lang)
    assert count is None or (count.low >= 1 and (count.high is None or count.high >= count.low))


WORDS = ["ثلاثة", "و", "جنود", "بينهم", "15", "على الأقل", "مدنيين", "بين", "إلى", "ده", "ها", "نفر", "до", "тысяч", "dont", "et"]
WORDS += ["at least", "three", "of them", "and", "soldiers", "10", "-", "dozens", "thousand", "en az", "bin", "ikisi", "ve", "asker"]


@given(st.lists(st.sampled_from(WORDS), max_size=8), st.sampled_from(["ar", "en", "tr", "fa", "ru", "fr"]))
@settings(max_examples=400, deadline=None)
def test_any_words_are_read(drawn, lang):
    count = casualties.parse(" ".join(drawn), lang=lang)
    assert count is None or (count.low >= 1 and (count.high is None or count.high >= count.low))
