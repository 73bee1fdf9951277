"""`touchline escalation follow-ups`: what is asked of the service, and what the user is told. The service here is a stand-in."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from touchline.escalation.v1 import escalation_pb2 as pb
from touchline.escalation.v1 import escalation_pb2_grpc as service

from services.cli import followups
from services.cli.main import cli


class Desk(service.EscalationServiceServicer):
    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.no = ""

    def _one(self, request: Any, context: Any, **more: Any) -> pb.FollowUp:
        self.asked.append(request)
        if self.no:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, self.no)
        return pb.FollowUp(
            follow_up_id="f1", customer_id="hu", team="care", risk=0.7, opening_zh="您好", opening_en="Hello",
            reasons=[pb.Reason(code="reopened_ticket", weight=0.7, value=2)], **more,
        )  # fmt: skip

    def ListFollowUps(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ListFollowUpsResponse(follow_ups=[self._one(request, context)])

    def ClaimFollowUp(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ClaimFollowUpResponse(follow_up=self._one(request, context, owner=request.owner))

    def ReleaseFollowUp(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ReleaseFollowUpResponse(follow_up=self._one(request, context))

    def CloseFollowUp(self, request: Any, context: Any) -> Any:  # noqa: N802
        result = pb.RESULT_FAILED if request.failed else pb.RESULT_DONE
        found = self._one(request, context, owner=request.owner, outcome=request.outcome, result=result)
        return pb.CloseFollowUpResponse(follow_up=found)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    server = grpc.server(ThreadPoolExecutor(2))
    answers = Desk()
    service.add_EscalationServiceServicer_to_server(answers, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    monkeypatch.setattr(followups, "service_address", lambda data, name: address)
    yield answers
    server.stop(None).wait()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["escalation", "follow-ups", *arguments])


@pytest.mark.parametrize(
    ("arguments", "asked", "told"),
    [
        (("list", "--team", "care", "--customer", "hu", "--all"), {"team": "care", "customer_id": "hu", "include_closed": True}, {"result": None, "outcome": None, "contact_id": None}),
        (("claim", "f1", "--owner", "李"), {"follow_up_id": "f1", "owner": "李"}, {"owner": "李"}),
        (("release", "f1", "--owner", "李"), {"follow_up_id": "f1", "owner": "李"}, {"owner": None}),
        (("done", "f1", "--owner", "李"), {"owner": "李", "outcome": "contacted", "failed": False}, {"result": "done"}),
        (("failed", "f1", "--owner", "李", "--outcome", "空号"), {"outcome": "空号", "failed": True}, {"result": "failed", "outcome": "空号"}),
        (("close", "f1"), {"owner": "", "outcome": "contacted", "failed": False}, {"result": "done"}),
    ],
)  # fmt: skip
def test_each_asks_the_service_and_tells_the_follow_up(
    desk: Desk, arguments: tuple[str, ...], asked: dict[str, Any], told: dict[str, Any]
) -> None:
    answer = run(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    (request,) = desk.asked
    assert {name: getattr(request, name) for name in asked} == asked
    row = json.loads(answer.output)
    assert {name: row[name] for name in told} == told
    assert row["customer_id"] == "hu"
    if arguments[0] != "list":
        assert request.command_id


def test_for_people_it_says_who_is_at_it_and_the_opening_words(desk: Desk) -> None:
    answer = run("claim", "f1", "--owner", "li")
    assert "li 跟进中" in answer.output and "工单被重新打开 a ticket was reopened 0.70" in answer.output
    assert "\n  您好\n  Hello\n" in answer.output
    assert re.search(r"due 到期 \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4}", answer.output)


def test_the_reasons_are_in_the_dashboards_words() -> None:
    page = Path(followups.__file__).parents[1] / "gateway/dashboard/texts.js"
    told = re.findall(r'"reason\.(\w+)": \["(.*?)", "(.*?)"\]', page.read_text("utf-8"))
    assert {code: f"{zh} {en}" for code, zh, en in told} == followups.REASONS


def test_what_the_service_refuses_ends_the_command_with_its_reason(desk: Desk) -> None:
    desk.no = "follow_up_id: somebody else has started the follow-up"
    answer = run("release", "f1", "--owner", "wang")
    assert answer.exit_code == 1
    assert "somebody else has started" in answer.output


def test_without_an_owner_given_it_is_whoever_is_signed_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followups.getpass, "getuser", lambda: "zhao")
    assert run("claim", "f1").exit_code == 0
    assert desk.asked[0].owner == "zhao"


@pytest.mark.parametrize(
    "arguments",
    [
        ("escalation", "follow-ups", "list", "--customer", "\udcff"),
        ("escalation", "follow-ups", "list", "--team", "\udcff"),
        ("escalation", "follow-ups", "claim", "\udcff"),
        ("escalation", "follow-ups", "claim", "f1", "--owner", "\udcff"),
        ("escalation", "follow-ups", "close", "f1", "--outcome", "\udcff"),
        ("dlq", "show", "\udcff/0/1"),
        ("dlq", "replay", "\udcff/0/1"),
        ("dlq", "list", "--topic", "\udcff"),
        ("sentiment", "feedback", "export", "--address", "\udcff"),
    ],
)
def test_an_argument_that_is_no_utf8_is_refused(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "is not UTF-8" in done.stderr
