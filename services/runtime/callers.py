"""Who may call: keys of callers, asked for by the gRPC server before a method runs, compared in constant time."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from services.runtime.errors import Misconfigured
from services.runtime.watched import Watched

MIN_KEY = 16
_FIELDS = {"name", "key", "change"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may call. name: for people. digest: SHA-256 of the key. change: whether it may change state, or only look up."""

    name: str
    digest: bytes
    change: bool


class Denied(Exception):
    """The call may not be made; `code` is the gRPC status, the message the reason."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def parse(text: str) -> tuple[Caller, ...]:
    """The callers of a keys file. Raises Misconfigured naming the entry and field; never with a key in it."""
    try:
        given = json.loads(text)["callers"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Misconfigured('is not JSON of the form {"callers": [{"name", "key", "change"}]}') from None
    if not isinstance(given, list) or not given:
        raise Misconfigured("callers: is not a list with at least one caller")
    found = tuple(_caller(f"callers[{i}]", c) for i, c in enumerate(given))
    for what, values in (("name", [c.name for c in found]), ("key", [c.digest for c in found])):
        if len(set(values)) < len(values):
            raise Misconfigured(f"callers: two of them have the same {what}")
    return found


def _caller(where: str, given: object) -> Caller:
    if not isinstance(given, dict):
        raise Misconfigured(f"{where}: is not an object")
    if given.keys() - _FIELDS:
        raise Misconfigured(f"{where}: has a field that is none of {', '.join(sorted(_FIELDS))}")
    name, key, change = given.get("name"), given.get("key"), given.get("change", False)
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        raise Misconfigured(f"{where}.name: is not a text of 1 to 64 characters")
    if not isinstance(key, str) or len(key) < MIN_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured(f"{where}.key: is not a text of at least {MIN_KEY} visible ASCII characters")
    if not isinstance(change, bool):
        raise Misconfigured(f"{where}.change: is neither true nor false")
    return Caller(name, digest(key), change)


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


class Callers:
    """The callers of a file, which is read again when it changes; one that is then wrong lets nobody new in."""

    def __init__(self, path: Path) -> None:
        """Raises Misconfigured where the file is missing or wrong."""
        self._file = Watched(path, "GRPC_KEYS_FILE", parse)
        self._known = self._file.read()

    def check(self, authorization: str, changes: bool) -> None:
        """Raises Denied where the header is not the key of a caller who may do this."""
        if self._file.changed():
            try:
                self._known = self._file.read()
            except Misconfigured:
                self._known = ()  # a key that was taken out must not work because of a slip beside it
        scheme, _, key = authorization.partition(" ")
        shown, found = digest(key.strip()), None
        for caller in self._known:
            if hmac.compare_digest(caller.digest, shown):
                found = caller
        if found is None or scheme.lower() != "bearer":
            raise Denied(grpc.StatusCode.UNAUTHENTICATED, "authorization: is missing or not the key of a caller")
        if changes and not found.change:
            raise Denied(grpc.StatusCode.PERMISSION_DENIED, "authorization: this caller may look up but not change")


class Guard(aio.ServerInterceptor):
    """Lets nobody in without a key, but for the services that are open to all.

    changing: full names ("/package.Service/Method") of the methods that change state. open_services: full names of
    services that tell nothing of customers (health, status, reflection) or ask for keys of their own (the gateway).
    """

    def __init__(self, callers: Callers, changing: Iterable[str], open_services: Iterable[str]) -> None:
        self._callers = callers
        self._changing = frozenset(changing)
        self._open = frozenset(open_services)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(details)
        method = details.method
        if handler is None or method.split("/")[1] in self._open:
            return handler
        given = dict(details.invocation_metadata or ())
        try:
            self._callers.check(str(given.get("authorization", "")), method in self._changing)
        except Denied as denied:
            refusal = denied
        else:
            return handler

        async def refuse(request: Any, context: Any) -> Any:
            raise refusal

        # Refused before the request is decoded: whoever is not let in costs as little as can be.
        return grpc.unary_unary_rpc_method_handler(refuse)


def is_loopback(bind: str) -> bool:
    """Whether only this machine can reach an address of the form host:port, or a unix socket."""
    host = bind.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or host.startswith("127.") or bind.startswith("unix:")
