"""The score and its interval, against the formula by hand and the definition of coverage."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nps.domain.figures import figure, group
from services.nps.lines import LineError, read_line

counts = st.integers(0, 10_000)


def test_groups() -> None:
    assert [group(s) for s in range(11)] == ["detractors"] * 7 + ["passives"] * 2 + ["promoters"] * 2


def test_worked_example() -> None:
    """20 promoters, 6 detractors of 36 answers: the formula by hand, in thirty-ninths."""
    f = figure(20, 10, 6)
    p, d = 20.75 / 39, 6.75 / 39
    half = 1.959964 * ((p + d - (p - d) ** 2) / 39) ** 0.5
    assert (f.n, f.nps) == (36, pytest.approx(100 * 14 / 36))
    assert (f.low, f.high) == (pytest.approx(100 * (p - d - half)), pytest.approx(100 * (p - d + half)))
    assert (round(f.low, 1), round(f.high, 1)) == (12.1, 59.7)


def test_without_answers() -> None:
    f = figure(0, 0, 0)
    assert (f.n, f.nps) == (0, 0.0)
    assert f.high == -f.low == pytest.approx(100 * 1.959964 * (0.5 / 3) ** 0.5)


@given(counts, counts, counts)
def test_mirrored_counts_mirror_the_figure(p: int, a: int, d: int) -> None:
    f, g = figure(p, a, d), figure(d, a, p)
    assert f.nps == pytest.approx(-g.nps)
    assert (f.low, f.high) == (pytest.approx(-g.high), pytest.approx(-g.low))
    assert f.low <= 100 * (p - d) / (f.n + 3) <= f.high
    assert -100 <= f.nps <= 100


@pytest.mark.parametrize("n", [20, 50, 150])
def test_coverage_is_near_95_percent(n: int) -> None:
    """Exact coverage over all outcomes of n answers with 45 % promoters and 25 % detractors (true score 20)."""
    p, d = 0.45, 0.25
    covered = 0.0
    for i in range(n + 1):
        for j in range(n + 1 - i):
            f = figure(i, n - i - j, j)
            if f.low <= 100 * (p - d) <= f.high:
                covered += comb(n, i) * comb(n - i, j) * p**i * d**j * (1 - p - d) ** (n - i - j)
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", "line"),
        ("[]", "line"),
        ('{"id":"\udcff"}', "line"),
        ('{"id":"a","source":"s","type":"answered","time":"2026-11-01T00:00:00Z","survey_id":"x","score":11}', "score"),
        (
            '{"id":"a","source":"s","type":"answered","time":"2026-11-01T00:00:00Z","survey_id":"x","score":true}',
            "score",
        ),
        (
            '{"id":"a","source":"s","type":"answered","time":"2026-11-01T00:00:00Z","survey_id":"x","score":"9"}',
            "score",
        ),
        ('{"id":"a","source":"s","type":"answered","time":"2026-11-01T00:00:00","survey_id":"x","score":9}', "time"),
        ('{"id":"a","source":"s","type":"answered","time":"soon","survey_id":"x","score":9}', "time"),
        ('{"id":"a","source":"s","type":"answered","time":"2026-11-01T00:00:00Z","score":9}', "survey_id"),
        (
            '{"id":"a","source":"s","type":"answered","time":"2026-11-01T00:00:00Z","survey_id":"x","score":9,"segments":{"r":1}}',
            "segments",
        ),
        ('{"id":"a","source":"s","type":"lost","time":"2026-11-01T00:00:00Z","survey_id":"x"}', "type"),
    ],
)
def test_a_bad_line_names_its_field(line: str, field: str) -> None:
    with pytest.raises(LineError, match=f"^{field}: "):
        read_line(line)
