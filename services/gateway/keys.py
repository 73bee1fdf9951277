"""The channels' keys: read from a file, read again when it changes, compared in constant time."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from services.gateway.rate import TokenBucket
from services.runtime.errors import Misconfigured
from services.runtime.watched import Watched

MIN_KEY = 16
_FIELDS = {"name", "key", "rate_per_s", "view", "act", "supervise"}
log = logging.getLogger(__name__)


class Right(StrEnum):
    """What a channel may do on the dashboard: look, start and end follow-ups, command pools."""

    VIEW = "view"
    ACT = "act"
    SUPERVISE = "supervise"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that may send events.

    name: for logs and metrics. digest: SHA-256 of its key.
    rate_per_s: events a second in the long run; None for no limit.
    view: whether it may read the dashboard where that is not open to all. act: whether it may start and end follow-ups there.
    supervise: whether it may switch pools' modes, assign contacts and drain seats there. Who may act or supervise may view.
    """

    name: str
    digest: bytes
    rate_per_s: float | None
    view: bool
    act: bool = False
    supervise: bool = False

    @property
    def rights(self) -> frozenset[Right]:
        """What it may do there."""
        given = {right for right in Right if getattr(self, right)}
        return frozenset(given | {Right.VIEW} if given else given)


def parse(text: str) -> tuple[Channel, ...]:
    """The channels of a keys file. Raises Misconfigured naming the channel and field; never with a key in it."""
    try:
        channels = json.loads(text)["channels"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Misconfigured('is not JSON of the form {"channels": [{"name", "key", "rate_per_s"}]}') from None
    if not isinstance(channels, list) or not channels:
        raise Misconfigured("channels: is not a list with at least one channel")
    found = tuple(_channel(i, c) for i, c in enumerate(channels))
    for i, one in enumerate(found):
        for j, earlier in enumerate(found[:i]):
            if one.name == earlier.name or one.digest == earlier.digest:
                what = "name" if one.name == earlier.name else "key"
                raise Misconfigured(f"channels[{i}].{what}: is the same as that of channels[{j}]")
    return found


def _channel(i: int, given: object) -> Channel:
    where = f"channels[{i}]"
    if not isinstance(given, dict):
        raise Misconfigured(f"{where}: is not an object")
    if unknown := set(given) - _FIELDS:
        raise Misconfigured(f"{where}.{sorted(unknown)[0]}: is not known; known are {', '.join(sorted(_FIELDS))}")
    name, key, rate = given.get("name"), given.get("key"), given.get("rate_per_s")
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        raise Misconfigured(f"{where}.name: is not a text of 1 to 64 characters")
    if not isinstance(key, str) or len(key) < MIN_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured(f"{where}.key: is not a text of at least {MIN_KEY} visible ASCII characters")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e9):
        raise Misconfigured(f"{where}.rate_per_s: is neither null nor a number above 0")
    rights = {right.value: given.get(right, False) for right in Right}
    for right, value in rights.items():
        if not isinstance(value, bool):
            raise Misconfigured(f"{where}.{right}: is neither true nor false")
    return Channel(name, _digest(key), None if rate is None else float(rate), **rights)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


class KeyRing:
    """The channels that are let in now, and what each may still send."""

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        """Raises Misconfigured where the file is missing or wrong."""
        self._monotonic = monotonic
        self._buckets: dict[str, TokenBucket] = {}
        self._file = Watched(path, "GATEWAY_KEYS_FILE", parse)
        self._channels = self._file.read()

    def find(self, key: str) -> Channel | None:
        """The channel with this key. Takes the same time whichever it is, and for none."""
        digest = _digest(key)
        found = None
        for channel in self._channels:
            if hmac.compare_digest(channel.digest, digest):
                found = channel
        return found

    def wait_s(self, channel: Channel) -> float:
        """Seconds until the channel may send again; 0 where it may now."""
        bucket = self._bucket(channel)
        return bucket.wait_s(self._monotonic()) if bucket else 0.0

    def take(self, channel: Channel, events: int) -> None:
        """Counts events that the channel was let in with."""
        if bucket := self._bucket(channel):
            bucket.take(events)

    def _bucket(self, channel: Channel) -> TokenBucket | None:
        if channel.rate_per_s is None:
            return None
        bucket = self._buckets.get(channel.name)
        if bucket is None or bucket.per_s != channel.rate_per_s:
            bucket = self._buckets[channel.name] = TokenBucket.full(channel.rate_per_s, self._monotonic())
        return bucket

    def reload(self) -> bool:
        """Reads the file again where it has changed. A file that is missing or wrong changes nothing, and is logged."""
        if not self._file.changed():
            return False
        try:
            self._channels = self._file.read()
        except Misconfigured as wrong:
            log.error("the keys stay as they were: %s", wrong)
            return False
        log.info("keys read again", extra={"fields": {"channels": len(self._channels)}})
        return True

    async def watch(self, every_s: float = 1.0) -> None:
        """Reloads for ever."""
        while True:
            await asyncio.sleep(every_s)
            self.reload()
