"""Mix and real add up; each is nothing where the other explains everything; shrinking; words."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain import words
from services.nps.domain.change import Change
from services.nps.domain.enough import FEWEST, WIDEST, enough
from services.nps.domain.figures import figure
from services.nps.domain.shrink import parent, scatter, shrink
from services.nps.domain.split import split

tables = st.integers(1, 5).flatmap(
    lambda k: st.tuples(*[st.lists(st.tuples(*[st.integers(0, 60)] * 3), min_size=k, max_size=k)] * 2)
)
NAMES = ("a", "b", "c", "d", "e")


def table(*rows: tuple[int, int, int]) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


@settings(deadline=None)
@given(tables)
def test_mix_and_real_add_up_to_the_change(both: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]) -> None:
    before, after = table(*both[0]), table(*both[1])
    found = split(NAMES[: len(before)], before, after)
    if not before.sum() or not after.sum():
        assert found is None
        return
    assert found is not None
    scores = [figure(*map(int, t.sum(axis=0))).nps for t in (before, after)]
    assert found.total.points == pytest.approx(scores[1] - scores[0], abs=1e-9)
    assert found.mix.points + found.real.points == pytest.approx(found.total.points, abs=1e-9)
    assert sum(c.real.points for c in found.segments) == pytest.approx(found.real.points, abs=1e-9)
    assert sum(c.mix for c in found.segments) == pytest.approx(found.mix.points, abs=1e-9)
    back = split(NAMES[: len(before)], after, before)
    assert back is not None
    assert back.real.points == pytest.approx(-found.real.points, abs=1e-9)


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(1, 30)] * 3), min_size=2, max_size=5),
    st.lists(st.integers(1, 9), min_size=5, max_size=5),
)
def test_the_same_customers_in_other_numbers_are_mix_alone(rows: list[tuple[int, int, int]], times: list[int]) -> None:
    before = table(*rows)
    after = before * np.array(times[: len(rows)])[:, None]
    found = split(NAMES[: len(rows)], before, after)
    assert found is not None
    assert found.real.points == pytest.approx(0, abs=1e-9)
    assert not any(c.certain for c in found.segments)


def test_a_fall_in_one_segment_is_real_and_it_carries_it() -> None:
    before, after = table((500, 300, 200), (500, 300, 200)), table((500, 300, 200), (300, 300, 400))
    found = split(("east", "west"), before, after)
    assert found is not None
    assert (found.total.points, found.mix.points, found.real.points) == pytest.approx((-20, 0, -20))
    assert found.real.low < -20 < found.real.high < 0
    first, second = found.segments
    assert (first.segment, first.certain, second.certain) == ("west", True, False)
    # By hand: half of all answers, a fall of 40 points, two means of 1,000 answers each.
    assert first.real.points - first.real.low == pytest.approx(
        50 * 1.96 * ((0.7 - 0.3**2) / 1000 + (0.7 - 0.1**2) / 1000) ** 0.5, rel=0.01
    )


def test_customers_who_are_new_are_mix() -> None:
    found = split(("old", "new"), table((50, 30, 20), (0, 0, 0)), table((50, 30, 20), (0, 0, 100)))
    assert found is not None
    assert (found.real.points, found.total.points) == (0, pytest.approx(-65))


counts = st.tuples(*[st.integers(0, 40)] * 3)


@settings(deadline=None)
@given(st.lists(counts, min_size=1, max_size=12))
def test_shrinking_lies_between_the_segment_and_its_parent(rows: list[tuple[int, int, int]]) -> None:
    segments = {str(i): figure(*row) for i, row in enumerate(rows)}
    found = shrink(segments)
    assert found.keys() == segments.keys()
    told = scatter(segments)
    whole = parent(segments).nps
    for name, f in found.items():
        assert f.raw is segments[name]
        assert 0 <= f.own <= 1
        if told is None:
            assert (f.nps, f.low, f.high) == (f.raw.nps, f.raw.low, f.raw.high)
        else:
            ends = sorted([f.raw.nps if f.raw.n else whole, whole])
            assert ends[0] - 1e-6 <= f.nps <= ends[1] + 1e-6
            assert f.low <= f.nps <= f.high


def test_more_answers_are_drawn_less_and_equal_segments_wholly() -> None:
    rows = {"small": (1, 1, 3), "big": (100, 100, 300), **{f"s{i}": (60 + 9 * i, 50, 60 - 9 * i) for i in range(6)}}
    found = shrink({k: figure(*v) for k, v in rows.items()})
    assert (found["small"].own < 0.7, found["big"].own > 0.95) == (True, True)
    assert found["small"].raw.nps == found["big"].raw.nps < found["big"].nps < found["small"].nps
    # By hand for 10 equal segments: nothing scatters, so 7/9 of the way is all that Morris's allowance gives.
    same = shrink({str(i): figure(5, 3, 2) for i in range(10)})
    assert all(f.own == pytest.approx(1 - 7 / 9) and f.nps == pytest.approx(30) for f in same.values())


@settings(deadline=None)
@given(st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 3_000))
def test_what_is_missing_is_enough_when_it_has_come(p: int, a: int, d: int) -> None:
    f = figure(p, a, d)
    found = enough(f)
    assert (found.more == 0) == (found.verdict == "enough") == (f.n >= FEWEST and found.half <= WIDEST)
    if found.verdict == "wide":
        times = (f.n + found.more) / f.n
        then = figure(round(p * times), round(a * times), round(d * times))
        assert enough(then).half <= WIDEST * 1.03


def test_words() -> None:
    assert words.score(figure(0, 0, 0), "en") == "no answers"
    assert words.score(figure(2, 1, 0), "zh").startswith("答卷太少（3 份）")
    assert "too few answers (40): ±2" in words.score(figure(16, 8, 16), "en")
    assert words.score(figure(500, 300, 200), "en") == "+30 (+25…+35, 1000 answers)"
    assert words.score(figure(500, 300, 200), "zh") == "+30（+25…+35，1000 份答卷）"

    # Beside zero, not at it.
    assert words.between(-29.3, -0.04, 1) == "−0.04…−29.3"
    assert words.between(0.2, 6.4) == "+0.2…+6"
    assert words.between(-29.3, 0.04, 1) == "−29.3…0.0"
    assert words.between(-1e-9, 0.0, 1) == "0.0…0.0"

    def when(bucket: int) -> datetime:
        return datetime(2026, 11, 16, tzinfo=UTC) + timedelta(hours=bucket)

    found = Change(38, 20, 60, -8.4, -11.2, -5.6, 99.0)
    assert words.changed(found, when, "en") == (
        "changed since Tue 17 Nov 14:00 by −6…−11 points (it began between Mon 16 Nov 20:00 and Wed 18 Nov 12:00)"
    )
    assert words.changed(found, when, "zh").startswith("自周二 11月17日 14:00起变化 −6…−11 分")
    assert words.changed(None, when, "en") == "nothing changed that could be told from chance"
    parts = split(("east", "west"), table((500, 300, 200), (500, 300, 200)), table((500, 300, 200), (300, 300, 400)))
    assert parts is not None
    assert words.parts(parts, "en") == (
        "−20 (−15…−25) in all: real −20 (−15…−25), carried by west −20 (−16…−24); mix 0 (−1…+1)"
    )
