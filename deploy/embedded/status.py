"""What `touchline status` tells: always asked of the running parts, never remembered."""

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from deploy.embedded import cluster, kafka, postgres, state, zipkin
from deploy.embedded.layout import SERVICES, Layout
from deploy.embedded.process import Identity

DEADLINE_S = 1.5
_NONE = "–"
_TROUBLES = {"TimeoutError": "no answer 无应答", "not reachable": "no answer 无应答", "starting": "starting 启动中"}


async def gather(layout: Layout) -> dict[str, Any]:
    """The status as the JSON of `touchline status --json`.

    `state` is "down" where no supervisor holds the data folder, "starting" until all was healthy once,
    then "healthy" or "degraded" by what the parts answer now, within about two seconds.
    """
    now = state.read(layout) if state.is_held(layout) else None
    if now is None:
        return _blank("starting" if state.is_held(layout) else "down")
    infrastructure = [name for name in now.parts if name not in SERVICES]
    services, well = await asyncio.gather(
        asyncio.gather(*(_service(now, name) for name in now.grpc)),
        asyncio.gather(*(_infrastructure(now, name) for name in infrastructure)),
    )
    healthy = all(s["healthy"] for s in services) and all(well)
    answer = _blank("starting" if now.ready_s is None else "healthy" if healthy else "degraded")
    answer["gateway"] = {"url": now.gateway_url, "api_key": now.api_key, "grpc": now.grpc.get("gateway")}
    answer["kafka"] = _kafka(now, dict(zip(infrastructure, well, strict=True)))
    answer["postgres"] = {"dsn": now.dsn, "healthy": _one(infrastructure, well, "postgres")}
    answer["traces"] = {"url": now.traces_url, "healthy": _one(infrastructure, well, "zipkin")}
    answer["dashboard"] = {"url": f"{now.gateway_url}/"}
    answer["services"] = dict(zip(now.grpc, services, strict=True))
    answer["started_at"] = now.started_at
    answer["clock"] = now.clock
    answer["ready_s"] = now.ready_s
    answer["rss_mb"] = round(_memory([now.supervisor, *now.parts.values()]) / 1e6, 1)
    return answer


async def healthy_within(layout: Layout, limit_s: float) -> dict[str, Any]:
    """The status once all is healthy, or what it is after `limit_s` seconds; asked twice a second."""
    until = time.monotonic() + limit_s
    while True:
        answer = await gather(layout)
        left = until - time.monotonic()
        if answer["state"] == "healthy" or left <= 0:
            return answer
        await asyncio.sleep(min(0.5, left))


def unwell(answer: dict[str, Any]) -> list[str]:
    """The parts that are not healthy, by name."""
    parts = {name: answer[name] for name in ("kafka", "postgres", "traces")} | answer["services"]
    return [name for name, part in parts.items() if not part.get("healthy", True)]


def _blank(word: str) -> dict[str, Any]:
    return {
        "state": word,
        "gateway": {"url": None, "api_key": None, "grpc": None},
        "kafka": {"bootstrap": None},
        "postgres": {"dsn": {}},
        "traces": {"url": None},
        "dashboard": {"url": None},
        "services": {},
        "ready_s": None,
        "rss_mb": None,
    }


def _kafka(now: state.State, well: dict[str, bool]) -> dict[str, Any]:
    nodes = zip(cluster.PARTS, now.bootstrap.split(","), strict=False)
    brokers = [
        {"id": n, "address": address, "healthy": well.get(part, False), "restarts": now.restarts.get(part, 0)}
        for n, (part, address) in enumerate(nodes, 1)
    ]
    return {"bootstrap": now.bootstrap, "healthy": all(b["healthy"] for b in brokers), "brokers": brokers}


def _one(names: list[str], well: list[bool], name: str) -> bool:
    return dict(zip(names, well, strict=True)).get(name, False)


async def _service(now: state.State, name: str) -> dict[str, Any]:
    from services.runtime.admin import probe

    part = now.parts.get(name)
    alive = part is not None and part.process() is not None
    answer = await probe(now.grpc[name], DEADLINE_S) if alive else None
    return {
        "pid": part.pid if part and alive else None,
        "healthy": answer is not None and answer.healthy,
        "lag": answer.lag if answer and answer.lag >= 0 else None,
        "backlog": answer.backlog if answer else None,
        "detail": answer.detail if answer else "not reachable",
        "restarts": now.restarts.get(name, 0),
    }


async def _infrastructure(now: state.State, name: str) -> bool:
    if now.parts[name].process() is None:
        return False
    if name in cluster.PARTS:
        address = now.bootstrap.split(",")[cluster.PARTS.index(name)]
        return await kafka.answers(int(address.rpartition(":")[2]), DEADLINE_S)
    if name == "postgres":
        return await postgres.answers(Path(now.sockets))
    return await zipkin.answers(int((now.traces_url or ":0").rpartition(":")[2]), DEADLINE_S)


def _memory(identities: list[Identity]) -> int:
    """Resident bytes of the processes and their descendants, each counted once.

    Shared pages are divided among their users where the system tells (Linux: PSS), else counted for each (RSS).
    """
    members: dict[int, psutil.Process] = {}
    total = 0
    for process in filter(None, (identity.process() for identity in identities)):
        members.update({p.pid: p for p in (process, *process.children(recursive=True))})
    for member in members.values():
        try:
            info = member.memory_full_info()
            total += getattr(info, "pss", 0) or info.rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def table(answer: dict[str, Any]) -> str:
    """The status for people."""
    from rich.console import Console
    from rich.table import Table

    if answer["state"] == "down":
        return "Touchline: down 未启动"
    grid = Table(title=f"Touchline: {answer['state']}", title_justify="left", box=None)
    for head in ("part 部件", "pid", "healthy 健康", "lag 积压", "restarts 重启", "detail 说明"):
        grid.add_column(head)
    brokers = answer["kafka"].get("brokers", ())
    if len(brokers) > 1:
        for b in brokers:
            grid.add_row(f"kafka {b['id']}", _NONE, _word(b["healthy"]), _NONE, str(b["restarts"]), b["address"])
    for name in ("postgres", "traces") if len(brokers) > 1 else ("kafka", "postgres", "traces"):
        part = answer[name]
        if "healthy" in part:
            where = str(part.get("bootstrap") or part.get("url") or _NONE)
            grid.add_row(name, _NONE, _word(part["healthy"]), _NONE, _NONE, where)
    for name, s in answer["services"].items():
        cells = [s["pid"], _word(s["healthy"]), s["lag"], s["restarts"], _plain(s["detail"])]
        grid.add_row(name, *(_NONE if cell is None else str(cell) for cell in cells))
    console = Console(width=110)
    with console.capture() as captured:
        console.print(grid)
    lines = [captured.get().rstrip()]
    ready = "not yet" if answer["ready_s"] is None else f"{answer['ready_s']} s"
    started = answer.get("started_at")
    when = datetime.fromisoformat(started).astimezone().strftime("%F %T %z") if started else _NONE
    lines += [
        f"started 启动时间      {when}",
        f"ready after 就绪用时  {ready}",
        f"memory 常驻内存       {answer['rss_mb']} MB",
        f"gateway 网关          {answer['gateway']['url']}",
        f"dashboard 实时看板    {answer['dashboard']['url']}",
        f"traces 调用链         {answer['traces']['url']}",
    ]
    return "\n".join(lines)


def _plain(detail: str) -> str:
    """A service's troubles in words, each once."""
    each = dict.fromkeys(_TROUBLES.get(one, one) for one in detail.split("; ") if one)
    return "; ".join(each) or _NONE


def _word(healthy: bool) -> str:
    return "yes 是" if healthy else "NO 否"
