"""A team's budget: never above capacity, the gravest first, nobody started is displaced, no group starved, nothing lost."""

import math
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.escalation.domain import tasks
from services.escalation.domain.budget import choose, price
from services.escalation.domain.events import Reason
from services.escalation.domain.followups import decide, due, tick
from services.escalation.domain.tasks import CaseChanged, ClaimRequested, CloseRequested, ReleaseRequested
from services.escalation.domain.team import Team, Terms

START = datetime(2026, 11, 18, 8, 0, tzinfo=UTC)
TERMS = Terms(capacity=3, shifts=(480, 960, 0), floors={"vip": 1}, keep=20)


def case(name: str, risk: float, now: datetime, group: str = "", ended: str = "") -> CaseChanged:
    return CaseChanged(
        team="care", case_id=name, customer_id=f"c-{name}", group=group, contact_id="k", touchpoint="repair", risk=risk,
        reasons=(Reason("mood_low", risk, -0.9),), at=now, cause=f"s {name}", ended=ended,
    )  # fmt: skip


class Shift:
    """A team, event by event."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.terms, self.state, self.now, self.count = terms, Team("care"), START, 0
        self.facts: list[tasks.TeamFact] = []

    def play(self, event) -> list[tasks.TeamFact]:
        self.state, facts = decide(self.state, event, self.now, self.terms)
        self.facts += facts
        return list(facts)

    def case(self, name: str, risk: float, group: str = "", ended: str = "") -> list[tasks.TeamFact]:
        return self.play(case(name, risk, self.now, group, ended))

    def claim(self, follow_up: str, owner: str = "li") -> list[tasks.TeamFact]:
        self.count += 1
        return self.play(ClaimRequested(source="s", event_id=str(self.count), follow_up_id=follow_up, owner=owner))

    def release(self, follow_up: str, owner: str = "li") -> list[tasks.TeamFact]:
        self.count += 1
        return self.play(ReleaseRequested(source="s", event_id=str(self.count), follow_up_id=follow_up, owner=owner))

    def close(self, follow_up: str, **more) -> list[tasks.TeamFact]:
        self.count += 1
        command = {"source": "s", "event_id": str(self.count), "follow_up_id": follow_up, "outcome": "contacted"}
        return self.play(CloseRequested(**{**command, **more}))

    def after(self, **much: float) -> list[tasks.TeamFact]:
        until, facts = self.now + timedelta(**much), []
        while (at := due(self.state, self.terms)) is not None and at <= until:
            self.now = max(at, self.now)
            self.state, said = tick(self.state, self.now, self.terms)
            assert due(self.state, self.terms) != at, "a tick that changes nothing comes again at once"
            facts += said
        self.now = until
        self.facts += facts
        return facts

    def open(self) -> dict[str, str]:
        """Case → follow-up."""
        return {f.case.case_id: k for k, f in self.state.flags.items()}


def kinds(facts) -> list[str]:
    return [type(f).__name__ for f in facts if not isinstance(f, tasks.ThresholdMoved)]


def test_an_arrival_displaces_the_least_grave_that_nobody_has_started() -> None:
    shift = Shift(Terms(capacity=2))
    shift.case("a", 0.7)
    shift.case("b", 0.65)
    closed, flagged, *_ = shift.case("c", 0.9)
    assert isinstance(closed, tasks.FollowUpClosed) and isinstance(flagged, tasks.ComplaintFlagged)
    assert (closed.customer_id, closed.result, closed.displaced_by) == ("c-b", "displaced", flagged.follow_up_id)
    assert shift.open().keys() == {"a", "c"}
    shift.claim(shift.open()["a"])
    assert kinds(shift.case("d", 0.95)) == ["FollowUpClosed", "ComplaintFlagged"]  # c gives way, a is started
    assert shift.open().keys() == {"a", "d"}
    shift.claim(shift.open()["d"])
    assert kinds(shift.case("e", 1.0)) == []
    # What ends by itself before anyone began gives its place back; the shift's end gives all of them.
    assert {c.risk for c in shift.state.waiting.values()} == {0.65, 0.9, 1.0}
    shift.after(hours=8)
    assert shift.open().keys() >= {"e", "c"}


def test_hardly_graver_displaces_nothing_and_below_the_least_nobody_looks() -> None:
    shift = Shift(Terms(capacity=1))
    assert kinds(shift.case("z", 0.59)) == []
    shift.case("a", 0.7)
    assert kinds(shift.case("b", 0.71)) == []
    assert kinds(shift.case("b", 0.73)) == ["FollowUpClosed", "ComplaintFlagged"]


def test_a_floor_is_kept_free_and_taken_at_any_price() -> None:
    shift = Shift()
    for n in range(5):
        shift.case(f"n{n}", 0.8 + n / 100)
    assert len(shift.state.flags) == 2, "one place is kept for the group"
    assert kinds(shift.case("v", 0.61, "vip")) == ["ComplaintFlagged"]
    assert kinds(shift.case("w", 0.99)) == ["FollowUpClosed", "ComplaintFlagged"]
    assert "v" in shift.open()


def test_a_case_that_ends_closes_its_follow_up_and_a_late_word_of_it_is_no_new_one() -> None:
    shift = Shift()
    shift.case("a", 0.8)
    (closed,) = (f for f in shift.case("a", 0.8, ended="ticket_resolved") if isinstance(f, tasks.FollowUpClosed))
    assert (closed.outcome, closed.result) == ("ticket_resolved", "overtaken")
    assert shift.case("a", 0.95) == []


def test_a_follow_up_is_claimed_once_and_done_or_failed() -> None:
    shift = Shift()
    shift.case("a", 0.8)
    name = shift.open()["a"]
    assert kinds(shift.claim(name)) == ["FollowUpClaimed", "CommandAnswered"]
    assert [f.code for f in shift.claim(name) if isinstance(f, tasks.CommandAnswered)] == [""]
    assert [f.code for f in shift.claim(name, "wang") if isinstance(f, tasks.CommandAnswered)] == ["claimed"]
    closed, answer, *_ = shift.close(name, failed=True, outcome="nobody answers")
    assert isinstance(closed, tasks.FollowUpClosed) and isinstance(answer, tasks.CommandAnswered)
    assert (closed.result, closed.owner, closed.outcome, answer.code) == ("failed", "li", "nobody answers", "")
    assert [f.code for f in shift.close(name) if isinstance(f, tasks.CommandAnswered)] == ["missing"]


def answers(facts: list[tasks.TeamFact]) -> list[str]:
    return [f.code for f in facts if isinstance(f, tasks.CommandAnswered)]


def test_what_somebody_has_started_is_not_closed_in_anothers_name() -> None:
    shift = Shift()
    shift.case("a", 0.8)
    name = shift.open()["a"]
    shift.claim(name)
    assert answers(shift.close(name, owner="wang")) == ["claimed"]
    assert name in shift.state.flags, "it is still open, and li's"
    facts = shift.close(name, owner="li")
    assert (answers(facts), [f.owner for f in facts if isinstance(f, tasks.FollowUpClosed)]) == ([""], ["li"])


def test_what_went_to_the_supervisor_is_closed_by_anybody() -> None:
    shift = Shift()
    shift.case("a", 0.8)
    name = shift.open()["a"]
    shift.claim(name)
    shift.now = shift.state.flags[name].due_at + shift.terms.overflow_after
    facts = shift.close(name, owner="wang")
    assert (answers(facts), [f.owner for f in facts if isinstance(f, tasks.FollowUpClosed)]) == ([""], ["wang"])


def test_what_was_claimed_is_given_back_by_its_owner_and_its_place_with_it() -> None:
    shift = Shift(Terms(capacity=1))
    shift.case("a", 0.8)
    name = shift.open()["a"]
    shift.claim(name)
    assert (answers(shift.release(name, "wang")), shift.state.started) == (["claimed"], {"": 1})
    facts = shift.release(name)
    assert kinds(facts) == ["FollowUpReleased", "CommandAnswered"]
    assert [f.owner for f in facts if isinstance(f, tasks.FollowUpReleased)] == ["li"]
    assert (shift.state.started, shift.state.unstarted) == ({}, {"": 1})
    assert (kinds(shift.release(name)), answers(shift.release("none"))) == (["CommandAnswered"], ["missing"])
    assert kinds(shift.claim(name, "wang")) == ["FollowUpClaimed", "CommandAnswered"]
    shift.release(name, "wang")
    assert kinds(shift.case("b", 0.9)) == ["FollowUpClosed", "ComplaintFlagged"], "nobody is at it: it gives way"


def test_what_an_earlier_shift_began_is_given_back_without_a_place_of_this_one() -> None:
    shift = Shift(Terms(capacity=1, due_in=timedelta(hours=20)))
    shift.case("a", 0.8)
    name = shift.open()["a"]
    shift.claim(name)
    shift.after(hours=9)
    shift.case("b", 0.9)
    shift.claim(shift.open()["b"])
    facts = shift.release(name)  # this shift's one place is taken, so it goes back among those that wait
    assert kinds(facts) == ["FollowUpReleased", "CommandAnswered", "FollowUpClosed"]
    assert shift.open().keys() == {"b"} and "a" in shift.state.waiting


def test_what_an_earlier_shift_began_and_a_supervisor_took_over_gives_back_no_place_of_this_one() -> None:
    shift = Shift(Terms(capacity=2))
    shift.case("a", 0.8)
    name = shift.open()["a"]
    shift.claim(name)
    shift.after(hours=9)
    shift.case("b", 0.9)
    shift.claim(shift.open()["b"])
    shift.claim(name, "chief")
    shift.release(name, "chief")
    assert shift.state.started == {"": 1}, "b alone was begun on this shift's budget"
    shift.claim(name)
    assert shift.state.started == {"": 2}
    shift.release(name)
    assert shift.state.started == {"": 1}


def test_reminded_overdue_and_over_to_the_supervisor_each_once() -> None:
    shift = Shift()
    shift.case("a", 0.8)
    name = shift.open()["a"]
    shift.claim(name)
    facts = shift.after(hours=6)
    assert kinds(facts) == ["FollowUpReminded", "FollowUpOverdue", "FollowUpOverflowed"]
    reminded, _, over = (f for f in facts if not isinstance(f, tasks.ThresholdMoved))
    assert isinstance(reminded, tasks.FollowUpReminded) and isinstance(over, tasks.FollowUpOverflowed)
    assert (reminded.owner, over.supervisor) == ("li", "supervisor")
    assert kinds(shift.claim(name, "chief")) == ["FollowUpClaimed", "CommandAnswered"]
    assert sum(shift.state.started.values()) == 1, "taken over is not begun twice"


def test_the_price_keeps_places_for_what_a_shift_usually_brings() -> None:
    terms = Terms(capacity=10, shifts=(480, 960, 0))
    shift = Shift(terms)
    rng = random.Random(5)
    for day in range(3):  # in each day's first shift 30 cases, a third of them grave
        for n in range(30):
            shift.after(minutes=15)
            shift.case(f"{day}-{n}", 0.9 if n % 3 == 0 else 0.65 + rng.random() / 50)
        for n in range(30):
            shift.case(f"{day}-{n}", 0.7, ended="ticket_resolved")
        shift.after(hours=24 - 7.5)
    assert price(shift.state, shift.now, terms) >= 0.66
    assert kinds(shift.case("early", 0.64)) == []
    assert kinds(shift.case("grave", 0.9)) == ["ComplaintFlagged"]
    shift.after(hours=7.9)
    assert "early" in shift.open(), "as the shift ends, the price comes down to the least"


def test_a_shift_without_any_event_is_learnt_as_one_that_brings_nothing() -> None:
    terms = Terms(capacity=100, shifts=(480, 960, 0))
    shift = Shift(terms)
    for day in range(12):  # 30 cases on each fourth day, and nothing between
        shift.now = START + timedelta(days=day)
        for n in range(30 if day % 4 == 0 else 0):
            shift.case(f"{day}-{n}", 0.7)
            shift.case(f"{day}-{n}", 0.7, ended="ticket_resolved")
    shift.now = START + timedelta(days=12)
    shift.case("one", 0.7)
    first = terms.sort_of(START)
    assert shift.state.learned == {first: 12, terms.sort_of(START + timedelta(hours=8)): 12, "0": 12}
    assert 3 < sum(shift.state.typical[first]) < 9 and sum(shift.state.typical["0"]) == 0


def test_after_a_long_rest_no_more_shifts_are_gone_through_than_matter() -> None:
    terms = Terms(capacity=100, shifts=(480, 960, 0))
    shift = Shift(terms)
    shift.case("a", 0.7)
    shift.case("a", 0.7, ended="ticket_resolved")
    shift.now += timedelta(days=3650)
    shift.case("b", 0.7)
    first = terms.sort_of(START)
    assert shift.state.learned[first] == 22 and sum(shift.state.typical[first]) < 0.01


def test_whoever_is_held_out_does_not_raise_the_price() -> None:
    terms = Terms(capacity=4, shifts=(0,), holdout=0.5)
    shift = Shift(terms)
    shift.after(days=1)
    shift.state = replace(shift.state, shift=terms.shift_of(shift.now)[0], typical={"0": (0.0,) * 50})
    for n in range(32):
        shift.case(f"{n}", 0.8)
        name = shift.open().get(f"{n}")
        if name and not shift.state.flags[name].held_out:
            shift.case(f"{n}", 0.8, ended="ticket_resolved")
    assert not shift.state.unstarted and len(shift.state.flags) > 4, "all that is open is held out"
    assert price(shift.state, shift.now, terms) == terms.least
    assert kinds(shift.case("mild", 0.61)) == ["ComplaintFlagged"]


def test_whoever_is_held_out_takes_no_place_is_not_seen_and_is_never_among_the_gravest() -> None:
    shift = Shift(Terms(capacity=1000, holdout=0.3))
    for n in range(400):
        shift.case(str(n), 0.6 + 0.25 * n / 400)
    for n in range(100):
        shift.case(f"g{n}", 0.9)
    flags = list(shift.state.flags.values())
    arms = Counter(f.arm for f in flags)
    assert arms[""] == 100 and 80 < arms["held_out"] < 160
    assert all(f.case.risk < 0.85 for f in flags if f.held_out)
    out = next(f for f in flags if f.held_out)
    assert [f.code for f in shift.claim(out.follow_up_id) if isinstance(f, tasks.CommandAnswered)] == ["missing"]
    assert kinds(shift.case(out.case.case_id, 0.95)) == ["FollowUpClosed", "ComplaintFlagged"]
    assert shift.state.flags[shift.open()[out.case.case_id]].arm == ""
    facts = shift.after(hours=3)
    assert sum(isinstance(f, tasks.FollowUpClosed) and f.outcome == "held_out" for f in facts) == arms["held_out"] - 1
    assert not [f for f in facts if isinstance(f, tasks.FollowUpReminded) and f.follow_up_id == out.follow_up_id]


def test_a_case_that_gave_way_and_is_flagged_again_stays_in_its_arm() -> None:
    shift = Shift(Terms(capacity=20, holdout=0.5))
    while sum(shift.state.unstarted.values()) < 20:
        shift.case(f"{len(shift.state.flags)}", 0.62)
    for n in range(20):  # each takes the place of one who was treated
        shift.case(f"grave{n}", 0.9)
    for n in range(20):
        shift.case(f"grave{n}", 0.9, ended="ticket_resolved")
    told: dict[str, list[str]] = {}
    for f in shift.facts:
        if isinstance(f, tasks.ComplaintFlagged):
            told.setdefault(f.case_id, []).append(f.arm)
    again = [arms for arms in told.values() if len(arms) > 1]
    assert len(again) == 20 and all(set(arms) == {"treated"} for arms in again)


Step = st.one_of(
    st.tuples(st.just("case"), st.integers(0, 14), st.floats(0.3, 1.0), st.sampled_from(["", "vip", "en"])),
    st.tuples(st.just("end"), st.integers(0, 14)),
    st.tuples(st.just("claim"), st.integers(0, 9)),
    st.tuples(st.just("close"), st.integers(0, 9)),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.integers(1, 600)),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(Step, max_size=60),
    st.integers(0, 5),
    st.sampled_from([{}, {"vip": 1}, {"vip": 2, "en": 1}]),
    st.booleans(),
)
def test_whatever_happens(steps, capacity: int, floors: dict[str, int], trial: bool) -> None:
    capacity = max(capacity, sum(floors.values()))
    terms = Terms(capacity=capacity, shifts=(480, 960, 0), floors=floors, keep=8, holdout=0.3 * trial)
    shift = Shift(terms)
    flagged: dict[str, tasks.ComplaintFlagged] = {}
    over: set[str] = set()
    claimed: set[str] = set()

    def check(facts: list[tasks.TeamFact]) -> None:
        for fact in facts:
            match fact:
                case tasks.ComplaintFlagged():
                    assert fact.follow_up_id not in flagged, "flagged twice"
                    flagged[fact.follow_up_id] = fact
                    open_now = [f.customer_id for k, f in flagged.items() if k not in over]
                    assert open_now.count(fact.customer_id) == 1, "two follow-ups of one customer"
                    assert fact.risk >= terms.least
                case tasks.FollowUpClaimed():
                    claimed.add(fact.follow_up_id)
                case tasks.FollowUpReleased():
                    claimed.remove(fact.follow_up_id)
                case tasks.FollowUpClosed():
                    assert fact.follow_up_id in flagged and fact.follow_up_id not in over, "lost or closed twice"
                    over.add(fact.follow_up_id)
                    if fact.result == "displaced":
                        assert fact.follow_up_id not in claimed, "displaced, though somebody was at it"

    for step in steps:
        match step:
            case ("case", n, risk, group):
                facts = shift.case(f"{n}", risk, group)
            case ("end", n):
                facts = shift.case(f"{n}", 0.7, ended="mood_recovered")
            case ("claim", n):
                facts = shift.claim(sorted(flagged)[n]) if n < len(flagged) else []
            case ("release", n):
                facts = shift.release(sorted(flagged)[n]) if n < len(flagged) else []
            case ("close", n):
                facts = shift.close(sorted(flagged)[n]) if n < len(flagged) else []
            case ("wait", n):
                facts = shift.after(minutes=n)
        check(facts)
        state = shift.state
        assert {k for k in flagged if k not in over} == set(state.flags), "the facts tell what is open"
        unstarted = [f for f in state.flags.values() if not f.started and not f.held_out]
        assert sum(state.started.values()) + len(unstarted) <= capacity
        have = Counter(state.started) + Counter(f.case.group for f in unstarted)
        for group, floor in floors.items():
            starving = any(c.group == group for c in state.waiting.values())
            assert not starving or have[group] >= floor, f"{group} is starved"
        assert len(state.waiting) <= terms.keep + sum(floors.values())
        assert Counter(f.case.group for f in unstarted) == Counter(state.unstarted)
        assert {f.case.case_id: k for k, f in state.flags.items()} == state.cases
        assert choose(state, shift.now, terms) == type(choose(state, shift.now, terms))(), "nothing is left to change"
        assert msgspec.json.decode(msgspec.json.encode(state), type=Team) == state


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.6, 1.0), min_size=1, max_size=40), st.integers(1, 8))
def test_while_nobody_begins_the_list_is_the_best_there_is(risks: list[float], capacity: int) -> None:
    shift = Shift(Terms(capacity=capacity, margin=0.0))
    for n, risk in enumerate(risks):
        shift.case(str(n), risk)
    best = sorted(risks, reverse=True)[:capacity]
    assert math.isclose(sum(f.case.risk for f in shift.state.flags.values()), sum(best))


def test_shifts_begin_when_the_policy_says() -> None:
    terms = Terms(shifts=(480, 1200))
    assert terms.shift_of(START) == (START, START + timedelta(hours=12))
    assert terms.shift_of(START - timedelta(minutes=1)) == (START - timedelta(hours=12), START)
    with pytest.raises(ValueError, match="empty"):
        Terms(shifts=()).shift_of(START)
