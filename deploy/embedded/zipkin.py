"""Zipkin, which shows the traces: kept in memory, gone with the process."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import jars
from deploy.embedded.kafka import java
from deploy.embedded.layout import LOOPBACK
from deploy.embedded.process import Spec


@dataclass(frozen=True)
class Zipkin:
    """The Zipkin server with its page, on a loopback port."""

    log: Path
    port: int
    heap_mb: int = 128

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def spec(self) -> Spec:
        options = [f"-Xmx{self.heap_mb}m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        # Armeria's ports are the server's only listeners; naming the address keeps it off other interfaces.
        listener = {"ip": LOOPBACK, "port": self.port, "protocols[0]": "http"}
        armeria = [f"-Darmeria.ports[0].{key}={value}" for key, value in listener.items()]
        options += ["-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true", *armeria]
        env = {
            "QUERY_PORT": str(self.port),
            "SELF_TRACING_ENABLED": "false",
            "STORAGE_TYPE": "mem",
            "MEM_MAX_SPANS": "100000",
        }
        return Spec(
            name="zipkin",
            argv=[java(), *options, "-jar", str(jars.paths("zipkin")[0])],
            log=self.log,
            ready=lambda: answers(self.port),
            env=env,
            grace_s=5.0,
        )


async def answers(port: int, limit_s: float = 1.0) -> bool:
    """Whether Zipkin says that it is well."""
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(b"GET /health HTTP/1.1\r\nHost: zipkin\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
