"""The telemetry schema: every span, attribute and metric that Touchline emits, with its meaning and unit.

A test fails where a running system emits a name that is not declared here. Names follow OpenTelemetry's semantic
conventions for messaging, RPC and databases where there are any. Customers' text and numbers are never among them.
"""

from dataclasses import dataclass
from enum import StrEnum


class Span(StrEnum):
    """Spans by what is done; a messaging span's name is this and the topic, as in "process touchpoint.events"."""

    RECEIVE = "receive"  # a batch was polled; links to each traced record
    PROCESS = "process"  # one event, from its record to its facts; its parent is the record's context
    DECIDE = "decide"  # the pure decision
    LOOK_UP = "look up"  # what a decision asked of other services or of a model, for a batch at once
    TRANSACT = "transact"  # the batch's transaction in Postgres
    SEND = "send"  # a record handed to Kafka, until all replicas acknowledged it
    POST_EVENTS = "POST /v1/events"  # a channel's request at the gateway


# Spans that are named after what they are about, as regular expressions of the whole name.
CALL = r"[\w.]+\.[A-Z]\w*/[A-Z]\w*"  # a gRPC call, on both sides: its full method, by the RPC conventions
PROJECT = r"counters process"  # a counter merged into a metric by the projections: Faust's own naming


class Attribute(StrEnum):
    """Attributes of spans."""

    SYSTEM = "messaging.system"
    OPERATION_NAME = "messaging.operation.name"
    OPERATION_TYPE = "messaging.operation.type"
    DESTINATION = "messaging.destination.name"
    PARTITION = "messaging.destination.partition.id"
    GROUP = "messaging.consumer.group.name"
    OFFSET = "messaging.kafka.offset"
    BATCH = "messaging.batch.message_count"
    MESSAGE_ID = "messaging.message.id"
    EVENT_TYPE = "cloudevents.event_type"
    DB_SYSTEM = "db.system.name"
    RPC_SYSTEM = "rpc.system"
    RPC_SERVICE = "rpc.service"
    RPC_METHOD = "rpc.method"
    RPC_STATUS = "rpc.grpc.status_code"
    HTTP_METHOD = "http.request.method"
    HTTP_ROUTE = "http.route"
    HTTP_STATUS = "http.response.status_code"
    ERROR = "error.type"
    # Faust's own, of the projections. The key is a cell: a segment and a window, nobody's name.
    FAUST_KEY = "messaging.kafka.message.key"
    FAUST_OFFSET = "messaging.kafka.message.offset"


RESOURCE = ("service.name", "service.namespace", "service.instance.id")
"""Attributes of all that a process emits."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric: its name, unit (UCUM), meaning and labels."""

    name: str
    unit: str
    meaning: str
    labels: tuple[str, ...]


EVENTS = Instrument(
    "touchline.events", "{event}", "events that a pipeline has taken, by what became of them", ("pipeline", "outcome")
)
FACTS = Instrument("touchline.facts", "{record}", "records that a pipeline has published", ("pipeline",))
BATCH_SECONDS = Instrument(
    "touchline.batch.duration", "s", "time from a batch's poll to its publication", ("pipeline",)
)
RETRIES = Instrument("touchline.retries", "{retry}", "waits for something that was away", ("pipeline", "error"))
REBALANCES = Instrument("touchline.rebalances", "{rebalance}", "times that places were taken over", ("pipeline",))
LAG = Instrument("touchline.lag", "{record}", "records not yet consumed, of the whole group", ("pipeline",))
BACKLOG = Instrument("touchline.backlog", "{record}", "what is decided and not yet published", ("pipeline",))
COUNTS = Instrument("touchline.counts", "{count}", "what the services count, over all segments", ("metric", "field"))
RPC_SECONDS = Instrument(
    "touchline.rpc.duration", "s", "time that a gRPC call took at the server", ("method", "status")
)
UNFAMILIAR = Instrument(
    "touchline.sentiment.unfamiliar",
    "{standard_error}",
    "how much less familiar the last hour's texts are than the model's training texts, in standard errors; above 4 surely",
    ("language",),
)
OVERCONFIDENT = Instrument(
    "touchline.sentiment.overconfident",
    "{standard_error}",
    "how many fewer labels people found right than the model's confidence expected, in standard errors; beyond ±4 surely",
    (),
)
POOL_CONTACTS = Instrument(
    "touchline.router.contacts",
    "{contact}",
    "contacts of a pool: all that arrived, and where they are",
    ("pool", "place"),
)
IMBALANCE = Instrument(
    "touchline.router.imbalance",
    "{contact}",
    "contacts that arrived at a pool and are nowhere, or are where nobody knows of them; 0 where all is well",
    ("pool",),
)
DEBTS_OVERDUE = Instrument(
    "touchline.router.debts.overdue", "{debt}", "promises of a human that are past due and still stand", ("pool",)
)
MANAGED = Instrument("touchline.router.managed", "{mode}", "1 while the bot keeps the line in a pool (托管)", ("pool",))
WAIT_PREDICTED = Instrument(
    "touchline.router.wait.predicted", "s", "how long somebody who comes to a pool now will wait", ("pool",)
)
POLICY_READ = Instrument(
    "touchline.router.policy.reads", "{read}", "changes of the policy file, taken or refused", ("outcome",)
)
POLICY_REFUSED = Instrument(
    "touchline.router.policy.refused", "{file}", "1 while the policy file is a wrong one and the one before stays", ()
)
ACCEPTED = Instrument("touchline.gateway.events", "{event}", "events at the gateway's door", ("channel", "outcome"))
METRICS = (
    EVENTS,
    FACTS,
    BATCH_SECONDS,
    RETRIES,
    REBALANCES,
    LAG,
    BACKLOG,
    COUNTS,
    RPC_SECONDS,
    UNFAMILIAR,
    OVERCONFIDENT,
    POOL_CONTACTS,
    IMBALANCE,
    DEBTS_OVERDUE,
    MANAGED,
    WAIT_PREDICTED,
    POLICY_READ,
    POLICY_REFUSED,
    ACCEPTED,
)
