"""The pipeline of seats' loads: a pool's sign-ins, sign-outs and anger in; what each seat bears, in a table, out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.runtime.pipeline import Change, Db, Pipeline, Publish
from services.runtime.topics import POOL_EVENTS
from services.sentiment import codec
from services.sentiment.domain.load import LoadChanged, LoadEvent, PoolLoad, decide, load_at


def pipeline() -> Pipeline[PoolLoad, LoadEvent, LoadChanged]:
    """One state for each pool: its partition's owner is its only writer."""
    return Pipeline(
        name="sentiment.load",
        topics=(POOL_EVENTS,),
        state_type=PoolLoad,
        initial=PoolLoad,
        read=codec.read_load,
        decide=decide,
        write=_nothing,
        project=project,
        unhurried=True,
    )


def _nothing(_: LoadChanged) -> Iterator[Publish]:
    """Loads are looked up; what they are made of stands on pool.events already."""
    return iter(())


async def project(db: Db, changes: Sequence[Change[PoolLoad, LoadChanged]]) -> None:
    """Writes the loads that changed; who went off shift leaves the table."""
    burdens = {(fact.burden.seat_id, fact.pool): fact.burden for change in changes for fact in change.facts}
    gone = sorted(key for key, b in burdens.items() if b.gone is not None)
    if gone:
        await db.execute(
            """DELETE FROM seat_load l USING unnest($1::text[], $2::text[]) AS n(seat_id, pool)
               WHERE l.seat_id = n.seat_id AND l.pool = n.pool""",
            [seat for seat, _ in gone],
            [pool for _, pool in gone],
        )
    kept = sorted((key, b) for key, b in burdens.items() if b.gone is None and b.heard is not None)
    if kept:
        await db.execute(
            """INSERT INTO seat_load (seat_id, pool, since, load, absorbed, messages, updated, heard)
               SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::float8[], $5::float8[], $6::int[],
                                    $7::timestamptz[], $8::timestamptz[])
               ON CONFLICT (seat_id, pool) DO UPDATE SET
                   since = excluded.since, load = excluded.load, absorbed = excluded.absorbed, messages = excluded.messages,
                   updated = excluded.updated, heard = excluded.heard""",
            [seat for (seat, _), _ in kept],
            [pool for (_, pool), _ in kept],
            [b.since for _, b in kept],
            [b.load for _, b in kept],
            [b.absorbed for _, b in kept],
            [b.messages for _, b in kept],
            [b.updated for _, b in kept],
            [b.heard for _, b in kept],
        )


@dataclass(frozen=True, slots=True)
class SeatLoad:
    """What a seat bears over the pools that were asked for, as of the time that was asked for."""

    load: float
    absorbed: float
    messages: int
    last_at: datetime | None
    since: datetime | None


async def loads(pool: Any, seat_ids: Sequence[str], pool_name: str, now: datetime) -> dict[str, SeatLoad]:
    """Loads at `now` of seats on shift: of those named, or of all of a pool's where none is."""
    rows = await pool.fetch(
        """SELECT seat_id, load, absorbed, messages, updated, since FROM seat_load
           WHERE (cardinality($1::text[]) = 0 OR seat_id = ANY($1)) AND ($2 = '' OR pool = $2)""",
        list(seat_ids),
        pool_name,
    )
    found: dict[str, SeatLoad] = {}
    for seat_id, load, absorbed, messages, updated, since in rows:
        known = found.get(seat_id, SeatLoad(0.0, 0.0, 0, None, None))
        found[seat_id] = SeatLoad(
            known.load + load_at(load, updated, now),
            known.absorbed + absorbed,
            known.messages + messages,
            max((t for t in (known.last_at, updated) if t), default=None),
            min((t for t in (known.since, since) if t), default=None),
        )
    return found
