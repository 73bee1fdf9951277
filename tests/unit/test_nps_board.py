"""The board against a plain list of what each register says: any question, after any changes."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nps.domain.board import EVER, NOWHERE, Board, hour_number

FIRST = datetime(2026, 10, 30, tzinfo=UTC)
DIMENSIONS = ("region", "store", "touchpoint")

where = st.dictionaries(st.sampled_from(DIMENSIONS), st.sampled_from("abc"), max_size=3)
hours = st.integers(0, 100)
telling = st.tuples(st.integers(0, 8), hours, where, st.integers(-1, 2))
window = st.one_of(
    st.just(EVER), st.tuples(hours, hours).map(lambda w: tuple(hour_number(FIRST) + h for h in sorted(w)))
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(telling, st.integers(0, 8)), max_size=40), st.lists(st.tuples(window, where), max_size=4))
def test_every_question_is_answered_as_from_the_registers_themselves(told, questions) -> None:
    board, truth = Board(), {}
    for change in told:
        if isinstance(change, int):
            board.drop(change)
            if change in truth:
                truth[change] = (*truth[change][:2], NOWHERE)
            continue
        slot, hour, segments, group = change
        for _ in range(1 + hour % 2):  # telling the same again changes nothing
            board.put(slot, FIRST + timedelta(hours=hour, minutes=59), tuple(sorted(segments.items())), group)
        truth[slot] = (hour_number(FIRST) + hour, segments, group)
    for _ in range(2):  # asking changes nothing
        for (start, end), wanted in questions:
            inside = [
                (s, g)
                for h, s, g in truth.values()
                if g != NOWHERE and start <= h < end and wanted.items() <= s.items()
            ]
            assert board.counts(start, end, wanted) == [sum(g == k for _, g in inside) for k in range(3)]
            for d in DIMENSIONS:
                by = {v: [sum(s.get(d) == v and g == k for s, g in inside) for k in range(3)] for v in "abc"}
                found = board.by(d, start, end, wanted)
                assert found == {v: c for v, c in by.items() if any(c)}
                pages, after = {}, ""
                while True:
                    page, after = board.page(d, start, end, wanted, after, 2)
                    assert len(page) <= 2
                    assert not page.keys() & pages.keys()
                    pages |= page
                    if not after:
                        break
                assert list(pages.items()) == sorted(found.items())
    assert board.standing() == sum(g != NOWHERE for _, _, g in truth.values())
    for d in DIMENSIONS:
        assert set(board.values(d)) == {s[d] for _, s, g in truth.values() if g != NOWHERE and d in s}


@settings(max_examples=100, deadline=None)
@given(st.lists(telling, max_size=30), where)
def test_a_series_is_the_counts_of_its_buckets(told, wanted) -> None:
    board, start = Board(), hour_number(FIRST)
    for slot, hour, segments, group in told:
        board.put(slot, FIRST + timedelta(hours=hour), tuple(sorted(segments.items())), group)
    names, series = board.series(start, start + 104, wanted, ("region", "store"), 4)
    assert series.shape[0] == 26
    for b in range(26):
        assert series[b].sum(axis=0).tolist() == board.counts(start + 4 * b, start + 4 * b + 4, wanted) or (not names)
    for values, column in zip(names, np.moveaxis(series, 1, 0), strict=True):
        known = {d: v for d, v in zip(("region", "store"), values, strict=False) if v}
        if len(known) == 2 and not wanted:
            assert column.sum(axis=0).tolist() == board.counts(start, start + 104, known)


def test_it_grows_with_what_it_is_told() -> None:
    board = Board()
    for n in range(3000):
        board.put(n, FIRST, (("store", f"s{n}"),), n % 3)
    board.put(9000, FIRST, (), 0)
    assert board.counts(*EVER, {}) == [1001, 1000, 1000]
    assert board.counts(*EVER, {"store": "s2999"}) == [0, 0, 1]
    assert len(board.by("store", *EVER, {})) == 3000
    assert board.counts(*EVER, {"store": "nowhere"}) == [0, 0, 0]
    assert board.counts(*EVER, {"no such dimension": "x"}) == [0, 0, 0]
