from hypothesis import given, settings
from hypothesis import strategies as st

from clashnlp.near import near_groups

REPORT = (
    "The army said on Monday that its gunners had shelled two hills north of the town, and that nine fighters fell there. "
    "A commander of the other side spoke of four wounded and denied that any hill had been lost in the night."
)
ARABIC = "قالت مصادر محلية إن قوات النظام قصفت بالمدفعية أحياء مدينة إدلب فجر الإثنين وإن ستة مدنيين قتلوا على الأقل في سوق المدينة القديمة"
PERSIAN_KEYS = (
    "قالت مصادر محلیة ان قوات النظام قصفت بالمدفعیة احیاء مدینة ادلب فجر الاثنین وان ستة مدنیین قتلوا علی الاقل فی سوق المدینة القدیمة"
)


def members(texts, **options):
    return [group.members for group in near_groups(texts, **options)]


def test_reports_that_were_cut_or_retitled_are_found():
    other = "Schools in the capital stay shut for a third week because the teachers want more pay, their union said after talks had failed."
    cut = "FIGHTING IN THE NORTH - " + REPORT[:118]
    assert members([REPORT, other, cut, other + " More later."]) == [(0, 2), (1, 3)]


def test_spelling_case_marks_and_digits_do_not_matter():
    assert members([ARABIC, PERSIAN_KEYS]) == [(0, 1)]
    assert members([ARABIC, "".join(char + "\u064e" if char == "ق" else char for char in ARABIC)]) == [(0, 1)]
    assert members([f"{REPORT} 2017", f"{REPORT.upper()} ٢٠١٧"]) == [(0, 1)]


def test_a_shared_phrase_is_no_repetition():
    source = "according to the Syrian Observatory for Human Rights"
    assert members([f"Six died in Idlib {source}", f"Eleven were hurt near Hama {source}"]) == []
    assert members(["", "...", "  "]) == []
    assert members(["Six died in Idlib", "six died in Idlib."]) == [(0, 1)]


def test_a_chain_is_one_group_with_its_weakest_share():
    words = [f"w{at}" for at in range(120)]
    texts = [" ".join(words[at : at + 60]) for at in (0, 20, 40, 60)]
    (group,) = near_groups(texts)
    assert group.members == (0, 1, 2, 3)
    assert group.share == 36 / 56
    assert near_groups(texts, threshold=0.7) == []


def brute(texts, threshold):
    """Groups by the definition: every pair compared."""
    rows = []
    for text in texts:
        words = text.split()
        rows.append({tuple(words[at : at + 5]) for at in range(max(len(words) - 4, 1))} if words else set())
    group = list(range(len(texts)))
    for one in range(len(texts)):
        for other in range(len(texts)):
            small = min(len(rows[one]), len(rows[other]))
            if one != other and small and len(rows[one] & rows[other]) >= max(threshold * small, min(small, 10)):
                group = [group[one] if at == group[other] else at for at in group]
    found = {}
    for at, name in enumerate(group):
        found.setdefault(name, []).append(at)
    return sorted(tuple(row) for row in found.values() if len(row) > 1)


runs = st.lists(st.sampled_from(["a b c d e f g h", "i j k l m n o p", "q r s t u v", "x", "y"]), min_size=0, max_size=6).map(" ".join)


@settings(max_examples=80, deadline=None)
@given(st.lists(runs, max_size=7), st.sampled_from([0.25, 0.5, 0.75, 1.0]), st.randoms(use_true_random=False))
def test_it_finds_what_comparing_every_pair_finds_in_any_order(texts, threshold, random):
    assert members(texts, threshold=threshold) == brute(texts, threshold)
    order = list(range(len(texts)))
    random.shuffle(order)
    shuffled = [tuple(sorted(order[at] for at in group)) for group in members([texts[at] for at in order], threshold=threshold)]
    assert sorted(shuffled) == brute(texts, threshold)
