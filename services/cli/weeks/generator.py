"""Three made-up weeks: a quiet one, one with an incident, and the one after it, as lines of events in order of arrival.

Planted in the second week: complaints about `INCIDENT` in one store group, and about `STUBBORN` in another. Both are promised to be seen
to on the Sunday, and said to be done on the Monday; the first then really ends, the second goes on. Without `planted` nothing of it
happens, and nothing is promised. Some lines come twice or late, some scores are corrected, some answers retracted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from random import Random
from typing import Any, Final

from services.cli.weeks.phrases import COMPLAINTS, PLAIN, PRAISE, PRIVATE

Line = dict[str, Any]
SOURCE: Final = "weeks"
REGIONS: Final = ("华东", "华南", "华北", "西南", "华中")
REGION_WEIGHTS: Final = (0.34, 0.22, 0.22, 0.12, 0.10)
GROUPS: Final = ("社区店", "购物中心店", "前置仓", "高校店", "写字楼店")
CHANNELS: Final = ("微信", "app", "phone", "web")
OWNERS: Final = {"delivery": "物流部 林涛", "aftersales": "客服中心 周敏", "goods": "采购部 陈晨", "shopping": "商品运营 何洁", "other": "数字化部 吴凡"}  # fmt: skip
BASE: Final = 0.008
"""The share of answers that complain of a stage in a quiet week, each of them."""


@dataclass(frozen=True, slots=True)
class Planted:
    """Complaints about a stage in one store group, as a share of its answers; fixed: they end after the second week."""

    stage: str
    group: str
    share: float
    fixed: bool
    action_id: str
    owner: str
    promise: str


INCIDENT: Final = Planted(
    "delivery.packaging", "前置仓", 0.16, True, "A-101", "物流部 林涛", "前置仓换用加厚纸箱，汤品单独密封"
)
STUBBORN: Final = Planted("aftersales.response", "购物中心店", 0.2, False, "A-102", "客服中心 周敏", "购物中心店专线增加两个坐席")  # fmt: skip


def generate(seed: int, monday: date, answers: int = 4000, *, planted: bool = True, zone: tzinfo = UTC) -> list[Line]:
    """The lines of three weeks from this Monday of the zone on, with about `answers` answers each. Raises ValueError."""
    if monday.weekday():
        raise ValueError("monday: is no Monday")
    if answers < 1:
        raise ValueError("answers: fewer than one")
    start = datetime(monday.year, monday.month, monday.day, tzinfo=zone).astimezone(UTC)
    trouble = (INCIDENT, STUBBORN) if planted else ()
    made: list[tuple[datetime, Line]] = list(_owned(start))
    for week in range(3):
        # Each week has dice of its own: a week is the same whatever was planted in another.
        made += _answers(Random(f"{seed}/{week}"), start + timedelta(days=7 * week), week, answers, trouble)
        made += _contacts(Random(f"{seed}/{week}/calls"), start + timedelta(days=7 * week), week, answers // 4, trouble)
    for p in trouble:
        made += _promised(p, start + timedelta(days=13, hours=18))
    made.sort(key=lambda item: (item[0], item[1]["id"]))
    return [line for _, line in made]


def _answers(
    dice: Random, start: datetime, week: int, count: int, trouble: tuple[Planted, ...]
) -> Iterator[tuple[datetime, Line]]:
    for i in range(count):
        at = start + timedelta(seconds=dice.randrange(7 * 86400))
        region, group = dice.choices(REGIONS, REGION_WEIGHTS)[0], dice.choice(GROUPS)
        english = dice.random() < 0.15
        survey = f"s{week}-{i:06}"
        score, comment = _said(dice, english, _stage(dice, week, group, trouble))
        line = {
            "id": f"{survey}-a", "source": SOURCE, "type": "answered", "time": _rfc(at), "survey_id": survey, "score": score,
            "segments": {
                "region": region, "store_group": group, "store": f"{region}{group}{dice.randrange(1, 8)}", "channel": dice.choice(CHANNELS),
            },
            "comment": comment,
        }  # fmt: skip
        arrives = at + timedelta(hours=dice.expovariate(1 / 20) if dice.random() < 0.05 else 0)
        yield arrives, line
        if dice.random() < 0.02:
            yield arrives + timedelta(minutes=3), line
        fate = dice.random()
        if fate < 0.02:
            later = at + timedelta(minutes=dice.randrange(1, 300))
            yield (
                later,
                {
                    **_end(survey, "corrected", "c", later),
                    "score": min(10, score + dice.choice((-1, 1))) if score else 1,
                },
            )
        elif fate < 0.03:
            later = at + timedelta(minutes=dice.randrange(1, 300))
            yield later, _end(survey, "retracted", "r", later)


def _stage(dice: Random, week: int, group: str, trouble: tuple[Planted, ...]) -> str | None:
    """What this answer complains of, if anything."""
    for p in trouble:
        if p.group == group and (week == 1 or (week == 2 and not p.fixed)) and dice.random() < p.share:
            return p.stage
    return dice.choice(tuple(COMPLAINTS)) if dice.random() < BASE * len(COMPLAINTS) else None


def _said(dice: Random, english: bool, stage: str | None) -> tuple[int, str]:
    """A score, and what is said with it."""
    if stage is not None:
        comment = dice.choice(COMPLAINTS[stage][english])
        if dice.random() < 0.15:
            comment += dice.choice(PRIVATE[english]).format(n=dice.randrange(10**5, 10**6), m=dice.randrange(1, 999))
        return dice.choices(range(11), (6, 5, 6, 8, 8, 12, 14, 12, 8, 4, 2))[0], comment
    score = dice.choices(range(11), (1, 0, 1, 1, 1, 3, 6, 13, 19, 25, 30))[0]
    talk = dice.random()
    if talk < 0.25 and score >= 8:
        return score, dice.choice(PRAISE[english])
    return score, dice.choice(PLAIN[english]) if talk > 0.9 else ""


def _contacts(
    dice: Random, start: datetime, week: int, count: int, trouble: tuple[Planted, ...]
) -> Iterator[tuple[datetime, Line]]:
    """Customers who call, and some of them again: about the same matter, or that nothing came of it."""
    for i in range(count):
        at = start + timedelta(seconds=dice.randrange(7 * 86400))
        group = dice.choice(GROUPS)
        stage = _stage(dice, week, group, trouble) or dice.choice(tuple(COMPLAINTS))
        segments = {"region": dice.choices(REGIONS, REGION_WEIGHTS)[0], "store_group": group}
        again = 0.5 if any(p.stage == stage and p.group == group for p in trouble) and week else 0.12
        texts = [dice.choice(COMPLAINTS[stage][0])]
        while len(texts) < 4 and dice.random() < again:
            texts.append(dice.choice((dice.choice(COMPLAINTS[stage][0]), "上次的问题还没解决，没人管")))
        for n, text in enumerate(texts):
            name = f"k{week}-{i:06}-{n}"
            when = at + timedelta(hours=20 * n)
            yield when, {
                "id": name, "source": SOURCE, "type": "contacted", "time": _rfc(when), "contact_id": name,
                "customer_id": f"u{week}-{i:06}", "segments": segments, "text": text,
            }  # fmt: skip


def _promised(p: Planted, at: datetime) -> Iterator[tuple[datetime, Line]]:
    named = {"stage": p.stage, "store_group": p.group}
    yield at, {
        "id": f"{p.action_id}-p", "source": SOURCE, "type": "promised", "time": _rfc(at), "action_id": p.action_id, "owner": p.owner,
        "promise": p.promise, "segments": named, "due_at": _rfc(at + timedelta(days=1)),
    }  # fmt: skip
    done = at + timedelta(hours=14)
    yield (
        done,
        {"id": f"{p.action_id}-d", "source": SOURCE, "type": "done", "time": _rfc(done), "action_id": p.action_id},
    )


def _owned(start: datetime) -> Iterator[tuple[datetime, Line]]:
    for area, owner in OWNERS.items():
        yield start, {
            "id": f"own-{area}", "source": SOURCE, "type": "owned", "time": _rfc(start), "owner": owner, "segments": {"area": area},
        }  # fmt: skip


def _end(survey: str, kind: str, mark: str, at: datetime) -> Line:
    return {"id": f"{survey}-{mark}", "source": SOURCE, "type": kind, "time": _rfc(at), "survey_id": survey}


def _rfc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
