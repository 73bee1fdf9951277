"""schemathesis on the gateway's interface, by its own description: every path, in process, without a network.

Each answer must be one that the description names, in the shape that it gives; none may be a 5xx but 503.
"""

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.runtime.clock import wall_clock
from tests.fuzz import harness
from tests.fuzz.test_door import KEY, Gateway, readable


@schemathesis.serializer("application/protobuf")
def protobuf(_: Any, value: Any) -> bytes:
    """What is drawn for a body in protobuf: bytes as they are, anything else as noise."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


GATEWAY = Gateway()
KEYED = {"authorization": f"Bearer {KEY}"}
SHAPE = [status_code_conformance, content_type_conformance, response_schema_conformance]
# Endless by nature: watching is tested where it can be ended.
schema = schemathesis.openapi.from_asgi("/openapi.json", GATEWAY.app, headers={"host": "127.0.0.1"}).exclude(
    path="/v1/stream"
)


SHARE = 0.4
harness.shares.extend([SHARE] * len(list(schema.get_all_operations())))


@schema.parametrize()
@settings(
    max_examples=harness.many(SHARE),
    deadline=None,
    database=None,
    derandomize=not harness.SEED,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_each_operation_answers_as_described(case: Any) -> None:
    harness.counted["test_http"] += 1
    answer = case.call(headers={**KEYED, "host": "127.0.0.1"} if "authorization" not in (case.headers or {}) else None)
    published = GATEWAY.taken()
    if answer.status_code == 405:
        assert case.method.upper() not in {m.upper() for m in schema[case.path]} and not published
        return
    if answer.status_code == 503:
        # Neither Kafka nor router, escalation or nps is here.
        asks = ("/healthz", "/v1/contacts/{contact_id}/explain", "/v1/follow-ups", "/v1/pools/{pool}", "/v1/nps/report")
        assert case.path.startswith(asks)
    case.validate_response(answer, checks=[*SHAPE, *([not_a_server_error] if answer.status_code != 503 else [])])
    if case.path == "/v1/events":
        assert json.loads(answer.content)["accepted"] == len(published)
    else:
        assert not published
    readable(published, wall_clock())
