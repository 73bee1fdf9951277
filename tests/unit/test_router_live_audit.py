"""The live audit, the policy that is read again, states from before, and every fact over the wire."""

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from services.router import counters, facts_out, store
from services.router.balance import Balance, places
from services.router.domain import assignment, events, explain, facts
from services.router.domain.draft import live, stored
from services.router.domain.policy import Terms
from services.router.domain.pool import Pool, imbalance, standing
from services.router.policybox import PolicyBox
from services.router.policyfile import DEFAULT
from services.runtime.errors import Misconfigured
from services.runtime.pipeline import Publish

T0 = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def pool_with(contacts: int, seats: int) -> Pool:
    state = live(Pool("care"))
    made: list[tuple[type[events.PoolEvent], dict[str, Any]]] = [
        (events.SeatSignedIn, {"seat_id": f"s{i}", "skills": {}, "capacity": 1}) for i in range(seats)
    ]
    made += [
        (events.ContactQueued, {"contact_id": f"k{i}", "customer_id": "c", "queued_at": T0}) for i in range(contacts)
    ]
    for i, (kind, more) in enumerate(made):
        event = kind(event_id=str(i), source="t", time=T0, pool="care", **more)
        state, _ = assignment.decide(state, event, T0, Terms())
    return state


def test_what_two_accounts_have_apart_counts_once_it_stays_apart() -> None:
    state = pool_with(4, 1)
    right = list(places(state))
    assert sorted(right)[0] == ("care", "k0", "offered") and len(right) == 4
    balance = Balance(lambda: T0, lambda: ("care", "quiet"))
    assert {labels["pool"]: n for n, labels in balance.imbalances()} == {"care": 0, "quiet": 0}
    balance.look([state], right)
    balance.look([state], right)
    assert balance.lost == {"care": 0}
    on_its_way = [*right, ("care", "k9", "queued")]
    balance.look([state], on_its_way)
    assert balance.lost == {"care": 0}, "it may be under way"
    balance.look([state], on_its_way)
    assert balance.lost == {"care": 1}
    balance.look([state], right[1:])
    balance.look([state], right[1:])
    assert balance.lost == {"care": 1}, "the pool has one of whom nobody knows"
    balance.look([state], right)
    assert balance.lost == {"care": 0}
    told = {(labels["pool"], labels["place"]): n for n, labels in balance.contacts()}
    assert told["care", "arrived"] == 4 == told["care", "queued"] + told["care", "offered"]


def test_a_state_that_lost_somebody_is_out_of_balance() -> None:
    state = stored(pool_with(4, 1))
    assert imbalance(state) == 0
    waiting = dict(state.waiting)
    waiting.pop("k3")
    lost = Pool(**{f.name: getattr(state, f.name) for f in fields(Pool)} | {"waiting": waiting})
    assert imbalance(lost) == 1
    balance = Balance(lambda: T0)
    balance.look([lost], places(lost))
    assert balance.lost == {"care": 1}


def test_a_state_from_before_is_taken_over() -> None:
    """As the version before wrote it: lines, no tally, no weights, needs in other words."""
    old = {
        "pool": "care",
        "terms": {"offer_timeout_s": 20, "ageing": 1.0, "hours": [0, 0], "capacity": 1, "languages": [], "max_misses": 3},
        "seats": {"s1": {"seat_id": "s1", "skills": {"refund": 2}, "capacity": 1, "languages": ["zh"], "state": "ready",
                         "idle_since": "2026-03-02T01:59:00Z", "holds": ["k1"], "misses": 0}},
        "waiting": {"k2": {"contact_id": "k2", "customer_id": "c2", "priority": 3, "skills": {"refund": 1}, "language": "zh",
                           "queued_at": "2026-03-02T01:59:30Z", "place": [1, 2, "k2"], "need": "zh|refund:1"}},
        "lines": {"zh|refund:1": ["k2"]},
        "offers": {},
        "serving": {"k1": {"contact_id": "k1", "customer_id": "c1", "seat_id": "s1", "token": 7, "waited_ms": 5}},
        "token": 7, "closed": ["k0"], "early": {},
    }  # fmt: skip
    state = msgspec.json.decode(json.dumps(old), type=Pool)
    assert standing(state)["arrived"] == 2 and imbalance(state) == 0 and assignment.due(state) is None
    done = events.ServiceFinished(
        event_id="1", source="t", time=T0, pool="care", seat_id="s1", contact_id="k1", token=7
    )
    state, made = assignment.decide(state, done, T0, Terms())
    assert [(f.contact_id, f.token) for f in made if isinstance(f, facts.ContactOffered)] == [("k2", 8)]
    assert imbalance(state) == 0 and standing(state)["human"] == 1
    again = msgspec.json.decode(msgspec.json.encode(stored(state)), type=Pool)
    assert again == state


def test_the_policy_is_read_again_and_a_wrong_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    text = DEFAULT.read_text("utf-8")
    path.write_text(text, "utf-8")
    box = PolicyBox(path)
    first = box.now
    box.look()
    assert box.now is first and not box.refused
    path.write_text(text + "\n[pools.new]\nageing = -3\n", "utf-8")
    box.look()
    assert box.now is first and f"line {len(text.splitlines()) + 3}: pools.new.ageing" in box.refused
    path.write_text(text.replace("min_stay_s = 600", "min_stay_s = 60"), "utf-8")
    box.look()
    assert box.now.version != first.version and not box.refused and box.now.terms("service").managed.min_stay_s == 60
    path.write_text("version = ", "utf-8")
    with pytest.raises(Misconfigured, match="ROUTER_POLICY"):
        PolicyBox(path)


def sample(kind: type[Any]) -> Any:
    """A fact with something in every field."""
    made: dict[str, Any] = {}
    for field in fields(kind):
        named = str(field.type)
        made[field.name] = (
            T0 + timedelta(seconds=len(made)) if named == "datetime"
            else {"busy": 2} if "Mapping" in named
            else True if named == "bool"
            else 3 if named == "int"
            else 2.5 if named == "float"
            else "call_back"
        )  # fmt: skip
    return kind(**made)


LATER = [*get_args(explain.explain_more.Later), facts.ContactLine, facts.TurnPassed, facts.ManagedModeEntered,
         facts.ManagedModeLeft, facts.SupervisorActed]  # fmt: skip


@pytest.mark.parametrize("kind", LATER, ids=lambda kind: kind.__name__)
def test_each_later_fact_is_published_kept_said_and_counted(kind: type[Any]) -> None:
    fact = sample(kind)
    (out,) = facts_out.from_fact(fact)
    assert isinstance(out, Publish)
    assert out.message.DESCRIPTOR.name == kind.__name__
    told = {field.name for field, _ in out.message.ListFields()}
    assert {field.name for field in fields(kind)} - {"touchpoint"} - told <= {"at"}, "nothing is left out on the wire"
    assert set().union(*(delta.counts for delta in counters.count(fact)), ()) <= set(counters.ROUTING.fields)
    if kind in get_args(explain.explain_more.Later):
        assert msgspec.json.decode(msgspec.json.encode(fact), type=store._KINDS[kind.__name__]) == fact
        said = explain.explain(fact)
        assert (
            said.zh and said.en and said.kind in ("told", "moved", "promised", "called", "paid", "released", "overdue")
        )


def test_what_would_have_made_it_shorter() -> None:
    def at(seconds: float) -> datetime:
        return T0 + timedelta(seconds=seconds)

    told = facts.WaitPredicted(contact_id="k", customer_id="c", pool="care", position=4, wait_s=60, high_s=90, at=T0,
                               seats={"busy": 3, "not_ready": 2, "skill:refund": 1})  # fmt: skip
    idle = facts.Candidate(seat_id="s9", eligible=False, why_not="skill:refund", idle_s=300)
    chosen = facts.Candidate(seat_id="s1", eligible=True, why_not="", idle_s=0)
    offered = facts.ContactOffered(contact_id="k", customer_id="c", pool="care", seat_id="s1", token=1, queued_at=T0,
                                   offered_at=at(50), expires_at=at(70), candidates=(chosen, idle), waiting=("k",))  # fmt: skip
    returned = facts.OfferReturned(contact_id="k", customer_id="c", pool="care", seat_id="s1", token=1, reason="timeout",
                                   returned_at=at(70))  # fmt: skip
    accepted = facts.ContactAccepted(contact_id="k", customer_id="c", pool="care", seat_id="s2", token=2, waited_ms=90_000,
                                     accepted_at=at(90))  # fmt: skip
    *_, last = explain.explain_all([told, offered, returned, accepted])
    assert last.kind == "shorter"
    for part in (
        "1 次派席没有接起（s1），共耽误 20 秒",
        "坐席 s9 空闲着但缺少技能 refund，否则可早 90 秒",
        "3 个坐席都在忙",
        "2 个坐席在小休",
        "前面有 3 人",
    ):
        assert part in last.zh, part
    for part in (
        "1 offers came to nothing (s1) and cost 20 s",
        "seat s9 was idle but lacked the skill refund: with it, 90 s",
    ):
        assert part in last.en, part
    assert explain.explain_all([accepted])[-1].kind == "accepted", "nothing is made up where nothing was recorded"
