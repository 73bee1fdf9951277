"""The generated day: a retailer's customers, orders, deliveries, contacts, surveys and seats, all from one seed."""

from bisect import bisect
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from services.cli.day import grievances, noise, phrases, staff
from services.cli.day.events import event, order_placed
from services.cli.day.model import ContactPlan, Day, Outside, Shopper, SurveyPlan, TicketPlan, Window, dice, window_of
from services.cli.day.story import mrs_hu

REGIONS = {
    "华东": ("上海一店", "上海二店", "杭州店", "南京店", "苏州店"),
    "华南": ("广州店", "深圳一店", "深圳二店"),
    "华北": ("北京一店", "北京二店", "天津店"),
    "西南": ("成都店", "重庆店"),
    "华中": ("武汉店", "长沙店"),
}
REGION_WEIGHTS = (0.34, 0.22, 0.22, 0.12, 0.10)
TIERS, TIER_WEIGHTS = ("normal", "silver", "gold", "vip"), (0.62, 0.22, 0.11, 0.05)
CHANNELS, CHANNEL_WEIGHTS = ("微信", "app", "phone", "web"), (0.38, 0.27, 0.22, 0.13)
# Arrivals by hour from 08:00 to 22:00: busy before lunch and in the evening.
HOURLY = (0.5, 0.8, 1.1, 1.2, 0.9, 0.8, 0.9, 1.0, 1.0, 0.9, 1.0, 1.3, 1.3, 0.9)
INCIDENT_REGION, INCIDENT_FACTOR = "华东", 4.0
INCIDENT_BATCH = "LL"  # 冷链, the cold chain; the day's date follows
OPTED_OUT = 0.08  # of the customers whom the incident hits
EVENTS_PER_CONTACT = 11.7  # of all kinds, measured over generated days
EVENTS_PER_HOUR = 1450
UNREADABLE_SHARE = REFUSED_SHARE = 0.002
MEAN_SERVICE_S = 280.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A contact begins at `at` (seconds after midnight); `incident`: because of the cold chain's failure."""

    at: float
    incident: bool


def generate(seed: int, midnight: datetime, hours: float = 14, events: int | None = None, scale: float = 1.0) -> Day:
    """A day of about `events` events in all (default: 1,450 an hour), times `scale`. Raises ValueError where hours is out of range."""
    window = window_of(hours)
    total = (events if events is not None else EVENTS_PER_HOUR * hours) * scale
    count = max(1, round(total / EVENTS_PER_CONTACT))
    grieved = round(count * grievances.SHARE)
    count = max(1, count - round(grieved * grievances.CONTACTS_EACH))
    shoppers = population(seed, max(3, round(count * 0.7)))
    day = Day(seed, midnight, window, (), (), (), ())
    contacts = grievances.grievances(day, shoppers[:grieved])
    outside = []
    for i, arrival in enumerate(arrivals(seed, window, count)):
        plan, around = _contact(day, i, arrival, shoppers)
        contacts.append(plan)
        outside.extend(around)
    return assemble(day, contacts, outside, round(total))


def assemble(day: Day, contacts: list[ContactPlan], outside: list[Outside], total: int) -> Day:
    """The whole day: with Mrs Hu's journey, the seats, and what is unreadable or refused among `total` events."""
    story, around = mrs_hu(day)
    everyone = (*contacts, *story)
    mean_service = sum(c.service_s for c in everyone) / len(everyone)
    bad = max(len(noise.KINDS), round(total * UNREADABLE_SHARE))
    others = (*outside, *around, *noise.refused(day, max(6, round(total * REFUSED_SHARE))))
    return replace(
        day,
        contacts=tuple(sorted(everyone, key=lambda c: c.at)),
        seats=staff.seats(day.seed, day.window, len(everyone), mean_service),
        outside=tuple(sorted(others, key=lambda o: o.at)),
        unreadable=noise.unreadable(day, bad),
    )


def population(seed: int, count: int) -> list[Shopper]:
    """The customers; some of them will call more than once."""
    made = []
    for i in range(count):
        roll = dice(seed, "shopper", i)
        region = roll.choices(tuple(REGIONS), REGION_WEIGHTS)[0]
        tier = roll.choices(TIERS, TIER_WEIGHTS)[0]
        language = "en" if roll.random() < 0.1 else "zh"
        made.append(Shopper(f"c-{i:06d}", tier, roll.random() < 0.03, language, region, roll.choice(REGIONS[region])))
    return made


def arrivals(seed: int, window: Window, count: int) -> list[Arrival]:
    """`count` arrivals: by the hour's weight, and four times as many while the incident lasts."""
    roll = dice(seed, "arrivals")
    slots = [window.start + 60 * i for i in range(int((window.end - window.start) / 60))]
    usual = [HOURLY[min(13, max(0, int(t // 3600) - 8))] for t in slots]
    extra = [(INCIDENT_FACTOR - 1) * w if _struck(t, window) else 0.0 for t, w in zip(slots, usual, strict=True)]
    sums = list(accumulate([*usual, *extra]))
    made = []
    for _ in range(count):
        place = bisect(sums, roll.random() * sums[-1])
        slot = slots[place % len(slots)]
        made.append(Arrival(slot + roll.random() * 60, place >= len(slots)))
    return sorted(made, key=lambda a: a.at)


def _struck(at: float, window: Window) -> bool:
    return window.incident is not None and window.incident[0] <= at < window.incident[1]


def _contact(day: Day, i: int, arrival: Arrival, shoppers: list[Shopper]) -> tuple[ContactPlan, list[Outside]]:
    roll = dice(day.seed, "contact", i)
    who = roll.choice(shoppers)
    topic = roll.choices(phrases.TOPICS, [t.weight for t in phrases.TOPICS])[0]
    if arrival.incident:
        topic = next(t for t in phrases.TOPICS if t.name == "refund")
        who = replace(who, region=INCIDENT_REGION, store=roll.choice(REGIONS[INCIDENT_REGION]), id=f"{who.id}-e")
    product = "水果" if arrival.incident else roll.choice(topic.products)
    draw = roll.random()
    mood = "bad" if draw < topic.bad or arrival.incident else "good" if draw > 0.75 else "plain"
    opening, later = phrases.conversation(roll, topic, mood, language=who.language, product=product, store=who.store)
    channel = roll.choices(CHANNELS, CHANNEL_WEIGHTS)[0]
    plan = ContactPlan(
        contact_id=f"k-{day.seed}-{i:06d}",
        shopper=who,
        at=arrival.at,
        channel=channel,
        touchpoint=topic.touchpoint,
        topic=topic.name,
        product=product,
        wants_human=roll.random() < (0.3 if channel == "phone" else 0.08),
        opening=opening,
        later=later,
        patience_s=60 + roll.expovariate(1 / (900 if who.tier in ("gold", "vip") else 600)),
        service_s=60 + roll.gammavariate(2.0, (MEAN_SERVICE_S - 60) / 2),
        handover=""
        if roll.random() < topic.bot
        else roll.choices(("customer_asked", "bot_failed", "mood"), (5, 4, 2 if mood == "bad" else 0))[0],
        survey=survey(roll, f"s-{day.seed}-{i:06d}", mood, who.language),
        ticket=_ticket(roll, f"t-{day.seed}-{i:06d}", topic.name),
    )
    around = orders(day, roll, plan, f"o-{day.seed}-{i:06d}", incident=arrival.incident)
    if arrival.incident:
        mine = dice(day.seed, "incident", i)
        plan = replace(plan, doubt=grievances.drawn(mine, "outreach"))
        if dice(day.seed, "wish", who.id).random() < OPTED_OUT:
            around.append(_no_outreach(day, plan, mine))
    return plan, around


def _no_outreach(day: Day, plan: ContactPlan, roll: Random) -> Outside:
    """The customer's wish to hear of no trouble before asking, told as the day begins."""
    at = day.window.start + roll.uniform(1, 60)
    made = event("contact.OutreachOptedOut", seed=day.seed, name=plan.contact_id, origin="app", subject=plan.shopper.id,
                 time=day.moment(at), data={"channel": "app"})  # fmt: skip
    return Outside(at, made)


def survey(roll: Random, survey_id: str, mood: str, language: str) -> SurveyPlan | None:
    """Every second customer answers; 4 % put the score right later, 2 % withdraw it."""
    score = min(10, max(0, round(roll.gauss({"bad": 4.0, "plain": 7.8, "good": 9.3}[mood], 1.6))))
    wish, fate = roll.random(), roll.random()
    words = phrases.COMMENTS["good" if score >= 8 else "bad"][language]
    corrected = min(10, max(0, score + roll.choice((-3, -2, 2, 3, 4)))) if fate < 0.04 else None
    if wish > 0.5:
        return None
    return SurveyPlan(
        survey_id, score, roll.uniform(60, 2400), roll.choice(words), corrected=corrected, retracted=0.04 <= fate < 0.06
    )


def _ticket(roll: Random, ticket_id: str, topic: str) -> TicketPlan | None:
    likely = {"repair": 0.8, "installation": 0.7, "complaint": 0.6, "refund": 0.15}.get(topic, 0.0)
    if roll.random() >= likely:
        return None
    return TicketPlan(
        ticket_id,
        topic,
        roll.choices((1, 2, 3, 4), (1, 3, 5, 2))[0],
        roll.uniform(900, 9000),
        roll.random() < 0.15,
        roll.random() < 0.85,
    )


def orders(day: Day, roll: Random, plan: ContactPlan, order_id: str, *, incident: bool = False) -> list[Outside]:
    """The order behind the contact, with what became of its delivery; placed some hours or days before."""
    who, topic = plan.shopper, plan.topic
    if not incident and roll.random() > {"advice": 0.25, "feedback": 0.5}.get(topic, 0.8):
        return []
    placed = plan.at - roll.uniform(1800, 2 * 86400) if topic != "advice" else plan.at + roll.uniform(600, 3600)
    cents = round(roll.lognormvariate(8.5 if plan.product in phrases.FRESH else 12.0, 0.6))
    promised = day.moment(placed) + timedelta(hours=roll.choice((1, 2, 24)))

    def outside(kind: str, sent: float, happened: float, data: dict[str, object]) -> Outside:
        # What happened before the day begins is sent as it begins: shops catch up in the morning.
        at = min(max(sent, day.window.start + roll.uniform(1, 60)), day.window.end - 1)
        made = event(
            kind,
            seed=day.seed,
            name=order_id,
            origin="shop",
            subject=who.id,
            time=day.moment(min(happened, at)),
            data=data,
        )
        return Outside(at, made)

    made = []
    # Today's orders only: those of earlier days are known already.
    if placed >= day.window.start or roll.random() < 0.25 or incident:
        data = order_placed(who, order_id, plan.product, cents, promised)
        if incident:
            data["batch"] = f"{INCIDENT_BATCH}-{day.midnight:%m%d}"
        made.append(outside("order.OrderPlaced", placed, placed, data))
    before = plan.at - roll.uniform(120, 1200)
    if topic == "delivery" and roll.random() < 0.5:
        data = {
            "orderId": order_id,
            "delayMinutes": round(roll.expovariate(1 / 90)) + 10,
            "reason": roll.choice(("courier", "weather", "warehouse")),
        }
        made.append(outside("order.DeliveryDelayed", before, before, data))
    if incident or (topic == "refund" and roll.random() < 0.6):
        fault = "cold chain failure" if incident else roll.choice(("rotten", "crushed", "melted"))
        made.append(outside("order.DeliverySpoilt", before, before, {"orderId": order_id, "fault": fault}))
    if topic == "refund" and roll.random() < 0.7:
        asked = plan.at + roll.uniform(60, 900)
        made.append(
            outside(
                "order.RefundRequested",
                asked,
                asked,
                {"orderId": order_id, "amountCents": str(cents), "reason": "spoilt"},
            )
        )
    return made
