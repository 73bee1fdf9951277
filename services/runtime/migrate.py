"""Migrations: numbered SQL files, applied in order by yandex-pgmigrate, each set in a schema of its own.

The runtime's tables live in the schema `runtime`, a service's in `public`; both sets count from V0001.
"""

import asyncio
import ssl
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pgmigrate
import psycopg2

from services.runtime.errors import Transient

# Any number does, as long as every process of Touchline uses the same: it names the lock that migrations are run under.
_LOCK = 7_405_170

# The connection broke, under either client; a migration that is itself wrong raises something else.
_CUT = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)


async def migrate(database_url: str, service: Path | None) -> None:
    """Brings the database up to date. Processes that start together take turns. Raises Transient where Postgres is away."""
    try:
        guard = await asyncpg.connect(database_url, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Transient(f"Postgres is away: {_why(error)}") from error
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await asyncio.to_thread(_apply, database_url, Path(__file__).parent, "runtime")
        if service is not None:
            await asyncio.to_thread(_apply, database_url, service, "public")
    except (*_CUT, OSError) as error:
        raise Transient(f"Postgres is away: {_why(error)}") from error
    finally:
        guard.terminate()  # no good-bye: the connection may be cut already


def _why(error: BaseException) -> str:
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return f"it does not let the user of DATABASE_URL in ({type(error).__name__})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"it shows a certificate that DATABASE_URL's sslrootcert does not vouch for ({error.verify_message})"
    return type(error).__name__


def _apply(database_url: str, folder: Path, schema: str) -> None:
    wanted = SimpleNamespace(
        base_dir=str(folder), conn=database_url, schema=schema, target="latest", disable_schema_check=True
    )
    config = pgmigrate.get_config(str(folder), wanted)
    try:
        pgmigrate.migrate(config)
    finally:
        config.conn_instance.close()
