"""The gateway's settings."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Where the gateway listens, and what it lets in."""

    model_config = SettingsConfigDict(frozen=True)

    http_bind: str = Field(default="127.0.0.1:8080", pattern=r"^.+:\d{1,5}$")
    gateway_keys_file: Path
    # Host names by which the open read side may be called; guards it against pages that rebind their own name to us.
    gateway_allowed_hosts: str = "localhost,127.0.0.1,[::1]"
    gateway_max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    gateway_max_event_bytes: int = Field(default=256 * 1024, ge=256, le=900 * 1024)
    gateway_max_batch_events: int = Field(default=2000, ge=1)
    # Requests that are worked on at once; more are told to come back, so that memory stays bounded while Kafka is away.
    gateway_max_in_flight: int = Field(default=64, ge=1)
    # Bytes of requests' bodies that are held at once.
    gateway_max_in_flight_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    # An answer that takes longer lets fewer requests in at once.
    gateway_target_ms: float = Field(default=500.0, gt=0)
    # Requests that are open at once, reading and watching among them; the next is answered at once with 503.
    gateway_max_requests: int = Field(default=1000, ge=1)
    gateway_publish_timeout_s: float = Field(default=10.0, gt=0)
    # The share of requests without a trace context of their own for which the gateway begins a trace.
    gateway_trace_ratio: float = Field(default=0.02, ge=0, le=1)
    # Whether the live view reads the topics from their start, or from now on.
    gateway_live_history: bool = True
    zipkin_url: str = ""
    sentiment_addr: str = ""
    router_addr: str = ""
    nps_addr: str = ""
    escalation_addr: str = ""
    metrics_addr: str = ""

    @property
    def host(self) -> str:
        return self.http_bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.http_bind.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the gateway; then its read side is open."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def allowed_hosts(self) -> frozenset[str]:
        return frozenset(h.strip().lower() for h in self.gateway_allowed_hosts.split(",") if h.strip())

    @property
    def peers(self) -> dict[str, str]:
        """The services that are watched, with their gRPC addresses."""
        named = {
            "sentiment": self.sentiment_addr,
            "router": self.router_addr,
            "nps": self.nps_addr,
            "escalation": self.escalation_addr,
            "metrics": self.metrics_addr,
        }
        return {name: address for name, address in named.items() if address}
