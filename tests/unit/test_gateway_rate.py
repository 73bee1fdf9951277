"""A channel's rate limit."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.rate import BURST_S, TokenBucket

rates = st.floats(0.5, 10_000)
arrivals = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 1000)), max_size=60)


@given(rates, arrivals)
def test_no_more_is_admitted_than_the_rate_the_burst_and_one_request(
    rate: float, requests: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket.full(rate, 0.0)
    now, taken = 0.0, 0
    largest = max((events for _, events in requests), default=0)
    for gap, events in requests:
        now += gap
        if bucket.wait_s(now) == 0:
            bucket.take(events)
            taken += events
        assert taken <= max(1.0, rate * BURST_S) + rate * now + largest + 1e-6 * taken


@given(rates, arrivals)
def test_after_the_wait_that_was_told_a_request_is_admitted(rate: float, requests: list[tuple[float, int]]) -> None:
    bucket = TokenBucket.full(rate, 0.0)
    now = 0.0
    for gap, events in requests:
        now += gap
        wait = bucket.wait_s(now)
        if wait > 0:
            assert bucket.wait_s(now + wait * 0.5) > 0
            now += wait * (1 + 1e-9) + 1e-6
            assert bucket.wait_s(now) == 0
        bucket.take(events)


@given(rates, st.floats(1, 1e6))
def test_a_quiet_channel_saves_up_no_more_than_the_burst(rate: float, quiet: float) -> None:
    bucket = TokenBucket.full(rate, 0.0)
    assert bucket.wait_s(quiet) == 0
    assert bucket.tokens == max(1.0, rate * BURST_S)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = TokenBucket.full(10, 100.0)
    bucket.take(20)
    assert bucket.wait_s(50.0) > 0
    assert bucket.tokens == 0
