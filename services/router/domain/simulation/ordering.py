"""Where a policy places a call in the queue: by the live router's own triage rules and places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.router.domain.facts import BOT, Inputs
from services.router.domain.policy import Policy
from services.router.domain.pool import place_of
from services.router.domain.simulation.recorded import Call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotReplayable(ValueError):
    """The policy does what a replay of a call log can't tell the effect of."""


@dataclass(frozen=True, slots=True)
class Placed:
    """How a policy takes a contact: by which rule, into which pool, and how far ahead of those who came with it."""

    rule: str
    pool: str
    ahead_s: float
    """What its priority is worth in seconds of waiting; negative where it stands behind."""


def places(policy: Policy, calls: Sequence[Call], tiers: Sequence[str]) -> list[float]:
    """Compute each call's place, in seconds: the smaller is taken first.

    A call is triaged as one by phone that wants a human; its type is the topic, its class the tier. The place is the
    live router's (`place_of`) as seconds; with ageing 0 a point of priority outweighs any waiting. All pools share the
    seats of the log, each call under its own pool's terms. Raises NotReplayable where a call goes to the bot, or needs
    a skill: the log doesn't say what that would come to.
    """
    return [call.at - how.ahead_s for call, how in zip(calls, placed(policy, calls, tiers), strict=True)]


def placed(policy: Policy, calls: Sequence[Call], tiers: Sequence[str]) -> Iterator[Placed]:
    """Tell by which rule, and how far ahead, the policy places each call. Raises NotReplayable."""
    known: dict[tuple[str, str, int], Placed] = {}
    for call, tier in zip(calls, tiers, strict=True):
        key = call.kind, tier, int(call.at // 60) % 1440
        if key not in known:
            known[key] = _placed(policy, *key)
        yield known[key]


def _placed(policy: Policy, kind: str, tier: str, minute: int) -> Placed:
    seen = Inputs(channel="phone", touchpoint="phone", topic=kind, tier=tier, wants_human=True, minute_of_day=minute)
    rule, route = policy.route(seen)
    if route.pool == BOT:
        raise NotReplayable(
            f'rule "{rule}" sends calls of type {kind} to the bot: the log does not say what it could do'
        )
    if route.skills:
        raise NotReplayable(f'rule "{rule}" asks for skills: the log says only which types of call a seat took')
    terms = policy.terms(route.pool)
    # A place is linear in the time of queueing: what it is at the epoch is what it is ahead or behind at any time.
    rank = place_of(terms, route.priority, _EPOCH, "")[0]
    return Placed(rule, route.pool, -rank / 1e6 if terms.ageing > 0 else -float(rank) * 1e7)
