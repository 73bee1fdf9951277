"""A contact as a conversation: the last messages of every speaker, and where the customer's mood turned.

Turning points are found by a change-point test on the customer's polarities since the last one (Hawkins, Qiu and Kang, "The
changepoint model for statistical process control", Journal of Quality Technology 35, 2003). For each way to split them into n
messages before and m ≥ 2 after, with means b and a:

    T = √(n·m / (n + m)) · |a - b| / SCATTER

It has turned where the largest T reaches THRESHOLD, with the first message after that split. What the customer brought along
from earlier contacts stands as up to BROUGHT messages at the beginning. So that no odd message passes for a turn, both the
turning message and the one that confirms it must be OFF from b, and more than half of the messages on either side must be
OFF from the other side's mean.

What the model does not know ("unsure") is no evidence of a turn, nor is a message that arrives after later ones: both are
kept as points all the same. Points are kept packed: a text each, for thousands of conversations stand in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final, Literal

from services.sentiment.domain.score import Label

Speaker = Literal["customer", "bot", "seat"]
Direction = Literal["soured", "brightened"]

SPEAKERS: Final[tuple[Speaker, ...]] = ("customer", "bot", "seat")
SCATTER: Final = 0.35
"""Standard deviation of the polarities of one mood. A choice: that of messages which say the same more or less clearly."""
THRESHOLD: Final = 2.5
"""Least T of a turn. Where a steady customer's messages scatter by 0.3, fewer than 1 in 100 raise a false alarm; by 0.4, 1 in 30."""
OFF: Final = 0.25
"""What differs by more is off, in polarity."""
POINTS: Final = 12
"""Messages kept of a conversation, of all speakers."""
BEFORE: Final = 3
"""Messages told of what was said before a turning point, of all speakers."""
RECENT: Final = 8
"""Messages of the customer that are tested; older ones stand as a level."""
BROUGHT: Final = 2.0
"""Messages for which the mood stands at most that a customer brought along; below half of one it is not turned from."""
STEADY: Final = 4.0
"""Messages for which the level of older ones stands at most."""
LEAST: Final = 0.5
STEP: Final = 0.25
"""Furthest that an older message can be from that level, in polarity, so that an odd one does not spoil it."""
AGE: Final = timedelta(minutes=30)
"""In a speaker's mood a message weighs half for each AGE that it is older than the speaker's last."""

_LABELS: Final[tuple[Label, ...]] = ("negative", "neutral", "positive", "unsure")
_LEAST_SQUARE: Final = (THRESHOLD * SCATTER) ** 2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLI: Final = timedelta(milliseconds=1)
_DIGITS: Final = 4
"""Decimals of levels and sums: no more than the points' own call for."""


@dataclass(frozen=True, slots=True)
class Point:
    """One message of a conversation: who said it, when, and how it was scored; never its text.

    `time` is kept to the millisecond, `polarity` (-1 … 1) and `anger` (0 … 1) to the thousandth. `emotion` is empty where
    the model tells none.
    """

    source: str
    event_id: str
    speaker: Speaker
    seat_id: str
    time: datetime
    polarity: float
    label: Label
    emotion: str = ""
    anger: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A conversation turned with the message `turning`; the message `confirmed` made it certain. Points are packed.

    level_before, level_after: means of the customer's polarities before and from `turning` on, -1 … 1.
    """

    direction: Direction
    turning: str
    confirmed: str
    before: tuple[str, ...]
    level_before: float
    level_after: float


@dataclass(frozen=True, slots=True)
class Stint:
    """A seat served the contact from `began` until `ended`, None while it still does."""

    pool: str
    seat_id: str
    began: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """State of one conversation. `points` are packed, oldest first; `said` counts messages by speaker, as SPEAKERS has them.

    recent: time and polarity of the customer's last messages since the last turn, as they begin a packed point. level: what stands for the ones before, -1 … 1, with the
    weight of `steady` messages. at: the latest time seen; heard: the latest at which the customer said something.
    """

    contact_id: str
    at: datetime
    heard: datetime | None = None
    brought: float = 0.0
    level: float = 0.0
    steady: float = 0.0
    recent: tuple[str, ...] = ()
    said: tuple[int, int, int] = (0, 0, 0)
    points: tuple[str, ...] = ()
    turns: int = 0
    turn: Turn | None = None
    stints: tuple[Stint, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeakerMood:
    """How one speaker sounds in a conversation, from the points that are kept.

    mood: weighted median of polarities, -1 … 1. trend: median slope, in polarity for each message. at: None where no point is kept.
    """

    speaker: Speaker
    mood: float
    trend: float
    messages: int
    at: datetime | None


def pack(point: Point) -> str:
    """A point as a text: its figures, the lengths of its names, and the names, which may hold any character."""
    millis = (point.time - _EPOCH) // _MILLI
    figures = (
        f"{millis};{round(point.polarity * 1000)};{round(point.anger * 1000)};{_LABELS.index(point.label)}"
        f";{SPEAKERS.index(point.speaker)};{point.emotion};{len(point.source)};{len(point.seat_id)}"
    )
    return f"{figures}|{point.source}{point.seat_id}{point.event_id}"


def unpack(packed: str) -> Point:
    """The point again. Raises ValueError for a text that `pack` did not make."""
    figures, _, names = packed.partition("|")
    millis, polarity, anger, label, speaker, emotion, source, seat = figures.split(";")
    first, second = int(source), int(source) + int(seat)
    return Point(
        source=names[:first],
        event_id=names[second:],
        speaker=SPEAKERS[int(speaker)],
        seat_id=names[first:second],
        time=_EPOCH + int(millis) * _MILLI,
        polarity=int(polarity) / 1000,
        label=_LABELS[int(label)],
        emotion=emotion,
        anger=int(anger) / 1000,
    )


def begin(contact_id: str, at: datetime, brought: float = 0.0, weight: float = 0.0) -> Talk:
    """A conversation that begins with what the customer brings along: a mood (-1 … 1) and its weight, in messages."""
    start = round(brought, _DIGITS)
    return Talk(contact_id, at, brought=start, level=start, steady=round(min(max(weight, 0.0), BROUGHT), _DIGITS))


def say(talk: Talk, point: Point) -> tuple[Talk, Turn | None]:
    """The conversation with one more message, and the turn that this message made certain, if it did."""
    packed = pack(point)
    points = (*talk.points, packed)
    if point.time < talk.at:
        points = tuple(sorted(points, key=_millis))
    points = points[-POINTS:]
    customer, bot, seat = talk.said
    who = point.speaker
    said = (customer + (who == "customer"), bot + (who == "bot"), seat + (who == "seat"))
    at = max(talk.at, point.time)
    heard, watched, turn = talk.heard, None, None
    if who == "customer" and (heard is None or point.time >= heard):
        heard = point.time
        if point.label != "unsure":
            watched, turn = _watch(talk, packed, points)
    level, steady, recent = watched or (talk.level, talk.steady, talk.recent)
    # Written out: `replace` takes several times as long, and this is done for each message.
    after = Talk(
        contact_id=talk.contact_id,
        at=at,
        heard=heard,
        brought=talk.brought,
        level=level,
        steady=steady,
        recent=recent,
        said=said,
        points=points,
        turns=talk.turns + (turn is not None),
        turn=turn or talk.turn,
        stints=talk.stints,
    )
    return after, turn


def _millis(packed: str) -> int:
    return int(packed[: packed.index(";")])


def _polarity(packed: str) -> float:
    return int(packed.split(";", 2)[1]) / 1000


def _watch(
    talk: Talk, packed: str, points: tuple[str, ...]
) -> tuple[tuple[float, float, tuple[str, ...]], Turn | None]:
    """The level, its weight and the recent messages after one more of the customer's; and the turn that it made certain."""
    recent = (*talk.recent, ";".join(packed.split(";", 2)[:2]))
    polarities = [_polarity(p) for p in recent]
    found = split(talk.level, talk.steady, polarities)
    if found is not None:
        where, before, after = found
        place = _place(points, recent[where:])
        turn = Turn(
            direction="soured" if after < before else "brightened",
            turning=points[place],
            confirmed=packed,
            before=points[max(place - BEFORE, 0) : place],
            level_before=round(before, _DIGITS),
            level_after=round(after, _DIGITS),
        )
        return (0.0, 0.0, recent[where:]), turn
    if len(recent) <= RECENT:
        return (talk.level, talk.steady, recent), None
    # The oldest goes over into the level.
    steady = min(talk.steady + 1, STEADY)
    step = polarities[0] - talk.level
    if talk.steady:
        step = min(max(step, -STEP), STEP)
    return (round(talk.level + step / steady, _DIGITS), steady, recent[1:]), None


def _place(points: tuple[str, ...], since: tuple[str, ...]) -> int:
    """Where among the points the first of these messages of the customer is that is still kept; the last one always is."""
    for short in since:
        for place, packed in enumerate(points):
            if packed.startswith(short + ";") and unpack(packed).speaker == "customer":
                return place
    return len(points) - 1


def split(level: float, weight: float, polarities: Sequence[float]) -> tuple[int, float, float] | None:
    """Where the polarities turned, the mean before and the mean since; None where they did not.

    level: what stands for messages before them, with the weight of so many.
    """
    best = None
    n, told, m, total = weight, level * weight, len(polarities), sum(polarities)
    least = _LEAST_SQUARE
    for where in range(m - 1):
        if n >= LEAST:
            before, after = told / n, total / m
            square = n * m / (n + m) * (after - before) ** 2
            if square >= least and _clear(level, weight, polarities, where, before, after):
                best, least = (where, before, after), square
        polarity = polarities[where]
        n, told = n + 1, told + polarity
        m, total = m - 1, total - polarity
    return best


def _clear(level: float, weight: float, polarities: Sequence[float], where: int, before: float, after: float) -> bool:
    """Whether no odd message makes the difference."""
    sign = 1 if after > before else -1
    since = [(p - before) * sign > OFF for p in polarities[where:]]
    if not (since[0] and since[-1] and 2 * sum(since) > len(since)):
        return False
    off = sum((after - p) * sign > OFF for p in polarities[:where]) + weight * ((after - level) * sign > OFF)
    return 2 * off > where + weight


def level(talk: Talk) -> float:
    """Where the customer's polarity is since it turned last, -1 … 1; what was brought along before anything was said."""
    weight = talk.steady + len(talk.recent)
    total = talk.level * talk.steady + sum(map(_polarity, talk.recent))
    return total / weight if weight else talk.level


def serve(talk: Talk, stint: Stint) -> Talk:
    """The conversation with a seat that serves it now; the last two are known."""
    return replace(talk, stints=(*talk.stints, stint)[-2:])


def leave(talk: Talk, seat_id: str, at: datetime) -> Talk:
    """The conversation after a seat has left it; unchanged where it did not serve it."""
    if not any(s.seat_id == seat_id and s.ended is None for s in talk.stints):
        return talk
    return replace(
        talk,
        stints=tuple(
            replace(s, ended=max(at, s.began)) if s.seat_id == seat_id and s.ended is None else s for s in talk.stints
        ),
    )


def serving(talk: Talk, time: datetime) -> Stint | None:
    """The seat that served the contact at that time; the last of them, where there are two."""
    return next((s for s in reversed(talk.stints) if s.began <= time and (s.ended is None or time <= s.ended)), None)


def moods(talk: Talk) -> list[SpeakerMood]:
    """The mood of each speaker who has said something."""
    kept = [unpack(p) for p in talk.points]
    found = []
    for speaker, messages in zip(SPEAKERS, talk.said, strict=True):
        mine = [p for p in kept if p.speaker == speaker]
        if messages:
            at = mine[-1].time if mine else None
            found.append(SpeakerMood(speaker, typical(mine), slope([p.polarity for p in mine]), messages, at))
    return found


def typical(points: Sequence[Point]) -> float:
    """Weighted median of the points' polarities, each weighing half for every AGE before the last; 0 for none."""
    if not points:
        return 0.0
    last = max(p.time for p in points)
    weighed = sorted((p.polarity, float(2.0 ** -((last - p.time) / AGE))) for p in points)
    half, below = sum(w for _, w in weighed) / 2, 0.0
    for i, (polarity, weight) in enumerate(weighed):
        below += weight
        if abs(below - half) < 1e-9 and i + 1 < len(weighed):
            return (polarity + weighed[i + 1][0]) / 2
        if below > half:
            return polarity
    return weighed[-1][0]


def slope(polarities: Sequence[float]) -> float:
    """Median slope between any two messages, in polarity a message; 0 for fewer than two.

    Source: Theil 1950, Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968): up to 29 % of odd
    messages do not spoil it.
    """
    slopes = [(b - a) / (j - i) for i, a in enumerate(polarities) for j, b in enumerate(polarities) if i < j]
    return median(slopes) if slopes else 0.0
