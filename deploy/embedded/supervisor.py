"""Starts everything, watches over it, ends it in order.

`python -m deploy.embedded.supervisor` is what `touchline up --detach` leaves running.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from deploy.embedded import cluster, jars, state
from deploy.embedded.layout import SERVICES, WITH_DATABASE, Layout, api_key, assign_ports
from deploy.embedded.process import Child, Identity, StartError, describe_exit
from deploy.embedded.services import MODULE, Surroundings, port_names
from deploy.embedded.stack import INFRASTRUCTURE, Stack

Say = Callable[[str], None]
BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 10.0
HEALTHY_AFTER_S = 30.0


@dataclass(frozen=True)
class Options:
    """What `touchline up` was asked for.

    `only` names the parts to start (empty: all), `module` what a service runs, `brokers` how many Kafka has (1 or 3;
    None: as many as the data folder was made with).
    """

    data: Path
    clock: str = ""
    traces: bool = True
    only: tuple[str, ...] = ()
    module: str = MODULE
    brokers: int | None = None

    def wants(self, part: str) -> bool:
        named = "kafka" if part in cluster.PARTS else part
        return (not self.only or named in self.only) and (self.traces or part != "zipkin")


def next_delay(delay_s: float, lived_s: float) -> tuple[float, float]:
    """How long to wait before a restart, and the delay to remember: doubled each time, forgotten after 30 s of life."""
    now = BACKOFF_FIRST_S if lived_s >= HEALTHY_AFTER_S else delay_s
    return now, min(now * 2, BACKOFF_LAST_S)


class Supervisor:
    """One running stack. `run` returns its exit status when it was asked to end, by a signal or by `stop`."""

    def __init__(self, options: Options, say: Say, warn: Say) -> None:
        self.options = options
        self.say = say
        self.warn = warn
        self.layout = Layout.of(options.data)
        self.infrastructure: list[str] = []
        self.children: dict[str, Child] = {}
        self.ready: dict[str, asyncio.Event] = {}
        self.stopping = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.began = time.monotonic()
        self.state = state.State(Identity.of(os.getpid()), datetime.now(UTC).isoformat(timespec="seconds"))

    def _parts(self, among: tuple[str, ...]) -> list[str]:
        return [name for name in among if self.options.wants(name)]

    def _furnish(self) -> None:
        """Settles ports, addresses and the key, and writes them down."""
        ports = assign_ports(self.layout, port_names())
        self.stack = Stack(self.layout.data, INFRASTRUCTURE, brokers=self.options.brokers)
        self.infrastructure = self._parts(self.stack.parts)
        self.around = Surroundings(
            layout=self.layout,
            ports=ports,
            bootstrap=self.stack.bootstrap,
            dsn={name: self.stack.dsn(name) for name in WITH_DATABASE},
            traces_url=self.stack.zipkin.url if self.options.wants("zipkin") else None,
            clock=self.options.clock,
            module=self.options.module,
        )
        now = self.state
        now.api_key = api_key(self.layout)
        now.bootstrap, now.dsn = self.around.bootstrap, self.around.dsn
        now.gateway_url, now.traces_url = self.around.gateway_url, self.around.traces_url
        now.grpc = {name: self.around.grpc_address(name) for name in self._parts(SERVICES)}
        now.clock, now.sockets = self.options.clock, str(self.stack.sockets)
        self.state.write(self.layout)

    async def run(self) -> int:
        """Holds the data folder, starts all parts and watches them until asked to end.

        Raises AlreadyRunningError where another supervisor holds the folder.
        """
        with state.holding(self.layout):
            for name in await asyncio.to_thread(state.clear_leftovers, self.layout):
                self.warn(f"{name}: ended, left behind by a run that was killed / 已清理上次遗留的进程")
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.add_signal_handler(number, self.stopping.set)
            try:
                await asyncio.to_thread(jars.ensure, self.say)
                self._furnish()
                return await self._supervise()
            except (StartError, jars.JarError) as error:
                self.warn(str(error))
                return 1
            finally:
                await self._shut_down()

    def stop(self) -> None:
        """Asks the supervisor to end everything."""
        self.stopping.set()

    async def _supervise(self) -> int:
        names = [*self.infrastructure, *self._parts(SERVICES)]
        self.ready = {name: asyncio.Event() for name in names}
        for name in self.infrastructure:
            self._go(self._keep(name))
        self._go(self._open())
        stop = asyncio.create_task(self.stopping.wait())
        while not stop.done():
            await asyncio.wait({stop, *self.tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in [t for t in self.tasks if t.done()]:
                self.tasks.remove(task)
                try:
                    task.result()
                except StartError:
                    if self.stopping.is_set():  # Ctrl-C reaches what a part's start runs as well
                        return 0
                    stop.cancel()
                    raise
        return 0

    def _go(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def _open(self) -> None:
        """Starts the services once Kafka and Postgres serve, and tells when everything is healthy."""
        for name in self.infrastructure:
            if name != "zipkin":
                await self.ready[name].wait()
        for name in self._parts(SERVICES):
            self._go(self._keep(name))
        for event in self.ready.values():
            await event.wait()
        self.state.ready_s = round(time.monotonic() - self.began, 2)
        self.state.write(self.layout)
        self.say(greeting(self.state, person=sys.stdout.isatty()))

    async def _keep(self, name: str) -> None:
        """Starts a part again whenever it ends. A part of the infrastructure whose first start fails ends the run."""
        infrastructure = name in self.infrastructure
        delay = BACKOFF_FIRST_S
        while True:
            began = time.monotonic()
            try:
                if infrastructure:
                    await asyncio.to_thread(self.stack.prepare, name)
                reason = await self._one_life(name, infrastructure)
            except StartError as error:
                if infrastructure and not self.ready[name].is_set():
                    raise
                reason = error.reason
                await self.children[name].stop()  # it may still run, without ever having served
            wait, delay = next_delay(delay, time.monotonic() - began)
            self.state.restarts[name] = self.state.restarts.get(name, 0) + 1
            line = f"{name} {reason}; starting it again in {wait:.1f} s / {name} 已退出，{wait:.1f} 秒后重启"
            self.warn(line)
            with (self.layout.logs / f"{name}.log").open("a") as log:
                log.write(f"supervisor: {line}\n")
            await asyncio.sleep(wait)

    async def _one_life(self, name: str, infrastructure: bool) -> str:
        spec = self.stack.spec(name) if infrastructure else self.around.spec(name)
        child = self.children[name] = Child(spec)
        self.state.parts[name] = child.identity
        self.state.write(self.layout)
        await child.wait_ready()
        if infrastructure:
            await self.stack.furnish(name)
        if not self.ready[name].is_set():
            self.say(f"{name} is ready after {time.monotonic() - self.began:.1f} s / {name} 就绪")
            self.ready[name].set()
        return describe_exit(await child.exited())

    async def _shut_down(self) -> None:
        """Services first, so that they finish what they have in hand; then what they stand on."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for group in (SERVICES, self.infrastructure):
            await asyncio.gather(*(self.children[name].stop() for name in group if name in self.children))
        state.forget(self.layout, self.state)


def greeting(now: state.State, *, person: bool) -> str:
    """What a person needs to know once all is healthy. Said to a log, which may be read by others, it is without the API key."""
    key = now.api_key if person else "touchline status --json"
    lines = [
        f"Touchline is up after {now.ready_s} s / 全部就绪，用时 {now.ready_s} 秒",
        f"  gateway   网关      {now.gateway_url}  (API key: {key})",
        f"  dashboard 实时看板  {now.gateway_url}/",
        f"  traces    调用链    {now.traces_url or '-'}",
    ]
    return "\n".join(lines)


def _print(stream: TextIO) -> Say:
    return lambda text: print(text, file=stream, flush=True)


def run(options: Options) -> int:
    """Runs a stack in the foreground until SIGINT or SIGTERM; gives the exit status. Raises AlreadyRunningError."""
    return asyncio.run(Supervisor(options, _print(sys.stdout), _print(sys.stderr)).run())


def main() -> int:
    """Reads the options as JSON from the command line; for `touchline up --detach`."""
    raw = json.loads(sys.argv[1])
    options = Options(**{**raw, "data": Path(raw["data"]), "only": tuple(raw.get("only", ()))})
    try:
        return run(options)
    except state.AlreadyRunningError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
