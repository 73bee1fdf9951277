"""The day from real data: a bank's calls as arrivals, patience and service, shop reviews as what customers say, real NPS answers.

Calls: "Anonymous Bank" call centre of the Technion, August 1999. A call that never left the voice menu is one that the bot
serves; one that hung up in the queue shows its patience; an answered one shows only that it was longer than its wait.
"""

import csv
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from random import Random

from services.cli.day import generator, phrases
from services.cli.day.model import ContactPlan, Day, Shopper, SurveyPlan, Window, dice, window_of

CALLS, REVIEWS, ENGLISH, NPS = (
    "calls/bank_calls_1999_08.csv",
    "sentiment/online_shopping_zh.csv",
    "sentiment/airline_en.csv",
    "nps/garden_store_fr.csv",
)
# What a shop's customers write about; hotels and books are left to others. Fruit is a third of what people say.
CATEGORIES = {"水果": 5.0, "热水器": 2.0, "手机": 2.0, "平板": 2.0, "洗发水": 1.5, "衣服": 1.5, "蒙牛": 1.0}
TOPIC_OF = {"PS": "delivery", "NW": "advice", "NE": "refund", "IN": "repair", "TT": "installation", "PE": "feedback"}
TIER_OF = {"0": "normal", "1": "silver", "2": "gold"}
LONGEST_TEXT = 600


@dataclass(frozen=True, slots=True)
class Call:
    """A real call: at (seconds after midnight), seconds waited and served, and how it ended ("AGENT", "HANG" or "MENU")."""

    at: float
    kind: str
    priority: str
    customer: str
    waited_s: float
    served_s: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Crowd:
    """What all the callers showed: after how many seconds they hung up (sorted), and for how many they were served."""

    hung_up: list[float]
    service: list[float]


@dataclass(frozen=True, slots=True)
class Voices:
    """What real people wrote. reviews: (category, positive) → texts; english: positive → texts; answers: (score, comment)."""

    reviews: dict[tuple[str, bool], list[str]]
    english: dict[bool, list[str]]
    answers: list[tuple[int, str]]


def missing(folder: Path) -> str:
    """The first file that the folder lacks, or an empty text."""
    return next((name for name in (CALLS, REVIEWS, ENGLISH, NPS) if not (folder / name).is_file()), "")


def generate_real(
    folder: Path, seed: int, midnight: datetime, hours: float = 14, events: int | None = None, scale: float = 1.0
) -> Day:
    """A real day's calls as the day's contacts; more or fewer of them where `events` or `scale` ask for it.

    Raises FileNotFoundError, naming what the folder lacks, and ValueError where hours is out of range.
    """
    if lacks := missing(folder):
        raise FileNotFoundError(f"{folder} has no {lacks}")
    window = replace(window_of(hours), incident=None)
    calls = [c for c in busiest_weekday(folder / CALLS) if window.start <= c.at < window.end]
    voices = _voices(folder)
    wanted = len(calls) * scale if events is None else events * scale / generator.EVENTS_PER_CONTACT
    day = Day(seed, midnight, window, (), (), (), ())
    contacts, outside = [], []
    crowd = Crowd(given_up(calls), [c.served_s for c in calls if c.served_s > 0])
    for i, call in enumerate(_as_many(seed, calls, max(1, round(wanted)), window)):
        plan = _contact(seed, i, call, crowd, voices)
        contacts.append(plan)
        outside.extend(generator.orders(day, dice(seed, "real order", i), plan, f"o-{seed}-{i:06d}"))
    return generator.assemble(day, contacts, outside, round(len(contacts) * generator.EVENTS_PER_CONTACT))


def busiest_weekday(path: Path) -> list[Call]:
    """The calls of the weekday (Sunday to Thursday, in that country) with the most of them; phantom calls are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outcome"] in ("AGENT", "HANG")]
    counts = Counter(row["date"] for row in rows if date.fromisoformat(row["date"]).weekday() not in (4, 5))
    chosen = max(sorted(counts), key=lambda day: counts[day])
    return sorted((_call(row) for row in rows if row["date"] == chosen), key=lambda c: c.at)


def _call(row: dict[str, str]) -> Call:
    hour, minute, second = map(int, row["vru_entry"].split(":"))
    waited, served = float(row["q_time"]), float(row["ser_time"])
    outcome = "MENU" if row["outcome"] == "HANG" and waited == 0 else row["outcome"]
    return Call(
        hour * 3600 + minute * 60 + second, row["type"], row["priority"], row["customer_id"], waited, served, outcome
    )


def _as_many(seed: int, calls: list[Call], wanted: int, window: Window) -> list[Call]:
    """So many of them: some left out, or some again a little earlier or later, by another customer."""
    if not calls:
        raise ValueError("no call lies within these hours")
    roll = dice(seed, "calls")
    rounds, rest = divmod(wanted, len(calls))
    chosen = [*roll.sample(calls, rest)]
    for again in range(rounds):
        for call in calls:
            at = call.at if again == 0 else min(max(call.at + roll.gauss(0, 300), window.start), window.end - 1)
            chosen.append(replace(call, at=at, customer=call.customer if again == 0 else f"{call.customer}-{again}"))
    return sorted(chosen, key=lambda c: c.at)


def given_up(calls: list[Call]) -> list[float]:
    """After how many seconds callers hung up in the queue, the least patient first."""
    return sorted(c.waited_s for c in calls if c.outcome == "HANG")


def patience_of(call: Call, hung_up: list[float], roll: Random) -> float:
    """Seconds the customer would wait: seen where they hung up, else drawn from those who hung up later than this one waited."""
    if call.outcome == "HANG":
        return max(1.0, call.waited_s)
    longer = bisect_right(hung_up, call.waited_s)
    return hung_up[roll.randrange(longer, len(hung_up))] if longer < len(hung_up) else 2 * max(60.0, call.waited_s)


def _contact(seed: int, i: int, call: Call, crowd: Crowd, voices: Voices) -> ContactPlan:
    roll = dice(seed, "real", i)
    # Known customers keep who they are through all their calls; "0" stands for those the bank did not know.
    known = dice(seed, "who", call.customer) if call.customer not in ("", "0") else roll
    region = known.choices(tuple(generator.REGIONS), generator.REGION_WEIGHTS)[0]
    language = "en" if known.random() < 0.1 else "zh"
    name = f"b-{call.customer}" if known is not roll else f"b-new-{i}"
    who = Shopper(
        name,
        TIER_OF.get(call.priority, "normal"),
        known.random() < 0.02,
        language,
        region,
        known.choice(generator.REGIONS[region]),
    )
    topic = next(t for t in phrases.TOPICS if t.name == TOPIC_OF.get(call.kind, "delivery"))
    # Who hung up, or waited long, is less likely to be happy.
    happy = roll.random() < (0.25 if call.outcome == "HANG" or call.waited_s > 180 else 0.6)
    category = roll.choices(tuple(CATEGORIES), tuple(CATEGORIES.values()))[0]
    said = voices.english[happy] if language == "en" else voices.reviews[category, happy]
    texts = roll.sample(said, 2 + roll.randint(0, 1))
    served = call.served_s if call.served_s > 0 else roll.choice(crowd.service)
    return ContactPlan(
        contact_id=f"r-{seed}-{i:06d}",
        shopper=who,
        at=call.at,
        channel="phone",
        touchpoint=topic.touchpoint,
        topic=topic.name,
        product=category,
        wants_human=call.outcome != "MENU",
        opening=(texts[0],),
        later=tuple(texts[1:]),
        patience_s=patience_of(call, crowd.hung_up, roll),
        service_s=max(10.0, served),
        handover="",
        survey=_survey(roll, f"s-{seed}-{i:06d}", happy, voices),
    )


def _survey(roll: Random, survey_id: str, happy: bool, voices: Voices) -> SurveyPlan | None:
    """A real answer: of the happy mostly one of 8 and more."""
    wish, fate = roll.random(), roll.random()
    if wish > 0.5:
        return None
    fitting = happy if roll.random() < 0.8 else not happy
    while True:
        score, comment = roll.choice(voices.answers)
        if (score >= 8) == fitting:
            break
    corrected = roll.choice(voices.answers)[0] if fate < 0.04 else None
    delay = roll.uniform(60, 2400)
    return SurveyPlan(survey_id, score, delay, comment, fixed=True, corrected=corrected, retracted=0.04 <= fate < 0.06)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _text(text: str) -> str:
    return text.replace("\0", "").strip()


@cache
def _voices(folder: Path) -> Voices:
    reviews: dict[tuple[str, bool], list[str]] = {(c, happy): [] for c in CATEGORIES for happy in (True, False)}
    for row in _rows(folder / REVIEWS):
        text = _text(row["review"])
        if row["cat"] in CATEGORIES and 0 < len(text) <= LONGEST_TEXT:
            reviews[row["cat"], row["label"] == "1"].append(text)
    english: dict[bool, list[str]] = {True: [], False: []}
    for row in _rows(folder / ENGLISH):
        text = _text(row["text"])
        if row["airline_sentiment"] != "neutral" and text:
            english[row["airline_sentiment"] == "positive"].append(text)
    answers = [(round(float(row["nps"])), _text(row["explication"])[:500]) for row in _rows(folder / NPS) if row["nps"]]
    return Voices(reviews, english, answers)
