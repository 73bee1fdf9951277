"""How a process ends where it was not asked to: in our words, for those of what it met may be a customer's."""

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from services.runtime import telemetry
from services.runtime.errors import Misconfigured

log = logging.getLogger(__name__)


@contextmanager
def ending(name: str) -> Iterator[None]:
    """Around all that a process does. Exit code 2 where a setting is wrong, 1 where it failed."""
    try:
        yield
    except Misconfigured as error:
        print(f"touchline {name}: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception:
        log.critical("the process ends", exc_info=True)
        sys.exit(1)
    finally:
        telemetry.shut_down()


def unheard(_: asyncio.AbstractEventLoop, told: Mapping[str, Any]) -> None:
    """A loop's handler of what nobody waited for any more."""
    log.error("a task ended unheard", exc_info=told.get("exception"))
