"""A team that follows up: its terms, and what is kept of it. One owner decides for a team, so nobody is flagged twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal

from services.escalation.domain.credit import CreditPolicy
from services.escalation.domain.events import Reason
from services.escalation.domain.outreach import AT_ANY_HOUR, QuietHours
from services.escalation.domain.risk import Weights

BINS: Final = 50
"""Steps of risk in which a team remembers how many cases a shift brings."""

Arm = Literal["", "treated", "held_out"]
"""The arm of the trial that the lot has given a follow-up; empty for one that is in no trial."""


@lru_cache(maxsize=64)
def _begins(zone: tzinfo, shifts: tuple[int, ...], day: date) -> tuple[datetime, ...]:
    """When the shifts around that local day begin. Raises ValueError where there are none."""
    if not shifts:
        raise ValueError("shifts: is empty")
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return tuple(
        sorted((midnight + timedelta(days=d, minutes=m)).astimezone(UTC) for d in (-2, -1, 0, 1, 2) for m in shifts)
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a manager sets of a team.

    capacity: follow-ups that the team can start in a shift. shifts: when shifts begin, minutes of the local day in `zone`.
    floors: customer group → follow-ups of a shift that are kept for it.
    least: the risk from which a case is worth a follow-up at all. margin: by how much a case must be graver to displace.
    due_in: how long there is to follow up. remind_before: when its owner is reminded, before it is due.
    overflow_after: how long after it was due it goes to the `supervisor`.
    keep: cases that are remembered while there is no room for them.
    holdout: share of flags that nobody sees, to learn what following up is worth; none whose risk is `gravest` or more.
    """

    capacity: int = 40
    shifts: tuple[int, ...] = (0, 480, 960)
    zone: tzinfo = UTC
    floors: Mapping[str, int] = field(default_factory=dict)
    least: float = 0.6
    margin: float = 0.02
    due_in: timedelta = timedelta(hours=2)
    remind_before: timedelta = timedelta(minutes=30)
    overflow_after: timedelta = timedelta(minutes=30)
    supervisor: str = "supervisor"
    keep: int = 400
    holdout: float = 0.0
    gravest: float = 0.85

    def shift_of(self, now: datetime) -> tuple[datetime, datetime]:
        """When the shift of that moment began, and when it ends. Days on which clocks are changed may have an odd one."""
        begins = _begins(self.zone, self.shifts, now.astimezone(self.zone).date())
        after = next(n for n, begin in enumerate(begins) if begin > now)
        return begins[after - 1], begins[after]

    def sort_of(self, start: datetime) -> str:
        """What shifts that begin at that moment's time of day are kept by."""
        local = start.astimezone(self.zone)
        return str(local.hour * 60 + local.minute)


_UNKNOWN: Final = Terms(capacity=0)

GroupBy = Literal["tier", "language", "channel"]
"""What a customer's group is, unless the customer needs protection: then it is "vulnerable"."""


@dataclass(frozen=True, slots=True)
class FollowUpPolicy:
    """Teams and their terms, whose case goes to whom, quick refunds, what the reasons of a risk weigh, and the
    hours in which nobody is told of a wave. version: the declared one, and a hash of the text."""

    version: str
    default: str
    group_by: GroupBy
    teams: Mapping[str, Terms]
    touchpoints: Mapping[str, str] = field(default_factory=dict)
    credit: CreditPolicy = field(default_factory=CreditPolicy)
    weights: Weights = field(default_factory=Weights)
    quiet: QuietHours = AT_ANY_HOUR
    lowest: float = field(init=False, repr=False, compare=False)
    """The least risk from which any team may follow up, one that the policy no longer knows included."""

    def __post_init__(self) -> None:
        """Works out what is asked at every event."""
        least = min([_UNKNOWN.least, *(terms.least for terms in self.teams.values())])
        object.__setattr__(self, "lowest", least)

    def team_of(self, touchpoint: str) -> str:
        """The team for a touchpoint: the one that names it, or else the nearest above it ("a.b" is below "a")."""
        parts = touchpoint.split(".")
        for n in range(len(parts), 0, -1):
            if (team := self.touchpoints.get(".".join(parts[:n]))) is not None:
                return team
        return self.default

    def terms_of(self, team: str) -> Terms:
        """A team's terms. One that the policy no longer knows keeps what it has begun, and is given nothing new."""
        return self.teams.get(team) or _UNKNOWN


ONE_TEAM: Final = FollowUpPolicy("none", "care", "tier", {"care": Terms()})
"""One team that does everything, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Case:
    """A customer who is likely to escalate: what the customer's owner said last.

    at: event time of what changed it last. cause: that event, its source and id joined by a blank.
    bin: the step of risk in which the shift has counted it, −1 where it has not.
    """

    case_id: str
    customer_id: str
    group: str
    contact_id: str
    touchpoint: str
    risk: float
    reasons: tuple[Reason, ...]
    at: datetime
    cause: str
    bin: int = -1

    @property
    def rank(self) -> tuple[float, str]:
        """Orders cases: the gravest last; by name among equals, so that everyone orders them alike."""
        return self.risk, self.case_id


@dataclass(frozen=True, slots=True)
class Flag:
    """A case that is a follow-up. flagged_at is an event time (the service clock's where time alone raised it).

    owner, claimed_at: who has started it, and when; nobody yet where empty. counted_in: the shift whose budget it was begun on,
    which a supervisor who takes it over later does not change. flagged_for: the touchpoint of the case then, under
    which all that becomes of the follow-up is counted; empty in states of before it was kept.
    """

    follow_up_id: str
    case: Case
    flagged_at: datetime
    due_at: datetime
    owner: str = ""
    claimed_at: datetime | None = None
    reminded: bool = False
    overdue: bool = False
    overflowed: bool = False
    arm: Arm = ""
    flagged_for: str = ""
    counted_in: datetime | None = None

    @property
    def touchpoint(self) -> str:
        """What it counts for, wherever the customer has turned since."""
        return self.flagged_for or self.case.touchpoint

    @property
    def held_out(self) -> bool:
        """Whether nobody is to see it."""
        return self.arm == "held_out"

    @property
    def started(self) -> bool:
        """Whether somebody is at it: then nothing displaces it."""
        return self.claimed_at is not None


@dataclass(frozen=True, slots=True)
class Team:
    """State per team.

    shift: when the shift began for which `started` counts, by customer group, the follow-ups that were begun.
    flags: open follow-ups. waiting: cases for which there is no room. closed: cases that are over, and when.
    raised: flags so far, which names the next. seen: cases of this shift by step of risk; typical: what its like have
    brought on average, by the minute of the day at which they begin, over so many (`learned`) of them. threshold, looked_at: the risk from which a case was flagged when that
    was looked at last, and when that was.
    cases: open follow-ups by case. unstarted: how many of them people see and nobody has begun, by group. wake: no follow-up has
    anything to say by the clock before then. These three follow from `flags`, and spare a look at each of them.
    """

    team: str
    shift: datetime | None = None
    started: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, Flag] = field(default_factory=dict)
    waiting: Mapping[str, Case] = field(default_factory=dict)
    closed: Mapping[str, datetime] = field(default_factory=dict)
    raised: int = 0
    seen: tuple[int, ...] = (0,) * BINS
    typical: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    learned: Mapping[str, int] = field(default_factory=dict)
    threshold: float = 0.0
    looked_at: datetime | None = None
    cases: Mapping[str, str] = field(default_factory=dict)
    unstarted: Mapping[str, int] = field(default_factory=dict)
    wake: datetime | None = None

    def put(self, flag: Flag, wake: datetime) -> "Team":
        """The state with the follow-up as it is now; by the clock it has nothing to say before `wake`."""
        before = self.flags.get(flag.follow_up_id)
        return replace(
            self,
            flags={**self.flags, flag.follow_up_id: flag},
            cases=self.cases if before else {**self.cases, flag.case.case_id: flag.follow_up_id},
            unstarted=_counted(_counted(self.unstarted, before, -1), flag, 1),
            wake=wake if self.wake is None else min(self.wake, wake),
        )

    def drop(self, flag: Flag) -> "Team":
        """The state without the follow-up."""
        return replace(
            self,
            flags={k: f for k, f in self.flags.items() if k != flag.follow_up_id},
            cases={k: f for k, f in self.cases.items() if k != flag.case.case_id},
            unstarted=_counted(self.unstarted, self.flags[flag.follow_up_id], -1),
        )


def _counted(counts: Mapping[str, int], flag: Flag | None, by: int) -> Mapping[str, int]:
    if flag is None or flag.started or flag.held_out:
        return counts
    found = {**counts, flag.case.group: counts.get(flag.case.group, 0) + by}
    return {group: n for group, n in found.items() if n}
