"""The others, on the same counting: bare clients, Faust, Quix Streams, Kafka Streams."""

from collections.abc import Sequence

from bench.contender import Bed, Contender, worker
from bench.peers import java, quix


class Bare(Contender):
    """The bare ceiling: what two Python clients and a dictionary can do, with nothing kept."""

    name = "bare"
    source, sink = "bench.bare.events", "bench.bare.counts"
    settings = "aiokafka, a dictionary, acks=1, auto commit; nothing durable"

    def command(self, bed: Bed) -> Sequence[str]:
        return worker("bare", bed.bootstrap, self.source, self.sink)


class BareLibrdkafka(Contender):
    """The same on librdkafka."""

    name = "bare-librdkafka"
    source, sink = "bench.librdkafka.events", "bench.librdkafka.counts"
    # Fast enough that less would be over before it could be measured.
    share = 2.0
    settings = "confluent-kafka, a dictionary, acks=1, auto commit, larger fetches; nothing durable"

    def command(self, bed: Bed) -> Sequence[str]:
        return worker("librdkafka", bed.bootstrap, self.source, self.sink)


class Faust(Contender):
    """Stock Faust with a table in memory and its changelog on Kafka."""

    name = "faust"
    source, sink = "bench.faust.events", "bench.faust.counts"
    share = 0.12
    settings = "as it comes: at least once, table in memory"
    crash = "as it comes; session timeout 60 s"
    recovers = slow_to_recover = True
    patience_s = 150.0

    def command(self, bed: Bed) -> Sequence[str]:
        return worker("stock_faust", bed.bootstrap, self.source, self.sink)


class TunedFaust(Faust):
    """Faust with the settings that serve it best: each is tried, and the fastest is what is measured."""

    name = "faust-tuned"
    source, sink = "bench.faust-tuned.events", "bench.faust-tuned.counts"
    recovers = False
    variants = ("uvloop", "buffers", "threaded", "take")

    def __init__(self) -> None:
        super().__init__()
        self.vary("buffers")

    def vary(self, variant: str) -> None:
        self._variant = variant
        self.settings = (
            f"the fastest of {', '.join(self.variants)} (bench/workers/tuned_faust.py): {variant}; at least once"
        )

    def command(self, bed: Bed) -> Sequence[str]:
        return worker("tuned_faust", bed.bootstrap, self.source, self.sink, self._variant)


class Quix(Contender):
    """Quix Streams with a state store and its changelog, at least once."""

    name = "quix"
    source, sink = "bench.quix.events", "bench.quix.counts"
    settings = "at least once, commit every 5 s (defaults)"
    guarantee = "at-least-once"

    def missing(self) -> str | None:
        return quix.missing()

    def command(self, bed: Bed) -> Sequence[str]:
        script = str(quix.ROOT / "bench" / "peers" / "quix_count.py")
        return [str(quix.PYTHON), script, bed.bootstrap, self.source, self.sink, self.guarantee, str(self.state)]


class QuixExactlyOnce(Quix):
    """Quix Streams with Kafka transactions."""

    name = "quix-eos"
    source, sink = "bench.quix-eos.events", "bench.quix-eos.counts"
    settings = "exactly once, commit every 5 s (defaults)"
    crash = "exactly once, defaults; session timeout 45 s"
    guarantee = "exactly-once"
    committed = recovers = True


class KafkaStreams(Contender):
    """Kafka Streams with a RocksDB store and its changelog, exactly once."""

    name = "kafka-streams"
    source, sink = "bench.kafka-streams.events", "bench.kafka-streams.counts"
    settings = "exactly once, commit every 100 ms, RocksDB (defaults); store's cache off, one update an event"
    crash = "exactly once, defaults; session timeout 45 s"
    committed = recovers = True
    options: tuple[str, ...] = ()

    def missing(self) -> str | None:
        return java.missing()

    def command(self, bed: Bed) -> Sequence[str]:
        return java.build()(bed.bootstrap, self.source, self.sink, str(self.state), *self.options)


class KafkaStreamsSlowCommit(KafkaStreams):
    """The same with a commit a second, which gives throughput for latency."""

    name = "kafka-streams-1s"
    source, sink = "bench.kafka-streams-1s.events", "bench.kafka-streams-1s.counts"
    settings = "as kafka-streams, but commit every 1 s"
    options = ("commit.interval.ms=1000",)
    recovers = False


class KafkaStreamsStatic(KafkaStreams):
    """The same as a static member, which is given its partitions back at once; for its recovery."""

    name = "kafka-streams-static"
    source, sink = "bench.kafka-streams-static.events", "bench.kafka-streams-static.counts"
    settings = "as kafka-streams, but a static member"
    crash = "exactly once, static membership (group.instance.id); session timeout 45 s"
    options = ("group.instance.id=one",)
