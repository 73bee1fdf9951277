"""`touchline events`: send events to the gateway, and watch topics; JSON lines both ways."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from services.cli.common import Lines, data_option, fail, not_up
from services.cli.kafka import run_async

BATCH = 500
BATCH_BYTES = 2 << 20
"""Half of what the gateway takes in one body unless told otherwise; it takes no single event of this size."""


@click.group(short_help="Send events, or watch a topic. 发送事件，或查看主题。")
def events() -> None:
    """Send events, or watch a topic. 发送事件，或查看主题。"""


@events.command(short_help="Send events from a file. 从文件发送事件。")
@click.argument("file", type=Lines())
@data_option
def send(file: BinaryIO, data: Path) -> None:
    """Sends FILE (- for standard input): one CloudEvent in JSON a line.

    Prints {"accepted": n, "rejected": [{"line", "field", "reason"}]}; exit status 1 if anything was rejected. 发送事件文件。
    """
    from services.cli.day.door import Door, DoorError

    status = _status(data)
    door = Door(status["gateway"]["url"], status["gateway"]["api_key"])
    accepted = 0
    rejected: list[dict[str, Any]] = []
    try:
        for batch in _batches(file, rejected):
            taken, refusals = door.answer_now([event for _, event in batch])
            accepted += taken
            if taken == 0 and refusals.keys() == {0}:  # the body as a whole
                refusals = dict.fromkeys(range(len(batch)), refusals[0])
            rejected += [
                {"line": batch[i][0], "field": r.get("field"), "reason": r.get("reason")}
                for i, r in sorted(refusals.items())
            ]
    except DoorError as error:
        _told(accepted, rejected)
        fail(error)
    finally:
        door.close()
    _told(accepted, rejected)
    sys.exit(bool(rejected))


def _told(accepted: int, rejected: list[dict[str, Any]]) -> None:
    rejected.sort(key=lambda r: r["line"])
    click.echo(json.dumps({"accepted": accepted, "rejected": rejected}, ensure_ascii=False))


def _batches(file: BinaryIO, rejected: list[dict[str, Any]]) -> Iterator[list[tuple[int, Any]]]:
    """Lines as (number, event), as many as go into one body; those that can't be sent go to `rejected`."""
    batch: list[tuple[int, Any]] = []
    size = 0
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            event, its_size = _event(line)
        except _Unsendable as wrong:
            rejected.append({"line": number, "field": "", "reason": str(wrong)})
            continue
        if batch and (len(batch) == BATCH or size + its_size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((number, event))
        size += its_size
    if batch:
        yield batch


class _Unsendable(Exception):
    """Why a line can't be an event in a body."""


def _event(line: bytes) -> tuple[dict[str, Any], int]:
    """The line's event, and how many bytes of a body it takes. Raises _Unsendable."""
    try:
        event = json.loads(line.decode("utf-8-sig"))  # some editors begin a file with a byte order mark
        if not isinstance(event, dict):
            raise _Unsendable("is not a JSON object")
        size = len(json.dumps(event, ensure_ascii=False, allow_nan=False).encode()) + len(", ")
    except UnicodeDecodeError:
        raise _Unsendable("is not UTF-8") from None
    except json.JSONDecodeError:
        raise _Unsendable("is not a JSON object") from None
    except UnicodeEncodeError:
        raise _Unsendable("holds half a surrogate pair, which is no character") from None
    except ValueError:
        raise _Unsendable("holds a number that is not finite or too long") from None
    except RecursionError:
        raise _Unsendable("is nested too deeply") from None
    if size > BATCH_BYTES:
        raise _Unsendable(f"is larger than {BATCH_BYTES} bytes")
    return event, size


@events.command(short_help="Print a topic's records as they come. 持续输出主题中的记录。")
@click.argument("topic")
@click.option("--from-start", is_flag=True, help="From the first record kept. 从头开始。")
@click.option("-n", "limit", type=click.IntRange(1), help="End after so many records. 条数。")
@data_option
def tail(topic: str, from_start: bool, limit: int | None, data: Path) -> None:
    """Prints a TOPIC's records as they come, one JSON object a line, until Ctrl-C. 持续输出主题中的记录。"""
    from services.runtime.topics import CATALOGUE

    known = [t.name for t in CATALOGUE]
    if topic not in known:
        raise click.BadParameter(f"unknown topic {topic}; there are {', '.join(known)}", param_hint="TOPIC")
    bootstrap = _status(data)["kafka"]["bootstrap"]
    try:
        run_async(_tail(bootstrap, topic, from_start, limit))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


async def _tail(bootstrap: str, topic: str, from_start: bool, limit: int | None) -> None:
    from services.runtime.settings import KafkaSettings
    from services.runtime.tail import tail as follow

    shown = 0
    async for batch in follow(KafkaSettings(bootstrap=bootstrap), [topic], from_start=from_start):
        for record in batch:
            click.echo(json.dumps(describe(record), ensure_ascii=False))
            shown += 1
            if shown == limit:
                return


def describe(record: Any) -> dict[str, Any]:
    """A record as people read it: its place, its CloudEvents attributes, and its data (base64 where it can't be read)."""
    from base64 import b64encode

    from google.protobuf.json_format import MessageToDict, SerializeToJsonError

    from services.runtime import catalogue
    from services.runtime.errors import Unreadable
    from services.runtime.records import PROTOBUF, decode

    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    line: dict[str, Any] = {"topic": record.topic, "partition": record.partition, "offset": record.offset,
                            "key": (record.key or b"").decode(errors="replace"), "headers": headers}  # fmt: skip
    value = record.value or b""
    kind = catalogue.by_name().get(headers.get("ce_type", ""))
    try:
        if kind is not None:
            content = headers.get("content-type", PROTOBUF).partition(";")[0].strip()
            return line | {"data": MessageToDict(decode(kind.message, content, value))}
        return line | {"data": _json(value) if value else None}
    except (Unreadable, ValueError, RecursionError, SerializeToJsonError):
        return line | {"data_base64": b64encode(value).decode()}


def _json(value: bytes) -> Any:
    """A value in JSON. Raises ValueError, or RecursionError, where it is none, or could not be written as such again."""
    found = json.loads(value)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    return found


def _status(data: Path) -> dict[str, Any]:
    """The running stack's status. Ends the command where there is none."""
    from deploy.embedded.layout import Layout
    from deploy.embedded.status import gather

    answer = asyncio.run(gather(Layout.of(data)))
    if answer["state"] == "down":
        not_up(data)
    return answer
