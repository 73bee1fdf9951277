"""The people who follow up, as one state machine: they take what is due first, call, and say what came of it. Pure: no clock, no I/O.

They see what any follow-up desk sees, the facts on escalation.flagged, and act by the calls that any desk has. Some forget
what they have started until they are reminded, some of those until it goes to the supervisor; some customers don't answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from services.cli.day.model import dice
from services.cli.day.story import HU

MEMBERS = ("跟进-01", "跟进-02", "跟进-03")
CALL_S = (180.0, 540.0)
"""How long a call with its preparation takes, at least and at most."""
FORGETS, FORGETS_AGAIN, NO_ANSWER = 0.12, 0.5, 0.10
"""Share of follow-ups that lie until a reminder comes; of those, the share that lies on; and of calls, those in vain."""
FORGOTTEN = frozenset({HU.id})
"""Nobody called Mrs Hu back all day: her story says so."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What the service says of a follow-up. due: seconds after midnight; owner: the supervisor, where it went to one."""

    kind: Literal["flagged", "reminded", "overflowed", "closed"]
    follow_up_id: str
    customer_id: str = ""
    due: float = 0.0
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Errand:
    """Somebody's call to the escalation service: method is "ClaimFollowUp" or "CloseFollowUp"."""

    method: str
    follow_up_id: str
    owner: str
    command_id: str
    outcome: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """The customer was spoken to: that is what may spare the next complaint."""

    customer_id: str


@dataclass(slots=True)
class _Task:
    follow_up_id: str
    customer_id: str
    due: float
    owner: str = ""
    claimed: bool = False
    reminders: int = 0
    calling: bool = False


Deed = Errand | Called


class Crew:
    """Follows up. `observe` tells what the service said, `answered` what came of an errand; `step` gives what is done by then."""

    def __init__(self, seed: int, members: tuple[str, ...] = MEMBERS) -> None:
        self._seed = seed
        self._members = members
        self._at: dict[str, str] = {}  # who is busy, and with which follow-up
        self._tasks: dict[str, _Task] = {}
        self._seen: set[tuple[str, str]] = set()
        self._agenda: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._out: list[Deed] = []

    @property
    def open(self) -> int:
        """Follow-ups that people see and that are not over."""
        return len(self._tasks)

    def observe(self, notice: Notice, now: float) -> None:
        """Takes in what the service says; the same twice changes nothing."""
        key = (notice.kind, notice.follow_up_id)
        if key in self._seen:
            return
        self._seen.add(key)
        if notice.kind == "flagged":
            if ("closed", notice.follow_up_id) not in self._seen:
                self._tasks[notice.follow_up_id] = _Task(notice.follow_up_id, notice.customer_id, notice.due)
        elif (task := self._tasks.get(notice.follow_up_id)) is None:
            pass
        elif notice.kind == "closed":
            self._over(task)
        elif notice.kind == "reminded":
            task.reminders += 1
            self._remember(task, now)
        else:
            self._take_over(task, notice.owner, now)

    def answered(self, errand: Errand, ok: bool, now: float) -> None:
        """An errand was carried out, or refused: somebody else has it, or it is over."""
        task = self._tasks.get(errand.follow_up_id)
        if task is None or task.owner != errand.owner:
            self._back(errand.owner, errand.follow_up_id)
        elif errand.method == "CloseFollowUp" or not ok:
            self._over(task)
        else:
            task.claimed = True
            if self._lies(task):
                self._back(task.owner, task.follow_up_id)  # it lies on the desk, and its owner goes on with another
            else:
                self._call(task, now)

    def step(self, now: float) -> list[Deed]:
        """Everything that the crew does up to `now`, in order."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, act = heappop(self._agenda)
            act(at)
        waiting = sorted((t for t in self._tasks.values() if not t.owner), key=lambda t: (t.due, t.follow_up_id))
        free = [member for member in self._members if member not in self._at]
        for task, member in zip(waiting, free, strict=False):
            self._at[member] = task.follow_up_id
            self._claim(task, member)
        out, self._out = self._out, []
        return out

    def _lies(self, task: _Task) -> bool:
        """Whether it is not seen to yet, for all the reminders that there were."""
        luck = dice(self._seed, "forgets", task.follow_up_id).random() / FORGETS
        if task.customer_id in FORGOTTEN or luck < FORGETS_AGAIN:
            return task.owner in self._members
        return luck < 1 and not task.reminders

    def _claim(self, task: _Task, owner: str) -> None:
        task.owner = owner
        self._out.append(Errand("ClaimFollowUp", task.follow_up_id, owner, f"claim-{task.follow_up_id}-{owner}"))

    def _remember(self, task: _Task, now: float) -> None:
        if task.claimed and not task.calling and not self._lies(task):
            self._at.setdefault(task.owner, task.follow_up_id)
            self._call(task, now)

    def _take_over(self, task: _Task, supervisor: str, now: float) -> None:
        if not task.calling:
            task.claimed = False
            self._claim(task, supervisor)

    def _call(self, task: _Task, now: float) -> None:
        task.calling = True
        roll = dice(self._seed, "call", task.follow_up_id)
        vain = roll.random() < NO_ANSWER

        def hang_up(at: float) -> None:
            if task.follow_up_id not in self._tasks:
                return  # it was over meanwhile
            if not vain:
                self._out.append(Called(task.customer_id))
            self._out.append(Errand("CloseFollowUp", task.follow_up_id, task.owner, f"close-{task.follow_up_id}",
                                    "not_reached" if vain else "contacted", vain))  # fmt: skip

        heappush(self._agenda, (now + roll.uniform(*CALL_S), next(self._order), hang_up))

    def _over(self, task: _Task) -> None:
        self._tasks.pop(task.follow_up_id, None)
        self._back(task.owner, task.follow_up_id)

    def _back(self, owner: str, follow_up_id: str) -> None:
        if self._at.get(owner) == follow_up_id:
            del self._at[owner]
