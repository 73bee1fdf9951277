"""Zipkin, which shows the traces: kept in memory, gone with the process."""

import asyncio
import os
import shutil
import signal
import zipfile
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import jars, warm
from deploy.embedded.layout import LOOPBACK
from deploy.embedded.process import Spec

INDEX = "BOOT-INF/classpath.idx"
CLASSES = "BOOT-INF/classes/"


def unpack() -> list[Path]:
    """The server's class path, its jar taken apart in the cache: that starts twice as fast as the jar as it comes."""
    jar = next(j for j in jars.locked() if j.name == "zipkin")
    folder = jars.cache_dir() / f"zipkin-{jar.sha256[:12]}"
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.{os.getpid()}")
        _unpack_into(part, jars.jar_path(jar))
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    names = (folder / INDEX).read_text().splitlines()
    return [folder / "server.jar", *(folder / name.split('"')[1] for name in names)]


def _unpack_into(folder: Path, source: Path) -> None:
    folder.mkdir(parents=True)
    with zipfile.ZipFile(source) as packed, zipfile.ZipFile(folder / "server.jar", "w") as own:
        for name in packed.namelist():
            if name == INDEX or name.startswith("BOOT-INF/lib/"):
                packed.extract(name, folder)
            elif name.startswith(CLASSES) and not name.endswith("/"):
                own.writestr(name.removeprefix(CLASSES), packed.read(name))


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
        """How to start it. Unpacks the server on the first call, which takes a second."""
        options = [f"-Xmx{self.heap_mb}m", "-Xms32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        # Armeria's ports are the server's only listeners; naming the address keeps it off other interfaces.
        listener = {"ip": LOOPBACK, "port": self.port, "protocols[0]": "http"}
        options += [f"-Darmeria.ports[0].{key}={value}" for key, value in listener.items()]
        options += ["-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true"]
        # It unpacks a library at each start and leaves it behind: in our folder, not in the machine's.
        scratch = self.log.parent.parent / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        options.append(f"-Djava.io.tmpdir={scratch}")
        classpath = ":".join(map(str, unpack()))
        env = {
            "QUERY_PORT": str(self.port),
            "SELF_TRACING_ENABLED": "false",
            "STORAGE_TYPE": "mem",
            "MEM_MAX_SPANS": "30000",
        }
        return Spec(
            name="zipkin",
            argv=[jars.java(), *options, *warm.option("zipkin"), "-cp", classpath, "zipkin.server.ZipkinServer"],
            log=self.log,
            ready=lambda: answers(self.port),
            env=env,
            # It keeps nothing: an orderly end would only wait two seconds for requests.
            stop_signal=signal.SIGKILL,
            death_signal=signal.SIGKILL,
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
