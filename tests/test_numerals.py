import itertools

import num2words
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp import numerals

# num2words spells Swiss and Belgian French too (septante, huitante, nonante).
ORACLE = ["ar", "en", "tr", "fa", "ru", "fr", "fr_CH", "fr_BE"]


@pytest.mark.parametrize("lang", ORACLE)
def test_every_spelt_number_is_read(lang):
    for value in range(10_000):
        text = num2words.num2words(value, lang=lang)
        assert numerals.find(text, lang) == [numerals.Number(0, len(text), value)], text


def test_a_bare_thousand_behind_millions():
    assert [number.value for number in numerals.find("quatre cent soixante-dix-neuf millions mille", "fr")] == [479_001_000]


@given(st.integers(10_000, 999_999_999), st.sampled_from(["en", "ru", "fr", "fa"]))
@settings(max_examples=300, deadline=None)
def test_large_spelt_numbers_are_read(value, lang):
    text = num2words.num2words(value, lang=lang)
    assert [number.value for number in numerals.find(text, lang)] == [value], text


@pytest.mark.parametrize(
    ("text", "lang", "values"),
    [
        ("1,400 people", "en", [1400]),
        ("1.400 kişi", "tr", [1400]),
        ("1 400 человек", "ru", [1400]),
        ("1\u202f400 morts", "fr", [1400]),
        ("١٬٤٠٠ قتيل", "ar", [1400]),
        ("۱٬۴۰۰ نفر", "fa", [1400]),
        ("१२ people", "en", [12]),
        ("10 thousand", "en", [10_000]),
        ("1.5 million", "en", [1_500_000]),
        ("10 آلاف", "ar", [10_000]),
        ("15 bin", "tr", [15_000]),
        ("bir buçuk milyon", "tr", [1_500_000]),
        ("۲ هزار و ۵۰۰", "fa", [2500]),
        ("2 тыс.", "ru", [2000]),
        # Arabic: gender, clitics, fused hundreds, duals, cases.
        ("ثلاث عشرة", "ar", [13]),
        ("وثلاثة", "ar", [3]),
        ("بخمسة وثلاثين", "ar", [35]),
        ("لمئة", "ar", [100]),
        ("ثلاثمئة وخمسة", "ar", [305]),
        ("مئتي", "ar", [200]),
        ("ألفي", "ar", [2000]),
        ("ألفاً", "ar", [1000]),
        ("أحد عشر ألفا", "ar", [11_000]),
        ("مليونان ونصف", "ar", [2_500_000]),
        ("نصف مليون", "ar", [500_000]),
        ("الخمسة", "ar", [5]),
        ("18جنديا", "ar", [18]),
        ("و204", "ar", [204]),
        ("يوم الاثنين", "ar", []),
        # Turkish: one word, suffixes, no ordinals, no names.
        ("yüzyirmiüç", "tr", [123]),
        ("YÜZ KIRK", "tr", [140]),
        ("ikisi", "tr", [2]),
        ("üçünün", "tr", [3]),
        ("dördü", "tr", [4]),
        ("15'inin", "tr", [15]),
        ("48inin", "tr", [48]),
        ("üçüncü", "tr", []),
        ("15'inci", "tr", []),
        ("ondan sonra", "tr", []),
        ("ondan fazla", "tr", [10]),
        ("Usame bin Ladin", "tr", []),
        # Persian: one word with a non-joiner, tens of.
        ("یکصد", "fa", [100]),
        ("بیست‌وپنج", "fa", [25]),
        ("ده‌ها", "fa", []),
        ("سه‌شنبه", "fa", []),
        # Russian: cases, collectives.
        ("пятерых", "ru", [5]),
        ("двадцати пяти", "ru", [25]),
        ("двухсот", "ru", [200]),
        ("полторы тысячи", "ru", [1500]),
        ("два десятка", "ru", [20]),
        ("5-й", "ru", []),
        # French.
        ("quatre-vingt-onze", "fr", [91]),
        ("septante-deux", "fr", [72]),
        ("une vingtaine", "fr", [20]),
        ("deux douzaines", "fr", [24]),
        ("un demi-million", "fr", [500_000]),
        ("1er", "fr", []),
        # English.
        ("a dozen", "en", [12]),
        ("half a dozen", "en", [6]),
        ("two thousand, three hundred", "en", [2300]),
        ("two thousand, three of them", "en", [2000, 3]),
        ("three and two", "en", [3, 2]),
        ("10-15", "en", [10, 15]),
        ("47th", "en", []),
        ("M23", "en", []),
        ("F-16", "en", []),
        ("at 12:30", "en", []),
        ("on 12.05.2013", "en", []),
        ("a man", "en", []),
        # Digits in languages without number words here.
        ("12 Menschen", "de", [12]),
    ],
)
def test_numbers_as_reports_write_them(text, lang, values):
    assert [number.value for number in numerals.find(text, lang)] == values


@pytest.mark.parametrize(
    ("text", "lang", "parts"),
    [
        ("وثلاثة جنود", "ar", ["ثلاثة"]),
        ("15'inin öldüğü", "tr", ["15"]),
        ("at least a dozen rebels", "en", ["a dozen"]),
        ("ثلاثة وعشرون و7", "ar", ["ثلاثة وعشرون", "7"]),
    ],
)
def test_offsets(text, lang, parts):
    assert [text[number.start : number.end] for number in numerals.find(text, lang)] == parts


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("ستة قتلى", "ar"),
        ("دست‌کم هشت تن", "fa"),
        ("سه نفر", "fa"),
        ("двое детей", "ru"),
        ("at least three civilians", "en"),
        ("en az üç sivil", "tr"),
        ("au moins trois civils", "fr"),
    ],
)
def test_language_is_guessed(text, lang):
    assert numerals.language(text) == lang
    assert numerals.language(text, "xx") == lang
    assert numerals.language(text, "en-US") == "en"


@given(st.text(max_size=60), st.sampled_from([None, *numerals.LANGUAGES]))
@settings(max_examples=400, deadline=None)
def test_numbers_lie_in_the_text_in_order(text, lang):
    found = numerals.find(text, lang)
    assert all(0 <= one.start < one.end <= len(text) and one.value >= 0 for one in found)
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))
