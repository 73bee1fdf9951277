"""Apache Kafka in KRaft mode: each process is broker and controller; one by itself, or three that hold each other's replicas."""

import asyncio
import base64
import struct
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import jars, warm
from deploy.embedded.layout import LOOPBACK
from deploy.embedded.process import Spec, StartError

# After a SIGKILL the controller takes no new registration of the broker before the old session has run out.
SETTINGS = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
num.partitions=4
default.replication.factor={replication}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
background.threads=2
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=268435456
"""

LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}
appender.file.filePattern = {file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
logger.server.name = kafka.server
logger.server.level = info
"""


@dataclass(frozen=True)
class Broker:
    """One Kafka node.

    `voters` names every controller as id@host:port; empty means this node alone. `cluster` is the id that all nodes of
    one cluster are formatted with; empty means a new one. `in_sync` replicas must have a record before it is acknowledged.
    """

    data: Path
    log: Path
    port: int
    controller_port: int
    node_id: int = 1
    voters: str = ""
    cluster: str = ""
    replication: int = 1
    in_sync: int = 1
    heap_mb: int = 256
    grace_s: float = 10.0

    @property
    def part(self) -> str:
        """Its name as a part of the stack; the only broker, or the first, is `kafka`."""
        return "kafka" if self.node_id == 1 else f"kafka-{self.node_id}"

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def _settings(self) -> Path:
        return self.data / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.data / "log4j2.properties"

    def _classpath(self) -> str:
        return ":".join(map(str, jars.paths("kafka")))

    def prepare(self) -> None:
        """Writes the settings, and formats the storage where that was not done. Takes a second; blocks."""
        self.data.mkdir(parents=True, exist_ok=True)
        voters = self.voters or f"{self.node_id}@{LOOPBACK}:{self.controller_port}"
        settings = SETTINGS.format(
            node_id=self.node_id,
            voters=voters,
            host=LOOPBACK,
            port=self.port,
            controller_port=self.controller_port,
            logs=self.data / "logs",
            replication=self.replication,
            in_sync=self.in_sync,
        )
        self._settings.write_text(settings)
        self._logging.write_text(LOGGING.format(file=self.log))
        if (self.data / "logs" / "meta.properties").exists():
            return
        cluster = self.cluster or new_cluster_id()
        command = [jars.java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", self._classpath()]
        command += ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)]
        # In a session of its own: Ctrl-C at the terminal waits until it is whole.
        done = subprocess.run(command, check=False, capture_output=True, text=True, start_new_session=True)
        if done.returncode != 0:
            raise StartError(f"{self.part}: storage could not be formatted\n{done.stdout}{done.stderr}")

    def spec(self) -> Spec:
        """How to start it, once `prepare` is done."""
        options = [f"-Xmx{self.heap_mb}m", "-Xms96m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
        options += [
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            f"-Dlog4j2.configurationFile={self._logging}",
        ]
        return Spec(
            name=self.part,
            argv=[
                jars.java(),
                *options,
                *warm.option("kafka"),
                "-cp",
                self._classpath(),
                "kafka.Kafka",
                str(self._settings),
            ],
            log=self.log.with_suffix(".out.log"),
            ready=lambda: answers(self.port),
            cwd=self.data,
            grace_s=self.grace_s,
        )


def new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes in base64 without padding."""
    made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # It may not begin with a dash: Kafka's own command line would take that for an option.
    return made.replace("-", "A", 1) if made.startswith("-") else made


async def answers(port: int, limit_s: float = 1.0) -> bool:
    """Whether a Kafka broker serves there: sends the oldest ApiVersions request and reads the answer's head."""
    body = struct.pack(">hhih", 18, 0, 7, -1)
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(struct.pack(">i", len(body)) + body)
                _, correlation, error = struct.unpack(">iih", await reader.readexactly(10))
                return bool(correlation == 7 and error == 0)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
