"""A TCP proxy between a service and its Kafka or Postgres: it delays, stalls, refuses, and cuts answers in the middle."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

CHUNK = 64 * 1024


class Proxy:
    """One listener on loopback; `await start()` gives its port. Behaviour is set by its methods and ended by `calm`.

    What is set holds for connections that are open as well as for those to come.
    """

    def __init__(self, connect: Connect, port: int = 0) -> None:
        self._connect = connect
        self.port = port
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_s = 0.0
        self._refusing = False
        self._cut: Random | None = None
        self._cut_share = 0.0
        self._producers_flow = asyncio.Event()
        self._producers_flow.set()
        self.cuts = 0

    async def start(self) -> int:
        """Listens. Gives the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self) -> None:
        """Drops everything and listens no more."""
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    # -- harm -----------------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """Lets everything pass again."""
        self._delay_s, self._refusing, self._cut = 0.0, False, None
        self._flowing.set()
        self._producers_flow.set()

    def slow(self, seconds: float) -> None:
        """Each chunk waits so long, in both directions."""
        self._delay_s = seconds

    def stall(self) -> None:
        """Nothing passes and nothing is closed: a cable that was pulled."""
        self._flowing.clear()

    def hold_producers(self) -> None:
        """Kafka only: what is produced does not pass, while consumers go on."""
        self._producers_flow.clear()

    def away(self) -> None:
        """Open connections break, new ones are accepted and broken at once."""
        self._refusing = True
        self.drop()

    def drop(self) -> None:
        """All connections break now."""
        for task in list(self._pairs):
            task.cancel()

    def cut_answers(self, rng: Random, share: float) -> None:
        """Of the server's chunks this share is cut somewhere in its middle, and its connection broken there."""
        self._cut, self._cut_share = rng, share

    # -- traffic --------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        try:
            if not self._refusing:
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # a broken connection is what this is for
        finally:
            self._pairs.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await self._connect()
        try:
            ways = [
                asyncio.create_task(self._pass(reader, back, False)),
                asyncio.create_task(self._pass(there, writer, True)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bool) -> None:
        while chunk := await reader.read(CHUNK):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._flowing.wait()
            if not answer and _produces(chunk):
                await self._producers_flow.wait()
            if answer and self._cut is not None and self._cut.random() < self._cut_share:
                self.cuts += 1
                writer.write(chunk[: self._cut.randrange(len(chunk))])
                with contextlib.suppress(OSError):
                    await writer.drain()
                return
            writer.write(chunk)
            await writer.drain()


def _produces(chunk: bytes) -> bool:
    """Whether a Kafka request of sort 0, Produce, begins here: four bytes of length, then the sort."""
    return len(chunk) >= 6 and chunk[4:6] == b"\0\0"
