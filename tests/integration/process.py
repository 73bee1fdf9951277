"""A service as a process of its own, on the Kafka and Postgres of the test run."""

import asyncio
import os
import signal
import subprocess
import sys

from deploy.embedded.layout import assign_ports
from deploy.embedded.stack import Stack
from services.runtime.admin import probe


class Process:
    """`start` and `kill` as one likes, `settled` until it has done all there is. As a context it ends in good order.

    calm: how often in a row it must have done all there is: twice where one of its pipelines reads what another publishes.
    """

    def __init__(self, stack: Stack, name: str, calm: int = 1, **settings: str) -> None:
        self.name, self.calm, self.dsn = name, calm, stack.dsn(name)
        port = assign_ports(stack.layout, [f"test.{name}"])[f"test.{name}"]
        self.address = f"127.0.0.1:{port}"
        self.env = {
            **os.environ,
            "KAFKA_BOOTSTRAP": stack.bootstrap,
            "DATABASE_URL": self.dsn,
            "GRPC_BIND": self.address,
            "OTEL_TRACES_EXPORTER": "none",
            **settings,
        }

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", f"services.{self.name}.main"], env=self.env)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def settled(self, within_s: float = 150) -> None:
        """Until it is healthy and has done all there is."""
        calm = 0
        async with asyncio.timeout(within_s):
            while calm < self.calm:
                status = await probe(self.address)
                assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}"
                calm = calm + 1 if status is not None and status.healthy and not status.lag else 0
                if calm < self.calm:
                    await asyncio.sleep(0.5 if calm else 0.2)

    async def __aenter__(self) -> "Process":
        self.start()
        await self.settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.to_thread(self.process.wait, 20)
        finally:
            self.process.kill()
        assert code == 0
