"""Our own topics as a replay's input: a recorded period is read back as it was, and run again by the live decisions."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from google.protobuf.json_format import MessageToDict

from services.cli.main import cli
from services.router import codec, policyfile
from services.router.domain.events import (
    CallBackRequested,
    ContactRequested,
    Known,
    SeatPaused,
    SeatResumed,
    SeatSignedIn,
)
from services.router.domain.policy import Policy
from services.router.domain.simulation.distributions import Quantiles
from services.router.domain.simulation.live import Run
from services.router.domain.simulation.period import BotDid, BotPart, Fate, Model, Period, Rings, Visit
from services.router.replay import topics
from services.router.replay.recording import RecordingError, read_lines
from services.runtime import catalogue

MORNING = datetime(2026, 11, 20, 1, tzinfo=UTC)  # 09:00 in the policy's zone
LIVE = policyfile.load(policyfile.DEFAULT)
SEEN = ("touchpoint.events", "pool.events", "routing.decided")


class Taped(Run):
    """Writes what is decided as the service publishes it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.lines: list[str] = []

    def happened(self, fact: Any, now: datetime) -> None:
        for made in codec.from_fact(fact):
            if hasattr(made, "message"):
                self.tape(made.message, fact.customer_id, now)
        super().happened(fact, now)

    def tape(self, message: Any, subject: str, now: datetime) -> None:
        kind = catalogue.of(message)
        headers = {
            "ce_type": kind.name, "ce_id": f"f{len(self.lines)}", "ce_source": "/router", "ce_time": now.isoformat(),
            "ce_subject": subject,
        }  # fmt: skip
        self.lines.append(json.dumps({"topic": kind.topic, "headers": headers, "data": MessageToDict(message)}))


def cloud_event(kind: str, event: Any, subject: str, **data: Any) -> str:
    told = {"specversion": "1.0", "id": event.event_id, "source": event.source, "type": f"touchline.{kind}.v1"}
    return json.dumps({**told, "subject": subject, "time": event.time.isoformat(), "data": data})


def world(seed: int = 1, contacts: int = 300) -> tuple[Period, list[Fate]]:
    rng = np.random.default_rng(seed)
    visits, fates = [], []
    at = MORNING
    for i in range(contacts):
        at += timedelta(seconds=float(rng.exponential(20)))
        known = Known(mood=float(rng.uniform(-1, 1)), risk=float(rng.random()), missing=("nps",))
        request = ContactRequested(
            event_id=f"r{i}", source="/app", time=at, customer_id=f"k{i}", contact_id=f"c{i}", channel="app",
            topic=["refund", "repair"][i % 2], language="zh", tier="vip" if rng.random() < 0.2 else "normal",
            wants_human=bool(rng.random() < 0.5), known=known,
        )  # fmt: skip
        did = BotDid.HANDED_OVER if rng.random() < 0.5 else BotDid.ENDED
        part = BotPart(did, float(rng.integers(20, 90)), "bot_failed" if did is BotDid.HANDED_OVER else "", known)
        fates.append(
            Fate(part, float(rng.integers(60, 400)), float(rng.exponential(300)), tuple(map(float, rng.random(6))))
        )
        visits.append(Visit(request))
    seats: list[Any] = []
    for name in range(10):
        pool, head = ("care" if name < 6 else "service"), {"source": "/desk", "seat_id": f"s{name}"}
        start = MORNING + timedelta(seconds=name)
        seats.append(
            SeatSignedIn(event_id=f"in{name}", time=start, pool=pool, skills={"complaint": 3}, capacity=1, **head)
        )
        if name == 9:
            seats.append(SeatPaused(event_id="p", time=start + timedelta(minutes=20), pool=pool, **head))
            seats.append(SeatResumed(event_id="r", time=start + timedelta(minutes=30), pool=pool, **head))
    rings = Rings(Quantiles((2.0, 4.0, 8.0)), 0.05, 0.03)
    return Period(tuple(visits), tuple(sorted(seats, key=lambda e: e.time)), rings), fates


def taped(seed: int = 1, contacts: int = 300, policy: Policy = LIVE) -> tuple[Period, list[Fate], list[Any], list[str]]:
    period, fates = world(seed, contacts)
    run = Taped(period, fates, policy)
    endings = run.run()
    lines = list(run.lines)
    for visit in period.visits:
        r = visit.request
        data = {"contactId": r.contact_id, "channel": r.channel, "topic": r.topic, "language": r.language,
                "wantsHuman": r.wants_human, "customer": {"tier": r.tier}}  # fmt: skip
        lines.append(cloud_event("contact.ContactRequested", r, r.customer_id, **data))
    for event in period.seats:
        more = {"skills": {"complaint": 3}, "capacity": 1} if isinstance(event, SeatSignedIn) else {}
        said = {"pool": event.pool, "seatId": event.seat_id, **more}
        lines.append(cloud_event(f"seat.{type(event).__name__}", event, event.seat_id, **said))
    return period, fates, endings, lines


def test_a_run_conserves_contacts_and_is_the_same_again():
    period, fates = world()
    endings = Run(period, fates, LIVE).run()
    assert all(e.over for e in endings)
    assert {e.pool for e in endings} >= {"bot", "care", "service"}
    assert 0 < sum(not e.answered for e in endings) < len(endings) / 2
    for ending, fate in zip(endings, fates, strict=True):
        assert ending.waited_s <= fate.patience_s + 20.001  # who is being rung may be accepted by an offer's end
    assert endings == Run(period, fates, LIVE).run()


def test_a_recording_is_read_back_as_it_was():
    period, fates, endings, lines = taped()
    found = read_lines([*lines, *lines[:50]], "test")  # facts may come twice
    assert found.contacts_left_out == found.seats_taken_as_there == 0
    assert len(found.period.visits) == len(period.visits)
    assert [type(e) for e in found.period.seats] == [type(e) for e in period.seats]
    for visit, had, ending, fate in zip(found.period.visits, period.visits, endings, fates, strict=True):
        assert visit.request == had.request
        assert visit.abandoned == (not ending.answered)
        if ending.waits:
            assert visit.waited_s == pytest.approx(ending.waited_s, abs=0.002)
        else:
            assert visit.waited_s is None
        if ending.by_human:
            assert visit.service_s == pytest.approx(fate.service_s, abs=0.002)
        if visit.bot is not None:
            assert (visit.bot.did, visit.bot.reason) == (fate.bot.did, fate.bot.reason)
            assert visit.bot.after_s == pytest.approx(fate.bot.after_s, abs=0.002)
    rings = found.period.rings
    assert 0 < rings.declined < 0.15
    assert min(rings.accepted_s.values) == pytest.approx(2, abs=0.01)


def test_the_policy_that_was_in_force_gives_the_recorded_figures_again():
    *_, lines = taped(contacts=600)
    answer = topics.replay(read_lines(lines, "test"), topics.Question(LIVE, LIVE, 1, 6), lambda done, of: None)
    told, ours = answer["history"], answer["policy"]
    assert told["contacts"] == ours["contacts"] == 600
    for found in (told, ours):
        assert found["bot"] + found["human"] + found["abandoned"] + found["not_reached"] == pytest.approx(600)
    assert ours["bot"] == told["bot"]  # what the bot did is recorded, nothing of it is drawn
    assert answer["not_told"]["bot_drawn"] == {"policy": 0, "against": 0}
    assert ours["mean_wait_s"] == pytest.approx(told["mean_wait_s"], rel=0.25)
    assert ours["abandoned"] == pytest.approx(told["abandoned"], abs=25)
    assert answer["comparison"]["policy_less_against"]["mean_wait_s"]["mean"] == 0
    assert answer["goes_elsewhere"] == {}


def test_two_policies_are_told_apart(tmp_path: Path):
    *_, lines = taped()
    recording = tmp_path / "tape.jsonl"
    recording.write_text("\n".join(lines), encoding="utf-8")
    text = policyfile.DEFAULT.read_text(encoding="utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(text.replace('tier = ["vip"] }\npool = "care"', 'tier = ["vip"] }\npool = "service"'), "utf-8")
    asked = ["router", "replay", "--events", str(recording), "--policy", str(policy), "--runs", "2"]
    done = CliRunner().invoke(cli, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["goes_elsewhere"]["care → service"] > 20
    by_tier = answer["comparison"]["by"]["tier"]
    assert by_tier["vip"]["policy"] != by_tier["vip"]["against"]
    assert set(answer["comparison"]["by"]) == {"tier", "channel", "topic", "pool"}
    assert len(answer["comparison"]["changed_most"]) == 10
    assert "the same one" not in done.stderr
    alike = CliRunner().invoke(cli, ["router", "replay", "--events", str(recording), "--runs", "2", "--json"])
    assert "policy and other are the same one (" in alike.stderr
    assert json.loads(alike.stdout)["policies"]["policy"] == json.loads(alike.stdout)["policies"]["against"]
    shown = CliRunner().invoke(cli, asked)
    assert shown.exit_code == 0, shown.output
    for words in ("care → service", "recorded 录制", "变化最大的来电", "tier 等级", "\n   vip "):
        assert words in shown.stdout


def only(lines: list[str], *kinds: str) -> Iterator[str]:
    return (line for line in lines if any(f"{kind}.v1" in line for kind in kinds))


def test_routing_facts_alone_are_enough():
    period, _, endings, lines = taped()
    found = read_lines([line for line in lines if '"topic"' in line and "/router" in line], "test")
    assert len(found.period.visits) == len(period.visits)
    assert found.seats_taken_as_there == len({s.seat_id for s in period.seats})
    assert [v.request.tier for v in found.period.visits] == [v.request.tier for v in period.visits]
    again = Run(found.period, Model(found.period).fates(found.period, 1), LIVE).run()
    assert sum(e.by_human for e in again) == pytest.approx(sum(e.by_human for e in endings), rel=0.25)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 1: line: is not JSON"),
        ("[1]", "line 1: line: is not a JSON object"),
        ('{"type": 7}', "line 1: type: is not a text"),
        ('{"headers": {"ce_type": "touchline.contact.ContactEnded.v1"}}', "line 1: ce_id: is missing"),
        (
            '{"type": "touchline.router.Nothing.v1", "id": "1", "source": "s", "time": "t"}',
            "type: touchline.router.Not",
        ),
        (
            '{"type": "touchline.contact.ContactEnded.v1", "id": "1", "source": "s", "time": "yesterday", "data": {}}',
            "time: is not an RFC 3339 time",
        ),
        (
            '{"type": "touchline.contact.ContactEnded.v1", "id": "1", "source": "s", "subject": "k",'
            ' "time": "2026-11-20T01:00:00Z", "data": {"contactId": 7}}',
            "contact",
        ),
        ("", "nobody came"),
    ],
)
def test_a_bad_recording_is_refused_by_line_and_field(tmp_path: Path, line: str, says: str):
    path = tmp_path / "tape.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    done = CliRunner().invoke(cli, ["router", "replay", "--events", str(path), "--json"])
    assert done.exit_code == 1
    assert says in done.stderr
    assert done.stdout == ""


def test_a_recording_without_services_is_refused_and_so_are_two_inputs(tmp_path: Path):
    *_, lines = taped(contacts=20)
    with pytest.raises(RecordingError, match="how long seats serve"):
        read_lines(only(lines, "ContactRequested", "ContactTriaged"), "test")
    path = tmp_path / "x.jsonl"
    path.write_text("", encoding="utf-8")
    for given in ([], ["--events", str(path), "--calls", str(path)], ["--events", str(path), "--bot-takes", "0.3"]):
        assert CliRunner().invoke(cli, ["router", "replay", *given]).exit_code == 2


def test_who_asked_to_be_called_back_does_not_hang_up():
    request = ContactRequested(
        event_id="r", source="/app", time=MORNING, customer_id="k", contact_id="c", channel="app", tier="vip"
    )
    later = MORNING + timedelta(minutes=10)
    seat = SeatSignedIn(event_id="in", source="/desk", time=later, pool="care", seat_id="s", capacity=1)
    wish = CallBackRequested(
        event_id="w", source="/app", time=MORNING + timedelta(seconds=20), customer_id="k", contact_id="c"
    )
    fates = [Fate(BotPart(BotDid.ENDED, 1.0), 60.0, 45.0, (0.5,))]
    rings = Rings(Quantiles((2.0,)), 0.0, 0.0)
    (left,) = Run(Period((Visit(request),), (seat,), rings), fates, LIVE).run()
    assert (left.over, left.answered, left.waited_s) == (True, False, 45.0)
    (called,) = Run(Period((Visit(request, said=(wish,)),), (seat,), rings), fates, LIVE).run()
    assert (called.over, called.answered, called.by_human) == (True, True, True)
    assert called.waited_s == pytest.approx(602)
