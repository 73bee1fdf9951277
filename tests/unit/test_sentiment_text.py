"""Normalisation, its way back, n-grams and the language guess."""

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.sentiment.domain.characters import SIMPLIFIED, TRADITIONAL
from services.sentiment.domain.text import (
    MAX_CHARS,
    encode,
    guess_language,
    languages,
    ngram_hashes,
    normalise,
    normalise_with_offsets,
)

TEXTS = st.text(max_size=60) | st.text(
    alphabet="aAＡ好坏！! \u3000\t\u200b哈😀😃👍\U0001f3fde\u0301ﬁ㎏…．[泪淚]［貴Σςİ\x00\ud800", max_size=60
)


@given(TEXTS)
@example("ééé")
@example("각각각")
@example("か\u3099")
@example("İ I\u0307")
@example("ＡＡＡＡ　　！！！！")
def test_offsets_lead_to_the_same_text(text: str) -> None:
    found = normalise_with_offsets(text)
    assert found.text == normalise(text)
    assert len(found.starts) == len(found.ends) == len(found.text)
    for i in range(len(found.text)):
        start, end = found.span(i, i + 1)
        assert 0 <= start < end <= len(text)


@given(TEXTS)
def test_normal_form_has_no_runs_no_doubled_spaces_and_no_edges(text: str) -> None:
    plain = normalise(text)
    assert plain == plain.strip()
    assert "  " not in plain
    assert not any(plain[i] == plain[i + 1] == plain[i + 2] for i in range(len(plain) - 2))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ＧＯＯＤ！！！！", "good!!"),
        ("  好\n\n吃 \u200b ", "好 吃"),
        ("垃\u200b圾", "垃圾"),
        ("這個東西壞了，客服沒人理", "这个东西坏了,客服没人理"),
        ("太慢了……", "太慢了.."),
        ("👍🏽👍🏿", "👍👍"),
        ("🤬", "😡"),
        ("❤️", "❤"),
        ("難受[淚]［怒］[泪", "难受😭😡[泪"),
        ("哈哈哈哈哈", "哈哈"),
        ("soooo", "soo"),
        ("", ""),
        (" \u3000", ""),
    ],
)
def test_normalise(text: str, plain: str) -> None:
    assert normalise(text) == plain


def test_offsets_point_at_the_original() -> None:
    text = "  太太太太差  ！！！"
    found = normalise_with_offsets(text)
    at = found.text.index("差")
    start, end = found.span(at, at + 1)
    assert text[start:end] == "差"
    start, end = found.span(0, 2)
    assert text[start:end] == "太太太太"


def test_a_very_long_text_is_cut() -> None:
    assert len(normalise("好吃" * MAX_CHARS)) == MAX_CHARS


@given(st.lists(TEXTS.map(normalise), min_size=1, max_size=5), st.integers(1, 5), st.integers(4, 21))
def test_ngrams_of_a_batch_are_those_of_each_text(texts: list[str], longest: int, bits: int) -> None:
    hashes, owners = ngram_hashes(texts, longest, bits)
    assert hashes.min() >= 0
    assert hashes.max() < 2**bits
    for i, text in enumerate(texts):
        alone, _ = ngram_hashes([text], longest, bits)
        assert np.sort(hashes[owners == i]).tolist() == np.sort(alone).tolist()
        size = len(text) + 2
        assert len(alone) == sum(max(0, size - n + 1) for n in range(1, longest + 1))


def test_the_hash_never_changes() -> None:
    # The committed weights are only good with exactly these indices.
    hashes, _ = ngram_hashes(["好a"], 2, 21)
    assert hashes.tolist() == HASHES


HASHES = [828630, 332780, 1189779, 828630, 1720917, 1624854, 555052]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("请问几点送货", "zh"),
        ("iPhone 屏幕碎了", "zh"),
        ("What time?", "en"),
        ("I bought it at 天猫 last week and it broke", "en"),
        ("12345", "zh"),
        ("👍", "zh"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert guess_language(text) == language


@settings(deadline=None)
@given(st.lists(TEXTS | st.text(max_size=5), max_size=6))
@example(["", " ", "\u200b", "a"])
@example(["…", "a…", "…b…."])
@example(["a" * 5000, "…a" * 4000, "\u200ba" * 3000])
def test_many_at_once_are_the_same_as_each_alone(texts: list[str]) -> None:
    encoded = encode(texts)
    assert encoded.texts() == [normalise(t) for t in texts]
    assert languages(encoded) == [guess_language(normalise(t)) for t in texts]
    marked = np.arange(len(texts)) % 2 == 0
    assert encoded.take(marked).texts() == [normalise(t) for t in texts[::2]]


def test_every_character_alone_and_between_others_is_the_same_in_both_ways() -> None:
    chars = [chr(c) for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    assert encode(chars).texts() == [normalise(c) for c in chars]
    assert encode([f"a{c}好" for c in chars]).texts() == [normalise(f"a{c}好") for c in chars]


@given(st.sampled_from(TRADITIONAL), TEXTS)
def test_traditional_is_as_simplified(char: str, text: str) -> None:
    assert normalise(f"{text}{char}") == normalise(f"{text}{SIMPLIFIED[TRADITIONAL.index(char)]}")


@given(TEXTS)
def test_width_does_not_matter(text: str) -> None:
    assert normalise(unicodedata.normalize("NFKC", text)) == normalise(text)
