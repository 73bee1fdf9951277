"""What is done to a broker."""

import asyncio
import signal

from faults.bed import Bed


async def dies_ahead(bed: Bed, part: str, seconds: float) -> None:
    """Kills a broker that was ahead of all others: they stood still for so long before, and fetched nothing from it.

    Whatever it alone has acknowledged is gone with it.
    """
    others = [child for name, child in bed.stack.children.items() if name.startswith("kafka") and name != part]
    try:
        for other in others:
            other.popen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        await bed.stack.kill(part)
    finally:
        for other in others:
            other.popen.send_signal(signal.SIGCONT)
