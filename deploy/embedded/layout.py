"""Where the local stack keeps its things: one folder, its files, its ports, its API key."""

import json
import os
import random
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.process import StartError

SERVICES = ("gateway", "sentiment", "router", "nps", "escalation", "metrics")
WITH_DATABASE = ("sentiment", "router", "nps", "escalation")
# Known places that people may have bookmarked; everything else takes any free port.
PREFERRED = {"gateway.http": 8380, "zipkin": 9411}
# Below what Linux and macOS hand out to outgoing connections, so that a port kept for the next start stays free.
FREE_PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Layout:
    """The paths inside a data folder."""

    data: Path

    @classmethod
    def of(cls, data: Path | str) -> "Layout":
        return cls(Path(data).expanduser().resolve())

    @property
    def state(self) -> Path:
        return self.data / "touchline.json"

    @property
    def lock(self) -> Path:
        return self.data / "touchline.lock"

    @property
    def ports(self) -> Path:
        return self.data / "ports.json"

    @property
    def keys(self) -> Path:
        return self.data / "gateway-keys.json"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def create(self) -> None:
        """Makes the folders that every part needs."""
        self.logs.mkdir(parents=True, exist_ok=True)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces the file at once, so that a reader never sees half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    part.replace(path)


def is_free(port: int) -> bool:
    """Whether nobody listens on the loopback port."""
    with socket.socket() as probe:
        # As servers do: a port that only lingers in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_free(taken: set[int]) -> int:
    for _ in range(1000):
        port = random.choice(FREE_PORTS)
        if port not in taken and is_free(port):
            return port
    raise RuntimeError(f"no free port between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def assign_ports(layout: Layout, names: list[str]) -> dict[str, int]:
    """A free loopback port for each name: the one of the last start where it still is free. Remembered in the data folder."""
    try:
        ports: dict[str, int] = json.loads(layout.ports.read_text())
    except (OSError, ValueError):
        ports = {}
    chosen: dict[str, int] = {}
    for name in names:
        port = ports.get(name) or PREFERRED.get(name)
        taken = set(chosen.values())
        usable = port is not None and port not in taken and is_free(port)
        chosen[name] = port if port is not None and usable else _any_free(taken | set(ports.values()))
    write_atomically(layout.ports, json.dumps({**ports, **chosen}, indent=1))
    return chosen


def api_key(layout: Layout) -> str:
    """The demo channel's key of this data folder; made, with the gateway's keys file, where there is none.

    Raises StartError where the file was changed and has it no more.
    """
    if not layout.keys.exists():
        channel = {"name": "demo", "key": secrets.token_urlsafe(24), "rate_per_s": None}
        write_atomically(layout.keys, json.dumps({"channels": [channel]}, indent=1), 0o600)
    try:
        keys = {c["name"]: c["key"] for c in json.loads(layout.keys.read_text())["channels"]}
        return str(keys["demo"])
    except (ValueError, TypeError, KeyError):
        raise StartError(
            f'{layout.keys}: has no channel "demo" with a key; remove the file, and it is made anew. '
            "缺少 demo 渠道的密钥；删除该文件后会重新生成。"
        ) from None
