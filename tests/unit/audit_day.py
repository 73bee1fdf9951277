"""One faultless day, small enough to follow: every kind of fact that the audit looks at occurs in it."""

from touchline.contact.v1 import events_pb2 as contact
from touchline.escalation.v1 import escalation_pb2 as escalation
from touchline.nps.v1 import nps_pb2 as nps
from touchline.router.v1 import events_pb2 as router
from touchline.router.v1 import router_pb2
from touchline.survey.v1 import events_pb2 as survey
from touchline.ticket.v1 import events_pb2 as ticket

from tests.unit.audit_world import POLICY, Raw, World, at, figure

BOT = {"pool": "bot"}
_, SAD, ASKED, REPAIR = POLICY["rules"]


def again(world: World, raw: Raw) -> Raw:
    """The same record once more, at the end of its partition."""
    return world.append(raw.topic, raw.key, raw.value, raw.headers)


def a_day() -> World:
    """The day."""
    world = World()
    _contacts(world)
    _surveys(world)
    _flags(world)
    again(world, world.message("li", "k1", 30, 0.4))
    world.message("li", "k1", 95, -0.25)
    world.message("wang", "k2", 97, -0.8, "after_sales.repair")
    world.spoil(
        b"{",
        {
            "ce_id": "b1",
            "ce_source": "/x",
            "ce_type": "touchline.contact.ContactEnded.v1",
            "ce_time": "2026-03-02T09:00:00Z",
        },
    )
    world.spoil(b"", {"ce_source": "/x"})
    # The channel sends one event twice, and the door refuses one.
    world.journal.append(world.journal[0])
    again(world, world.topics["pool.events"][0])
    world.journal.append(
        {"via": "gateway", "accepted": False, "event": {"id": "no", "source": "/x", "type": "touchline.survey.X.v1"}}
    )
    return world


def _contacts(world: World) -> None:
    world.sign_in("s1", 0, skills={"refund": 3})
    world.sign_in("s2", 1, capacity=2)
    # k1: the bot serves it.
    world.request("li", "k1", 10, "default", BOT)
    world.close("li", "k1", 200, router.OUTCOME_BOT, "bot")
    # k2: a human pool; the first seat declines, the second serves it.
    world.request("wang", "k2", 20, "repair", REPAIR, touchpoint="after_sales.repair", topic="advice")
    world.offer("wang", "k2", 21, "s1", 1, candidates=[("s1", True, 20.0), ("s2", True, 19.0)])
    world.give_back("wang", "k2", 25, "s1", 1)
    world.offer("wang", "k2", 25, "s2", 2, candidates=[("s2", True, 24.0), ("s1", False, 0.0)])
    world.accept("wang", "k2", 28, "s2", 2)
    # k3 stands before k2's place in time but needs a skill; k5 waits behind it and gives up.
    world.request("hu", "k3", 40, "asked", ASKED, wants_human=True)
    world.request("zhao", "k5", 41, "sad", SAD, mood=-0.7)
    world.offer("zhao", "k5", 42, "s1", 3, waiting=["k5", "k3"])
    world.close("zhao", "k5", 50, router.OUTCOME_ABANDONED)
    world.offer("hu", "k3", 50, "s1", 4)
    world.accept("hu", "k3", 52, "s1", 4)
    world.close("hu", "k3", 190, router.OUTCOME_HUMAN, seat_id="s1")
    # k4: the bot hands it over; it is in service when the day ends, and k6 waits.
    world.request("qian", "k4", 60, "default", BOT)
    handed = world.send(contact.HandoverRequested(contact_id="k4", reason="bot_failed"), "qian", 100)
    world.triage("qian", "k4", 100, "handover", POLICY["handover"], handed, handover="bot_failed")
    world.offer("qian", "k4", 101, "s2", 5)
    world.accept("qian", "k4", 103, "s2", 5)
    world.close("wang", "k2", 240, router.OUTCOME_HUMAN, seat_id="s2")
    world.request("sun", "k6", 250, "repair", REPAIR, touchpoint="after_sales")
    world.pools["care"] = router_pb2.GetPoolResponse(
        pool="care", in_service=1, waiting=[router_pb2.Waiting(contact_id="k6")]
    )


def _surveys(world: World) -> None:
    for i, (customer, score, region) in enumerate(
        (("li", 9, "华东"), ("wang", 3, "华东"), ("hu", 7, "华北"), ("sun", 10, "华北"))
    ):
        cause = world.answer(customer, f"v{i}", 300 + i, score, region)
        world.changed(customer, f"v{i}", 300 + i, None, score, region, cause)
    # Wang's is corrected twice, the later correction first; Hu's is withdrawn; Zhao's is corrected before it is answered.
    cause = world.send(survey.SurveyCorrected(survey_id="v1", score=8), "wang", 420)
    world.changed("wang", "v1", 301, 3, 8, "华东", cause)
    world.send(survey.SurveyCorrected(survey_id="v1", score=1), "wang", 410)
    cause = world.send(survey.SurveyRetracted(survey_id="v2"), "hu", 430)
    world.changed("hu", "v2", 302, 7, None, "华北", cause)
    world.send(survey.SurveyCorrected(survey_id="v9", score=0), "zhao", 440)
    cause = world.answer("zhao", "v9", 435, 9, "华北")
    again(world, world.changed("zhao", "v9", 435, None, 0, "华北", cause))
    world.figures = nps.GetNpsResponse(all=nps.Figure(**figure({"promoters": 2, "passives": 1, "detractors": 1})))  # type: ignore[arg-type]
    for region, counts in (("华东", {"promoters": 1, "passives": 1}), ("华北", {"promoters": 1, "detractors": 1})):
        world.figures.by["region"].values[region].CopyFrom(nps.Figure(**figure(counts)))  # type: ignore[arg-type]


def _flags(world: World) -> None:
    world.flag("wang", "u1", 500, 800, "treated")
    closed = escalation.FollowUpClosed(follow_up_id="u1", customer_id="wang", outcome="contacted", closed_at=at(700))
    world.fact("escalation.flagged", closed, "wang", 700, None, "escalation")
    world.count("escalation", 700, ((), (("touchpoint", "repair"),)), closed=1)
    world.follow_ups[0].closed_at.CopyFrom(at(700))
    world.follow_ups[0].outcome = "contacted"
    world.flag("wang", "u2", 900, 1000)
    # One case, which escalated: nobody was held out, so that the interval says nothing yet.
    world.uplift = escalation.GetUpliftResponse(treated=escalation.ArmCount(cases=1, escalated=1), low=-1, high=1)
    overdue = escalation.FollowUpOverdue(follow_up_id="u2", customer_id="wang", due_at=at(1000))
    world.fact("escalation.flagged", overdue, "wang", 1000, None, "escalation")
    world.count("escalation", 1000, ((), (("touchpoint", "repair"),)), overdue=1)
    world.follow_ups[1].overdue = True
    asked = world.send(ticket.TicketOpened(ticket_id="t1", topic="complaint"), "wang", 1100)
    escalated = escalation.ComplaintEscalated(customer_id="wang", about="t1", escalated_at=at(1100))
    world.fact("escalation.flagged", escalated, "wang", 1100, asked, "escalation")
    for n in range(5):
        met = escalation.CauseReported(cause="batch:B7", customer_id=f"c{n}", reported_at=at(1150 + n))
        world.fact("cause.events", met, "batch:B7", 1150 + n, None, "escalation")
    begun = escalation.CauseHeated(cause="batch:B7", wave=1, customers=5, since=at(1150), heated_at=at(1154))
    world.fact("cause.events", begun, "batch:B7", 1154, None, "escalation.cause")
    for customer, withheld in (("li", ""), ("wang", "followed_up")):
        hit = escalation.CustomerAffected(customer_id=customer, cause="batch:B7", wave=1)
        wave = world.fact("outreach.events", hit, customer, 1200, None, "escalation")
        reached = escalation.OutreachStarted(
            customer_id=customer, cause="batch:B7", wave=1, kind="message", withheld=withheld, zh="您好", en="Hello",
            started_at=at(1201),
        )  # fmt: skip
        named = dict(wave.headers)
        cause = (named["ce_source"].decode(), named["ce_id"].decode())
        world.fact("outreach.events", reached, customer, 1201, cause, "escalation")
