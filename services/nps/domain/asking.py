"""Who is asked when: after a contact ends, never twice in the set period, not in quiet hours, and so that small stores are heard.

Each store is to send about the same number of surveys: a store with few contacts asks after all of them, one with many
after a share. The share is the chance with which the contact is drawn; it goes with the survey, for answers of
different stores are added up by 1/chance (Horvitz & Thompson 1952, "A generalization of sampling without replacement from a
finite universe", J. Am. Stat. Assoc. 47).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import Final

from services.nps.domain.survey import Segments

VOLUME_DAYS: Final = 28
"""The days over which a store's contacts and its surveys are counted."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules. per_store: surveys that each store is to send in VOLUME_DAYS. Quiet hours are hours of the day, from the
    first up to the second; the same twice for none."""

    every_days: int = 90
    per_store: int = 40
    quiet_from: int = 21
    quiet_until: int = 9
    after_minutes: int = 10
    within_hours: int = 24
    asks: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """A survey that is to be sent at `due`. ended_at: of its contact, by the event's time."""

    contact_id: str
    channel: str
    language: str
    segments: Segments
    ended_at: datetime
    due: datetime
    chance: float


def chance(plan: Plan, volume: int | None) -> float:
    """The chance of being asked in a store that had so many contacts in VOLUME_DAYS; 0 where that isn't known."""
    if volume is None:
        return 0.0
    return min(1.0, plan.per_store / max(volume, 1))


def drawn(contact_id: str, share: float) -> bool:
    """Whether the contact is drawn: by its id, so that whoever decides it again decides the same."""
    number = int.from_bytes(blake2b(contact_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return number < share * 2**64


def is_quiet(plan: Plan, moment: datetime, zone: tzinfo) -> bool:
    """Whether nobody is to be asked at that moment."""
    hour, start, end = moment.astimezone(zone).hour, plan.quiet_from, plan.quiet_until
    return start <= hour < end if start <= end else hour >= start or hour < end


def not_quiet(plan: Plan, moment: datetime, zone: tzinfo) -> datetime:
    """The moment, or the end of the quiet hours in which it lies."""
    for _ in range(26):  # a day may have 25 hours
        if not is_quiet(plan, moment, zone):
            return moment
        local = moment.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        moment = (local.astimezone(moment.tzinfo) + timedelta(hours=1)).astimezone(moment.tzinfo)
    return moment


def too_soon(plan: Plan, asked_at: datetime | None, moment: datetime) -> bool:
    """Whether the customer was asked within the set period, before or after the moment."""
    return asked_at is not None and abs(moment - asked_at) < timedelta(days=plan.every_days)


def plan_ask(plan: Plan, zone: tzinfo, contact: Waiting, asked_at: datetime | None, now: datetime) -> Waiting | None:
    """The contact that just ended, with the moment at which its customer is to be asked; None where that isn't to be.

    contact.due is not looked at.
    """
    if not plan.asks or not drawn(contact.contact_id, contact.chance):
        return None
    due = not_quiet(plan, max(contact.ended_at + timedelta(minutes=plan.after_minutes), now), zone)
    if due > contact.ended_at + timedelta(hours=plan.within_hours) or too_soon(plan, asked_at, due):
        return None
    return Waiting(
        contact.contact_id, contact.channel, contact.language, contact.segments, contact.ended_at, due, contact.chance
    )


def may_send(plan: Plan, zone: tzinfo, waiting: Waiting, asked_at: datetime | None, now: datetime) -> bool:
    """Whether a survey that is due may still be sent now: a process that was away may come to it late."""
    late = now > waiting.ended_at + timedelta(hours=plan.within_hours)
    return not late and not is_quiet(plan, now, zone) and not too_soon(plan, asked_at, now)
