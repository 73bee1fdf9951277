"""Settings, read from the environment once at the start; a wrong one is named and ends the process."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.errors import Misconfigured


class KafkaSettings(BaseSettings):
    """Where Kafka is, and how to get in (KAFKA_*)."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_", frozen=True)

    bootstrap: str = Field(description="host:port, several joined by commas", pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    # Our own certificate, for brokers that ask their clients for one.
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None

    def client(self) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client shares."""
        secure = self.security_protocol in ("SSL", "SASL_SSL")
        try:
            tls = ssl.create_default_context(cafile=self.ssl_cafile) if secure else None
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"KAFKA_SSL_CAFILE: {self.ssl_cafile} cannot be used: {error}") from None
        if tls is not None and self.ssl_certfile is not None:
            try:
                tls.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
            except (OSError, ssl.SSLError) as error:
                raise Misconfigured(f"KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE: cannot be used: {error}") from None
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
            "ssl_context": tls,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
        }

    def librdkafka(self) -> dict[str, Any]:
        """Settings that every librdkafka client shares."""
        given = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol.lower(),
            "ssl.ca.location": self.ssl_cafile,
            "ssl.certificate.location": self.ssl_certfile,
            "ssl.key.location": self.ssl_keyfile,
            "sasl.mechanism": self.sasl_mechanism if self.security_protocol.startswith("SASL") else None,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password,
            # A broker that comes back is found within a second (default: ten).
            "reconnect.backoff.max.ms": 1000,
        }
        return {name: value for name, value in given.items() if value is not None}


class RpcSettings(BaseSettings):
    """Where this service answers gRPC calls (GRPC_*). With a certificate it speaks TLS; with a CA it also asks its
    callers for theirs; with a keys file, for a key."""

    model_config = SettingsConfigDict(env_prefix="GRPC_", frozen=True)

    bind: str = "127.0.0.1:0"
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_ca: str | None = None
    # Who may call, as JSON; and the key that this process shows where it calls.
    keys_file: Path | None = None
    key: SecretStr | None = None


class BatchSettings(BaseSettings):
    """How a pipeline works through its records (BATCH_*)."""

    model_config = SettingsConfigDict(env_prefix="BATCH_", frozen=True)

    # 2,000 is where throughput stops rising in the design's measurements.
    max_records: int = Field(default=2000, ge=1)
    poll_ms: int = Field(default=100, ge=1)
    # How long the broker lets records gather for a pipeline that nobody waits for: fewer, larger batches.
    linger_ms: int = Field(default=100, ge=0, le=5000)
    # A duplicate that comes later than this counts again; live retries come within minutes, replays within days.
    seen_for: timedelta = timedelta(days=7)
    tick_every: timedelta = timedelta(milliseconds=200)
    flush_every: timedelta = timedelta(seconds=1)
    # Cells sent in one flush: holds what the projections must take to a rate that Faust keeps up with beside everything else on two cores.
    flush_cells: int = Field(default=400, ge=1)
    cached_keys: int = Field(default=50_000, ge=1)
    # Names of events that memory keeps beside the table, so that it is not asked for each: a few minutes at 500 a second.
    recent_names: int = Field(default=100_000, ge=1)
    # Shorter than the broker's rebalance timeout, so that a drain ends before the group gives up on us.
    drain_s: float = Field(default=8.0, gt=0)
    # Time from a process's death to its partitions' next owner; the broker's smallest default is 6 s.
    session_timeout_ms: int = Field(default=10_000, ge=1000)
    # A name that stays the same across restarts keeps the partitions without a rebalance (static membership).
    member: str | None = None


class ServiceSettings(BaseSettings):
    """What every service is told."""

    model_config = SettingsConfigDict(frozen=True)

    database_url: str = ""
    metrics_bind: str = Field(default="", pattern=r"^$|^\S*:\d+$")
    touchline_clock: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    # Named places in the checkpoint at which the process kills itself; only tests set it.
    touchline_fault: str = ""


T = TypeVar("T", bound=BaseSettings)


def load(kind: type[T], **given: Any) -> T:
    """Settings from the environment, and those given, which go before it. Raises Misconfigured, naming each variable that is missing or wrong."""
    try:
        return kind(**given)
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        wrong = (f"{prefix}{'_'.join(str(p) for p in e['loc'])}".upper() + f": {e['msg']}" for e in error.errors())
        raise Misconfigured("; ".join(wrong)) from None
