"""A member of a consumer group, as tests wait for it."""

import asyncio
import contextlib

from services.runtime.checkpoint import Place
from services.runtime.errors import Transient
from services.runtime.source import Source


async def given(source: Source, count: int = 1) -> set[Place]:
    """Polls, as a runner does, until it was given so many places: a broker may have yet to hear of a topic just made."""
    places: set[Place] = set()
    async with asyncio.timeout(30):
        while len(places) < count:
            places |= source.assigned() or set()
            with contextlib.suppress(Transient):
                await source.poll(10, 50)
    return places
