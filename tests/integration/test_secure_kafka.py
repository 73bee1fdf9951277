"""TLS and SASL to Kafka, by settings: the right credentials work in every client of ours, wrong ones are refused and named.

One broker with four doors more than the stack's: TLS that asks for the client's certificate, TLS with PLAIN, TLS with SCRAM,
and PLAIN in clear.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import jars
from deploy.embedded.kafka import Broker
from deploy.embedded.layout import Layout, assign_ports
from deploy.embedded.process import Child
from services.runtime.admin import create_topics, probe
from services.runtime.errors import Misconfigured, Transient
from services.runtime.publisher import Publisher
from services.runtime.records import Outgoing
from services.runtime.settings import BatchSettings, KafkaSettings, RpcSettings
from services.runtime.source import KafkaSource
from services.runtime.tail import read_all
from services.runtime.topics import CATALOGUE, Topic
from tests.authority import Authority, needs_openssl
from tests.members import given

pytestmark = [pytest.mark.integration, needs_openssl]
ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD, WRONG = "touchline", "right-password-1", "wrong-password-2"
TOPIC = "secure"
DOORS = {"mutual": "SSL", "plain": "SASL_SSL", "scram": "SASL_SSL", "clear": "SASL_PLAINTEXT"}
LOGIN = "org.apache.kafka.common.security.{} required"


def _settings(ports: dict[str, int], keystore: Path, ca: Path) -> str:
    """What the broker's settings say beyond the stack's own."""
    plain = f'{LOGIN.format("plain.PlainLoginModule")} user_{USER}="{PASSWORD}";'
    lines = [
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={keystore}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={ca}",
        "listener.name.mutual.ssl.client.auth=required",
        "listener.name.plain.sasl.enabled.mechanisms=PLAIN",
        f"listener.name.plain.plain.sasl.jaas.config={plain}",
        "listener.name.clear.sasl.enabled.mechanisms=PLAIN",
        f"listener.name.clear.plain.sasl.jaas.config={plain}",
        "listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512",
        f"listener.name.scram.scram-sha-512.sasl.jaas.config={LOGIN.format('scram.ScramLoginModule')};",
    ]
    return "\n".join(lines) + "\n"


def _with_doors(text: str, ports: dict[str, int]) -> str:
    doors = "".join(f",{name.upper()}://127.0.0.1:{ports[name]}" for name in DOORS)
    kinds = "".join(f",{name.upper()}:{kind}" for name, kind in DOORS.items())
    more = {"listeners": doors, "advertised.listeners": doors, "listener.security.protocol.map": kinds}
    return "".join(f"{line}{more.get(line.partition('=')[0], '')}\n" for line in text.splitlines())


@dataclass
class Secured:
    """A broker with doors, and who may come in by them."""

    ports: dict[str, int]
    open: str
    ours: Authority
    theirs: Authority

    def settings(self, door: str, **changes: Any) -> KafkaSettings:
        """What is right for that door, with changes."""
        told: dict[str, Any] = {
            "bootstrap": f"127.0.0.1:{self.ports[door]}",
            "security_protocol": DOORS[door],
            "ssl_cafile": str(self.ours.cert) if door != "clear" else None,
        }
        if door == "mutual":
            told["ssl_certfile"], told["ssl_keyfile"] = self.ours.issue("client")
        else:
            mechanism = "SCRAM-SHA-512" if door == "scram" else "PLAIN"
            told |= {"sasl_mechanism": mechanism, "sasl_username": USER, "sasl_password": PASSWORD}
        return KafkaSettings(**told | changes)


def _scram(bootstrap: str) -> None:
    from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

    admin = AdminClient({"bootstrap.servers": bootstrap})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    made = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, info, PASSWORD.encode())])
    for future in made.values():
        future.result(30)


def _together(into: Path, *parts: str) -> Path:
    into.write_text("".join(Path(part).read_text() for part in parts))
    return into


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    folder = tmp_path_factory.mktemp("secure")
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    keystore = _together(folder / "broker-all.pem", *reversed(ours.issue("broker")))
    layout = Layout.of(folder)
    layout.create()
    ports = assign_ports(layout, ["kafka", "kafka.controller", "metrics", *DOORS])
    await asyncio.to_thread(jars.ensure)
    broker = Broker(folder / "kafka", layout.logs / "kafka.log", ports["kafka"], ports["kafka.controller"])
    await asyncio.to_thread(broker.prepare)
    properties = folder / "kafka" / "server.properties"
    more = _settings(ports, keystore, ours.cert)
    properties.write_text(_with_doors(properties.read_text(), ports) + more)
    child = Child(broker.spec())
    try:
        await child.wait_ready()
        await asyncio.to_thread(_scram, broker.bootstrap)
        await create_topics(broker.bootstrap, [Topic(TOPIC, "", 1)])
        yield Secured(ports, broker.bootstrap, ours, theirs)
    finally:
        await child.stop()


async def published(kafka: KafkaSettings, value: bytes) -> None:
    publisher = Publisher(kafka, timeout_s=10)
    try:
        await publisher.start()
        await publisher.publish([Outgoing(TOPIC, b"k", value, ())])
    finally:
        await publisher.stop()


async def polled(kafka: KafkaSettings, group: str) -> list[bytes | None]:
    """All records, by the consumer that the pipelines use."""
    source = KafkaSource(kafka, group, (TOPIC,), BatchSettings())

    async def revoked() -> None:
        pass

    await source.start(revoked)
    try:
        async with asyncio.timeout(30):
            places = await given(source)
            ends = await source.ends()
            for place, (begin, _) in (await source.bounds(places)).items():
                source.seek(place, begin)
            found: list[bytes | None] = []
            while len(found) < sum(ends.values()):
                found += [record.value for record in await source.poll(100, 100)]
        return found
    finally:
        await source.stop()


@pytest.mark.parametrize("door", DOORS)
async def test_the_right_credentials_work(secured: Secured, door: str) -> None:
    kafka, value = secured.settings(door), f"by {door}".encode()
    await published(kafka, value)
    assert value in await polled(kafka, f"group-{door}")
    assert value in [record.value for record in await read_all(kafka, TOPIC)]


WRONGS = [
    ("plain", {"sasl_password": WRONG}, "KAFKA_SASL_PASSWORD"),
    ("scram", {"sasl_password": WRONG}, "KAFKA_SASL_PASSWORD"),
    ("clear", {"sasl_username": "nobody"}, "KAFKA_SASL_USERNAME"),
    ("scram", {"sasl_mechanism": "PLAIN"}, "Kafka is away"),
    ("plain", {"ssl_cafile": "theirs"}, "KAFKA_SSL_CAFILE"),
    ("mutual", {"ssl_cafile": "theirs"}, "KAFKA_SSL_CAFILE"),
    ("mutual", {"ssl_certfile": None, "ssl_keyfile": None}, "Kafka is away"),
    ("mutual", {"ssl_certfile": "theirs"}, "Kafka is away"),
    ("clear", {"security_protocol": "PLAINTEXT"}, "Kafka is away"),
    ("plain", {"security_protocol": "SASL_PLAINTEXT"}, "Kafka is away"),
]


def _wrong(secured: Secured, door: str, changes: dict[str, Any]) -> KafkaSettings:
    changes = dict(changes)
    if changes.get("ssl_cafile") == "theirs":
        changes["ssl_cafile"] = str(secured.theirs.cert)
    if changes.get("ssl_certfile") == "theirs":
        changes["ssl_certfile"], changes["ssl_keyfile"] = secured.theirs.issue("stranger")
    return secured.settings(door, **changes)


@pytest.mark.parametrize(("door", "changes", "named"), WRONGS)
async def test_wrong_credentials_are_refused_and_named(
    secured: Secured, door: str, changes: dict[str, Any], named: str
) -> None:
    kafka = _wrong(secured, door, changes)
    before = len(await read_all(KafkaSettings(bootstrap=secured.open), TOPIC))
    for attempt in (published(kafka, b"never"), polled(kafka, f"wrong-{door}")):
        with pytest.raises(Transient, match=named) as refused:
            async with asyncio.timeout(40):
                await attempt
        assert WRONG not in str(refused.value) and PASSWORD not in str(refused.value)
    assert len(await read_all(KafkaSettings(bootstrap=secured.open), TOPIC)) == before


def told(settings: KafkaSettings) -> dict[str, str]:
    """The settings as a process is told them."""
    found = {f"KAFKA_{name.upper()}": str(value) for name, value in settings.model_dump().items() if value is not None}
    return {**os.environ, **found}


async def _topics(settings: KafkaSettings) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.main", "topics", "--json", cwd=ROOT, env=told(settings),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, (out + err).decode()


async def test_the_topics_command_comes_in_by_the_same_settings(secured: Secured) -> None:
    code, said = await _topics(secured.settings("plain"))
    assert code == 0 and CATALOGUE[0].name in said
    code, said = await _topics(secured.settings("plain", sasl_password=WRONG))
    assert code == 1 and WRONG not in said and "Traceback" not in said


async def test_the_projections_come_in_by_the_same_settings(secured: Secured, tmp_path: Path) -> None:
    """Faust has clients of its own, and so has the watch over its group."""
    settings = secured.settings("scram")
    code, said = await _topics(settings)
    assert code == 0, said
    address = f"127.0.0.1:{secured.ports['metrics']}"
    more = {"GRPC_BIND": address, "METRICS_DATA_DIR": str(tmp_path), "OTEL_TRACES_EXPORTER": "none"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.metrics.main", cwd=ROOT, env={**told(settings), **more},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(120):
            while (found := await probe(address, 2.0, RpcSettings())) is None or not found.healthy:
                assert process.returncode is None
                await asyncio.sleep(0.2)
        assert found.lag == 0
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 20)


def test_files_that_are_missing_are_named() -> None:
    for changes, named in (
        ({"ssl_cafile": "/nowhere/ca.pem"}, "KAFKA_SSL_CAFILE"),
        ({"ssl_certfile": "/nowhere/cert.pem"}, "KAFKA_SSL_CERTFILE"),
    ):
        with pytest.raises(Misconfigured, match=named):
            KafkaSettings(bootstrap="127.0.0.1:1", security_protocol="SSL", **changes).client()
