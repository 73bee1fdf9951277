"""The NPS and the escalation service as processes, on real Kafka and Postgres, asked over gRPC."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from touchline.contact.v1 import events_pb2 as contact_pb2
from touchline.escalation.v1 import escalation_pb2, escalation_pb2_grpc
from touchline.nps.v1 import nps_pb2, nps_pb2_grpc
from touchline.order.v1 import events_pb2 as order_pb2
from touchline.sentiment.v1 import sentiment_pb2
from touchline.survey.v1 import events_pb2 as survey_pb2

from deploy.embedded.layout import Layout
from deploy.embedded.process import Identity
from deploy.embedded.state import State, holding
from services.cli.calls import all_pages
from services.escalation.policyfile import DEFAULT
from services.nps.domain.figures import figure, group
from services.runtime.records import write
from tests.integration.process import Process

pytestmark = pytest.mark.integration
DAY = datetime(2026, 11, 18, tzinfo=UTC)


@pytest.fixture
def touchline(tmp_path):
    """Runs the `touchline` command against services that are told to it as a stack's state."""

    async def run(service: Process, *command: str) -> tuple[int, str, str]:
        with holding(Layout.of(tmp_path)):
            state = State(Identity.of(os.getpid()), "", grpc={service.name: service.address})
            state.write(Layout.of(tmp_path))
            argv = [sys.executable, "-m", "services.cli.main", *command, "--data", str(tmp_path)]
            done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    return run


def survey(message, customer: str, event_id: str, at: datetime):
    return write(message, event_id=event_id, source="survey-test", subject=customer, time=at)


async def test_nps_is_exact_through_duplicates_corrections_and_a_sigkill(stack, publisher, touchline):
    region = f"r-{uuid4().hex[:6]}"
    events, truth = [], {}
    for n in range(600):
        customer, at = f"{region}-{n % 150}", DAY + timedelta(minutes=n)
        answer = survey_pb2.SurveyAnswered(
            survey_id=f"{region}-{n}", score=n % 11, segments={"region": region, "store": f"{region}-{n % 3}"}
        )
        events += [survey(answer, customer, f"{region}-a{n}", at)] * (1 + (n % 7 == 0))
        truth[n] = n % 11
        if n % 5 == 0:
            truth[n] = (n * 7) % 11
            fixed = survey_pb2.SurveyCorrected(survey_id=f"{region}-{n}", score=truth[n])
            events.insert(
                max(0, len(events) - n % 9), survey(fixed, customer, f"{region}-c{n}", at + timedelta(hours=1))
            )
        if n % 13 == 0:
            del truth[n]
            events.append(survey(survey_pb2.SurveyRetracted(survey_id=f"{region}-{n}"), customer, f"{region}-r{n}", at))
    async with Process(stack, "nps") as service:
        await publisher.publish(events[:300])
        service.kill()
        await publisher.publish(events[300:])
        service.start()
        await service.settled()
        async with grpc.aio.insecure_channel(service.address) as channel:
            stub = nps_pb2_grpc.NpsServiceStub(channel)
            answer = await all_pages(stub, 10)

            def check(found, wanted) -> None:
                expected = figure(*(wanted[g] for g in ("promoters", "passives", "detractors")))
                assert (found.promoters, found.passives, found.detractors, found.n) == (
                    expected.promoters,
                    expected.passives,
                    expected.detractors,
                    expected.n,
                )
                assert (found.nps, found.low, found.high) == pytest.approx((expected.nps, expected.low, expected.high))

            check(answer.by["region"].values[region], Counter(group(s) for s in truth.values()))
            for k in range(3):
                check(
                    answer.by["store"].values[f"{region}-{k}"],
                    Counter(group(s) for n, s in truth.items() if n % 3 == k),
                )
            code, out, _ = await touchline(service, "nps", "get", "--json")
            printed = json.loads(out)["by"]["region"][region]
            found = answer.by["region"].values[region]
            assert code == 0
            assert printed == {name: getattr(found, name) for name in printed}
            assert set(printed) == {"promoters", "passives", "detractors", "n", "nps", "low", "high"}
            at = Timestamp()
            at.FromDatetime(DAY + timedelta(hours=4, minutes=5))
            for window, inside in (
                (nps_pb2.WINDOW_HOUR, lambda n: 240 <= n < 300),
                (nps_pb2.WINDOW_DAY, lambda n: True),
                (nps_pb2.WINDOW_WEEK, lambda n: True),
            ):
                part = await stub.GetNps(nps_pb2.GetNpsRequest(window=window, at=at, dimensions=["region"]), timeout=10)
                assert set(part.by) == {"region"}
                check(part.by["region"].values[region], Counter(group(s) for n, s in truth.items() if inside(n)))
            last = {n % 150: s for n, s in truth.items()}
            ids = [f"{region}-{c}" for c in range(150)] + ["nobody"]
            known = await stub.GetCustomerNps(nps_pb2.GetCustomerNpsRequest(customer_ids=ids), timeout=10)
            assert {k: v.score for k, v in known.customers.items()} == {f"{region}-{c}": s for c, s in last.items()}
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetNps(nps_pb2.GetNpsRequest(window=nps_pb2.WINDOW_DAY), timeout=10)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def flagged(stub, asked, customer: str):
    """The customer's risk, once they are flagged: that goes by way of the team's owner."""
    for _ in range(300):
        risk = await stub.GetRisk(asked, timeout=10)
        assert set(risk.customers) <= {customer}
        if risk.customers[customer].flagged:
            return risk.customers[customer]
        await asyncio.sleep(0.1)
    raise AssertionError("nobody was flagged")


async def claimed_by_one(stub, follow_up_id: str) -> None:
    claim = escalation_pb2.ClaimFollowUpRequest(follow_up_id=follow_up_id, owner="李", command_id="1")
    for _ in range(2):  # the same call again is given the same answer
        claimed = (await stub.ClaimFollowUp(claim, timeout=15)).follow_up
        assert (claimed.owner, claimed.HasField("claimed_at")) == ("李", True)
    with pytest.raises(grpc.aio.AioRpcError) as taken:
        await stub.ClaimFollowUp(escalation_pb2.ClaimFollowUpRequest(follow_up_id=follow_up_id, owner="王"), timeout=15)
    assert taken.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    await not_closed_by_another(stub, follow_up_id)


async def given_back_and_taken_by_another(touchline, service, follow_up_id: str, customer: str) -> None:
    """From the command line, and back to where it was: 李 has it."""

    async def said(*arguments: str) -> tuple[int, str, str]:
        return await touchline(service, "escalation", "follow-ups", *arguments)

    code, _, err = await said("release", follow_up_id, "--owner", "王")
    assert (code, "somebody else" in err) == (1, True)
    code, out, _ = await said("release", follow_up_id, "--owner", "李", "--json")
    assert (code, json.loads(out)["owner"], json.loads(out)["claimed_at"]) == (0, None, None)
    for owner, how in (("王", "claim"), ("王", "release"), ("李", "claim")):
        code, out, _ = await said(how, follow_up_id, "--owner", owner, "--json")
        assert (code, json.loads(out)["owner"]) == (0, owner if how == "claim" else None)
    code, out, _ = await said("list", "--customer", customer, "--json")
    assert (code, json.loads(out)["owner"]) == (0, "李")


async def budget_is_spent(stub) -> None:
    budgets = (await stub.GetBudget(escalation_pb2.GetBudgetRequest(team="care"), timeout=10)).teams
    assert [b.team for b in budgets] == ["care"]
    assert budgets[0].capacity == 60 and budgets[0].thresholds[0].started >= 1


async def not_closed_by_another(stub, follow_up: str) -> None:
    close = escalation_pb2.CloseFollowUpRequest(follow_up_id=follow_up, outcome="contacted", owner="nobody's")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.CloseFollowUp(close, timeout=15)
    assert (refused.value.code().name, "somebody else" in refused.value.details()) == ("FAILED_PRECONDITION", True)


async def test_a_complaint_is_flagged_listed_and_closed(stack, publisher, touchline):
    customer, contact = f"hu-{uuid4().hex[:6]}", uuid4().hex
    now = datetime.now(UTC)
    records = []
    for n, text in enumerate(("根本没修好，我要投诉！", "不赔偿我就打12315")):
        said = contact_pb2.MessageReceived(contact_id=contact, speaker=1, text=text, touchpoint="repair")
        scored = sentiment_pb2.MessageScored(
            customer_id=customer,
            contact_id=contact,
            message_id=f"{customer}-{n}",
            message_source="web",
            touchpoint="repair",
        )
        scored.score.CopyFrom(sentiment_pb2.Score(polarity=-0.9, label=sentiment_pb2.LABEL_NEGATIVE))
        records.append(
            write(scored, event_id=f"{customer}-s{n}", source="touchline/sentiment", subject=customer, time=now)
        )
        records.append(write(said, event_id=f"{customer}-{n}", source="web", subject=customer, time=now))
    async with Process(stack, "escalation") as service:
        await publisher.publish(records)
        await service.settled()
        async with grpc.aio.insecure_channel(service.address) as channel:
            stub = escalation_pb2_grpc.EscalationServiceStub(channel)
            asked = escalation_pb2.GetRiskRequest(customer_ids=[customer, "nobody"])
            found = await flagged(stub, asked, customer)
            assert found.risk >= 0.6
            assert sum(r.weight for r in found.reasons) == pytest.approx(found.risk)
            listed = await stub.ListFollowUps(escalation_pb2.ListFollowUpsRequest(customer_id=customer), timeout=10)
            (follow_up,) = listed.follow_ups
            assert (follow_up.contact_id, follow_up.touchpoint, follow_up.outcome) == (contact, "repair", "")
            code, out, _ = await touchline(
                service, "escalation", "follow-ups", "list", "--customer", customer, "--json"
            )
            assert code == 0
            assert json.loads(out)["follow_up_id"] == follow_up.follow_up_id
            assert (follow_up.team, follow_up.owner) == ("care", "")
            assert follow_up.opening_zh and follow_up.opening_en
            await claimed_by_one(stub, follow_up.follow_up_id)
            await given_back_and_taken_by_another(touchline, service, follow_up.follow_up_id, customer)
            close = escalation_pb2.CloseFollowUpRequest(follow_up_id=follow_up.follow_up_id, outcome="contacted")
            closed = (await stub.CloseFollowUp(close, timeout=15)).follow_up
            assert (closed.outcome, closed.owner, closed.result) == ("contacted", "李", escalation_pb2.RESULT_DONE)
            assert closed.HasField("closed_at")
            await budget_is_spent(stub)
            codes = []
            for wrong in (
                close,
                escalation_pb2.CloseFollowUpRequest(follow_up_id="none", outcome="contacted"),
                escalation_pb2.CloseFollowUpRequest(follow_up_id=follow_up.follow_up_id),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.CloseFollowUp(wrong, timeout=15)
                codes.append(refused.value.code().name)
            assert codes == ["FAILED_PRECONDITION", "NOT_FOUND", "INVALID_ARGUMENT"]
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetRisk(escalation_pb2.GetRiskRequest(customer_ids=["c"] * 1001), timeout=10)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            code, _, err = await touchline(service, "escalation", "follow-ups", "close", follow_up.follow_up_id)
            assert code == 1
            assert "closed already (FAILED_PRECONDITION)" in err
            code, out, _ = await touchline(service, "escalation", "follow-ups", "list", "--all", "--customer", customer)
            assert code == 0
            assert "contacted" in out
            empty = await stub.ListFollowUps(escalation_pb2.ListFollowUpsRequest(customer_id=customer), timeout=10)
            assert not empty.follow_ups
            both = escalation_pb2.ListFollowUpsRequest(customer_id=customer, include_closed=True)
            assert len((await stub.ListFollowUps(both, timeout=10)).follow_ups) == 1


async def test_a_refund_starts_with_its_parcel_and_credit_is_told(stack, publisher):
    customer = f"shopper-{uuid4().hex[:6]}"
    start = datetime.now(UTC) - timedelta(days=20)
    orders = [order_pb2.OrderPlaced(order_id=f"{customer}-{n}", amount_cents=10_000) for n in range(4)]
    sent = order_pb2.ReturnSent(order_id=f"{customer}-3", parcel="SF1")
    opened = order_pb2.ReturnChecked(order_id=f"{customer}-3", worth_cents=2_500)
    records = [
        write(m, event_id=f"{customer}-e{n}", source="shop", subject=customer, time=start + timedelta(days=4 * n))
        for n, m in enumerate([*orders, sent, opened][:5])
    ]
    async with Process(stack, "escalation") as service:
        await publisher.publish(records)
        await service.settled()
        async with grpc.aio.insecure_channel(service.address) as channel:
            stub = escalation_pb2_grpc.EscalationServiceStub(channel)
            asked = escalation_pb2.GetCreditRequest(customer_ids=[customer, "nobody"])
            known = (await stub.GetCredit(asked, timeout=10)).customers
            assert set(known) == {customer}
            found = known[customer]
            assert (found.used_cents, found.limit_cents, found.left_cents) == (10_000, 9_000, 0)
            assert {c.code for c in found.checks} == {"enabled", "orders", "days", "returned", "bad_parcels"}
            late = write(opened, event_id=f"{customer}-e6", source="shop", subject=customer, time=start)
            await publisher.publish([late])
            await service.settled()
            after = (await stub.GetCredit(asked, timeout=10)).customers[customer]
            assert (after.used_cents, after.limit_cents) == (0, int(0.3 * (30_000 - 7_500) / 2))
            figure = (await stub.GetRefundFigures(escalation_pb2.GetRefundFiguresRequest(), timeout=10)).groups[""]
            assert figure.started >= 1 and figure.lost_cents >= 7_500
            none = await stub.GetUplift(escalation_pb2.GetUpliftRequest(), timeout=10)
            assert (none.known, none.low, none.high) == (False, -1, 1)


async def test_a_wave_is_one_cause_and_its_customers_are_reached_before_they_call(stack, publisher, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT.read_text().replace("\nquiet = ", "\nquiet = [] # "))  # whatever the hour of the test
    batch = f"batch-{uuid4().hex[:6]}"
    names = [f"{batch}-{n}" for n in range(12)]
    at = datetime.now(UTC) - timedelta(hours=1)
    bought = [
        write(
            order_pb2.OrderPlaced(order_id=f"{c}-o", batch=batch), event_id=f"{c}-1", source="shop", subject=c, time=at
        )
        for c in names
    ]
    spoilt = [
        write(order_pb2.DeliverySpoilt(order_id=f"{c}-o"), event_id=f"{c}-2", source="shop", subject=c, time=at)
        for c in names[:6]
    ]
    async with Process(stack, "escalation", ESCALATION_POLICY=str(policy)) as service:
        await publisher.publish(bought + spoilt)
        async with grpc.aio.insecure_channel(service.address) as channel:
            stub = escalation_pb2_grpc.EscalationServiceStub(channel)
            wave = None
            for _ in range(300):
                found = (await stub.ListCauses(escalation_pb2.ListCausesRequest(), timeout=10)).waves
                wave = next((w for w in found if w.cause == f"batch:{batch}"), None)
                if wave is not None and wave.affected == len(names):
                    break
                await asyncio.sleep(0.1)
            assert wave is not None
            assert (wave.wave, wave.affected, wave.reached) == (1, 12, 12)
            assert 5 <= wave.customers <= 6 and wave.expected < 1
            risks = (await stub.GetRisk(escalation_pb2.GetRiskRequest(customer_ids=names), timeout=10)).customers
            assert all("hot_cause" in {r.code for r in risks[c].reasons} for c in names)
