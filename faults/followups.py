"""A team under harm with more to follow up than it can: cases give way, people claim and close, and some ask twice or too late.

What must hold whatever the order in which a team hears of cases and of people: a follow-up that somebody has started is never
displaced, is theirs alone, and ends once, as they said; no more are started than the shift has; and as many are open at the end
as the budget has room for and there are customers who need it.
"""

from collections import defaultdict
from random import Random
from typing import Any

from touchline.escalation.v1 import escalation_pb2

from faults.complaints import ANGRY, CALM, TEAMS, evidence, sort_of, sound
from faults.kafka import Letter
from faults.real import Service, letter

OWNERS = ("li", "wang")


async def at_work(service: Service, rng: Random, asked: dict[str, str]) -> list[Letter]:
    """What people ask of some follow-ups that they see now, each in the order of one desk; `asked`: who was first, by follow-up."""
    ledger = (await service.findings()).ledger
    over = {e.message.follow_up_id for e in ledger.facts.get("FollowUpClosed", ())}
    made: list[Letter] = []
    for flag in (e.message for e in ledger.facts.get("ComplaintFlagged", ())):
        name = flag.follow_up_id
        if name in asked or name in over or rng.random() < 0.6:
            continue
        first, rival = rng.sample(OWNERS, 2)
        asked[name] = first
        claims = [_claim(service, name, owner) for owner in (first, rival)]
        ends = [_close(service, name, owner, failed=rng.random() < 0.3) for owner in (rival, first)]
        for command in (*claims, *ends):
            # Whoever gets no answer asks again, under the same name.
            made += [command] * rng.choice((1, 1, 2))
    return made


def _claim(service: Service, follow_up: str, owner: str) -> Letter:
    said = escalation_pb2.FollowUpClaimRequested(follow_up_id=follow_up, owner=owner, team=service.prefix)
    return letter(said, service.prefix, f"{follow_up}-claim-{owner}", topic=TEAMS)


def _close(service: Service, follow_up: str, owner: str, *, failed: bool) -> Letter:
    said = escalation_pb2.FollowUpCloseRequested(
        follow_up_id=follow_up, owner=owner, team=service.prefix, outcome="tried", failed=failed
    )
    return letter(said, service.prefix, f"{follow_up}-close-{owner}", topic=TEAMS)


async def judged(service: Service, asked: dict[str, str]) -> list[str]:
    """Everything that is wrong, in words."""
    customers, found = await evidence(service)
    facts = found.ledger.facts
    wrong = sound(service, found)
    flags = {e.message.follow_up_id: e.message for e in facts.get("ComplaintFlagged", ())}
    claims: dict[str, list[str]] = defaultdict(list)
    for claim in facts.get("FollowUpClaimed", ()):
        claims[claim.message.follow_up_id].append(claim.message.owner)
    ends: dict[str, list[Any]] = defaultdict(list)
    for end in facts.get("FollowUpClosed", ()):
        ends[end.message.follow_up_id].append(end.message)
    for name, owners in claims.items():
        if owners != [asked.get(name)]:
            wrong.append(f"{name}: started by {owners}, and {asked.get(name)} had asked first")
        if [e.owner for e in ends[name]] != owners[:1]:
            wrong.append(f"{name}: started by {owners[0]}, and ended by {[e.owner for e in ends[name]]}")
        if any(e.result == escalation_pb2.RESULT_DISPLACED for e in ends[name]):
            wrong.append(f"{name}: displaced, although {owners[0]} had started it")
    for name, over in ends.items():
        if len(over) > 1:
            wrong.append(f"{name}: closed {len(over)} times")
        wrong += [
            f"{name}: gave way to {e.displaced_by}, which there is not"
            for e in over
            if e.displaced_by and e.displaced_by not in flags
        ]
        if name not in claims and any(e.result in _SEEN_TO for e in over):
            wrong.append(f"{name}: seen to by nobody")
    wrong += [f"{f.customer_id}: is calm, and flagged" for f in flags.values() if sort_of(f.customer_id) == CALM]
    if len(claims) > service.capacity:
        wrong.append(f"{len(claims)} started, of {service.capacity}")
    done = {flags[name].customer_id for name, over in ends.items() if any(e.result in _SEEN_TO for e in over)}
    angry = {c for c in customers if sort_of(c) == ANGRY}
    open_now = {f.customer_id for name, f in flags.items() if name not in ends}
    # Whoever was seen to may need it again, for what they had yet to say.
    least, most = (min(service.capacity - len(claims), len(who)) for who in (angry - done, angry))
    if not least <= len(open_now) <= most or not angry >= open_now:
        wrong.append(f"{len(open_now)} are open, expected {least} to {most} of {len(angry)} who are angry")
    displaced = sum(e.result == escalation_pb2.RESULT_DISPLACED for over in ends.values() for e in over)
    service.bed.tell(
        f"{len(service.sent)} events sent, {len(flags)} flags, {len(claims)} started, {displaced} displaced"
    )
    return wrong


_SEEN_TO = (escalation_pb2.RESULT_DONE, escalation_pb2.RESULT_FAILED)
