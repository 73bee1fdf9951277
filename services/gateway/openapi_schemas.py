"""What goes in and out over HTTP, as the OpenAPI description names it."""

from typing import Any

from services.gateway.answers import LONGEST_COMMAND_ID
from services.runtime import catalogue
from services.runtime.records import JSON, PROTOBUF

Json = dict[str, Any]

EXAMPLE: Json = {
    "specversion": "1.0",
    "id": "a1",
    "source": "/channels/app",
    "type": "touchline.survey.SurveyAnswered.v1",
    "subject": "customer-1",
    "time": "2026-11-01T09:00:00Z",
    "datacontenttype": "application/json",
    "data": {"surveyId": "s1", "score": 9, "segments": {"region": "华东"}, "comment": "很好"},
}


def ref(name: str) -> Json:
    """A mention of one of the schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


_COMMAND_ID: Json = {
    "type": "string",
    "maxLength": LONGEST_COMMAND_ID,
    "description": "names the call, so that it can be repeated safely; left out, the gateway names it",
}

SCHEMAS: Json = {
    "Pool": {
        "type": "object",
        "required": ["pool"],
        "description": "GetPoolResponse of proto/touchline/router/v1/router.proto, with the names that stand there",
        "properties": {"pool": {"type": "string"}, "mode": {"type": "object"}, "debts": {"type": "array"}},
    },
    "Command": {
        "type": "object",
        "description": "mode: mode (managed, human, auto), by, reason. assign: seat_id, contact_id, by, reason. drain: seat_id, by, reason",
        "required": ["by"],
        "properties": {
            **{name: {"type": "string"} for name in ("mode", "seat_id", "contact_id", "by", "reason")},
            "command_id": _COMMAND_ID,
        },
        "additionalProperties": False,
    },
    "Done": {"type": "object", "description": "when it was done", "additionalProperties": {"type": "string"}},
    "Event": {
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 256,
                "description": "names the event together with source",
            },
            "source": {"type": "string", "minLength": 1, "maxLength": 256, "description": "who emits it"},
            "type": {"type": "string", "enum": sorted(e.name for e in catalogue.by_name().values() if not e.internal)},
            "subject": {
                "type": "string",
                "maxLength": 256,
                "description": "the customer id; required except for seat events",
            },
            "time": {"type": "string", "format": "date-time", "description": "when it happened"},
            "datacontenttype": {"type": "string", "enum": [JSON, PROTOBUF], "default": JSON},
            "data": {
                "type": "object",
                "description": "in the proto3 JSON mapping of its type; docs/events.md lists them",
            },
            "data_base64": {"type": "string", "description": "in place of data: protobuf, or JSON"},
            "traceparent": {"type": "string", "description": "W3C trace context of this event"},
        },
    },
    "Answer": {
        "type": "object",
        "required": ["accepted", "rejected"],
        "properties": {
            "accepted": {"type": "integer", "minimum": 0},
            "rejected": {"type": "array", "items": ref("Rejection")},
        },
    },
    "Rejection": {
        "type": "object",
        "required": ["index", "field", "reason"],
        "properties": {
            "index": {
                "type": "integer",
                "description": "place in the batch, from 0; 0 where the whole request is meant",
            },
            "field": {"type": "string", "examples": ["data.score", "time", "body"]},
            "reason": {"type": "string"},
        },
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {"type": "string"},
            "command_id": {"type": "string", "description": "503 and 504 of a command: with it, ask again"},
        },
    },
    "Journey": {
        "type": "object",
        "required": ["customer_id", "mood", "nps", "risk", "steps"],
        "properties": {
            "customer_id": {"type": "string"},
            "mood": {"type": ["number", "null"], "description": "−1 to 1"},
            "nps": {"type": ["integer", "null"], "description": "the last answer, 0 to 10"},
            "risk": {"type": ["number", "null"], "description": "0 to 1"},
            "steps": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": [
                        *("at", "kind", "zh", "en", "polarity", "label", "names"),
                        *("speaker", "channel", "touchpoint", "contact_id", "trace_id"),
                    ],
                    "properties": {
                        "at": {"type": "string", "format": "date-time"},
                        "kind": {"type": "string"},
                        "zh": {"type": "string"},
                        "en": {"type": "string"},
                        "polarity": {"type": ["number", "null"]},
                        "label": {
                            "enum": ["negative", "neutral", "positive", "unsure", None],
                            "description": "of a score; unsure: the polarity says little",
                        },
                        "names": {
                            "type": "array",
                            "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                            "description": 'ids in the texts that pages may have words for, such as ["pool", "care"]; "touch": a touchpoint or topic',
                        },
                        "speaker": {"enum": ["customer", "bot", "seat", None], "description": "who said it"},
                        "channel": {"type": ["string", "null"]},
                        "touchpoint": {"type": ["string", "null"]},
                        "contact_id": {"type": ["string", "null"]},
                        "trace_id": {"type": ["string", "null"]},
                    },
                },
            },
        },
    },
    "Explanation": {
        "type": "object",
        "required": ["contact_id", "decisions"],
        "properties": {
            "contact_id": {"type": "string"},
            "decisions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["at", "kind", "zh", "en"],
                    "properties": {
                        "at": {"type": ["string", "null"], "format": "date-time"},
                        "kind": {"type": "string"},
                        "zh": {"type": "string"},
                        "en": {"type": "string"},
                    },
                },
            },
        },
    },
    "FollowUp": {
        "type": "object",
        "required": ["follow_up_id", "customer_id", "team", "risk", "reasons", "flagged_at", "due_at", "owner"],
        "properties": {
            "follow_up_id": {"type": "string"},
            "customer_id": {"type": "string"},
            "team": {"type": "string"},
            "touchpoint": {"type": "string"},
            "risk": {"type": "number"},
            "reasons": {"type": "array", "items": {"type": "object"}},
            "flagged_at": {"type": ["string", "null"]},
            "due_at": {"type": ["string", "null"]},
            "owner": {"type": ["string", "null"], "description": "who has started it"},
            "closed_at": {"type": ["string", "null"]},
            "result": {"enum": ["done", "failed", "overtaken", "displaced", None]},
            "outcome": {"type": ["string", "null"]},
            "overdue": {"type": "boolean"},
            "supervisor": {"type": ["string", "null"], "description": "to whom it went, long overdue"},
            "opening_zh": {"type": "string"},
            "opening_en": {"type": "string"},
        },
    },
    "FollowUps": {
        "type": "object",
        "required": ["follow_ups", "budgets", "waves"],
        "properties": {
            "follow_ups": {"type": "array", "items": ref("FollowUp")},
            "budgets": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["team", "capacity", "started", "open", "waiting", "threshold"],
                    "properties": {
                        "team": {"type": "string"},
                        "capacity": {"type": "integer", "description": "follow-ups that can be started in a shift"},
                        "started": {"type": "integer"},
                        "open": {"type": "integer"},
                        "waiting": {"type": "integer", "description": "cases for which there is no room"},
                        "threshold": {"type": "number", "description": "the risk from which a case is flagged"},
                    },
                },
            },
            "waves": {
                "type": "array",
                "description": "causes about which more customers report than usual, what may be at the root first",
                "items": {
                    "type": "object",
                    "required": ["kind", "name", "wave", "customers", "since", "heated_at", "affected", "reached"],
                    "properties": {
                        "kind": {"type": "string", "description": "product, store, batch or route"},
                        "name": {"type": "string"},
                        "wave": {"type": "integer", "description": "waves of this cause so far"},
                        "customers": {"type": "integer", "description": "who had reported when it was found"},
                        "since": {"type": "string", "format": "date-time", "description": "the first of their reports"},
                        "heated_at": {"type": "string", "format": "date-time"},
                        "affected": {"type": "integer", "description": "customers whose orders it may hit"},
                        "reached": {"type": "integer", "description": "those of them who were told"},
                    },
                },
            },
        },
    },
    "FollowUpAction": {
        "type": "object",
        "required": ["owner"],
        "additionalProperties": False,
        "properties": {
            "owner": {"type": "string", "minLength": 1, "maxLength": 64, "description": "who does it"},
            "outcome": {"type": "string", "maxLength": 200, "description": "what came of it"},
            "command_id": _COMMAND_ID,
        },
    },
    "Health": {"type": "object", "required": ["healthy"], "properties": {"healthy": {"type": "boolean"}}},
}
