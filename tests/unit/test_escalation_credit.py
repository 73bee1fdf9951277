"""Quick refund: what is paid out never passes the limit, every decision tells its checks, groups are held beside each other."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.escalation.domain.credit import (
    MOST_OPEN,
    Account,
    Check,
    CreditPolicy,
    bought,
    checked,
    checked_early,
    credit,
    decide,
    told,
)
from services.escalation.domain.fairness import GroupCount, figures

START = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = CreditPolicy()


def regular(orders: int = 10, cents: int = 20_000) -> Account:
    account = Account()
    for n in range(orders):
        account = bought(account, cents, START + timedelta(days=3 * n))
    return account


NOW = START + timedelta(days=40)


def test_a_regular_customer_s_refund_starts_with_the_parcel() -> None:
    account = regular()
    assert credit(account, NOW, POLICY).limit_cents == 60_000
    found = decide(account, "o1", "SF1", 0, 20_000, NOW, POLICY)
    assert found is not None
    account, decision = found
    assert (decision.started, decision.cents, decision.limit_cents) == (True, 20_000, 60_000)
    assert account.used_cents == 20_000
    assert decide(account, "o1", "SF1", 0, 20_000, NOW, POLICY) is None, "one refund an order"
    done = checked(account, "o1", 20_000)
    assert done is not None
    account, paid, lost = done
    assert (paid, lost, account.used_cents, account.bad) == (20_000, 0, 0, 0)
    assert checked(account, "o1", 20_000) is None


@pytest.mark.parametrize(
    ("account", "cents", "paid", "fails"),
    [
        (regular(2), 0, 1000, {"orders", "days", "limit"}),
        (Account(), 0, None, {"orders", "days", "known_order", "amount"}),
        (regular(), 30_000, 20_000, {"amount"}),
        (regular(10, 100_000), 100_001, 200_000, {"limit"}),
        (Account(START, 10, 200_000, returned=8), 0, 1000, {"returned", "limit"}),
        (Account(START, 10, 200_000, bad=2), 0, 1000, {"bad_parcels", "limit"}),
    ],
)
def test_who_is_declined_is_told_why(account: Account, cents: int, paid: int | None, fails: set[str]) -> None:
    found = (
        decide(account, "o", "SF1", cents, paid, START + timedelta(days=3), POLICY)
        if account.orders < 3
        else decide(account, "o", "SF1", cents, paid, NOW, POLICY)
    )
    assert found is not None
    account, decision = found
    assert not decision.started and account.used_cents == 0
    assert {c.code for c in decision.checks if not c.kept} == fails
    for check in decision.checks:
        zh, en = told(check)
        assert zh.startswith("未通过") is en.startswith("not kept") is not check.kept


def test_a_parcel_that_is_not_worth_it_halves_the_limit() -> None:
    found = decide(regular(), "o1", "SF1", 0, 20_000, NOW, POLICY)
    assert found is not None
    done = checked(found[0], "o1", 5_000)
    assert done is not None
    account, paid, lost = done
    assert (paid, lost, account.bad) == (20_000, 15_000, 1)
    assert credit(account, NOW, POLICY).limit_cents == int(0.3 * (200_000 - 20_000 - 15_000) / 2)


Step = st.one_of(
    st.tuples(st.just("buy"), st.integers(0, 9), st.integers(1, 80_000)),
    st.tuples(st.just("send"), st.integers(0, 9), st.integers(0, 90_000)),
    st.tuples(st.just("open"), st.integers(0, 9), st.integers(0, 80_000)),
)


@settings(deadline=None)
@given(st.lists(Step, max_size=60))
def test_what_is_out_never_passes_the_limit_it_was_given_under(steps: list[tuple[str, int, int]]) -> None:
    account, paid, now = regular(4), {}, NOW
    for what, n, cents in steps:
        now += timedelta(hours=1)
        before = credit(account, now, POLICY)
        match what:
            case "buy":
                account = bought(account, cents, now)
                paid[f"o{n}"] = cents
                assert credit(account, now, POLICY).limit_cents >= before.limit_cents or account.bad > 1
            case "send":
                found = decide(account, f"o{n}", "p", cents, paid.get(f"o{n}"), now, POLICY)
                if found is None:
                    continue
                account, decision = found
                assert decision.started == all(c.kept for c in decision.checks)
                if decision.started:
                    assert account.used_cents <= before.limit_cents <= POLICY.most_cents
                    assert decision.cents <= paid[f"o{n}"]
            case _:
                done = checked(account, f"o{n}", cents)
                if done is not None:
                    account, _, lost = done
                    assert 0 <= lost <= 80_000
                    assert credit(account, now, POLICY).limit_cents <= before.limit_cents
    assert isinstance(credit(account, now, POLICY).checks[0], Check)


def test_no_number_of_later_returns_makes_a_paid_one_forgotten() -> None:
    found = decide(regular(), "o1", "SF1", 0, 20_000, NOW, POLICY)
    assert found is not None
    account = found[0]
    for n in range(2 * MOST_OPEN):
        found = decide(account, f"unknown{n}", "SF2", 0, None, NOW, POLICY)
        assert found is not None
        account = found[0]
    assert account.used_cents == 20_000
    assert decide(account, "o1", "SF3", 0, 20_000, NOW, POLICY) is None, "one refund an order"
    done = checked(account, "o1", 0)
    assert done is not None and done[1:] == (20_000, 20_000)
    for n in range(2 * MOST_OPEN):  # what is told of parcels that nobody sent is kept within bounds, too
        account = checked_early(account, f"unheard{n}", 0)
    assert len(account.early) == MOST_OPEN
    assert checked_early(account, "o1", 0) is account, "its return is known"


def test_as_many_refunds_as_are_remembered_and_no_more_until_one_can_be_forgotten() -> None:
    account, now = regular(200), START + timedelta(days=700)
    for n in range(MOST_OPEN):
        found = decide(account, f"o{n}", "SF1", 0, 1, now, POLICY)
        assert found is not None and found[1].started
        account = found[0]
    found = decide(account, "more", "SF1", 0, 1, now, POLICY)
    assert found is not None
    account, decision = found
    assert [c.code for c in decision.checks if not c.kept] == ["limit"] and not credit(account, now, POLICY).eligible
    for days, starts in ((0, False), (29, False), (30, True)):
        done = checked(account, f"o{days}", 1)
        account = done[0] if done else account
        found = decide(account, f"later{days}", "SF1", 0, 1, now + timedelta(days=days), POLICY)
        assert found is not None and found[1].started is starts, "one that was opened could still be sent back again"
        account = found[0]
    assert len(account.returns) <= 2 * MOST_OPEN


Sent = st.tuples(st.integers(0, 80), st.sampled_from([None, 1, 500, 30_000]), st.sampled_from(["send", "send", "open"]))


@settings(deadline=None, max_examples=60)
@given(st.lists(Sent, min_size=60, max_size=200))
def test_no_order_is_paid_twice_and_every_paid_parcel_counts_until_it_is_opened(steps) -> None:
    account, now = regular(300), START + timedelta(days=1000)
    paid, out = set[str](), dict[str, int]()
    for n, cents, what in steps:
        now += timedelta(minutes=1)
        order = f"o{n}"
        if what == "open":
            done = checked(account, order, 1_000_000)
            assert order not in out or (done is not None and done[1] == out[order])
            account = done[0] if done else account
            out.pop(order, None)
        elif (found := decide(account, order, "p", 0, cents, now, POLICY)) is not None:
            account, decision = found
            if decision.started:
                assert order not in paid
                paid.add(order)
                out[order] = decision.cents
        assert account.used_cents == sum(out.values()) <= POLICY.most_cents
        assert len(account.returns) <= 2 * MOST_OPEN


def test_groups_are_apart_only_where_chance_is_a_poor_excuse() -> None:
    found = figures(
        {
            "": GroupCount(1000, 800, 100, 3),
            "vip": GroupCount(10, 10),
            "en": GroupCount(400, 200),
            "de": GroupCount(6, 3),
        }
    )
    assert {g for g, f in found.items() if f.apart} == {"en"}
    assert found["en"].ratio == pytest.approx(0.5 / 0.8)
    assert found[""].loss_share == pytest.approx(0.03)
    assert figures({}) == {}
