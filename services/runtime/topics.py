"""Every topic of the house, in one place: what it carries, and how it is kept."""

from dataclasses import dataclass, field
from datetime import timedelta

PARTITIONS = 4
DEAD_LETTERS = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and how the broker keeps it."""

    name: str
    meaning: str
    partitions: int = PARTITIONS
    config: dict[str, str] = field(default_factory=dict)


def _kept(days: int) -> dict[str, str]:
    return {"retention.ms": str(int(timedelta(days=days).total_seconds() * 1000))}


_COMPACTED = {"cleanup.policy": "compact"}

TOUCHPOINT_EVENTS = "touchpoint.events"
POOL_EVENTS = "pool.events"
SENTIMENT_SCORED = "sentiment.scored"
SENTIMENT_REMARKED = "sentiment.remarked"
SENTIMENT_SHIFTED = "sentiment.shifted"
ROUTING_DECIDED = "routing.decided"
NPS_CHANGED = "nps.changed"
NPS_SHIFTED = "nps.shifted"
NPS_ACTIONS = "nps.actions"
SURVEY_REQUESTED = "survey.requested"
ESCALATION_FLAGGED = "escalation.flagged"
TEAM_EVENTS = "team.events"
REFUND_DECIDED = "refund.decided"
CAUSE_EVENTS = "cause.events"
OUTREACH_EVENTS = "outreach.events"
COUNTERS = "counters"
METRICS_NPS_CHANGES = "metrics.nps_changes"
METRICS_NPS_ACTIONS = "metrics.nps_actions"
METRICS_NPS_DRIVERS = "metrics.nps_drivers"
METRIC_TOPICS = (
    "metrics.sentiment",
    "metrics.routing",
    "metrics.nps",
    "metrics.escalation",
    "metrics.service",
    METRICS_NPS_CHANGES,
    METRICS_NPS_ACTIONS,
    METRICS_NPS_DRIVERS,
)

_EVENTS = (
    Topic(TOUCHPOINT_EVENTS, "what customers do and say; keyed by customer", config=_kept(7)),
    Topic(POOL_EVENTS, "what seats do, and who waits for them; keyed by pool", config=_kept(7)),
    Topic(SENTIMENT_SCORED, "scores of customers' messages; keyed by customer", config=_kept(7)),
    Topic(SENTIMENT_REMARKED, "what surveys' comments are about; keyed by customer", config=_kept(7)),
    Topic(SENTIMENT_SHIFTED, "conversations that turned, and with what; keyed by customer", config=_kept(30)),
    Topic(ROUTING_DECIDED, "who goes to whom, and why; keyed by customer", config=_kept(30)),
    Topic(NPS_CHANGED, "answers counted, corrected, withdrawn; keyed by customer", config=_kept(30)),
    Topic(NPS_SHIFTED, "the score changed, for certain; keyed by segment", config=_kept(30)),
    Topic(NPS_ACTIONS, "what was promised about a pain point, and its end; keyed by action", config=_kept(30)),
    Topic(SURVEY_REQUESTED, "surveys for channels to deliver; keyed by customer", config=_kept(7)),
    Topic(
        ESCALATION_FLAGGED, "complaints about to escalate, and their follow-ups; keyed by customer", config=_kept(30)
    ),
    Topic(
        TEAM_EVENTS,
        "cases that want to be followed up, and what is asked of follow-ups; keyed by team",
        config=_kept(7),
    ),
    Topic(CAUSE_EVENTS, "what may be one cause of many complaints, and waves of it; keyed by cause", config=_kept(30)),
    Topic(
        OUTREACH_EVENTS, "who is hit by a wave, and is told of it before they call; keyed by customer", config=_kept(30)
    ),
    Topic(REFUND_DECIDED, "quick refunds that start or don't, and why; keyed by customer", config=_kept(30)),
)

CATALOGUE: tuple[Topic, ...] = (
    *_EVENTS,
    *(
        Topic(t.name + DEAD_LETTERS, f"what could not be read on {t.name}, with the reason", config=_kept(30))
        for t in _EVENTS
    ),
    Topic(COUNTERS, "counts so far by cell and source partition; keyed by cell", config=_kept(2)),
    # Faust's table of cells. Made here, because Faust would read it before the broker knows of it.
    Topic("touchline-metrics-cells-changelog", "what the projections know, to be rebuilt from", config=_COMPACTED),
    *(Topic(name, "a metric by segment and window, complete in itself", config=_COMPACTED) for name in METRIC_TOPICS),
)
