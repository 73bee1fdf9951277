"""The machine and the versions that figures belong to."""

import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.peers import java, quix
from deploy.embedded.postgres import binaries

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Machine:
    """What this ran on; the load average at the start tells whether it was alone."""

    cores: int
    cpu: str
    memory_gb: int
    system: str
    python: str
    kafka: str
    postgres: str
    aiokafka: str
    librdkafka: str
    faust: str
    quix: str
    kafka_streams: str
    commit: str
    load_average: tuple[float, float, float]
    began: str

    def in_words(self) -> str:
        """For people."""
        return words(asdict(self))


def words(told: dict[str, Any]) -> str:
    """A machine, as the book has it, for people."""
    return (
        f"{told['cores']} cores ({told['cpu']}), {told['memory_gb']} GB, {told['system']}; Python {told['python']}, "
        f"Kafka {told['kafka']}, Postgres {told['postgres']}, aiokafka {told['aiokafka']}, librdkafka "
        f"{told['librdkafka']}, Faust {told['faust']}, Quix Streams {told['quix']}, Kafka Streams "
        f"{told['kafka_streams']}; commit {told['commit']}, {told['began']}; load average at the start "
        + " ".join(map(str, told["load_average"]))
    )


def machine() -> Machine:
    """This machine, now."""
    import confluent_kafka

    jars = ROOT / "deploy" / "embedded" / "jars.lock"
    kafka = re.search(r"kafka-clients:([\d.]+)", jars.read_text())
    one, five, fifteen = (round(x, 1) for x in os.getloadavg())
    return Machine(
        os.cpu_count() or 1,
        _cpu(),
        round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
        kafka[1].rstrip(".") if kafka else "?",
        _postgres(),
        version("aiokafka"),
        confluent_kafka.libversion()[0],
        version("faust-streaming"),
        quix.version(),
        java.VERSION,
        _commit(),
        (one, five, fifteen),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def _postgres() -> str:
    command = [str(binaries() / "postgres"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[2]


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
