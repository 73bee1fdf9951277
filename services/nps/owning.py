"""The fourth pipeline: who answers for what."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from touchline.nps.v1 import nps_pb2

from services.nps.codec import segments_of
from services.nps.domain.owners import Ownership, SegmentOwned, apply
from services.runtime.pipeline import Change, Db, Pipeline
from services.runtime.records import Incoming
from services.runtime.topics import NPS_ACTIONS


def read(incoming: Incoming) -> SegmentOwned | None:
    """The event in the domain's words."""
    m = incoming.message
    if not isinstance(m, nps_pb2.SegmentOwned):
        return None
    return SegmentOwned(m.ownership_id, incoming.time, m.owner, segments_of(m.segments))


def decide(state: Ownership, event: SegmentOwned, now: datetime) -> tuple[Ownership, tuple[()]]:
    """The ownership with the event. `now` is not used: event times order what stands."""
    return apply(state, event), ()


async def project(db: Db, changes: Sequence[Change[Ownership, Any]]) -> None:
    """Writes the ownerships as they stand, in the batch's transaction."""
    kept = [o for _, o in sorted({c.key: c.state for c in changes}.items())]
    await db.execute(
        """INSERT INTO ownership (ownership_id, owner, segments, told_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[]::jsonb[], $4::timestamptz[])
           ON CONFLICT (ownership_id) DO UPDATE SET
               owner = excluded.owner, segments = excluded.segments, told_at = excluded.told_at""",
        [o.ownership_id for o in kept],
        [o.owner for o in kept],
        [json.dumps(dict(o.segments), ensure_ascii=False) for o in kept],
        [o.told_at for o in kept],
    )


PIPELINE: Pipeline[Ownership, SegmentOwned, Any] = Pipeline(
    name="nps.owners",
    topics=(NPS_ACTIONS,),
    state_type=Ownership,
    initial=Ownership,
    read=read,
    decide=decide,
    write=lambda _: (),
    project=project,
)


async def told(db: Any, until: datetime) -> list[SegmentOwned]:
    """Every ownership that was told before then, the latest first."""
    rows = await db.fetch(
        """SELECT ownership_id, told_at, owner, segments::text FROM ownership WHERE told_at < $1
           ORDER BY told_at DESC, ownership_id DESC""",
        until,
    )
    return [SegmentOwned(r[0], r[1], r[2], tuple(sorted(json.loads(r[3]).items()))) for r in rows]
