"""Proactive outreach: who is told of a wave before they have to call, how, and with which words."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

AGAIN: Final = timedelta(days=7)
"""How long a customer is left alone after an outreach, whatever its cause."""
CALL_FROM: Final = 0.4
"""The risk from which a call-back is worth it; below, a message does."""

Kind = Literal["message", "call_back"]
Why = Literal["", "opted_out", "lately", "followed_up", "quiet_hours"]


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known of a customer's outreach. opted_out: the customer wants none. last: when the last one was, by the service clock."""

    opted_out: bool = False
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nobody is reached: minutes of the local day in `zone` from which and until which; none where they are the same."""

    start: int = 0
    end: int = 0
    zone: tzinfo = UTC

    def has(self, now: datetime) -> bool:
        """Whether that moment lies in them."""
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


AT_ANY_HOUR: Final = QuietHours()


def choose(
    reach: Reach, risk: float, protected: bool, followed_up: bool, now: datetime, quiet: QuietHours = AT_ANY_HOUR
) -> tuple[Kind, Why]:
    """How the customer is reached, and why not, where not: whoever is followed up is called by the one who does it."""
    kind: Kind = "call_back" if protected or risk >= CALL_FROM else "message"
    if reach.opted_out:
        return kind, "opted_out"
    if followed_up:
        return kind, "followed_up"
    if reach.last is not None and now - reach.last < AGAIN:
        return kind, "lately"
    if quiet.has(now):
        return kind, "quiet_hours"
    return kind, ""


def words(cause: str) -> tuple[str, str]:
    """What is said, in Chinese and English; the cause's kind and name stand in front of and behind its colon."""
    _, _, name = cause.partition(":")
    return (
        f"您好，与您订单有关的“{name}”出现问题，可能影响到您。我们正在处理，如需退款或改期，回复本消息即可。回复 TD 不再接收此类提醒。",
        f'Hello. There is trouble with "{name}", which may concern your order. We are on it; answer this message for a refund or a new date. '
        "Answer STOP to hear no more of this kind.",
    )
