"""A candidate policy beside the live router, and the live topics replayed under it, on the whole running system."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from services.router.policyfile import DEFAULT
from tests.live import Live, accepted, event, history, until

pytestmark = pytest.mark.integration


async def triaged(live: Live, wanted: set[str]) -> bool:
    """All of them were decided."""
    found = {
        one.message.contact_id
        for one in await history(live, "routing.decided")
        if type(one.message).__name__ == "ContactTriaged"
    }
    return wanted <= found


def command(*args: str) -> Any:
    done = CliRunner().invoke(cli, ["router", *args, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), done.stderr


async def serve(live: Live, run: str) -> None:
    """One contact is served by a human: a replay wants to know how long that takes."""
    pool, seat, contact = "english", f"seat-{run}", f"served-{run}"
    mine = {"pool": pool, "seatId": seat}
    asked = {"contactId": contact, "channel": "web", "topic": "advice", "language": "en", "wantsHuman": True}
    accepted(live, event(live, "seat.SeatSignedIn", seat, {**mine, "capacity": 1, "languages": ["en"]}))
    try:
        accepted(live, event(live, "contact.ContactRequested", f"of-{contact}", asked))

        async def found(kind: str) -> Any:
            of = [one.message for one in await history(live, "routing.decided") if type(one.message).__name__ == kind]
            return next((one for one in reversed(of) if one.contact_id == contact), None)

        offer = await until("an offer", lambda: found("ContactOffered"))
        taken = {**mine, "contactId": contact, "token": str(offer.token)}
        accepted(live, event(live, "seat.OfferAccepted", seat, taken))
        await until("accepted", lambda: found("ContactAccepted"))
        accepted(live, event(live, "seat.ServiceFinished", seat, taken))
        await until("closed", lambda: found("ContactClosed"))
    finally:
        accepted(live, event(live, "seat.SeatSignedOut", seat, mine))


async def test_a_shadow_tells_who_would_go_elsewhere(live_stack: Live, tmp_path: Path) -> None:
    policy = tmp_path / "candidate.toml"
    text = DEFAULT.read_text(encoding="utf-8")
    policy.write_text(text.replace('tier = ["vip"] }\npool = "care"', 'tier = ["vip"] }\npool = "service"'), "utf-8")
    run = uuid4().hex[:8]
    vips, others = ({f"{kind}-{run}-{n}" for n in range(3)} for kind in ("vip", "normal"))
    asked = {"channel": "app", "touchpoint": "pre_sales", "topic": "advice", "language": "zh"}
    sent = [
        event(
            live_stack,
            "contact.ContactRequested",
            f"of-{contact}",
            {**asked, "contactId": contact, "customer": {"tier": contact.split("-")[0]}},
        )
        for contact in sorted(vips | others)
    ]
    where = ["--data", live_stack["data"]]
    # It listens from now on, and ends by itself.
    listens = asyncio.create_task(asyncio.to_thread(command, "shadow", "--policy", str(policy), "--for", "20s", *where))
    try:
        await asyncio.sleep(3)
        accepted(live_stack, *sent)
        await until("all triaged", lambda: triaged(live_stack, vips | others))
        told, live = await listens
        mine = {row["contact_id"]: row for row in told["contacts"] if run in row["contact_id"]}
        assert set(mine) == vips
        for row in mine.values():
            assert (row["live"]["pool"], row["candidate"]["pool"], row["differs"]) == ("care", "service", "pool")
            assert row["contact_id"] in live  # told as it came
        assert told["seen"] >= 6
        again, _ = await asyncio.to_thread(
            command, "shadow", "--policy", str(policy), "--from-start", "--contacts", "1", *where
        )
        assert again["seen"] == 1
        await serve(live_stack, run)
        replayed, _ = await asyncio.to_thread(
            command, "replay", "--from-kafka", "--policy", str(policy), "--runs", "1", *where
        )
        assert replayed["goes_elsewhere"]["care → service"] >= 3
        assert replayed["history"]["contacts"] >= 7
        assert replayed["history"]["human"] >= 1
    finally:
        listens.cancel()
        ends = [
            event(live_stack, "contact.ContactEnded", f"of-{contact}", {"contactId": contact})
            for contact in sorted(vips | others)
        ]
        accepted(live_stack, *ends)
