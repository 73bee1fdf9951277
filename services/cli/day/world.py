"""The people of the day, as one state machine: what they send when, and how they react to the router. Pure: no clock, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from services.cli.day import aftermath, events, phrases
from services.cli.day.model import BOT, CloudEvent, ContactPlan, Day, MovedBy, SeatPlan, Unreadable, dice


@dataclass(frozen=True, slots=True)
class Send:
    """Send this event to the gateway. repeat: it was sent before, under the same id."""

    event: CloudEvent
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A seat's desktop calls the router: method is "Accept", "Decline" or "Finish"."""

    method: str
    pool: str
    seat_id: str
    contact_id: str
    token: int
    command_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stayed:
    """Nobody sends anything: the customer would have come, and does not, because somebody was quicker."""

    customer_id: str
    contact_id: str
    topic: str
    moved_by: MovedBy


Action = Send | Command | Unreadable | Stayed


@dataclass(frozen=True, slots=True)
class Fact:
    """What the router decided of a contact. kind: "triaged", "offered", "returned", "accepted" or "closed".

    outcome: "bot", "human" or "abandoned" where closed; "declined", "timeout" or "signed_out" where returned.
    """

    kind: str
    contact_id: str
    pool: str = ""
    seat_id: str = ""
    token: int = 0
    outcome: str = ""


@dataclass(slots=True)
class _Live:
    """A contact as the customer sees it."""

    plan: ContactPlan
    pool: str = ""
    waits_since: float | None = None
    turn: int = 0  # counts what was said, so that each message has a name of its own
    patience: int = 0  # the running patience; an older one's end means nothing
    served: int = 0  # token of the acceptance that is served
    handed_over: bool = False
    left: bool = False
    over: bool = False
    waited_s: float = 0.0
    seen: set[tuple[str, int, str]] = field(default_factory=set)


class World:
    """Plays a day. `step(now)` gives what is due by then; `observe(fact, now)` tells what the router decided."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.live: dict[str, _Live] = {}
        self._agenda: list[tuple[float, int, Callable[[float], None], bool]] = []
        self._planned = 0
        self._order = count()
        self._out: list[Action] = []
        self._upcoming = 0
        self._reached: set[tuple[str, MovedBy]] = set()
        self._seats = {seat.seat_id: seat for seat in day.seats}
        for plan in day.contacts:
            self.comes(plan)
        for item in day.outside:
            self._send_at(item.at, item.event, late=not item.event.get("traceparent"))
        for record in day.unreadable:
            self._later(record.at, lambda _, r=record: self._out.append(r))  # type: ignore[misc]
        for seat in day.seats:
            self._shift(seat)

    # -- the interface ------------------------------------------------------------------------------------------

    def due(self) -> float | None:
        """When something happens next by itself, in seconds after midnight; None where nothing is planned."""
        return self._agenda[0][0] if self._agenda else None

    def comes(self, plan: ContactPlan) -> None:
        """One contact more, at its time."""
        self._upcoming += 1
        self._later(plan.at, lambda now: self._request(plan, now))

    def step(self, now: float) -> list[Action]:
        """Everything that people do up to `now`, in order."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, act, idle = heappop(self._agenda)
            self._planned -= not idle
            act(at)
        out, self._out = self._out, []
        return out

    def observe(self, fact: Fact, now: float) -> None:
        """Takes in a decision; the same one twice changes nothing."""
        contact = self.live.get(fact.contact_id)
        key = (fact.kind, fact.token, fact.pool)
        if contact is None or key in contact.seen:
            return
        contact.seen.add(key)
        reaction = {
            "triaged": self._triaged,
            "offered": self._offered,
            "returned": self._returned,
            "accepted": self._accepted,
            "closed": self._closed,
        }.get(fact.kind)
        if reaction is not None:
            reaction(contact, fact, now)

    def reached(self, customer_id: str, by: MovedBy) -> None:
        """Somebody was quicker than the customer, who may now see no reason to call."""
        self._reached.add((customer_id, by))

    @property
    def open_contacts(self) -> int:
        """Contacts that were requested and are not over."""
        return sum(not c.over for c in self.live.values())

    @property
    def coming(self) -> int:
        """Contacts that are yet to be requested, and those that are not over."""
        return self._upcoming + self.open_contacts

    @property
    def waiting(self) -> int:
        """Contacts that wait for a human."""
        return sum(c.waits_since is not None and not c.over for c in self.live.values())

    @property
    def planned(self) -> int:
        """What people have yet to do: surveys to answer, tickets to resolve, shifts to end."""
        return self._planned

    @property
    def finished(self) -> bool:
        """True when everybody came, everybody is served or gone, and nothing more is planned."""
        return not self._planned and not self.coming

    # -- sending ------------------------------------------------------------------------------------------------

    def _later(self, at: float, act: Callable[[float], None], *, idle: bool = False) -> None:
        # The end of somebody's patience keeps nobody from going home once all are served.
        self._planned += not idle
        heappush(self._agenda, (at, next(self._order), act, idle))

    def _send_at(self, at: float, event: CloudEvent, *, late: bool = False) -> None:
        """Sends it at its time; some later than it happened, some again under the same id."""
        roll, noise, end = dice(self.day.seed, "noise", event["id"]), self.day.noise, self.day.window.end
        if late and roll.random() < noise.late and end - at > 330:
            at += roll.uniform(300, min(5 * 3600.0, end - at))
        self._later(at, lambda _: self._out.append(Send(event)))
        if roll.random() < noise.duplicates:
            again = at + roll.expovariate(1 / 300)
            self._later(again if at > end else min(again, end), lambda _: self._out.append(Send(event, repeat=True)))

    def _send(
        self, contact: _Live, at: float, kind: str, data: dict[str, object], *, origin: str = "", name: str = ""
    ) -> None:
        plan = contact.plan
        made = events.event(kind, seed=self.day.seed, name=name or plan.contact_id, origin=origin or plan.channel, subject=plan.shopper.id,
                            time=self.day.moment(at), data=data, traceparent=plan.traceparent)  # fmt: skip
        # What offices report may come late; what is said in a contact does not.
        self._send_at(at, made, late=bool(origin) and not plan.traceparent)

    def _say(self, contact: _Live, at: float, speaker: str, text: str, seat_id: str = "") -> None:
        contact.turn += 1
        data = events.said(contact.plan, speaker, text, seat_id)
        self._send(contact, at, "contact.MessageReceived", data, name=f"{contact.plan.contact_id}/{contact.turn}")

    # -- customers ----------------------------------------------------------------------------------------------

    def _request(self, plan: ContactPlan, now: float) -> None:
        self._upcoming -= 1
        if not self._comes(plan):
            return
        contact = self.live[plan.contact_id] = _Live(plan)
        self._send(contact, now, "contact.ContactRequested", events.requested(plan))
        for i, text in enumerate(plan.opening):
            self._say(contact, now + 1 + 4 * i, "CUSTOMER", text)
        self._wait(contact, now)

    def _comes(self, plan: ContactPlan) -> bool:
        """Whether the customer comes, as it was drawn for what has happened by now."""
        doubt = plan.doubt
        if doubt is None or not doubt.alone:
            return doubt is None
        if doubt.reached or (plan.shopper.id, doubt.moved_by) not in self._reached:
            return True
        self._out.append(Stayed(plan.shopper.id, plan.contact_id, plan.topic, doubt.moved_by))
        return False

    def _wait(self, contact: _Live, now: float) -> None:
        contact.patience += 1
        contact.waits_since = now
        mine = contact.patience
        self._later(now + contact.plan.patience_s, lambda at: self._give_up(contact, mine, at), idle=True)

    def _give_up(self, contact: _Live, patience: int, now: float) -> None:
        if contact.over or contact.left or contact.patience != patience or contact.waits_since is None:
            return
        contact.left = True
        self._send(contact, now, "contact.ContactAbandoned", {"contactId": contact.plan.contact_id})

    def _triaged(self, contact: _Live, fact: Fact, now: float) -> None:
        contact.pool = fact.pool
        if fact.pool != BOT or contact.left or contact.handed_over:
            return
        contact.waits_since, at, plan = None, now, contact.plan
        replies = plan.replies or phrases.BOT_SAYS[plan.shopper.language]
        for i, text in enumerate(plan.later):
            self._say(contact, at + 3, "BOT", replies[i % len(replies)])
            at += 15 + 5 * (len(text) % 7)
            self._later(at, lambda t, x=text: self._say_unless_over(contact, t, "CUSTOMER", x))  # type: ignore[misc]
        self._later(at + 10, lambda t: self._leave_bot(contact, t))

    def _say_unless_over(self, contact: _Live, at: float, speaker: str, text: str, seat_id: str = "") -> None:
        if not contact.over and not contact.left:
            self._say(contact, at, speaker, text, seat_id)

    def _leave_bot(self, contact: _Live, now: float) -> None:
        plan = contact.plan
        if contact.over:
            return
        if not plan.handover:
            data: dict[str, object] = {"contactId": plan.contact_id, "endedBy": "SPEAKER_CUSTOMER"}
            self._send(contact, now, "contact.ContactEnded", data)
            return
        contact.handed_over = True
        language = plan.shopper.language
        if plan.handover == "customer_asked":
            asks = dice(self.day.seed, "asks", plan.contact_id).choice(phrases.CUSTOMER_ASKS[language])
            self._say(contact, now - 1, "CUSTOMER", asks)
        summary = phrases.HANDOVER_SUMMARY[language].format(t=plan.topic)
        self._send(contact, now, "contact.HandoverRequested",
                   {"contactId": plan.contact_id, "reason": plan.handover, "summary": summary})  # fmt: skip
        self._wait(contact, now)

    # -- seats --------------------------------------------------------------------------------------------------

    def _shift(self, seat: SeatPlan) -> None:
        who = {"pool": seat.pool, "seatId": seat.seat_id}

        def at(moment: float, kind: str, data: dict[str, object], name: str) -> None:
            made = events.event(f"seat.{kind}", seed=self.day.seed, name=f"{seat.seat_id}/{name}", origin="seats", subject=seat.seat_id,
                                time=self.day.moment(moment), data=data)  # fmt: skip
            self._later(moment, lambda _: self._out.append(Send(made)))

        at(seat.start, "SeatSignedIn", events.signed_in(seat), "in")
        for i, (start, end) in enumerate(seat.breaks):
            at(start, "SeatPaused", {**who, "reason": "break"}, f"break-{i}")
            at(end, "SeatResumed", dict(who), f"back-{i}")

        def go_home(now: float) -> None:
            # The last shift stays until the last customer is served.
            if now >= self.day.window.end - 1 and self.coming:
                self._later(now + 60, go_home)
            else:
                at(now, "SeatSignedOut", dict(who), "out")

        self._later(seat.end, go_home)

    def _offered(self, contact: _Live, fact: Fact, now: float) -> None:
        roll = dice(self.day.seed, "offer", fact.contact_id, fact.token)
        mood = roll.random()
        if mood < 0.03:
            return  # nobody at the desk: the offer runs out
        method, reason = ("Decline", "busy") if mood < 0.07 else ("Accept", "")
        command = Command(
            method,
            fact.pool,
            fact.seat_id,
            fact.contact_id,
            fact.token,
            f"{method}-{self.day.seed}-{fact.contact_id}-{fact.token}",
            reason,
        )
        self._later(now + roll.uniform(1, 5), lambda _: self._out.append(command))

    def _returned(self, contact: _Live, fact: Fact, now: float) -> None:
        seat = self._seats.get(fact.seat_id)
        if fact.outcome != "timeout" or seat is None:
            return
        # The router may have paused a seat that missed its offers: back at the desk, it says so.
        back = now + dice(self.day.seed, "back", fact.seat_id, fact.token).uniform(20, 60)
        if seat.start <= back < seat.end and not any(start <= back < end for start, end in seat.breaks):
            data: dict[str, object] = {"pool": seat.pool, "seatId": seat.seat_id}
            made = events.event("seat.SeatResumed", seed=self.day.seed, name=f"{seat.seat_id}/again-{fact.token}", origin="seats",
                                subject=seat.seat_id, time=self.day.moment(back), data=data)  # fmt: skip
            self._later(back, lambda _: self._out.append(Send(made)))

    def _accepted(self, contact: _Live, fact: Fact, now: float) -> None:
        plan = contact.plan
        contact.waited_s = now - contact.waits_since if contact.waits_since is not None else 0.0
        contact.waits_since, contact.served = None, fact.token
        replies = plan.replies or phrases.SEAT_SAYS[plan.shopper.language]
        self._say(contact, now + 2, "SEAT", replies[0], fact.seat_id)
        gap = plan.service_s / (len(plan.later) + 1)
        for i, text in enumerate(plan.later):
            at = now + gap * (i + 0.6)
            self._later(at, lambda t, x=text: self._say_unless_over(contact, t, "CUSTOMER", x))  # type: ignore[misc]
            answer = replies[(i + 1) % len(replies)]
            self._later(at + gap / 4, lambda t, x=answer: self._say_unless_over(contact, t, "SEAT", x, fact.seat_id))  # type: ignore[misc]
        finish = Command(
            "Finish",
            fact.pool,
            fact.seat_id,
            fact.contact_id,
            fact.token,
            f"Finish-{self.day.seed}-{fact.contact_id}-{fact.token}",
        )

        def done(_: float) -> None:
            if not contact.over:
                self._out.append(finish)

        self._later(now + (10 if contact.left else plan.service_s), done)

    # -- afterwards ---------------------------------------------------------------------------------------------

    def _closed(self, contact: _Live, fact: Fact, now: float) -> None:
        contact.over, contact.waits_since = True, None
        closing = self.day.window.end
        for next_ in (
            *aftermath.survey(contact.plan, fact.outcome, contact.waited_s, now, closing),
            *aftermath.ticket(contact.plan, fact.outcome, now, closing),
        ):
            self._send(contact, next_.at, next_.kind, next_.data, origin=next_.origin, name=next_.name)
