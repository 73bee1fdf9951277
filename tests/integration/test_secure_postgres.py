"""Passwords and TLS to Postgres, by DATABASE_URL: the right ones work, wrong ones are refused and named.

The embedded Postgres is built without TLS, so a small proxy speaks it in its place, by Postgres's own handshake: what is
tested is the clients' side, which is ours.
"""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded.layout import Layout, assign_ports
from deploy.embedded.postgres import Postgres, socket_folder
from deploy.embedded.process import Child
from services.runtime.commands import CommandBus
from services.runtime.errors import Transient
from services.runtime.migrate import migrate
from tests.authority import Authority, needs_openssl

pytestmark = [pytest.mark.integration, needs_openssl]
USER, PASSWORD, WRONG = "touchline", "right-password-1", "wrong-password-2"
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
MIGRATIONS = Path(__file__).resolve().parents[2] / "services" / "nps"


@dataclass
class Secured:
    port: int
    tls_port: int
    ours: Authority
    theirs: Authority

    def dsn(self, password: str = PASSWORD, *, user: str = USER, ca: Authority | None = None) -> str:
        """ca: speaks TLS, and believes what it vouches for."""
        port, more = (self.port, "sslmode=disable") if ca is None else (
            self.tls_port, f"sslmode=verify-full&sslrootcert={ca.cert}"
        )  # fmt: skip
        return f"postgresql://{user}:{password}@127.0.0.1:{port}/touchline_nps?{more}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _tls_in_front(port: int, behind: int, context: ssl.SSLContext) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(8) != SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(context)
            inner, outer = await asyncio.open_connection("127.0.0.1", behind)
            await asyncio.gather(_pump(reader, outer), _pump(inner, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


def _ask_for_passwords(data: Path) -> None:
    (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    folder = tmp_path_factory.mktemp("secure-postgres")
    layout = Layout.of(folder)
    layout.create()
    ports = assign_ports(layout, ["postgres", "tls"])
    postgres = Postgres(folder / "postgres", socket_folder(folder), layout.logs / "postgres.log")
    await asyncio.to_thread(postgres.prepare)
    _ask_for_passwords(folder / "postgres")
    spec = postgres.spec()
    listening = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={ports['postgres']}"]
    child = Child(replace(spec, argv=[*spec.argv, *listening], ready=lambda: _listens(ports["postgres"])))
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*ours.issue("postgres"))
    proxy = await _tls_in_front(ports["tls"], ports["postgres"], context)
    try:
        await child.wait_ready()
        await _furnish(postgres.socket, ports["postgres"])
        yield Secured(ports["postgres"], ports["tls"], ours, theirs)
    finally:
        proxy.close()
        await child.stop()
        shutil.rmtree(postgres.socket, ignore_errors=True)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _furnish(socket: Path, port: int) -> None:
    for _ in range(50):
        try:
            inside = await asyncpg.connect(host=str(socket), port=port, user="postgres", database="postgres")
            break
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.2)
    await inside.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
    await inside.execute(f"CREATE DATABASE touchline_nps OWNER {USER}")
    await inside.close()


async def _tables(dsn: str) -> int:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return int(
            await connection.fetchval("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'runtime'")
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_the_right_password_works_for_migrations_and_for_work(secured: Secured, tls: bool) -> None:
    dsn = secured.dsn(ca=secured.ours if tls else None)
    await migrate(dsn, MIGRATIONS)
    assert await _tables(dsn) > 0


@pytest.mark.parametrize(
    ("case", "named"),
    [
        ("password", "does not let the user of DATABASE_URL in"),
        ("password by TLS", "does not let the user of DATABASE_URL in"),
        ("user", "does not let the user of DATABASE_URL in"),
        ("authority", "sslrootcert"),
        ("no TLS", "Postgres is away"),
    ],
)
async def test_wrong_ones_are_refused_and_named(secured: Secured, case: str, named: str) -> None:
    dsn = {
        "password": secured.dsn(WRONG),
        "password by TLS": secured.dsn(WRONG, ca=secured.ours),
        "user": secured.dsn(user="nobody"),
        "authority": secured.dsn(ca=secured.theirs),
        "no TLS": secured.dsn(ca=secured.ours).replace(str(secured.tls_port), str(secured.port)),
    }[case]
    with pytest.raises(Transient, match=named) as refused:
        await migrate(dsn, MIGRATIONS)
    assert WRONG not in str(refused.value) and PASSWORD not in str(refused.value)
    bus = CommandBus(dsn, publisher=None, source="/tests")  # type: ignore[arg-type]
    with pytest.raises(Transient, match="Postgres is away"):
        await bus._listening()
