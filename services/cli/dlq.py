"""`touchline dlq`: what the services could not read or decide: listed, shown, and sent again once the cause is mended."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from services.cli.common import data_option, fail

if TYPE_CHECKING:
    from services.runtime.letters import Origin
    from services.runtime.records import Record
    from services.runtime.settings import KafkaSettings

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

SENT_AT_ONCE = 500


@dataclass
class Case:
    """A record that was put aside: its letters, one of each pipeline that refused it, and whether it was sent again since."""

    origin: "Origin"
    letters: "list[Record]" = field(default_factory=list)
    replayed: bool = False

    def header(self, name: str) -> str:
        return _headers(self.letters[0]).get(name, "")

    def refusals(self) -> list[dict[str, str]]:
        """Who refused it and why. A letter that was published twice counts once."""
        told = {h.get("dlq_pipeline", ""): h for h in map(_headers, self.letters)}
        return [
            {"pipeline": p, "field": h.get("dlq_field", ""), "reason": h.get("dlq_reason", "")}
            for p, h in sorted(told.items())
        ]

    def put_aside_at(self) -> datetime:
        """When the first pipeline refused it."""
        return datetime.fromtimestamp(min(letter.timestamp for letter in self.letters) / 1000, UTC)

    def row(self) -> dict[str, Any]:
        """The case as one line of JSON: nothing of what the customer wrote, nor who it was."""
        refusals = self.refusals()
        return {
            "place": str(self.origin),
            "topic": self.origin.topic,
            "partition": self.origin.partition,
            "offset": self.origin.offset,
            "type": self.header("ce_type"),
            "id": self.header("ce_id"),
            "source": self.header("ce_source"),
            "time": self.header("ce_time"),
            "put_aside_at": self.put_aside_at().isoformat(timespec="milliseconds"),
            "reason": refusals[0]["reason"],
            "field": refusals[0]["field"],
            "pipelines": [r["pipeline"] for r in refusals],
            "refusals": refusals,
            "replayed": self.replayed,
        }


def cases(records: "Iterable[Record]") -> list[Case]:
    """The cases on a topic of dead letters, by place. A mark covers what lies before it; a later letter opens the case anew."""
    from services.runtime.errors import Unreadable
    from services.runtime.letters import is_mark, origin
    from services.runtime.topics import DEAD_LETTERS

    found: dict[Origin, Case] = {}
    for record in records:
        try:
            place = origin(record)
        except Unreadable:
            continue  # not of our making
        if place.topic + DEAD_LETTERS != record.topic:
            continue  # else a stray letter would be sent to a topic that it never came from
        case = found.setdefault(place, Case(place))
        if is_mark(record):
            case.replayed = True
        else:
            case.letters.append(record)
            # Letters and marks of one place share their key, and so the order of one partition.
            case.replayed = False
    return sorted((c for c in found.values() if c.letters), key=lambda c: c.origin)


def _headers(record: "Record") -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers}


def where(command: C) -> C:
    """The options that say which Kafka."""
    option = click.option(
        "--bootstrap",
        metavar="HOST:PORT",
        help="This Kafka instead of the local stack's; KAFKA_* variables say how to get in. 指定 Kafka 地址。",
    )
    return data_option(option(command))


@click.group()
def dlq() -> None:
    """Dead letters: what could not be read or decided. 死信：无法读取或处理的事件。

    A record is named by its place, TOPIC/PARTITION/OFFSET, where it lay when it was refused.
    """


@dlq.command("list")
@click.option("--topic", help="Only what came on this topic. 只看一个主题。")
@click.option("--replayed", is_flag=True, help="Those that were sent again as well. 包括已重放的。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line. 每行一个 JSON 对象。")
@where
def list_(topic: str | None, replayed: bool, as_json: bool, data: Path, bootstrap: str | None) -> None:
    """Lists the records that were put aside, each once, with who refused it and why. 列出死信及原因。"""
    found = _run(_read(_kafka(data, bootstrap), _topics(topic)))
    shown = [case for case in found if replayed or not case.replayed]
    for case in shown:
        if as_json:
            click.echo(json.dumps(case.row(), ensure_ascii=True))
        else:
            _print(case)
    if not as_json:
        more = len(found) - len(shown)
        hidden = f", {more} more were sent again (--replayed); 另有 {more} 条已重放" if more else ""
        click.echo(f"{len(shown)} dead letters 条死信{hidden}", err=True)


@dlq.command()
@click.argument("place")
@click.option(
    "--value", is_flag=True, help="Also what the event says, customers' words included. 显示内容（含客户原文）。"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
@where
def show(place: str, value: bool, as_json: bool, data: Path, bootstrap: str | None) -> None:
    """Shows one record: who refused it, its headers, and with --value what it says. 查看一条死信。"""
    wanted = _place(place)
    [case] = _chosen(_run(_read(_kafka(data, bootstrap), [wanted.topic])), [wanted])
    told = _describe(case, value)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=True))
        return
    _print(case)
    click.echo("\nheaders 消息头")
    for name, text in told["headers"].items():
        click.echo(f"  {name}: {_plain(text)}")
    if not value:
        click.echo(
            f"\nvalue 内容: hidden, {told['bytes']} bytes; it may hold what a customer wrote. Show it with --value."
        )
        click.echo("           已隐藏，可能含客户原文；加 --value 查看。")
    elif "data" not in told and "data_base64" not in told:
        click.echo("\nvalue 内容: too large for a letter; the record lies at its place. 过大，未保存在死信中。")
    elif "data" in told:
        click.echo(
            "\nvalue 内容\n" + json.dumps(told["data"], ensure_ascii=False, indent=2).encode(errors="replace").decode()
        )
    else:
        click.echo(f"\nvalue 内容 (base64: it can't be read 无法解析)\n{told['data_base64']}")


@dlq.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@click.option("--all", "everything", is_flag=True, help="All that were not sent again yet. 所有未重放的。")
@click.option("--topic", help="With --all: only what came on this topic. 与 --all 合用：只限一个主题。")
@click.option("--older", is_flag=True, help="Also what is older than services remember events. 包括超出去重期限的。")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing. 只演示，不发送。")
@click.option("--json", "as_json", is_flag=True, help="One JSON object. 输出一个 JSON 对象。")
@where
def replay(
    places: tuple[str, ...], everything: bool, topic: str | None, older: bool, dry_run: bool, as_json: bool,
    data: Path, bootstrap: str | None,
) -> None:  # fmt: skip
    """Sends records again, as they first came, on their own topic. 将死信原样重新发送。

    Each goes once, however many pipelines refused it: those that had taken it know it by its id. One that is still bad
    comes back as a new dead letter. What is older than BATCH_SEEN_FOR (7 days) would count again where it had been
    taken, and is left out unless --older. 每条只发送一次，已处理过的服务会按事件编号去重；仍有问题的会再次成为死信。
    """
    if everything == bool(places):
        raise click.UsageError("name records by their PLACE, or give --all. 请给出 PLACE 或 --all。")
    if topic and not everything:
        raise click.UsageError("--topic goes with --all. --topic 须与 --all 合用。")
    wanted = list(dict.fromkeys(map(_place, places)))
    kafka = _kafka(data, bootstrap)
    found = _run(_read(kafka, _topics(topic) if everything else sorted({p.topic for p in wanted})))
    chosen = [case for case in found if not case.replayed] if everything else _chosen(found, wanted)
    limit = datetime.now(UTC) - _remembered()
    old = [] if older else [case for case in chosen if case.put_aside_at() < limit]
    if old and not everything:
        fail(f"{old[0].origin}: is older than services remember events; with --older it is sent all the same")
    chosen = [case for case in chosen if case not in old]
    failed = [] if dry_run else _run(_send(kafka, chosen))
    sent = len(chosen) - len(failed)
    if as_json:
        answer = {
            "replayed": 0 if dry_run else sent,
            "would_replay": len(chosen) if dry_run else 0,
            "too_old": len(old),
        }
        failures = [{"place": str(origin), "reason": reason} for origin, reason in failed]
        click.echo(json.dumps({**answer, "failed": failures, "places": [str(case.origin) for case in chosen]}))
    else:
        verb = "would be sent again 将重放" if dry_run else "sent again 已重放"
        click.echo(f"{sent} records 条 {verb}")
        if old:
            click.echo(
                f"{len(old)} left out: older than services remember events (--older) 超出去重期限，未重放", err=True
            )
    if failed:
        fail("; ".join(f"{origin}: {reason}" for origin, reason in failed))


def _place(text: str) -> "Origin":
    from services.runtime.letters import Origin

    try:
        return Origin.parse(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not TOPIC/PARTITION/OFFSET", param_hint="PLACE") from None


def _topics(topic: str | None) -> list[str]:
    """The topics whose dead letters are meant. One that is no topic of ours may be a user's own."""
    from services.runtime.topics import CATALOGUE, DEAD_LETTERS

    if topic is not None:
        return [topic.removesuffix(DEAD_LETTERS)]
    return [t.name.removesuffix(DEAD_LETTERS) for t in CATALOGUE if t.name.endswith(DEAD_LETTERS)]


def _remembered() -> timedelta:
    from services.runtime.errors import Misconfigured
    from services.runtime.settings import BatchSettings, load

    try:
        return load(BatchSettings).seen_for
    except Misconfigured as error:
        fail(error)


def _kafka(data: Path, bootstrap: str | None) -> "KafkaSettings":
    from deploy.embedded.layout import Layout
    from deploy.embedded.state import is_held, read
    from services.runtime.settings import KafkaSettings

    if bootstrap is not None:
        given = click.get_current_context().get_parameter_source("data")
        if given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("give --data or --bootstrap, not both. --data 与 --bootstrap 只能给一个。")
        return KafkaSettings(bootstrap=bootstrap)
    layout = Layout.of(data)
    state = read(layout) if is_held(layout) else None
    if state is None or not state.bootstrap:
        fail(f"{data}: nothing is up there; start it with `touchline up --data {data}`")
    return KafkaSettings(bootstrap=state.bootstrap)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it. What Kafka's client raises, or its settings, is a failed run; its errors are RuntimeErrors."""
    from services.runtime.errors import TouchlineError

    try:
        return asyncio.run(work)
    except (TouchlineError, OSError, ValueError, RuntimeError) as error:
        fail(error)


async def _read(kafka: "KafkaSettings", topics: Sequence[str]) -> list[Case]:
    from services.runtime.tail import read_all
    from services.runtime.topics import DEAD_LETTERS

    read = await asyncio.gather(*(read_all(kafka, topic + DEAD_LETTERS) for topic in topics))
    return [case for records in read for case in cases(records)]


def _chosen(found: Sequence[Case], wanted: "Sequence[Origin]") -> list[Case]:
    """The cases at these places. Fails, before anything is done, where there is none."""
    known = {case.origin: case for case in found}
    for origin in wanted:
        if origin not in known:
            fail(f"{origin}: is no dead letter")
    return [known[origin] for origin in sorted(wanted)]


async def _send(kafka: "KafkaSettings", chosen: Sequence[Case]) -> "list[tuple[Origin, str]]":
    """Sends the records again, in their order, and marks each. First sent, then marked: what is sent twice counts once."""
    from services.runtime.errors import Permanent
    from services.runtime.letters import mark, original
    from services.runtime.publisher import Publisher

    if not chosen:
        return []
    publisher, failed = Publisher(kafka), []

    async def send(some: Sequence[Case]) -> None:
        try:
            await publisher.publish([original(case.letters[0]) for case in some])
        except Permanent as error:
            if len(some) == 1:
                failed.append((some[0].origin, str(error)))
                return
            for case in some:
                await send([case])
            return
        await publisher.publish([mark(case.letters[0]) for case in some])

    await publisher.start()
    try:
        for first in range(0, len(chosen), SENT_AT_ONCE):
            await send(chosen[first : first + SENT_AT_ONCE])
    finally:
        await publisher.stop()
    return failed


def _describe(case: Case, value: bool) -> dict[str, Any]:
    """A case in full; what the event says only where it is asked for."""
    from services.cli.events import describe
    from services.runtime.letters import original
    from services.runtime.records import Record

    letter, place = case.letters[0], case.origin
    size = case.header("dlq_bytes")
    if size:  # its letter holds no more than its names
        return {**case.row(), "key": "", "headers": _headers(letter), "bytes": int(size)}
    out = original(letter)
    told = describe(Record(place.topic, place.partition, place.offset, out.key, out.value, out.headers))
    content: dict[str, Any] = {name: told[name] for name in ("data", "data_base64") if value and name in told}
    return {**case.row(), "key": told["key"], "headers": told["headers"], "bytes": len(out.value), **content}


def _plain(text: str) -> str:
    """Text that does nothing to a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _print(case: Case) -> None:
    row = {name: _plain(text) if isinstance(text, str) else text for name, text in case.row().items()}
    mark = "  [sent again 已重放]" if case.replayed else ""
    click.echo(f"{row['place']}  {row['time'] or '-'}  {row['type'] or '-'}  {row['id'] or '-'}{mark}")
    by_reason: dict[tuple[str, str], list[str]] = {}
    for r in case.refusals():
        by_reason.setdefault((r["field"], r["reason"]), []).append(r["pipeline"])
    for (name, reason), pipelines in by_reason.items():
        what = f"{name}: {reason}" if name else reason
        click.echo(f"    {_plain(what)}  ({_plain(', '.join(pipelines))})")
