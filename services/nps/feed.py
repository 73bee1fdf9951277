"""What lookups keep in memory: the boards of answers, of who was asked, of what comments say and of contacts, brought up to what is committed before each answer.

Every process has all of them whole, whichever partitions it owns. They are a cache of four tables: read once in full, and from
then on by what changed (migrations/V0002__live.sql says how a change is never missed). Reading a change twice changes nothing.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from services.nps.domain.board import Board
from services.nps.domain.figures import GROUP_INDEX
from services.nps.domain.repeats import REPEATS
from services.nps.domain.survey import Segments
from services.runtime.errors import Transient
from services.runtime.patience import backoff

log = logging.getLogger(__name__)

AT_ONCE: Final = 20_000
EVERY_S: Final = 1.0
LOADED_WITHIN_S: Final = 5.0
ANSWERED, WAITING = 0, 1
"""Groups of the board of who was asked."""
REPEATED, UNSAID, OTHERWISE = 0, 1, 2
"""Groups of the board of contacts."""
CAUSE: Final = ":cause"
"""The dimension, on the board of contacts, of the stage with which a repeated contact's matter began; none where that is unsaid."""

_HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
_HOUR: Final = "floor(extract(epoch FROM {}) / 3600)::int"
_ANSWERS: Final = f"""
    SELECT id, {_HOUR.format("answered_at")}, segments::text, score FROM answer WHERE id > $1 ORDER BY id LIMIT $2"""
_REQUESTS: Final = f"""
    SELECT id, {_HOUR.format("asked_at")}, segments::text, answered FROM survey_request WHERE id > $1 ORDER BY id LIMIT $2"""
_REMARKS: Final = f"""
    SELECT id, {_HOUR.format("answered_at")}, segments::text, score, mark, value FROM remark WHERE id > $1 ORDER BY id LIMIT $2"""
_MATTERS: Final = f"""
    SELECT id, {_HOUR.format("began_at")}, segments::text, kind, cause FROM matter WHERE id > $1 ORDER BY id LIMIT $2"""
# One statement, so that all rows and the next horizon are of one snapshot.
_CHANGES: Final = """
    SELECT 0 AS kind, 0::bigint AS id, NULL::timestamptz AS at, pg_snapshot_xmin(pg_current_snapshot())::text AS told, 0 AS said,
           NULL AS mark, NULL AS value
    UNION ALL SELECT 1, id, answered_at, segments::text, score, NULL, NULL FROM answer WHERE changed >= $1::text::xid8
    UNION ALL SELECT 2, id, NULL, NULL, 0, NULL, NULL FROM answer_gone WHERE changed >= $1::text::xid8
    UNION ALL SELECT 3, id, asked_at, segments::text, answered::int, NULL, NULL FROM survey_request WHERE changed >= $1::text::xid8
    UNION ALL SELECT 4, id, answered_at, segments::text, score, mark, value FROM remark WHERE changed >= $1::text::xid8
    UNION ALL SELECT 5, id, NULL, NULL, 0, NULL, NULL FROM remark_gone WHERE changed >= $1::text::xid8
    UNION ALL SELECT 6, id, began_at, segments::text, 0, kind, cause FROM matter WHERE changed >= $1::text::xid8"""


class Feed:
    """The boards, and what keeps them fresh."""

    def __init__(self, pool: Any, reader: Any) -> None:
        """Take the pool, for all there is, and the reader, for what changed."""
        self.answers, self.requests, self.remarks, self.matters = Board(3), Board(2), Board(3), Board(3)
        self._pool, self._reader = pool, reader
        self._horizon = ""
        self._loaded = asyncio.Event()
        self._reading = asyncio.Lock()
        self._begun = self._read = 0  # readings that have begun, and the last of them that has ended well
        self._segments: dict[str, Segments] = {}

    async def run(self) -> None:
        """Reads all there is, then what changes, for ever. Lookups wait for the first."""
        waits = backoff()
        while not self._loaded.is_set():
            try:
                await self._load()
                self._loaded.set()
            except Exception as error:
                log.warning("answers could not be read: %s", type(error).__name__)
                await asyncio.sleep(next(waits))
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.refresh()
            except Exception as error:  # the next second will do; a lookup is told by its own refresh
                log.warning("changed answers could not be read: %s", type(error).__name__)

    async def ready(self) -> None:
        """Returns once all there is has been read."""
        await self._loaded.wait()

    async def refresh(self) -> None:
        """Takes in all that is committed by now. Raises Transient while the first reading is under way.

        Who comes while another reads waits for the reading after it, which serves all who wait.
        """
        if not self._loaded.is_set():
            await self._first()
        came = self._begun
        async with self._reading:
            if self._read > came:
                return
            number = self._begun = self._begun + 1
            horizon = self._horizon
            for row in await self._reader.fetch(_CHANGES, horizon):
                if row[0] == 0:
                    horizon = row[3]
                else:
                    self._take(*row)
            # Only once all of it is taken in: what fails half way is read again, and serves nobody who waits.
            self._horizon, self._read = horizon, number

    async def _first(self) -> None:
        try:
            async with asyncio.timeout(LOADED_WITHIN_S):
                await self._loaded.wait()
        except TimeoutError:
            raise Transient("the answers are still being read") from None

    def _take(self, kind: int, number: int, at: Any, told: Any, said: int, mark: Any, value: Any) -> None:
        if kind == 1:
            self.answers.put(number, at, self._segments_of(told), GROUP_INDEX[said])
        elif kind == 2:
            self.answers.drop(number)
        elif kind == 4:
            self.remarks.put(number, at, (*self._segments_of(told), (mark, value)), GROUP_INDEX[said])
        elif kind == 5:
            self.remarks.drop(number)
        elif kind == 6:
            self.matters.put(number, at, _of_matter(self._segments_of(told), mark, value), _matter_group(mark))
        else:
            self.requests.put(number, at, self._segments_of(told), ANSWERED if said else WAITING)

    async def _load(self) -> None:
        # Begun anew after a failure: what is put in all at once must not have been there before.
        self.answers, self.requests, self.remarks, self.matters = Board(3), Board(2), Board(3), Board(3)
        self._horizon = await self._pool.fetchval(_HORIZON)
        sources: tuple[tuple[str, Board, Callable[[Any], Segments], Callable[[Any], int]], ...] = (
            (_ANSWERS, self.answers, lambda r: self._segments_of(r[2]), lambda r: GROUP_INDEX[r[3]]),
            (_REQUESTS, self.requests, lambda r: self._segments_of(r[2]), lambda r: ANSWERED if r[3] else WAITING),
            (_REMARKS, self.remarks, lambda r: (*self._segments_of(r[2]), (r[4], r[5])), lambda r: GROUP_INDEX[r[3]]),
            (
                _MATTERS,
                self.matters,
                lambda r: _of_matter(self._segments_of(r[2]), r[3], r[4]),
                lambda r: _matter_group(r[3]),
            ),
        )
        for sql, board, segments, group in sources:
            last = 0
            while rows := await self._pool.fetch(sql, last, AT_ONCE):
                board.put_all(
                    [r[0] for r in rows], [r[1] for r in rows], [segments(r) for r in rows], [group(r) for r in rows]
                )
                last = rows[-1][0]

    def _segments_of(self, told: str) -> Segments:
        """Segments as their JSON tells them: few combinations come again and again."""
        known = self._segments.get(told)
        if known is None:
            known = self._segments[told] = tuple(sorted(json.loads(told).items()))
        return known


def _of_matter(segments: Segments, kind: str, cause: str) -> Segments:
    return (*segments, (CAUSE, cause)) if cause and _matter_group(kind) == REPEATED else segments


def _matter_group(kind: str) -> int:
    return REPEATED if kind in REPEATS else UNSAID if kind == "unsaid" else OTHERWISE
