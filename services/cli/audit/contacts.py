"""Contacts through the day, from what the router decided: each is always in exactly one place, and nothing is done twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from touchline.router.v1 import events_pb2

from services.cli.audit.ledger import Ledger
from services.cli.audit.report import Check, Findings
from services.cli.audit.wire import MINUTE, Event, iso, micros

BOT, QUEUED, PROMISED, IN_SERVICE, BY_BOT, BY_HUMAN, ABANDONED = STATES = (
    "bot", "queued", "promised", "in_service", "served_by_bot", "served_by_human", "abandoned",
)  # fmt: skip
OUTCOMES = {
    events_pb2.OUTCOME_BOT: BY_BOT,
    events_pb2.OUTCOME_HUMAN: BY_HUMAN,
    events_pb2.OUTCOME_ABANDONED: ABANDONED,
}
DECISIONS = (
    "ContactTriaged", "ContactOffered", "OfferReturned", "ContactAccepted", "ContactMoved", "DebtIncurred", "DebtCalled",
    "ContactClosed",
)  # fmt: skip
_LAST = 1 << 62


class Step(NamedTuple):
    """One decision about a contact, in the order in which they must have been made.

    token and rank order what was decided at the same moment; triage has none and comes first, an end comes last.
    """

    time: int
    token: int
    rank: int
    event: Event


def steps(ledger: Ledger) -> dict[str, list[Step]]:
    """Every contact's decisions, in order."""
    found: dict[str, list[Step]] = defaultdict(list)
    for kind in DECISIONS:
        for event in ledger.facts.get(kind, ()):
            found[event.message.contact_id].append(_step(kind, event))
    for mine in found.values():
        mine.sort(key=lambda s: s[:3])
    return found


def _step(kind: str, event: Event) -> Step:
    fact = event.message
    match kind:
        case "ContactTriaged":
            return Step(micros(fact.decided_at), -1, bool(fact.inputs.handover), event)
        case "ContactOffered":
            return Step(micros(fact.offered_at), fact.token, 0, event)
        case "ContactAccepted":
            return Step(micros(fact.accepted_at), fact.token, 1, event)
        case "OfferReturned":
            return Step(micros(fact.returned_at), fact.token, 1, event)
        case "ContactMoved":
            return Step(micros(fact.moved_at), fact.token, 2, event)
        case "DebtIncurred" | "DebtCalled":
            return Step(micros(fact.at), 0, kind == "DebtCalled", event)
        case _:
            return Step(micros(fact.closed_at), _LAST, 0, event)


@dataclass
class Course:
    """How one contact went. moves: (time, place it moved to), in order; wrong: what should never have happened."""

    contact_id: str
    moves: list[tuple[int, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    state: str = ""
    pool: str = ""
    seat: str = ""
    token: int = 0
    offered: bool = False
    promised: bool = False
    """A human was promised: hanging up doesn't end it."""

    def to(self, time: int, state: str) -> None:
        """Moves to another place."""
        self.state = state
        self.moves.append((time, state))


def follow(contact_id: str, mine: list[Step]) -> Course:
    """Walks a contact's decisions through the places that are allowed."""
    course = Course(contact_id)
    for step in mine:
        if course.state in (BY_BOT, BY_HUMAN, ABANDONED):
            what = "closed twice" if step.event.kind == "ContactClosed" else f"{step.event.kind} after it was closed"
            course.wrong.append(what)
            continue
        _WALK[step.event.kind](course, step)
    return course


def _triaged(course: Course, step: Step) -> None:
    fact = step.event.message
    if course.state == "" or (course.state == BOT and fact.inputs.handover and fact.pool != BOT):
        course.pool = fact.pool
        course.to(step.time, BOT if fact.pool == BOT else QUEUED)
    else:
        course.wrong.append(f"triaged again while {course.state}")


def _offered(course: Course, step: Step) -> None:
    fact = step.event.message
    if course.state != QUEUED or course.offered:
        course.wrong.append(
            f"offered to {fact.seat_id} while {'offered' if course.offered else course.state or 'unknown'}"
        )
        return
    if fact.pool != course.pool:
        course.wrong.append(f"offered by pool {fact.pool}, but triaged to {course.pool}")
    course.offered, course.seat, course.token = True, fact.seat_id, fact.token


def _returned(course: Course, step: Step) -> None:
    fact = step.event.message
    if course.offered and (course.seat, course.token) == (fact.seat_id, fact.token):
        course.offered = False
    else:
        course.wrong.append(f"offer {fact.token} returned by {fact.seat_id}, who did not have it")


def _accepted(course: Course, step: Step) -> None:
    fact = step.event.message
    if course.state == IN_SERVICE:
        course.wrong.append(f"accepted by {fact.seat_id} while {course.seat} serves it")
    elif not course.offered or (course.seat, course.token) != (fact.seat_id, fact.token):
        course.wrong.append(f"accepted by {fact.seat_id} with token {fact.token}, which was not on offer")
    if course.state in (QUEUED, IN_SERVICE):
        course.offered, course.seat, course.token = False, fact.seat_id, fact.token
        if course.state == QUEUED:
            course.to(step.time, IN_SERVICE)


def _moved(course: Course, step: Step) -> None:
    fact = step.event.message
    if fact.pool != course.pool or course.state not in (QUEUED, IN_SERVICE) or course.offered:
        course.wrong.append(f"moved by pool {fact.pool} while {course.state or 'unknown'} with {course.pool}")
    course.pool, course.seat, course.token = fact.to_pool, "", 0
    if course.state == IN_SERVICE:
        course.to(step.time, QUEUED)


def _promised(course: Course, step: Step) -> None:
    course.promised = True
    if step.event.message.kind == "managed":
        if course.state != QUEUED or course.offered:
            course.wrong.append(f"promised a human while {course.state or 'unknown'}")
        course.to(step.time, PROMISED)


def _called(course: Course, step: Step) -> None:
    if course.state != PROMISED:
        course.wrong.append(f"called in while {course.state or 'unknown'}")
    course.to(step.time, QUEUED)


def _closed(course: Course, step: Step) -> None:
    fact = step.event.message
    outcome = OUTCOMES.get(fact.outcome, "")
    waited = (ABANDONED, BY_BOT) if course.promised else (ABANDONED,)
    places = {BOT: (BY_BOT, ABANDONED), QUEUED: waited, PROMISED: waited, IN_SERVICE: (BY_HUMAN,)}
    allowed = places.get(course.state, ())
    if outcome not in allowed:
        course.wrong.append(f"closed as {outcome or 'unknown'} while {course.state or 'unknown'}")
    elif fact.pool != course.pool:
        course.wrong.append(f"closed by pool {fact.pool}, but {course.pool} had it")
    elif course.state == IN_SERVICE and fact.seat_id != course.seat:
        course.wrong.append(f"closed by {fact.seat_id}, but {course.seat} serves it")
    course.offered = False
    course.to(step.time, outcome or ABANDONED)


_WALK = {
    "ContactTriaged": _triaged,
    "ContactOffered": _offered,
    "OfferReturned": _returned,
    "ContactAccepted": _accepted,
    "ContactMoved": _moved,
    "DebtIncurred": _promised,
    "DebtCalled": _called,
    "ContactClosed": _closed,
}


def courses(ledger: Ledger) -> dict[str, Course]:
    """Every contact's course."""
    return {contact_id: follow(contact_id, mine) for contact_id, mine in steps(ledger).items()}


def check_courses(ledger: Ledger, found: dict[str, Course]) -> Check:
    """Each requested contact was routed, and every decision about it was allowed where it stood; those that ended are closed."""
    findings = Findings()
    requested = {e.message.contact_id for e in ledger.sent.get("ContactRequested", ())}
    over = {e.message.contact_id for kind in ("ContactEnded", "ContactAbandoned") for e in ledger.sent.get(kind, ())}
    handed = {e.message.contact_id for e in ledger.sent.get("HandoverRequested", ())}
    right = 0
    for contact_id in sorted(requested):
        course = found.get(contact_id)
        wrong = list(course.wrong) if course else ["never routed"]
        ended = (BY_BOT, BY_HUMAN, ABANDONED)
        if course and contact_id in over and course.state not in ended and not course.promised:
            wrong.append(f"was ended or abandoned, but is still {course.state}")
        if course and contact_id in handed and course.state == BOT:
            wrong.append("was handed over, but is still with the bot")
        for what in wrong:
            findings.add(f"contact {contact_id}: {what}")
        right += not wrong
    for contact_id in sorted(found.keys() - requested):
        findings.add(f"contact {contact_id}: decided, but never requested")
    return findings.check("联系的去向", "contacts: each in one place, none lost", len(requested), right)


def check_minutes(ledger: Ledger, found: dict[str, Course]) -> Check:
    """Bot + queued + debts + in service + served + abandoned = requested, at the end of every minute.

    Two counts are held against each other and against the requests: where the contacts are, one by one, and the flow of
    decisions out of and into each place.
    """
    findings = Findings()
    flows: dict[int, Counter[str]] = defaultdict(Counter)
    places: dict[int, Counter[str]] = defaultdict(Counter)
    requested: dict[int, int] = defaultdict(int)
    for mine in steps(ledger).values():
        for minute, state, change in _flow(mine):
            flows[minute][state] += change
    wanted = {e.message.contact_id for e in ledger.sent.get("ContactRequested", ())}
    for course in found.values():
        if course.moves and course.contact_id in wanted:
            requested[course.moves[0][0] // MINUTE] += 1
        for time, state in course.moves:
            places[time // MINUTE][state] += 1
        for (_, left), (time, _) in pairwise(course.moves):
            places[time // MINUTE][left] -= 1
    known = sorted({*flows, *places, *requested})
    minutes = range(known[0], known[-1] + 1) if known else range(0)
    flow: Counter[str] = Counter()
    place: Counter[str] = Counter()
    total = held = 0
    for minute in minutes:
        total += requested.get(minute, 0)
        flow.update(flows.get(minute, {}))
        place.update(places.get(minute, {}))
        wrong = [
            f"{s}: {flow[s]} by the flow, {place[s]} by contact" for s in STATES if flow[s] != place[s] or flow[s] < 0
        ]
        if sum(place[s] for s in STATES) != total:
            wrong.append(f"requested {total}, in all places {sum(place[s] for s in STATES)}")
        for what in wrong:
            findings.add(f"{iso(minute * MINUTE)} {what}")
        held += not wrong
    note = ", ".join(f"{s} {place[s]:,}" for s in STATES)
    return findings.check("每分钟守恒", "conservation at every minute", len(minutes), held, note)


def _flow(mine: list[Step]) -> Iterator[tuple[int, str, int]]:
    """What each decision, taken at its word, moves out of a place and into another."""
    triaged = promised = False
    for step in mine:
        fact, minute = step.event.message, step.time // MINUTE
        match step.event.kind:
            case "ContactTriaged":
                if triaged and fact.inputs.handover:
                    yield minute, BOT, -1
                triaged = True
                yield minute, (BOT if fact.pool == BOT else QUEUED), 1
            case "ContactAccepted":
                yield minute, QUEUED, -1
                yield minute, IN_SERVICE, 1
            case "ContactMoved" if fact.seat_id:
                yield minute, IN_SERVICE, -1
                yield minute, QUEUED, 1
            case "DebtIncurred" if fact.kind == "managed":
                promised = True
                yield minute, QUEUED, -1
                yield minute, PROMISED, 1
            case "DebtCalled":
                promised = False
                yield minute, PROMISED, -1
                yield minute, QUEUED, 1
            case "ContactClosed":
                waited = PROMISED if promised else QUEUED
                yield minute, (BOT if fact.pool == BOT else IN_SERVICE if fact.seat_id else waited), -1
                yield minute, OUTCOMES.get(fact.outcome, ABANDONED), 1


def check_ends(ledger: Ledger, found: dict[str, Course]) -> Check:
    """What GetPool says now: who waits, is offered, is in service."""
    findings, right = Findings(), 0
    now: dict[str, Counter[str]] = defaultdict(Counter)
    for course in found.values():
        if course.state in (QUEUED, PROMISED, IN_SERVICE):
            now[course.pool]["offered" if course.offered else course.state] += 1
    for pool, answer in sorted(ledger.evidence.pools.items()):
        pairs = {
            QUEUED: (now[pool][QUEUED], len(answer.waiting)),
            "offered": (now[pool]["offered"], answer.offered),
            IN_SERVICE: (now[pool][IN_SERVICE], answer.in_service),
            PROMISED: (now[pool][PROMISED], answer.debts_held),
        }
        wrong = [f"pool {pool} {what}: expected {a}, got {b}" for what, (a, b) in pairs.items() if a != b]
        for what in wrong:
            findings.add(what)
        right += not wrong
    return findings.check("各池现况（gRPC）", "pools as they stand, gRPC", len(ledger.evidence.pools), right)
