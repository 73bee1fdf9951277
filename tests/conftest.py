"""What tests share: the embedded Kafka and Postgres, started once, and only where a test asks for them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from deploy.embedded.stack import Stack
from tests.live import Live, whole_system
from tests.story import Story, tell

# How long an example takes is the machine's affair: speed lives in bench/.
settings.register_profile("touchline", deadline=None)
settings.load_profile("touchline")

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that want it skip where it is missing."""
    if not DATA.is_dir():
        pytest.skip("the shared data sets are not here (../shared/data)")
    return DATA


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Kafka and Postgres of this test run; every test makes topics and pipelines of its own names."""
    # Not below pytest's own folder: another run by the same user would take Postgres's access to it away.
    with tempfile.TemporaryDirectory(prefix="touchline-") as folder, Stack(folder) as running:
        yield running


@pytest.fixture(scope="session")
def live_stack() -> Iterator[Live]:
    """The whole system of this test run: what `touchline status --json` says of it, and its folder as `data`."""
    folder = tempfile.TemporaryDirectory(prefix="touchline-", ignore_cleanup_errors=True)
    with folder, whole_system(Path(folder.name) / "system") as running:
        yield running


@pytest.fixture(scope="session")
async def story(live_stack: Live) -> Story:
    """Mrs Hu's journey, told to the whole system once."""
    return await tell(live_stack)


@pytest.fixture
async def tasks() -> AsyncIterator[list]:
    """Tasks to cancel at the end of the test, come what may."""
    running: list[asyncio.Task] = []
    yield running
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
