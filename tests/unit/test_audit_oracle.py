"""The oracle passes a faultless day, and finds each fault that is seeded into it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.router.v1 import events_pb2 as router
from touchline.seat.v1 import events_pb2 as seat

from services.cli.audit import Evidence, Report, examine
from services.cli.audit.ledger import ALL_TOPICS, FURTHER_TOPICS
from services.cli.audit.triage import decide, matches
from services.cli.audit.wire import kinds
from services.runtime.topics import CATALOGUE, DEAD_LETTERS
from tests.unit.audit_day import a_day, again
from tests.unit.audit_world import POLICY, ROUTED, TOUCHPOINTS, Raw, World, at, type_of

Fault = Callable[[World], object]


def failed(report: Report) -> set[str]:
    return {check.name_en for check in report.checks if not check.ok}


def kind_of(raw: Raw) -> str:
    return dict(raw.headers).get("ce_type", b"..?").decode().split(".")[2]


def nth(world: World, topic: str, kind: str, n: int = 0) -> Raw:
    return [raw for raw in world.topics[topic] if kind_of(raw) == kind][n]


def drop(topic: str, kind: str, n: int = 0) -> Fault:
    """One record, and all its repeats, never was."""

    def fault(world: World) -> None:
        gone = dict(nth(world, topic, kind, n).headers)["ce_id"]
        world.topics[topic] = [raw for raw in world.topics[topic] if dict(raw.headers).get("ce_id") != gone]

    return fault


def double(topic: str, kind: str, n: int = 0) -> Fault:
    """One effect twice, under two ids."""

    def fault(world: World) -> None:
        raw = again(world, nth(world, topic, kind, n))
        raw.headers = [(k, b"another" if k == "ce_id" else v) for k, v in raw.headers]

    return fault


def change(topic: str, kind: str, n: int, edit: Callable[[Any], object]) -> Fault:
    """One record, and all its repeats, says something else."""

    def fault(world: World) -> None:
        raw = nth(world, topic, kind, n)
        message = kinds()[dict(raw.headers)["ce_type"].decode()].FromString(raw.value or b"")
        edit(message)
        for same in world.topics[topic]:
            if same.headers == raw.headers:
                same.value = message.SerializeToString()

    return fault


def swap(topic: str, kind: str, key: bytes) -> Fault:
    """Two records of one key in the wrong order."""

    def fault(world: World) -> None:
        firsts = {
            dict(r.headers)["ce_id"]: r for r in reversed(world.topics[topic]) if kind_of(r) == kind and r.key == key
        }
        one, other = sorted(firsts.values(), key=lambda r: r.offset)[:2]
        # A repeat of the later one would only hide the swap.
        ids = {dict(raw.headers)["ce_id"] for raw in (one, other)}
        others = [r for r in world.topics[topic] if dict(r.headers)["ce_id"] not in ids]
        world.topics[topic] = [*others, one, other]
        one.offset, other.offset = other.offset, one.offset

    return fault


def miscount(metric: str, name: str, by: int = 1) -> Fault:
    def fault(world: World) -> None:
        cell = next(c for c, counts in world.cells.items() if c[0] == metric and name in counts)
        world.cells[cell][name] += by

    return fault


def edit(what: Callable[[World], object]) -> Fault:
    return what


NPS, NPS_METRIC = "NPS by segment, gRPC", "NPS on metrics.nps"
STANDING = "survey answers standing on nps.changed"
SCORED, MOODS = "customer messages scored once", "sentiment counts by minute and touchpoint"
COURSES, MINUTES = "contacts: each in one place, none lost", "conservation at every minute"
POOLS, ROUTING = "pools as they stand, gRPC", "routing counts by minute and pool"
TRIAGE, TOKENS = "triage replayed from its inputs", "tokens rise in each pool"
CAPACITY, OFFERS = "no seat above its capacity", "offers replayed: seat and turn"
FLAGS, FOLLOWED = "flags: reasons, risk, due time", "follow-ups: one open, closed once"
PREVENTED = "what was prevented"
ASKED_FOR_HELP, REACHED, WAVES = "escalations", "outreach", "waves: one cause of many complaints"
LISTED, ESCALATED = "follow-ups listed, gRPC", "escalation counts by minute and touchpoint"
DEAD, ORDER, ONCE = "dead letters", "order per customer", "each effect has one fact"
CARRIED = "accepted events on the topics"

FAULTS: dict[str, tuple[Fault, set[str]]] = {
    # NPS
    "a figure is off by one": (edit(lambda w: setattr(w.figures.all, "promoters", 3)), {NPS}),
    "an interval is off": (edit(lambda w: setattr(w.figures.by["region"].values["华东"], "low", 0.0)), {NPS}),
    "a segment is missing": (edit(lambda w: w.figures.by["region"].values.pop("华北")), {NPS}),
    "a segment that nobody answered in": (edit(lambda w: setattr(w.figures.by["region"].values["火星"], "passives", 1)), {NPS}),
    "nps does not answer": (edit(lambda w: setattr(w, "figures", None)), {NPS}),
    "a metric of nps is off": (miscount("nps", "promoters"), {NPS_METRIC}),
    "an answer is not counted": (drop("nps.changed", "NpsChanged", 3), {STANDING}),
    "a change from what never stood": (change("nps.changed", "NpsChanged", 4, lambda m: setattr(m, "before", 5)), {STANDING}),
    "the earlier correction stands": (change("nps.changed", "NpsChanged", 4, lambda m: setattr(m, "after", 1)), {STANDING}),
    # Sentiment
    "a message is not scored": (drop("sentiment.scored", "MessageScored"), {SCORED, MOODS}),
    "a message is scored twice": (double("sentiment.scored", "MessageScored"), {SCORED, MOODS, ONCE}),
    "a score of nothing": (
        change("sentiment.scored", "MessageScored", 1, lambda m: setattr(m, "message_id", "never said")),
        {SCORED},
    ),
    "a score of another customer": (
        change("sentiment.scored", "MessageScored", 1, lambda m: setattr(m, "customer_id", "sun")),
        {SCORED},
    ),
    "a label is miscounted": (miscount("sentiment", "positive"), {MOODS}),
    "polarities don't add up": (miscount("sentiment", "polarity_milli", -3), {MOODS}),
    "scores in the wrong order": (swap("sentiment.scored", "MessageScored", b"li"), {ORDER}),
    # Contacts
    "a request is never routed": (drop(ROUTED, "ContactTriaged", 0), {COURSES, MINUTES, ROUTING}),
    "a contact is triaged twice": (double(ROUTED, "ContactTriaged", 1), {COURSES, MINUTES, ROUTING, ONCE}),
    "a handover is lost": (drop(ROUTED, "ContactTriaged", 5), {COURSES, MINUTES, ROUTING, POOLS}),
    "a contact is never closed": (drop(ROUTED, "ContactClosed", 0), {COURSES, ROUTING}),
    "a contact is closed twice": (double(ROUTED, "ContactClosed", 0), {COURSES, MINUTES, ROUTING, ONCE}),
    "closed by a seat that never had it": (
        change(ROUTED, "ContactClosed", 2, lambda m: setattr(m, "seat_id", "s2")),
        {COURSES},
    ),
    "a human's contact is told as the bot's": (
        change(ROUTED, "ContactClosed", 2, lambda m: setattr(m, "outcome", router.OUTCOME_BOT)),
        {COURSES, ROUTING},
    ),
    "an acceptance is lost": (drop(ROUTED, "ContactAccepted", 0), {COURSES, MINUTES, ROUTING}),
    "two seats accept one contact": (
        edit(lambda w: w.accept("qian", "k4", 110, "s1", 5)),
        {COURSES, MINUTES, ONCE},
    ),
    "accepted after it was closed": (edit(lambda w: w.accept("zhao", "k5", 60, "s1", 3)), {COURSES, MINUTES}),
    "accepted by another seat": (change(ROUTED, "ContactAccepted", 0, lambda m: setattr(m, "seat_id", "s1")), {COURSES}),
    "accepted with a stale token": (change(ROUTED, "ContactAccepted", 0, lambda m: setattr(m, "token", 1)), {COURSES}),
    "a minute is miscounted": (miscount("routing", "accepted"), {ROUTING}),
    "waits don't add up": (miscount("routing", "wait_ms_sum", 7), {ROUTING}),
    "a pool holds one too many": (edit(lambda w: setattr(w.pools["care"], "in_service", 2)), {POOLS}),
    "a pool has forgotten who waits": (edit(lambda w: w.pools["care"].ClearField("waiting")), {POOLS}),
    # The rule
    "another priority than the policy's": (
        change(ROUTED, "ContactTriaged", 2, lambda m: setattr(m, "priority", 9)),
        {TRIAGE},
    ),
    "another rule than the first that matches": (
        change(ROUTED, "ContactTriaged", 1, lambda m: setattr(m, "rule", "closed")),
        {TRIAGE},
    ),
    "an input that the request did not say": (
        change(ROUTED, "ContactTriaged", 1, lambda m: setattr(m.inputs, "tier", "vip")),
        {TRIAGE},
    ),
    "a mood that was not known": (change(ROUTED, "ContactTriaged", 3, lambda m: m.inputs.ClearField("mood")), {TRIAGE}),
    "the policy was another": (edit(lambda w: w.policy.update(version="2")), {TRIAGE}),
    "a token is given twice": (change(ROUTED, "ContactOffered", 3, lambda m: setattr(m, "token", 3)), {TOKENS}),
    "tokens fall": (change(ROUTED, "ContactOffered", 0, lambda m: setattr(m, "token", 9)), {TOKENS}),
    "a seat above its capacity": (
        edit(lambda w: w.offer("sun", "k6", 251, "s2", 6) and w.offer("sun", "k6", 252, "s2", 7) and w.offer("sun", "k6", 253, "s2", 8)),
        {CAPACITY},
    ),
    "a seat that never signed in": (edit(lambda w: w.offer("sun", "k6", 251, "s9", 6)), {CAPACITY}),
    "not the seat that is idle longest": (
        change(ROUTED, "ContactOffered", 0, lambda m: setattr(m.candidates[1], "idle_s", 60)),
        {OFFERS},
    ),
    "a seat that was not eligible": (
        change(ROUTED, "ContactOffered", 0, lambda m: setattr(m.candidates[0], "eligible", False)),
        {OFFERS},
    ),
    "out of turn": (
        # s1 has the skill that k3 needs, and k3's priority puts it first.
        edit(lambda w: (change(ROUTED, "ContactTriaged", 2, lambda m: setattr(m, "priority", 9))(w),
                        change("pool.events", "ContactQueued", 1, lambda m: setattr(m, "priority", 9))(w),
                        change(ROUTED, "ContactOffered", 2, lambda m: m.waiting.reverse())(w))),
        {OFFERS},
    ),
    "the queue in the wrong order": (change(ROUTED, "ContactOffered", 2, lambda m: m.waiting.reverse()), {OFFERS}),
    "offered from outside the queue": (change(ROUTED, "ContactOffered", 2, lambda m: m.ClearField("waiting")), {OFFERS}),
    # Flags
    "reasons don't add up": (
        change("escalation.flagged", "ComplaintFlagged", 0, lambda m: setattr(m.reasons[1], "weight", 0.2)),
        {FLAGS},
    ),
    "a weight above 1": (
        change("escalation.flagged", "ComplaintFlagged", 0, lambda m: setattr(m.reasons[0], "weight", 1.4)),
        {FLAGS},
    ),
    "due before it was flagged": (
        change("escalation.flagged", "ComplaintFlagged", 0, lambda m: m.due_at.CopyFrom(at(499))),
        {FLAGS, LISTED},
    ),
    "two open at a time": (drop("escalation.flagged", "FollowUpClosed"), {FOLLOWED, LISTED}),
    "closed before it was flagged": (
        edit(lambda w: w.topics["escalation.flagged"].sort(key=kind_of, reverse=True) or _renumber(w.topics["escalation.flagged"])),
        {FOLLOWED},
    ),
    "overdue, but closed in time": (
        edit(lambda w: w.fact("escalation.flagged", escalation.FollowUpOverdue(follow_up_id="u1", customer_id="wang", due_at=at(800)), "wang", 800, None)),
        {FOLLOWED, LISTED},
    ),
    "a follow-up is not listed": (edit(lambda w: w.follow_ups.pop()), {LISTED}),
    "a follow-up without a flag": (drop("escalation.flagged", "ComplaintFlagged", 1), {LISTED, FOLLOWED}),
    "a follow-up still open": (edit(lambda w: w.follow_ups[0].ClearField("closed_at")), {LISTED}),
    "an escalation is not told": (drop("escalation.flagged", "ComplaintEscalated"), {ASKED_FOR_HELP}),
    "an escalation is told twice": (double("escalation.flagged", "ComplaintEscalated"), {ASKED_FOR_HELP}),
    "a wave tells of a customer who reported nothing": (drop("cause.events", "CauseReported"), {WAVES}),
    "a wave is told twice": (double("cause.events", "CauseHeated"), {WAVES, ONCE}),
    "a customer whom a wave hits is not decided on": (drop("outreach.events", "OutreachStarted"), {REACHED}),
    "a customer is told of a wave twice": (double("outreach.events", "OutreachStarted"), {REACHED, ONCE}),
    "the trial counts an escalation that there was not": (edit(lambda w: setattr(w.uplift.treated, "escalated", 2)), {PREVENTED}),
    "the trial leaves a case out": (edit(lambda w: w.uplift.treated.Clear()), {PREVENTED}),
    "the trial's interval is off": (edit(lambda w: setattr(w.uplift, "low", 0.1)), {PREVENTED}),
    "the trial is not told of": (edit(lambda w: setattr(w, "uplift", None)), {PREVENTED}),
    "a flag is not counted": (miscount("escalation", "flagged", -1), {ESCALATED}),
    # Delivery
    "a dead letter is missing": (edit(lambda w: w.topics.__setitem__(TOUCHPOINTS + ".dlq", w.topics[TOUCHPOINTS + ".dlq"][2:])), {DEAD}),
    "a good record is a dead letter": (edit(lambda w: _dead(w, nth(w, TOUCHPOINTS, "SurveyAnswered"))), {DEAD}),
    "a dead letter has no reason": (edit(lambda w: w.topics[TOUCHPOINTS + ".dlq"][0].headers.pop()), {DEAD}),
    "an unreadable record never arrived": (edit(lambda w: w.journal.append({"raw": True, "topic": TOUCHPOINTS})), {DEAD}),
    "an accepted event is lost": (drop(TOUCHPOINTS, "SurveyRetracted"), {CARRIED}),
    "an event is altered on the way": (
        change(TOUCHPOINTS, "SurveyRetracted", 0, lambda m: setattr(m, "survey_id", "v3")),
        {CARRIED},
    ),
    "a refused event got in": (
        edit(lambda w: w.put(TOUCHPOINTS, contact.ContactEnded(contact_id="x"), name=("/x", "no"), key="x", seconds=1)),
        {CARRIED},
    ),
    "an event that nobody sent": (
        edit(lambda w: w.put(TOUCHPOINTS, contact.ContactEnded(contact_id="x"), name=("/x", "forged"), key="x", seconds=1)),
        {CARRIED},
    ),
    "a repeat says something else": (
        edit(lambda w: setattr(w.topics["sentiment.scored"][1], "value", w.topics["sentiment.scored"][2].value)),
        {ONCE},
    ),
    "an offer twice under two ids": (double(ROUTED, "ContactOffered", 0), {ONCE, TOKENS, COURSES}),
}  # fmt: skip


def _renumber(raws: list[Raw]) -> None:
    for offset, raw in enumerate(raws):
        raw.offset = offset


def _dead(world: World, raw: Raw) -> None:
    origin = {
        "dlq_topic": raw.topic,
        "dlq_partition": str(raw.partition),
        "dlq_offset": str(raw.offset),
        "dlq_reason": "is wrong",
    }
    world.append(raw.topic + ".dlq", raw.key, raw.value, [*raw.headers, *((k, v.encode()) for k, v in origin.items())])


@pytest.mark.parametrize("with_journal", [True, False])
def test_a_faultless_day_holds(with_journal: bool) -> None:
    report = examine(a_day().evidence(with_journal))
    assert report.ok, report.table()
    assert all(check.expected > 0 for check in report.checks), "a check that looks at nothing proves nothing"
    assert report.as_dict()["ok"] is True


@pytest.mark.parametrize("name", FAULTS)
def test_a_seeded_fault_is_found(name: str) -> None:
    fault, expected = FAULTS[name]
    world = a_day()
    world.policy = copy.deepcopy(POLICY)
    fault(world)
    report = examine(world.evidence())
    assert expected <= failed(report), report.table()
    found = [check for check in report.checks if check.name_en in expected]
    assert all(check.differences or check.expected != check.got for check in found)
    assert not report.ok


def test_an_event_under_a_key_that_is_not_its_pool_is_a_dead_letter_and_seats_nobody() -> None:
    world = a_day()
    signed_in = seat.SeatSignedIn(pool="care", seat_id="s9", capacity=1)
    raw = world.put("pool.events", signed_in, name=("/desk", "astray"), key="elsewhere", seconds=1)
    assert failed(examine(world.evidence(False))) == {DEAD}
    _dead(world, raw)
    report = examine(world.evidence(False))
    assert report.ok, report.table()


def test_dead_letters_are_read_on_every_topic_that_has_them() -> None:
    assert {t for t in ALL_TOPICS if t.endswith(".dlq")} == {t.name for t in CATALOGUE if t.name.endswith(DEAD_LETTERS)}
    world = a_day()
    for topic in FURTHER_TOPICS:
        raw = world.append(topic, b"k", b"no event", [("ce_id", b"1")])
        assert failed(examine(world.evidence(False))) == {DEAD}, topic
        _dead(world, raw)
        assert examine(world.evidence(False)).ok, topic


def test_a_check_that_fails_with_equal_figures_says_what_is_wrong() -> None:
    world = a_day()
    _dead(world, nth(world, TOUCHPOINTS, "SurveyAnswered"))
    table = examine(world.evidence(False)).table()
    assert "as many as expected, but what follows is wrong" in table
    assert "is a dead letter (is wrong), but can be read" in table


def test_every_check_has_a_fault_that_it_finds() -> None:
    checks = {check.name_en for check in examine(a_day().evidence()).checks}
    assert checks == set().union(*(expected for _, expected in FAULTS.values()))


def test_differences_are_bounded_and_counted() -> None:
    world = a_day()
    world.topics["sentiment.scored"].clear()
    for i in range(50):
        world.send(contact.MessageReceived(contact_id="k1", speaker=contact.SPEAKER_CUSTOMER, text="x"), f"c{i}", 600)
    check = next(c for c in examine(world.evidence()).checks if c.name_en == SCORED)
    assert (len(check.differences), check.found) == (20, 53)
    assert "33" in examine(world.evidence()).table()


def test_no_evidence_is_no_success() -> None:
    assert not examine(Evidence(journal=[], records={}, now=0)).ok


def test_unknown_figures_match_no_rule() -> None:
    unknown = router.TriageInputs(topic="repair")
    assert not matches({"mood_below": 1.0}, unknown)
    assert not matches({"risk_above": 0.0}, unknown)
    assert not matches({"nps_at_most": 10}, unknown)
    assert matches({"mood_below": 0.5}, router.TriageInputs(mood=0.0))


def test_a_closed_pool_is_passed_over_and_a_handover_never_goes_to_the_bot() -> None:
    night = router.TriageInputs(topic="advice", minute_of_day=23 * 60)
    assert decide(POLICY, night)[0] == "closed"
    assert decide(POLICY, router.TriageInputs(topic="advice", minute_of_day=12 * 60))[0] == "default"
    to_bot = {**POLICY, "rules": [{"name": "all", "when": {}, "pool": "bot"}]}
    assert decide(to_bot, router.TriageInputs())[0] == "all"
    assert decide(to_bot, router.TriageInputs(handover="mood"))[0] == "handover"


def test_type_names_are_the_contracts() -> None:
    assert type_of(contact.ContactEnded()) in kinds()
