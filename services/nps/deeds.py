"""The third pipeline: what was promised about a pain point, and its end; and the calls that promise, end and list actions."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from google.protobuf.message import Message
from touchline.nps.v1 import nps_pb2

from services.nps import wire
from services.nps.codec import segments_of
from services.nps.domain import actions
from services.nps.domain.actions import Action, Effect
from services.nps.domain.board import Board, hour_number
from services.nps.domain.figures import Figure, figure
from services.runtime.commands import CommandBus
from services.runtime.errors import Unreadable
from services.runtime.pipeline import Answer, Change, Db, Pipeline
from services.runtime.records import Incoming, timestamp
from services.runtime.rpc import invalid, not_found, refused
from services.runtime.topics import NPS_ACTIONS
from services.runtime.validate import check, refusal

DEFAULT_LIMIT: Final = 100
LARGEST_LIMIT: Final = 1000
_VERDICTS: Final = {
    "worked": nps_pb2.VERDICT_WORKED,
    "did_not": nps_pb2.VERDICT_DID_NOT,
    "not_yet_known": nps_pb2.VERDICT_NOT_YET_KNOWN,
    "not_done": nps_pb2.VERDICT_NOT_DONE,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """Fact: an event was taken into its action. It answers the command that it came from."""

    source: str
    event_id: str


def read(incoming: Incoming) -> actions.Event | None:
    """The event in the domain's words."""
    m, at = incoming.message, incoming.time
    match m:
        case nps_pb2.ActionPromised():
            due = m.due_at.ToDatetime(tzinfo=UTC) if m.HasField("due_at") else None
            aim = m.aim if m.HasField("aim") else actions.AIM
            return actions.ActionPromised(
                incoming.source, incoming.event_id, m.action_id, at, m.owner, m.promise, segments_of(m.segments), due, aim
            )  # fmt: skip
        case nps_pb2.ActionDone():
            return actions.ActionDone(incoming.source, incoming.event_id, m.action_id, at, m.outcome)
        case nps_pb2.ActionDropped():
            return actions.ActionDropped(incoming.source, incoming.event_id, m.action_id, at, m.reason)
    return None


def decide(state: Action, event: actions.Event, now: datetime) -> tuple[Action, tuple[Taken, ...]]:
    """The action with the event. `now` is not used: event times order what stands."""
    return actions.apply(state, event), (Taken(event.source, event.event_id),)


def write(fact: Taken) -> Iterator[Answer]:
    """The answer to the command, where one waits."""
    yield Answer(fact.event_id, fact.source, ok=True)


async def project(db: Db, changes: Sequence[Change[Action, Taken]]) -> None:
    """Writes the actions as they stand, in the batch's transaction."""
    kept = [a for _, a in sorted({c.key: c.state for c in changes}.items())]
    await db.execute(
        """INSERT INTO action (action_id, owner, promise, segments, promised_at, due_at, aim, done_at, dropped_at, outcome, reason)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]::jsonb[], $5::timestamptz[],
                                $6::timestamptz[], $7::float8[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[])
           ON CONFLICT (action_id) DO UPDATE SET
               owner = excluded.owner, promise = excluded.promise, segments = excluded.segments,
               promised_at = excluded.promised_at, due_at = excluded.due_at, aim = excluded.aim,
               done_at = excluded.done_at, dropped_at = excluded.dropped_at, outcome = excluded.outcome, reason = excluded.reason""",
        [a.action_id for a in kept],
        [a.owner for a in kept],
        [a.promise for a in kept],
        [json.dumps(dict(a.segments), ensure_ascii=False) for a in kept],
        [a.promised_at for a in kept],
        [a.due_at for a in kept],
        [a.aim for a in kept],
        [a.done_at for a in kept],
        [a.dropped_at for a in kept],
        [a.outcome for a in kept],
        [a.reason for a in kept],
    )


PIPELINE: Pipeline[Action, actions.Event, Taken] = Pipeline(
    name="nps.actions",
    topics=(NPS_ACTIONS,),
    state_type=Action,
    initial=Action,
    read=read,
    decide=decide,
    write=write,
    project=project,
)

_COLUMNS: Final = (
    "action_id, owner, promise, segments::text, promised_at, due_at, aim, done_at, dropped_at, outcome, reason"
)


async def find(pool: Any, action_id: str) -> Action | None:
    """One action, as it stands."""
    row = await pool.fetchrow(f"SELECT {_COLUMNS} FROM action WHERE action_id = $1", action_id)
    return _action(row) if row else None


async def listed(pool: Any, owner: str, since: datetime | None, limit: int) -> list[Action]:
    """Those promised last first."""
    rows = await pool.fetch(
        f"""SELECT {_COLUMNS} FROM action WHERE ($1 = '' OR owner = $1)
            AND ($2::timestamptz IS NULL OR promised_at >= $2) ORDER BY promised_at DESC NULLS LAST, action_id LIMIT $3""",
        owner,
        since,
        limit,
    )
    return [_action(r) for r in rows]


def limit_of(asked: int) -> int:
    """How many to list. Raises RpcError, naming the field."""
    if not 0 <= asked <= LARGEST_LIMIT:
        raise invalid(f"limit: is {asked}; between 0 (for {DEFAULT_LIMIT}) and {LARGEST_LIMIT} is possible")
    return asked or DEFAULT_LIMIT


def promise(request: nps_pb2.PromiseActionRequest) -> nps_pb2.ActionPromised:
    """The event that a request asks for."""
    made = nps_pb2.ActionPromised(
        action_id=request.action_id or str(uuid4()),
        owner=request.owner,
        promise=request.promise,
        segments=dict(request.segments),
    )
    if request.HasField("due_at"):
        made.due_at.CopyFrom(request.due_at)
    if request.HasField("aim"):
        made.aim = request.aim
    return made


def end(request: nps_pb2.EndActionRequest) -> nps_pb2.ActionDone | nps_pb2.ActionDropped:
    """The event that a request asks for."""
    if request.dropped:
        return nps_pb2.ActionDropped(action_id=request.action_id, reason=request.outcome)
    return nps_pb2.ActionDone(action_id=request.action_id, outcome=request.outcome)


async def send(pool: Any, commands: CommandBus, event: Message, action_id: str, now: datetime) -> Action:
    """Has the action's owner take the event in, and returns the action as it stands then. Raises RpcError, naming the field."""
    try:
        check(event)
    except Unreadable as error:
        told = refusal(event, error)
        if isinstance(event, nps_pb2.ActionDropped) and told.startswith("reason:"):
            told = told.replace("reason:", "outcome:", 1)  # the call has one field for both
        raise invalid(told) from None
    answer = await commands.send(event, command_id=str(uuid4()), subject=action_id, now=now)
    if not answer.ok:
        raise refused(answer.code, f"action_id: {answer.reason}")
    found = await find(pool, action_id)
    if found is None:
        raise not_found("action_id: there is no such action")
    return found


def effect_of(action: Action, board: Board, now: datetime) -> Effect:
    """What an action did to the answers of its segment."""
    spans, nothing = actions.spans(action, now), figure(0, 0, 0)
    if spans is None:
        return actions.judge(action, nothing, nothing)
    (first, promised), (done, last) = spans
    before = _figure(board, action, first, hour_number(promised))
    return actions.judge(action, before, _figure(board, action, done, hour_number(last) + 1))


def told(action: Action, board: Board, now: datetime) -> nps_pb2.Action:
    """The action with what it did."""
    found = effect_of(action, board, now)
    times = {
        name: timestamp(at)
        for name in ("promised_at", "due_at", "done_at", "dropped_at")
        if (at := getattr(action, name)) is not None
    }
    known = found.before.n and found.after.n
    return nps_pb2.Action(
        action_id=action.action_id,
        owner=action.owner,
        promise=action.promise,
        segments=dict(action.segments),
        aim=action.aim,
        outcome=action.outcome or action.reason,
        overdue=action.overdue(now),
        verdict=_VERDICTS[found.verdict],
        before=wire.told(found.before),
        after=wire.told(found.after),
        effect=nps_pb2.Part(points=found.points, low=found.low, high=found.high) if known else None,
        zh=actions.sentence(found, "zh"),
        en=actions.sentence(found, "en"),
        **times,
    )


def _figure(board: Board, action: Action, start: datetime, end: int) -> Figure:
    # Hours that lie wholly within: an hour that is half before and half after is neither.
    first = -(-int(start.timestamp()) // 3600)
    return figure(*board.counts(first, max(end, first), dict(action.segments)))


def _action(row: Any) -> Action:
    return Action(
        row[0], row[1], row[2], tuple(sorted(json.loads(row[3]).items())), row[4], row[5], row[6], row[7], row[8],
        row[9], row[10],
    )  # fmt: skip
