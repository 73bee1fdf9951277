"""Domain shift: shares of unseen n-grams, sums that merge, and what is called a shift."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.domain.shift import (
    BINS,
    Calibration,
    Drift,
    Familiarity,
    Window,
    drift_of,
    judged,
    known_slots,
)
from services.sentiment.domain.text import Language, encode, encode_normalised, normalise
from services.sentiment.model import familiarity
from services.sentiment.training import familiar

WORDS = st.text(alphabet="好坏吃快慢送货abcde ", max_size=30)
DRIFTS = st.builds(Drift, st.integers(0, 1000), st.integers(0, 64).map(lambda n: n / 64))
JUDGED = st.lists(st.tuples(st.integers(0, 64).map(lambda n: n / 64), st.booleans()), max_size=30)


def usual(texts: list[str], mean: float = 0.0, spread: float = 0.1) -> Familiarity:
    return Familiarity(known_slots(encode(texts), 2, 16), 2, mean, spread)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_training_texts_are_wholly_familiar(texts: list[str]) -> None:
    assert usual(texts).shares(encode(texts)).tolist() == [0.0] * len(texts)


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_more_training_texts_make_nothing_less_familiar(first: list[str], more: list[str], text: str) -> None:
    share = usual(first).shares(encode([text]))[0]
    assert 0 <= usual([*first, *more]).shares(encode([text]))[0] <= share <= 1


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, min_size=1, max_size=6))
def test_a_batch_has_the_shares_of_each_alone(trained: list[str], texts: list[str]) -> None:
    known = usual(trained)
    encoded = encode(texts)
    assert known.shares(encoded).tolist() == [known.shares(encode([t]))[0] for t in texts]
    assert list(zip(*(c.tolist() for c in known.counts(encoded)), strict=True)) == [
        known.unseen(normalise(t)) for t in texts
    ]
    told = [known.unseen(normalise(t)) for t in texts]
    alone = sum((Drift(1, unseen / number) for unseen, number in told if number), Drift())
    together = drift_of(known.shares(encoded))
    assert (together.texts, together.total) == (alone.texts, pytest.approx(alone.total))


def test_unseen_text_is_unfamiliar_and_too_short_text_says_nothing() -> None:
    known = Familiarity(known_slots(encode(["送货很快"]), 4, 16), 4, 0.0, 0.1)
    shares = known.shares(encode(["送货很快", "机票改签失败", "", "好"]))
    assert shares[0] == 0
    assert shares[1] == 1
    assert math.isnan(shares[2])
    assert math.isnan(shares[3])
    assert drift_of(shares) == Drift(2, 1.0)


def test_an_ngram_of_one_text_alone_may_be_left_unknown() -> None:
    encoded = encode(["好吃好吃好吃", "好喝"])
    assert np.unpackbits(known_slots(encoded, 2, 16, texts=1)).sum() == 6
    assert np.unpackbits(known_slots(encoded, 2, 16, texts=2)).sum() == 1


@given(DRIFTS, DRIFTS, DRIFTS)
def test_drifts_merge_in_any_order(a: Drift, b: Drift, c: Drift) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Drift() == a


@given(st.floats(0, 1), st.integers(1, 100_000), st.floats(0.001, 0.5))
def test_what_is_as_expected_is_never_a_shift(mean: float, texts: int, spread: float) -> None:
    expected = usual(["好"], mean, spread)
    assert not Drift(texts, mean * texts).shifted(expected)
    assert not Drift().shifted(expected)


def test_a_shift_wants_to_be_sure_and_to_matter() -> None:
    expected = usual(["好"], mean=0.1, spread=0.1)
    assert Drift(100, 0.2 * 100).shifted(expected)
    assert not Drift(3, 0.2 * 3).shifted(expected)  # too few to be sure
    assert not Drift(1_000_000, 0.11 * 1_000_000).shifted(expected)  # sure, but small
    assert not Drift(100, 0.0).shifted(expected)  # more familiar than usual


@given(JUDGED, JUDGED)
def test_calibrations_merge(first: list[tuple[float, bool]], second: list[tuple[float, bool]]) -> None:
    def summed(labels: list[tuple[float, bool]]) -> Calibration:
        return sum((judged(p, right) for p, right in labels), Calibration())

    assert summed(first) + summed(second) == summed([*first, *second]) == summed([*second, *first])
    assert 0 <= summed(first).error <= 1
    assert len(summed(first).number) == BINS
    assert sum(summed(first).number) == len(first)


def test_confidence_that_holds_is_no_shift_and_one_that_fails_is() -> None:
    holds = sum((judged(0.9, i % 10 != 0) for i in range(1000)), Calibration())
    assert holds.error == pytest.approx(0)
    assert not holds.shifted
    fails = sum((judged(0.9, i % 10 < 7) for i in range(1000)), Calibration())
    assert fails.error == pytest.approx(0.2)
    assert fails.distance > 0
    assert fails.shifted
    timid = sum((judged(0.5, True) for _ in range(1000)), Calibration())
    assert timid.distance < 0
    assert timid.shifted
    assert judged(1.0, False).shifted
    assert not judged(1.0, True).shifted


def test_a_confidence_out_of_bounds_is_told() -> None:
    with pytest.raises(ValueError, match="confidence"):
        judged(1.2, True)


@given(st.lists(st.tuples(st.integers(0, 30), DRIFTS), max_size=20), st.integers(1, 10))
def test_a_window_holds_its_minutes_whatever_the_order(parts: list[tuple[int, Drift]], length: int) -> None:
    window = Window(length)
    for minute, drift in sorted(parts, key=lambda p: p[0]):
        window = window.add(minute, drift)
    newest = max((m for m, _ in parts), default=0)
    kept = sum((d for m, d in parts if m > newest - length), Drift())
    assert window.total() == kept
    assert len(window.parts) <= length
    again = Window(length)
    for minute, drift in sorted(parts, key=lambda p: -p[0]):
        again = again.add(minute, drift)
    assert again == window


def test_what_is_learnt_goes_through_its_file(tmp_path: Path) -> None:
    learnt: dict[Language, Familiarity] = {
        "zh": familiar.learn("zh", ["送货很快", "送货很慢"], ["送货", "机票"]),
        "en": familiar.learn("en", ["fast delivery", "slow delivery"], ["delivery", "refund"]),
    }
    assert 0 < learnt["zh"].mean < 1
    familiarity.save(learnt, tmp_path / "f.npz")
    read = familiarity.load(tmp_path / "f.npz")
    for language, expected in learnt.items():
        assert read[language].known.tolist() == expected.known.tolist()
        assert (read[language].length, read[language].mean, read[language].spread) == (
            expected.length,
            expected.mean,
            expected.spread,
        )
    with pytest.raises(ValueError, match="en"):
        familiar.learn("en", [], ["a"])
    with pytest.raises(familiarity.FamiliarityError, match=r"none\.npz"):
        familiarity.load(tmp_path / "none.npz")


def test_the_shipped_sets_tell_shop_talk_from_other_text() -> None:
    known = familiarity.load()
    shop = [
        "衣服质量很好，物流也快",
        "味道不错，送餐很快，下次再来",
        "客服态度很差，不会再买",
        "苹果很新鲜，包装完好",
    ] * 10
    other = [
        "量子纠缠态的贝尔不等式检验",
        "本院认为被告之抗辩理由不足采信",
        "患者主诉间歇性跛行伴足背动脉搏动减弱",
        "曹操兵败赤壁而走华容道",
    ] * 10
    assert not drift_of(known["zh"].shares(encode(shop))).shifted(known["zh"])
    assert drift_of(known["zh"].shares(encode(other))).shifted(known["zh"])
    flights = [
        "my flight was delayed again",
        "thanks for the quick help with my bag",
        "on hold for an hour, terrible service",
    ] * 10
    strange = [
        "zxqv kprtw bnmll qqwrty",
        "Der Kundendienst hat sich gemeldet",
        "eigenvalues of hermitian operators",
    ] * 10
    assert not drift_of(known["en"].shares(encode(flights))).shifted(known["en"])
    assert drift_of(known["en"].shares(encode(strange))).shifted(known["en"])
    assert familiarity.FILE.stat().st_size <= 300_000


def test_no_texts_no_shares() -> None:
    assert usual(["好"]).shares(encode_normalised([])).tolist() == []
