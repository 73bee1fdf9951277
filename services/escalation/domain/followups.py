"""A team's decisions: which cases are followed up, and what becomes of the follow-ups."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from services.escalation.domain import tasks
from services.escalation.domain.budget import Chosen, choose, counted, next_shift, price, trimmed
from services.escalation.domain.tasks import (
    CaseChanged,
    ClaimRequested,
    CloseRequested,
    ReleaseRequested,
    TeamEvent,
    TeamFact,
)
from services.escalation.domain.team import Arm, Case, Flag, Team, Terms

NAMESPACE: Final = UUID("0f7f5a9c-6a0e-5d0b-8c56-0a1f0d3c9b11")
REMEMBERED: Final = timedelta(hours=48)
"""How long a case that is over is remembered: what its customer's owner said of it before it knew may still be under way."""
MOST_REMEMBERED: Final = 5000
LOOK_AGAIN: Final = timedelta(minutes=10)
"""The price falls as the shift goes by: while cases wait, it is looked at this often."""
HELD_OUT: Final = "held_out"
"""The outcome of a follow-up that nobody was to see, when its time is over."""

Decision = tuple[Team, tuple[TeamFact, ...]]


def decide(state: Team, event: TeamEvent, now: datetime, terms: Terms) -> Decision:
    """The state after the event, and what was decided. What fell due before now is said first, tick or no tick."""
    state, facts = _by_the_clock(state, now, terms)
    at = now
    if isinstance(event, CaseChanged):
        state, more = _case(state, event, now, terms)
        at = event.at
    elif isinstance(event, ClaimRequested):
        state, more = _claim(state, event, now, terms)
    elif isinstance(event, ReleaseRequested):
        state, more = _release(state, event, now, terms)
    else:
        state, more = _close_by_request(state, event, now, terms)
    state, chosen = _rebalanced(state, at, now, terms, any(not isinstance(f, tasks.CommandAnswered) for f in more))
    return state, (*facts, *more, *chosen)


def tick(state: Team, now: datetime, terms: Terms) -> Decision:
    """What time alone brings: reminders, what falls due, a new shift, a lower price."""
    state, facts = _by_the_clock(state, now, terms)
    state, chosen = _rebalanced(state, now, now, terms)
    return state, (*facts, *chosen)


def due(state: Team, terms: Terms) -> datetime | None:
    """When the next tick has something to do; None for never."""
    moments = [state.wake] if state.wake is not None else []
    if state.shift is not None and (state.waiting or state.flags):
        _, end = terms.shift_of(state.shift)
        moments.append(end)
        if state.waiting and state.looked_at is not None:
            moments.append(min(end, state.looked_at + LOOK_AGAIN))
    return min(moments, default=None)


def _by_the_clock(state: Team, now: datetime, terms: Terms) -> Decision:
    facts: list[TeamFact] = []
    if state.wake is not None and now >= state.wake:
        for flag in sorted(state.flags.values(), key=lambda f: (f.due_at, f.follow_up_id)):
            late, said = _late(flag, now, terms, state.team)
            facts += said
            if late is None:
                state = replace(state.drop(flag), closed={**state.closed, flag.case.case_id: now})
            elif late is not flag:
                state = state.put(late, state.wake or now)
        state = replace(state, wake=min((m for f in state.flags.values() if (m := _next_word(f, terms))), default=None))
    start, _ = terms.shift_of(now)
    if state.shift != start:
        state = next_shift(state, start, terms)
        kept = sorted((k for k in state.closed.items() if k[1] > now - REMEMBERED), key=lambda k: (k[1], k[0]))
        state = replace(state, closed=dict(kept[-MOST_REMEMBERED:]))
    return state, tuple(facts)


def _next_word(flag: Flag, terms: Terms) -> datetime | None:
    """When a follow-up has something to say by the clock; None for never."""
    if flag.held_out:
        return flag.due_at
    if not flag.overdue:
        return flag.due_at if flag.reminded else flag.due_at - terms.remind_before
    return None if flag.overflowed else flag.due_at + terms.overflow_after


def _late(flag: Flag, now: datetime, terms: Terms, team: str) -> tuple[Flag | None, list[TeamFact]]:
    """A follow-up by the clock, and what is said of it; None where it is over."""
    who = flag.follow_up_id, flag.case.customer_id
    said: list[TeamFact] = []
    if flag.held_out:
        # Its time is over like anybody's; nobody was to see it, so nobody is reminded.
        return (flag, said) if now < flag.due_at else (None, [_closed(flag, HELD_OUT, "overtaken", now, team)])
    if not flag.reminded and now >= flag.due_at - terms.remind_before:
        flag = replace(flag, reminded=True)
        said.append(tasks.FollowUpReminded(*who, team, flag.owner, flag.due_at, now))
    if not flag.overdue and now >= flag.due_at:
        flag = replace(flag, overdue=True)
        said.append(tasks.FollowUpOverdue(*who, flag.touchpoint, flag.due_at))
    if not flag.overflowed and now >= flag.due_at + terms.overflow_after:
        flag = replace(flag, overflowed=True)
        said.append(tasks.FollowUpOverflowed(*who, team, terms.supervisor, now))
    return flag, said


def _case(state: Team, event: CaseChanged, now: datetime, terms: Terms) -> Decision:
    if event.case_id in state.closed:
        return state, ()
    name = state.cases.get(event.case_id)
    flag = state.flags[name] if name else None
    waiting = dict(state.waiting)
    known = waiting.pop(event.case_id, None) or (flag.case if flag else None)
    if event.ended:
        state = replace(state, waiting=waiting, closed={**state.closed, event.case_id: now})
        if flag is None:
            return state, ()
        return state.drop(flag), (_closed(flag, event.ended, "overtaken", now, state.team),)
    case = Case(
        event.case_id,
        event.customer_id,
        known.group if known else event.group,  # a floor's count would not follow a change
        event.contact_id,
        event.touchpoint,
        event.risk,
        event.reasons,
        event.at,
        event.cause,
        known.bin if known else -1,
    )
    if case.risk >= terms.least:
        state, case = counted(state, case)
    if flag is not None:
        flag = replace(flag, case=case)
        if flag.held_out and case.risk >= terms.gravest:
            state, fact = _back(state, flag, now, "released")  # the gravest are always seen
            return state, (fact,)
        return _put(state, flag, terms), ()
    if case.risk >= terms.least:
        waiting[case.case_id] = case
    return trimmed(replace(state, waiting=waiting), terms), ()


def _rebalanced(state: Team, at: datetime, now: datetime, terms: Terms, spent: bool = False) -> Decision:
    """The best list for the budget, from what is known now; `at` is the event time of what changed it.

    spent: whether what is left of the budget has changed before.
    """
    facts: list[TeamFact] = []
    # Who is held out takes no place, so that there may be room for another: until nothing changes any more.
    while (chosen := choose(state, now, terms)).flag or chosen.back:
        state, said = _applied(state, chosen, at, now, terms)
        facts += said
    least = price(state, now, terms)
    state = trimmed(state, terms)
    if state.waiting and (state.looked_at is None or now >= state.looked_at + LOOK_AGAIN):
        state = replace(state, looked_at=now)
    if facts or spent or least != state.threshold:
        state = replace(state, threshold=least)
        facts.append(_moved(state, now, least, terms))
    return state, tuple(facts)


def _applied(state: Team, chosen: Chosen, at: datetime, now: datetime, terms: Terms) -> tuple[Team, list[TeamFact]]:
    least = price(state, now, terms)
    facts: list[TeamFact] = []
    for flag in chosen.back:
        state, fact = _back(state, flag, now, "displaced")
        facts.append(fact)
    for case, gives_way in chosen.flag:
        follow_up_id = str(uuid5(NAMESPACE, f"{state.team}\0{state.raised}"))
        if gives_way is not None:
            state, fact = _back(state, gives_way, now, "displaced", follow_up_id)
            facts.append(fact)
        arm: Arm = "" if gives_way is not None else _drawn(state.team, case, terms)
        flag = Flag(follow_up_id, case, max(at, case.at), now + terms.due_in, arm=arm, flagged_for=case.touchpoint)
        waiting = {k: c for k, c in state.waiting.items() if k != case.case_id}
        state = replace(_put(state, flag, terms), waiting=waiting, raised=state.raised + 1)
        facts.append(_flagged(flag, state.team, least))
    return state, facts


def _drawn(team: str, case: Case, terms: Terms) -> Arm:
    """The arm that the lot gives it. The lot is the case's name, so that a case which is flagged again stays in the arm it is
    counted in, and a decision made again draws the same."""
    if not terms.holdout or case.risk >= terms.gravest:
        return ""
    lot = int.from_bytes(sha256(f"{team}\0{case.case_id}".encode()).digest()[:8]) / 2**64
    return "held_out" if lot < terms.holdout else "treated"


def _back(state: Team, flag: Flag, now: datetime, outcome: str, by: str = "") -> tuple[Team, TeamFact]:
    """Back among those that wait."""
    state = replace(state.drop(flag), waiting={**state.waiting, flag.case.case_id: flag.case})
    return state, _closed(flag, outcome, "displaced", now, state.team, by=by)


def _flagged(flag: Flag, team: str, threshold: float) -> tasks.ComplaintFlagged:
    c = flag.case
    return tasks.ComplaintFlagged(
        flag.follow_up_id,
        c.customer_id,
        c.contact_id,
        c.touchpoint,
        c.risk,
        c.reasons,
        flag.flagged_at,
        flag.due_at,
        c.cause,
        team,
        c.case_id,
        c.group,
        threshold,
        flag.arm,
    )


def _closed(
    flag: Flag, outcome: str, result: tasks.Result, now: datetime, team: str, *, owner: str = "", by: str = ""
) -> tasks.FollowUpClosed:
    c = flag.case
    return tasks.FollowUpClosed(
        flag.follow_up_id,
        c.customer_id,
        flag.touchpoint,
        outcome,
        now,
        result,
        team,
        c.case_id,
        owner or flag.owner,
        by,
    )


def _moved(state: Team, now: datetime, least: float, terms: Terms) -> tasks.ThresholdMoved:
    seen = [f for f in state.flags.values() if not f.held_out]
    started = sum(state.started.values())
    return tasks.ThresholdMoved(state.team, now, least, terms.capacity, started, len(seen), len(state.waiting))


def _claim(state: Team, event: ClaimRequested, now: datetime, terms: Terms) -> Decision:
    flag = state.flags.get(event.follow_up_id)
    if flag is None or flag.held_out:
        return state, _answer(event, "missing", now)
    if flag.started and not (flag.overflowed and flag.owner != event.owner):
        # The same person again is told yes: perhaps the first answer was lost.
        return state, _answer(event, "" if flag.owner == event.owner else "claimed", now)
    begun = replace(flag, owner=event.owner, claimed_at=now)
    # What went to the supervisor is taken over, and has been begun before.
    state = _put(state, begun, terms) if flag.started else _begun(state, begun, terms)
    fact = tasks.FollowUpClaimed(flag.follow_up_id, flag.case.customer_id, state.team, event.owner, now)
    return state, (fact, *_answer(event, "", now))


def _release(state: Team, event: ReleaseRequested, now: datetime, terms: Terms) -> Decision:
    """Back to where nobody had started it. Of this shift's budget it takes a place again as one that may give way."""
    flag = state.flags.get(event.follow_up_id)
    if flag is None or flag.held_out:
        return state, _answer(event, "missing", now)
    if flag.claimed_at is None:
        return state, _answer(event, "", now)  # given back already: perhaps the first answer was lost
    if flag.owner != event.owner and not flag.overflowed:
        return state, _answer(event, "claimed", now)
    if (
        flag.counted_in is not None and flag.counted_in == state.shift
    ):  # what an earlier shift began was never counted in this one
        group = flag.case.group
        left = {**state.started, group: state.started.get(group, 0) - 1}
        state = replace(state, started={g: n for g, n in left.items() if n > 0})
    state = _put(state, replace(flag, owner="", claimed_at=None, counted_in=None), terms)
    fact = tasks.FollowUpReleased(flag.follow_up_id, flag.case.customer_id, state.team, flag.owner, now)
    return state, (fact, *_answer(event, "", now))


def _begun(state: Team, flag: Flag, terms: Terms) -> Team:
    group = flag.case.group
    started = {**state.started, group: state.started.get(group, 0) + 1}
    return replace(_put(state, replace(flag, counted_in=state.shift), terms), started=started)


def _put(state: Team, flag: Flag, terms: Terms) -> Team:
    return state.put(flag, _next_word(flag, terms) or flag.due_at + terms.overflow_after)


def _close_by_request(state: Team, event: CloseRequested, now: datetime, terms: Terms) -> Decision:
    flag = state.flags.get(event.follow_up_id)
    if flag is None or flag.held_out:
        return state, _answer(event, "missing", now)
    if flag.started and event.owner not in ("", flag.owner) and not flag.overflowed:
        return state, _answer(event, "claimed", now)  # else it would be told as this one's work
    if not flag.started:
        state = _begun(
            state, replace(flag, claimed_at=now), terms
        )  # it was done without being claimed: the shift's budget is spent all the same
    result: tasks.Result = "failed" if event.failed else "done"
    state = replace(state.drop(flag), closed={**state.closed, flag.case.case_id: now})
    fact = _closed(flag, event.outcome, result, now, state.team, owner=event.owner)
    return state, (fact, *_answer(event, "", now))


def _answer(event: tasks.Command, code: tasks.Refused, now: datetime) -> tuple[TeamFact, ...]:
    return (tasks.CommandAnswered(event.source, event.event_id, code, now),)
