"""Work beside the pipelines that is done again and again, and may fail once without harm: the next time will do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

HOUR_S = 3600.0


def again(
    work: Callable[[], Awaitable[object]], every_s: float, failed: str
) -> Callable[[], Coroutine[Any, Any, None]]:
    """A task of `Parts`: `work` now and then every `every_s` seconds, for ever. Where it fails, `failed` goes to the log.

    The log names the kind of the error alone, since its words may hold a customer's.
    """

    async def for_ever() -> None:
        while True:
            try:
                await work()
            except Exception as error:
                log.warning("%s: %s", failed, type(error).__name__)
            await asyncio.sleep(every_s)

    return for_ever
