"""Words and characters as the network numbers them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.encode import encode
from services.sentiment.domain.units import (
    MAX_UNITS,
    SPECIAL,
    UNKNOWN_SIGN,
    UNKNOWN_WORD,
    Vocabulary,
    distinct,
    unit_numbers,
)

WORDS = ["不是", "不好", "好", "外卖", "手机壳", "手机", "really", "don't", "0000", ",", "?", "😀", "一二三四"]
VOCABULARY = Vocabulary(WORDS)
NAMES = ["<pad>", "<word>", "<sign>", *WORDS]


def read(text: str) -> list[str]:
    numbers, bounds = unit_numbers(VOCABULARY, encode([text]))
    assert bounds.tolist() == [0, len(numbers)]
    return [NAMES[n] for n in numbers]


def test_a_character_stands_for_the_longest_word_that_begins_with_it() -> None:
    assert read("手机壳不好") == ["手机壳", "<sign>", "<sign>", "不好", "好"]
    assert read("一二三四") == ["一二三四", "<sign>", "<sign>", "<sign>"]


def test_latin_words_digits_and_signs() -> None:
    assert read("I really don't, 2014?") == ["<word>", "really", "don't", ",", "0000", "?"]
    assert read("don’t") == ["don't"]
    assert read("好a好1好") == ["好", "<word>", "好", "<word>", "好"]


def test_no_word_reaches_over_a_space_or_into_the_next_text() -> None:
    assert read("手 机") == ["<sign>", "<sign>"]
    numbers, bounds = unit_numbers(VOCABULARY, encode(["手", "机", "really", "don't"]))
    assert numbers.tolist() == [UNKNOWN_SIGN, UNKNOWN_SIGN, SPECIAL + 6, SPECIAL + 7]
    assert bounds.tolist() == [0, 1, 2, 3, 4]


def test_an_empty_text_has_one_unit_and_a_long_one_only_its_ends() -> None:
    assert read("") == ["<sign>"]
    words = [f"w{'x' * (i % 7)}y" for i in range(MAX_UNITS)]
    numbers, bounds = unit_numbers(VOCABULARY, encode(["好 " * 200 + "really " * 200, " ".join(words)]))
    assert bounds.tolist() == [0, MAX_UNITS, 2 * MAX_UNITS]
    assert set(numbers[: MAX_UNITS // 2]) == {SPECIAL + 2}
    assert set(numbers[MAX_UNITS // 2 : MAX_UNITS]) == {SPECIAL + 6}
    assert set(numbers[MAX_UNITS:]) == {UNKNOWN_WORD}


@given(
    st.lists(st.text(alphabet=st.sampled_from("不是好外卖手机壳 aréally'019,?😀"), max_size=12), min_size=1, max_size=6)
)
def test_a_batch_reads_like_each_alone(texts: list[str]) -> None:
    numbers, bounds = unit_numbers(VOCABULARY, encode(texts))
    for i, text in enumerate(texts):
        alone, _ = unit_numbers(VOCABULARY, encode([text]))
        assert numbers[bounds[i] : bounds[i + 1]].tolist() == alone.tolist()


def test_words_that_can_not_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="two words share a slot"):
        Vocabulary(["好", "好"])
    many = ["".join(three) for three in product("abcdefghijklmnopqrs", repeat=3)][:6000]
    kept = distinct(many)
    assert 5_900 < len(kept) <= 6_000
    assert len(Vocabulary(kept)) == SPECIAL + len(kept)
    assert np.unique(kept).size == len(kept)
