"""Who runs, in this order."""

from bench.contender import Contender
from bench.own_contenders import Escalation, Nps, Router, Runtime, Sentiment, Traced
from bench.peer_contenders import (
    Bare,
    BareLibrdkafka,
    Faust,
    KafkaStreams,
    KafkaStreamsSlowCommit,
    KafkaStreamsStatic,
    Quix,
    QuixExactlyOnce,
    TunedFaust,
)

ALL: tuple[type[Contender], ...] = (
    Bare,
    BareLibrdkafka,
    Runtime,
    KafkaStreams,
    KafkaStreamsSlowCommit,
    Quix,
    QuixExactlyOnce,
    Faust,
    TunedFaust,
    Sentiment,
    Router,
    Nps,
    Escalation,
)
# Variants that are measured in one workload only.
STATIC, TRACED = KafkaStreamsStatic, Traced
__all__ = ["ALL", "STATIC", "TRACED"]
