"""How texts fall into words, syllables and slips."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunduan.domains.search.finding import marks
from yunduan.domains.search.model import Mark
from yunduan.domains.search.spelling import LENGTH_MIN, filed_under, is_one_slip, one_form
from yunduan.domains.search.syllables import SYLLABLES, begun, divided
from yunduan.domains.search.words import RUN_MAX, TRADITIONAL, folded, is_chinese, pairs, phrase, runs, simplified, spoken, syllables_of

ROOT = Path(__file__).parents[3]
LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=LENGTH_MIN, max_size=14)


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    """There is one form, and every run is in it."""
    assert [runs(run) for run in runs(text)] == [(run,) for run in runs(text)]
    assert all(len(run) <= RUN_MAX for run in runs(text))


def test_a_short_text_that_folds_into_a_long_one_is_cut() -> None:
    """One sign may be four letters."""
    found = runs("㌀" * 40)
    assert [len(run) for run in found] == [RUN_MAX, RUN_MAX, 32]
    assert "".join(found) == folded("㌀" * 40)


@given(st.text(st.sampled_from("aZ5 -éＡｚ０，　。〇陽阳乾重庆カガが゙́ｶﾞﾊﾟ각각㎏½ﬁİßΣ𠮷豈"), max_size=12))
def test_a_text_folds_as_its_parts_and_as_unicode_says(text: str) -> None:
    """What folds by itself takes a shorter way, which leads to the same form."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    assert folded(text) == simplified(unicodedata.normalize("NFC", bare))


def test_every_character_that_folds_by_itself_folds_as_unicode_says() -> None:
    """All of them, in one text that takes the short way and one that takes the long one."""
    signs = "".join(chr(code) for code in (*range(0x80), *range(0x3000, 0x302A), *range(0x3400, 0x4DC0), *range(0x4E00, 0xA000)))
    signs += "".join(map(chr, range(0xFF01, 0xFF5F)))
    assert folded(signs + "é")[:-1] == folded(signs)


def test_no_more_is_cut_than_is_wanted() -> None:
    """The first terms and the first pairs, as they would be of the whole."""
    text = "阳光玫瑰葡萄, 3kg fresh 葡萄酒"
    whole, some = spoken([text * 9, text], is_read=False), spoken([text * 9, text], is_read=False, most=20)
    assert some.terms == whole.terms[:20]
    assert some.pairs == whole.pairs[:20]
    assert len(whole.terms) > len(some.terms) == 20 == len(some.pairs)


@given(st.lists(st.sampled_from(sorted(SYLLABLES)), min_size=1, max_size=5))
def test_letters_of_syllables_can_be_divided(syllables: list[str]) -> None:
    """Into syllables that make these letters, the fewest first."""
    letters = "".join(syllables)
    ways = divided(letters)
    assert ways
    assert all("".join(way) == letters and set(way) <= SYLLABLES for way in ways)
    assert len(ways[0]) <= len(syllables)
    assert all("".join(way) == letters for way in begun(letters))


@given(LETTERS, st.integers(0, 3), st.integers(0, 13), st.sampled_from("abcxyz"))
def test_a_word_with_one_slip_is_found_where_it_is_filed(word: str, kind: int, at: int, letter: str) -> None:
    """A letter too many, too few, another, or two exchanged: never further than the index looks."""
    at %= len(word)
    wrong = (
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at + 1 :],
        word[: max(0, at - 1)] + word[max(0, at - 1) : at + 1][::-1] + word[at + 1 :],
    )[kind]
    assert is_one_slip(wrong, word)
    assert is_one_slip(word, wrong)
    assert filed_under(wrong) & filed_under(word)


@given(LETTERS, LETTERS)
def test_one_slip_is_what_the_distance_says(one: str, other: str) -> None:
    """By the restricted distance of Damerau, counted out."""
    assert is_one_slip(one, other) == (_distance(one, other) <= 1)


def _distance(one: str, other: str) -> int:
    rows = [list(range(len(other) + 1))]
    for i, left in enumerate(one, 1):
        rows.append([i])
        for j, right in enumerate(other, 1):
            best = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                best = min(best, rows[i - 2][j - 2] + 1)
            rows[i].append(best)
    return rows[-1][-1]


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("grapes", "grape"), ("dresses", "dress"), ("boxes", "box"), ("berries", "berry"), ("glass", "glass"), ("bus", "bus"),
        ("shoes", "shoe"), ("tea", "tea"), ("iphone15s", "iphone15s"), ("gas", "gas"),
    ],
)  # fmt: skip
def test_plurals_have_one_form(plural: str, singular: str) -> None:
    """What is not told apart for sure stays as it is."""
    assert one_form(plural) == singular
    assert one_form(singular) == singular


def test_any_part_of_a_run_is_a_phrase_of_its_pairs() -> None:
    """Or the beginning of one."""
    run = "阳光玫瑰葡萄"
    line = " ".join(pairs(run))
    for start in range(len(run)):
        for end in range(start + 2, len(run) + 1):
            assert phrase(run[start:end]) in line
        assert any(pair.startswith(run[start]) for pair in pairs(run))


def test_characters_are_read_by_their_phrase() -> None:
    """重庆, not 重; 银行, not 行."""
    assert syllables_of("重庆银行重量") == ["chong", "qing", "yin", "hang", "zhong", "liang"]
    assert spoken(["女装"]).initials == ("nz",)
    assert spoken(["ＡＢＣ　Café"]).terms == ("abc", "cafe")


def test_marks_are_where_words_stand_in_the_title() -> None:
    """Once, however many words stand there; nowhere when the title folds into another length."""
    assert marks("shine muscat", ("shine", "musc", "cat")) == (Mark(0, 5), Mark(6, 12))
    assert marks("aaaa", ("aa", "aaa")) == (Mark(0, 4),)
    assert marks("", ("fig",)) == ()


def test_traditional_characters_are_searched_as_simplified_ones() -> None:
    """Each in its place, so that marks are where they were; the table leads nowhere twice, and a simplified text stays as it is."""
    assert folded("陽光玫瑰 餅乾 衞生紙 爲") == "阳光玫瑰 饼干 卫生纸 为"
    assert folded("阳光玫瑰 饼干 卫生纸 为 著名") == "阳光玫瑰 饼干 卫生纸 为 著名"
    assert syllables_of(runs("乾隆餅乾")[0]) == ["qian", "long", "bing", "gan"]
    assert marks(folded("陽光玫瑰葡萄"), ("阳光玫瑰",)) == (Mark(0, 4),)
    pairs = "".join(line for line in TRADITIONAL.read_text("utf-8").splitlines() if not line.startswith("#"))
    assert len(pairs) % 2 == 0
    signs, others = pairs[::2], pairs[1::2]
    assert len(set(signs)) == len(signs) > 3_000
    assert set(signs).isdisjoint(others)
    assert all(is_chinese(sign) for sign in pairs)
    assert simplified(simplified(signs)) == simplified(signs) == others


def test_the_table_of_readings_is_what_the_tool_makes() -> None:
    """Nobody mends it by hand, or forgets it when its source is renewed."""
    pytest.importorskip("pypinyin", reason="the table's source is needed where it is made, and here")
    assert subprocess.run([sys.executable, "tools/pinyin.py", "--check"], cwd=ROOT, check=False).returncode == 0
