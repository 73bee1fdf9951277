"""The HTTP interface's description (OpenAPI 3.1), and a page that shows it without anything from elsewhere."""

from functools import cache
from html import escape

from services.gateway.cloudevents import BATCH, STRUCTURED
from services.gateway.openapi_schemas import EXAMPLE, SCHEMAS, Json, ref
from services.runtime.records import JSON, PROTOBUF


def _answer(about: str, schema: str = "Answer", **headers: str) -> Json:
    found: Json = {"description": about, "content": {JSON: {"schema": ref(schema)}}}
    if headers:
        found["headers"] = {
            k.replace("_", "-"): {"description": v, "schema": {"type": "string"}} for k, v in headers.items()
        }
    return found


def _parameter(name: str, about: str) -> Json:
    return {"name": name, "in": "path", "required": True, "description": about, "schema": {"type": "string"}}


def _query(name: str, about: str) -> Json:
    return {**_parameter(name, about), "in": "query", "required": False}


def _read(about: str, answers: Json, parameters: list[Json] | None = None) -> Json:
    """An operation of the read side. On loopback it is open; elsewhere it needs the key of a channel with "view": true."""
    got: Json = {
        "summary": about,
        "security": [{}, {"key": []}, {"browser": []}],
        "responses": {
            **answers,
            "401": _answer("Not on loopback: no key.", "Error"),
            "403": _answer("Not on loopback: the channel may not view.", "Error"),
            "421": _answer("Called by a name that GATEWAY_ALLOWED_HOSTS doesn't list.", "Error"),
        },
    }
    if parameters:
        got["parameters"] = parameters
    return {"get": got}


_AGAIN = "It may yet be carried out: ask again with the command_id that is told, which has one effect."


def _act(about: str) -> Json:
    """An operation that changes a follow-up. Elsewhere than on loopback it needs the key of a channel with "act": true."""
    found = _read(
        about,
        {
            "200": _answer("The follow-up as it stands now.", "FollowUp"),
            "400": _answer("The body is wrong: the field and the reason.", "Error"),
            "404": _answer("There is no such follow-up.", "Error"),
            "408": _answer("The body took too long to arrive.", "Error"),
            "409": _answer("It is closed already, or somebody else has started it.", "Error"),
            "413": _answer("The body is too large.", "Error"),
            "415": _answer("The body is not said to be JSON.", "Error"),
            "503": _answer(
                f"The escalation service does not answer, or failed. {_AGAIN}", "Error", retry_after="seconds"
            ),
            "504": _answer(f"It was not answered in time. {_AGAIN}", "Error"),
        },
        [_parameter("follow_up_id", "the follow-up")],
    )["get"]
    found["responses"]["403"] = _answer("The channel may not act, or a page from elsewhere asks.", "Error")
    found["requestBody"] = {"required": True, "content": {JSON: {"schema": ref("FollowUpAction")}}}
    return {"post": found}


def _page(about: str, kind: str) -> Json:
    return _read(about, {"200": {"description": about, "content": {kind: {"schema": {"type": "string"}}}}})


_PUBLISH: Json = {
    "summary": "Publish one event or a batch (CloudEvents 1.0)",
    "description": (
        "Answers once Kafka has acknowledged with all replicas. A bad event is named by index, field and reason, and does not sink "
        "the good ones beside it. After 429, 503 or a cut connection send the same request again: events are named by source and "
        "id, and the same pair counts once. Binary mode: the attributes in ce-* headers, the data as the body. An event without "
        "`time` gets the gateway's. Extension attributes are not kept, but for `traceparent` (W3C), which goes before the "
        "header of that name."
    ),
    "security": [{"key": []}],
    "parameters": [
        {
            "name": "traceparent",
            "in": "header",
            "description": "W3C trace context of the request",
            "schema": {"type": "string"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": ref("Event"), "example": EXAMPLE},
            BATCH: {"schema": {"type": "array", "items": ref("Event")}, "example": [EXAMPLE]},
            JSON: {"schema": {"type": "object", "description": "the data (binary mode)"}, "example": EXAMPLE["data"]},
            PROTOBUF: {"schema": {"type": "string", "format": "binary", "description": "the data (binary mode)"}},
        },
    },
    "responses": {
        "202": _answer("At least one event was accepted, or none was sent."),
        "400": _answer("None was accepted."),
        "401": _answer("No key, or a wrong one.", www_authenticate="Bearer"),
        "408": _answer("The body took too long to arrive."),
        "413": _answer("The body, the batch or the only event is too large."),
        "415": _answer("The content type is none of these."),
        "429": _answer("The channel is over its rate.", retry_after="seconds"),
        "503": _answer(
            "Kafka is away, or the gateway is busy; nothing counts as accepted, send all of it again.",
            retry_after="seconds",
        ),
    },
}


@cache
def document() -> Json:
    """The description, as /openapi.json gives it."""
    events = {
        "description": "Events named metric, contact, pool, flag and status; each one's data is a JSON object, complete in itself."
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Touchline gateway",
            "version": "1",
            "description": "Where channels hand in events, and browsers see what became of them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/events": {"post": _PUBLISH},
            "/v1/stream": _read(
                "What happens, live (Server-Sent Events): first all rows that are kept, then each change",
                {
                    "200": {**events, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                    "503": _answer("Too many watch already.", "Error", retry_after="seconds"),
                },
            ),
            "/v1/customers/{customer_id}/journey": _read(
                "A customer's story, oldest step first",
                {
                    "200": _answer("The story.", "Journey"),
                    "404": _answer("Nothing is known of this customer.", "Error"),
                },
                [_parameter("customer_id", "the customer")],
            ),
            "/v1/contacts/{contact_id}/explain": _read(
                "Why a contact was routed as it was",
                {
                    "200": _answer("The decisions, oldest first.", "Explanation"),
                    "400": _answer("The contact's id can't be looked up.", "Error"),
                    "404": _answer("The router knows no such contact.", "Error"),
                    "503": _answer("The router does not answer, or failed.", "Error", retry_after="seconds"),
                },
                [_parameter("contact_id", "the contact")],
            ),
            "/v1/follow-ups": _read(
                "Open follow-ups, those due first first, what teams can still follow up in this shift, and causes of many complaints",
                {
                    "200": _answer("The follow-ups, budgets and waves.", "FollowUps"),
                    "503": _answer(
                        "The escalation service does not answer, or failed.", "Error", retry_after="seconds"
                    ),
                },
            ),
            "/v1/follow-ups/{follow_up_id}/claim": _act("Start a follow-up: nothing displaces it from then on"),
            "/v1/follow-ups/{follow_up_id}/release": _act("Give back a follow-up, so that somebody else may start it"),
            "/v1/follow-ups/{follow_up_id}/done": _act("End a follow-up: somebody saw to it"),
            "/v1/follow-ups/{follow_up_id}/failed": _act("End a follow-up: it was tried in vain"),
            "/v1/nps/report": _read(
                "The weekly broadcast (周播报) as a page",
                {
                    "200": {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}},
                    "400": _answer("A parameter is wrong: its name and the reason.", "Error"),
                    "503": _answer("The nps service does not answer, or failed.", "Error", retry_after="seconds"),
                },
                [
                    _query(
                        "week",
                        "the ISO week, such as 2026-W45; the last whole week where it is left out, the running one if nobody answered in that",
                    ),
                    _query("lang", "zh (where it is left out) or en"),
                    _query(
                        "segment",
                        "dimension=value: only answers that have it (专题); may come several times, each dimension once",
                    ),
                ],
            ),
            "/v1/pools/{pool}": _read(
                "A pool as its owner has it: mode, seats, who waits, promises",
                {
                    "200": _answer("The pool, as RouterService/GetPool tells it.", "Pool"),
                    "404": _answer("Nothing has happened in such a pool.", "Error"),
                    "503": _answer("The router does not answer, or failed.", "Error", retry_after="seconds"),
                },
                [_parameter("pool", "the pool")],
            ),
            "/v1/pools/{pool}/{command}": {
                "post": {
                    "summary": "A supervisor's command: mode, assign or drain. Needs a channel that may supervise, off loopback",
                    "parameters": [
                        _parameter("pool", "the pool"),
                        {**_parameter("command", "what to do"), "schema": {"enum": ["mode", "assign", "drain"]}},
                    ],
                    "requestBody": {"required": True, "content": {JSON: {"schema": ref("Command")}}},
                    "responses": {
                        "200": _answer("Done, and when.", "Done"),
                        "400": _answer("A field is missing or wrong.", "Error"),
                        "403": _answer("This channel may not.", "Error"),
                        "408": _answer("The body took too long to arrive.", "Error"),
                        "409": _answer("It can't be done now, and why.", "Error"),
                        "413": _answer("The body is too large.", "Error"),
                        "415": _answer("The body is not said to be JSON.", "Error"),
                        "503": _answer(
                            f"The router does not answer, or failed. {_AGAIN}", "Error", retry_after="seconds"
                        ),
                        "504": _answer(f"It was not answered in time. {_AGAIN}", "Error"),
                    },
                }
            },
            "/healthz": {
                "get": {
                    "summary": "Whether events can be taken now",
                    "security": [],
                    "responses": {"200": _answer("Yes.", "Health"), "503": _answer("No.", "Health")},
                }
            },
            "/openapi.json": _read("This description", {"200": {"description": "OpenAPI 3.1", "content": {JSON: {}}}}),
            "/docs": _page("This description, to read", "text/html"),
            "/": _page("The dashboard", "text/html"),
            "/static/{name}": _read(
                "A part of the dashboard",
                {
                    "200": {
                        "description": "A part of the dashboard",
                        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/javascript", "text/css")},
                    },
                    "404": _answer("There is none of this name.", "Error"),
                },
                [_parameter("name", "the file's name")],
            ),
            "/static/plotly.min.js": _page("The charts' library", "text/javascript"),
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "the channel's key"},
                "browser": {"type": "http", "scheme": "basic", "description": "any user name; the key as the password"},
            },
        },
    }


_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}
h2{margin-top:2.5rem;font-size:1.1rem;font-family:ui-monospace,monospace}h2 b{color:#0a6;text-transform:uppercase}
table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #ccd;padding:.3rem .6rem;text-align:left;vertical-align:top}
code,pre{font-family:ui-monospace,monospace;font-size:.85rem}pre{background:#f3f5f8;padding:1rem;overflow:auto}
@media(prefers-color-scheme:dark){body{color:#dde5ee;background:#12181f}pre{background:#1c2530}td,th{border-color:#334}}
"""


def page() -> str:
    """The description as one HTML page."""
    import json

    found = document()
    parts = [
        f"<h1>{escape(found['info']['title'])}</h1><p>{escape(found['info']['description'])} <a href='openapi.json'>openapi.json</a></p>"
    ]
    for path, item in found["paths"].items():
        for method, operation in ((m, o) for m, o in item.items() if m in ("get", "post")):
            parts.append(
                f"<h2><b>{method}</b> {escape(path)}</h2><p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
            )
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                example = json.dumps(body["example"], ensure_ascii=False, indent=2) if "example" in body else ""
                parts.append(
                    f"<p><code>{escape(kind)}</code></p>" + (f"<pre>{escape(example)}</pre>" if example else "")
                )
            rows = "".join(
                f"<tr><td>{code}</td><td>{escape(a['description'])}</td></tr>"
                for code, a in operation["responses"].items()
            )
            parts.append(f"<table><tr><th>Status</th><th>Meaning</th></tr>{rows}</table>")
    schemas = json.dumps(found["components"]["schemas"], ensure_ascii=False, indent=2)
    parts.append(f"<h2>Schemas</h2><pre>{escape(schemas)}</pre>")
    return f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Touchline gateway</title><style>{_STYLE}</style>{''.join(parts)}</html>"
