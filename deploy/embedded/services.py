"""How each service is started: `python -m services.<name>.main`, told everything by its environment."""

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.layout import LOOPBACK, SERVICES, WITH_DATABASE, Layout
from deploy.embedded.process import Spec

ROOT = Path(__file__).resolve().parents[2]
MODULE = "services.{}.main"
PEERS = ("sentiment", "router", "nps", "escalation")


def port_names() -> list[str]:
    """The names under which the services' ports are kept."""
    return ["gateway.http", *(f"{name}.{kind}" for name in SERVICES for kind in ("grpc", "metrics"))]


def database(service: str) -> str:
    """The name of a service's database."""
    return f"touchline_{service}"


@dataclass(frozen=True)
class Surroundings:
    """What the services have in common: where the infrastructure is, and the clock they run on."""

    layout: Layout
    ports: dict[str, int]
    bootstrap: str
    dsn: dict[str, str]
    traces_url: str | None
    clock: str = ""
    module: str = MODULE

    def grpc_address(self, service: str) -> str:
        return f"{LOOPBACK}:{self.ports[f'{service}.grpc']}"

    @property
    def gateway_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['gateway.http']}"

    def _telemetry(self, service: str) -> dict[str, str]:
        env = {"OTEL_SERVICE_NAME": service}
        if self.traces_url:
            env["OTEL_TRACES_EXPORTER"] = "zipkin"
            env["OTEL_EXPORTER_ZIPKIN_ENDPOINT"] = f"{self.traces_url}/api/v2/spans"
            env["ZIPKIN_URL"] = self.traces_url
        elif "OTEL_TRACES_EXPORTER" not in os.environ:
            env["OTEL_TRACES_EXPORTER"] = "none"
        return env

    def environment(self, service: str) -> dict[str, str]:
        """The settings of one service."""
        env = {
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "GRPC_BIND": self.grpc_address(service),
            "METRICS_BIND": f"{LOOPBACK}:{self.ports[f'{service}.metrics']}",
            "TOUCHLINE_CLOCK": self.clock,
            "METRICS_DATA_DIR": str(self.layout.data / service),
            "PYTHONUNBUFFERED": "1",
            # One process a service: under a steady name it has its partitions back at once after a crash.
            "BATCH_MEMBER": f"{service}-1",
            **{f"{peer.upper()}_ADDR": self.grpc_address(peer) for peer in PEERS},
            **self._telemetry(service),
        }
        if service in WITH_DATABASE:
            env["DATABASE_URL"] = self.dsn[service]
        if service == "gateway":
            env["HTTP_BIND"] = f"{LOOPBACK}:{self.ports['gateway.http']}"
            env["GATEWAY_KEYS_FILE"] = str(self.layout.keys)
            for other in SERVICES:
                env.setdefault(f"{other.upper()}_ADDR", self.grpc_address(other))
        return env

    def spec(self, service: str) -> Spec:
        """How to start one service."""

        async def ready() -> bool:
            from services.runtime.admin import probe

            status = await probe(self.grpc_address(service), 1.0)
            return status is not None and status.healthy

        folder = self.layout.data / service
        folder.mkdir(exist_ok=True)
        return Spec(
            name=service,
            argv=[sys.executable, "-m", self.module.format(service)],
            log=self.layout.logs / f"{service}.log",
            ready=ready,
            env=self.environment(service),
            cwd=ROOT,
            # A service may have much to catch up on; it is not for us to give up on it.
            start_limit_s=math.inf,
        )
