"""Customers with a grievance: what was promised is not put right, they say so, and some of them then ask for the complaint desk.

Following up is worth something here, and how much is planted: of customers who are left alone ALONE ask for the complaint
desk, of those whom somebody has called back before REACHED do. Both ends are drawn beforehand for each customer, so that the
day knows whom a call has kept from complaining; the audit sets that beside what the service has measured.
"""

from dataclasses import replace
from random import Random

from services.cli.day import phrases
from services.cli.day.model import ContactPlan, Day, Doubt, MovedBy, Shopper, dice

ALONE, REACHED = 0.75, 0.15
"""Share of customers with a grievance who ask for the complaint desk: left alone, and called back before."""
CALLS_ALONE, CALLS_REACHED = 1.0, 0.4
"""Share of customers hit by the incident who call: not told of it, and told before."""
PLANTED = {
    "follow_up": {"alone": ALONE, "reached": REACHED},
    "outreach": {"alone": CALLS_ALONE, "reached": CALLS_REACHED},
}
"""What the day plants, as it stands in the journal for the audit."""
SHARE = 0.06
"""Customers with a grievance among so many contacts."""
CONTACTS_EACH = 2.6
"""Contacts that one of them makes, about."""

_AGAIN = {
    "zh": ("上次说好给我处理{p}，还是没解决，再这样我要投诉了！", "{p}的事情没人管，我要求赔偿。", "答应好的事没有做到，{p}还是坏的，不处理我就投诉。"),
    "en": ("You promised to fix my {p} and it is still not fixed. I will complain.", "Nobody answers about my {p}, I want compensation.",
           "My {p} is still broken. Sort it out or I make a complaint."),
}  # fmt: skip
_DESK = {
    "zh": ("我要投诉！{p}的事说了两次，没有人给我回电话。", "转投诉部门，{p}的问题到现在没有人处理。"),
    "en": ("I want to make a complaint. I told you twice about my {p} and nobody called.", "Put me through to complaints: nothing was done about my {p}."),
}  # fmt: skip


def drawn(roll: Random, moved_by: MovedBy) -> Doubt:
    """Whether a customer comes, left alone and reached: of those who come when reached everybody would have come anyway."""
    odds, luck = PLANTED[moved_by], roll.random()
    return Doubt(moved_by, luck < odds["alone"], luck < odds["reached"])


def grievances(day: Day, people: list[Shopper]) -> list[ContactPlan]:
    """Their contacts: the trouble, the same trouble again, and where they come to it the complaint desk; within the day's window."""
    made: list[ContactPlan] = []
    for i, shopper in enumerate(people):
        roll = dice(day.seed, "grievance", i)
        made += _story(day, roll, replace(shopper, id=f"g-{day.seed}-{i:05d}"), f"g-{day.seed}-{i:05d}")
    return made


def _story(day: Day, roll: Random, who: Shopper, name: str) -> list[ContactPlan]:
    topic = roll.choice([t for t in phrases.TOPICS if t.name in ("refund", "repair", "installation")])
    desk = next(t for t in phrases.TOPICS if t.name == "complaint")
    product = roll.choice(topic.products)
    channel = roll.choice(("微信", "app", "web"))
    start = roll.uniform(day.window.start + 60, max(day.window.start + 90, day.window.end - 1800))
    again = start + roll.uniform(420, 780)
    last = again + roll.uniform(900, 2400)

    def contact(number: int, at: float, about: phrases.Topic, says: str, doubt: Doubt | None = None) -> ContactPlan:
        first = phrases.fill(says, who.language, product, who.store)
        more = tuple(
            phrases.fill(roll.choice(phrases.BAD[who.language]), who.language, product, who.store) for _ in "ab"
        )
        return ContactPlan(
            contact_id=f"{name}-{number}",
            shopper=who,
            at=at,
            channel=channel,
            touchpoint=about.touchpoint,
            topic=about.name,
            product=product,
            wants_human=number > 1,
            opening=(first, more[0]),
            later=more[1:],
            patience_s=1800,
            service_s=60 + roll.gammavariate(2.0, 80),
            handover="" if number > 1 else "mood",
            doubt=doubt,
        )

    texts = topic.zh if who.language == "zh" else topic.en
    contacts = [
        contact(1, start, topic, roll.choice(texts)),
        contact(2, again, topic, roll.choice(_AGAIN[who.language])),
        contact(3, last, desk, roll.choice(_DESK[who.language]), drawn(roll, "follow_up")),
    ]
    # Who would come after closing time comes tomorrow.
    return [c for c in contacts if c.at < day.window.end - 120]
