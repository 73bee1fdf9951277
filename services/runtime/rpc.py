"""gRPC, both sides: a server with health, reflection and status; channels with deadlines; trace context through both."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from touchline.runtime.v1 import status_pb2, status_pb2_grpc

from services.runtime import signals
from services.runtime.callers import Callers, Denied, Guard, is_loopback
from services.runtime.errors import Misconfigured, Transient
from services.runtime.settings import RpcSettings, load
from services.runtime.signals import Attribute
from services.runtime.telemetry import context_of, is_sampled, meters, traceparent_of, tracer

log = logging.getLogger(__name__)

LARGEST_BATCH = 1000
_SYSTEM = "grpc"
_OPTIONS = (("grpc.max_receive_message_length", 16 * 1024 * 1024), ("grpc.so_reuseport", 0))

StatusOf = Callable[[], Awaitable[status_pb2.GetStatusResponse]]


@dataclass(frozen=True, slots=True)
class Servicer:
    """A gRPC service to serve: what registers it, the object that answers, and its full name.

    changing: its methods that change state. own_keys: whether it asks for keys by itself, as the gateway does for channels'.
    """

    register: Callable[[Any, aio.Server], None]
    answers: object
    name: str
    changing: tuple[str, ...] = ()
    own_keys: bool = False


class RpcError(Exception):
    """Ends a call with a status; servicers raise it, the server turns it into the answer."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def invalid(reason: str) -> RpcError:
    """INVALID_ARGUMENT: the caller is wrong, and told why."""
    return RpcError(grpc.StatusCode.INVALID_ARGUMENT, reason)


def not_found(reason: str) -> RpcError:
    """NOT_FOUND."""
    return RpcError(grpc.StatusCode.NOT_FOUND, reason)


def refused(code: str, reason: str) -> RpcError:
    """The status that an Answer names."""
    return RpcError(getattr(grpc.StatusCode, code, grpc.StatusCode.FAILED_PRECONDITION), reason)


def check_batch(field: str, items: Sequence[object]) -> None:
    """Refuses a batch that is too large. Raises RpcError, naming the field."""
    if len(items) > LARGEST_BATCH:
        raise invalid(f"{field}: has {len(items)} entries; at most {LARGEST_BATCH} are answered at once")


class _Status(status_pb2_grpc.StatusServiceServicer):
    def __init__(self, status: StatusOf) -> None:
        self._status = status

    async def GetStatus(  # noqa: N802 (gRPC's name)
        self, request: status_pb2.GetStatusRequest, context: Any
    ) -> status_pb2.GetStatusResponse:
        return await self._status()


_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class _Interceptor(aio.ServerInterceptor):
    """Continues the caller's trace, counts the time, and turns errors into statuses."""

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or not handler.unary_unary:
            return handler
        method = details.method
        _, service, name = method.split("/")
        inner = handler.unary_unary
        seconds = meters().histogram(signals.RPC_SECONDS)
        traceparent = str(dict(details.invocation_metadata or ()).get("traceparent", ""))

        async def answer(request: Any, context: Any) -> Any:
            began = time.monotonic()
            status = grpc.StatusCode.OK
            span: trace.Span = trace.INVALID_SPAN
            if is_sampled(traceparent):
                labels: dict[str, str] = {
                    Attribute.RPC_SYSTEM: _SYSTEM,
                    Attribute.RPC_SERVICE: service,
                    Attribute.RPC_METHOD: name,
                }
                span = tracer().start_span(method[1:], context_of(traceparent), SpanKind.SERVER, labels)
            try:
                with trace.use_span(span, end_on_exit=False):
                    return await inner(request, context)
            except (RpcError, Denied) as error:
                status = error.code
                await context.abort(status, str(error))
            except Transient as error:
                status = grpc.StatusCode.UNAVAILABLE
                await context.abort(status, str(error))
            except (asyncpg.DataError, UnicodeEncodeError):
                status = grpc.StatusCode.INVALID_ARGUMENT
                await context.abort(status, "a text has a character that cannot be stored or looked up, such as NUL")
            except asyncio.CancelledError:
                status = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:
                if isinstance(error, _AWAY) and not isinstance(error, asyncpg.SyntaxOrAccessError):
                    status = grpc.StatusCode.UNAVAILABLE
                    await context.abort(status, f"Postgres is away: {type(error).__name__}")
                # Ours to mend; gRPC would tell the caller what it says, which may be a customer's.
                status = grpc.StatusCode.INTERNAL
                log.exception("a call failed", extra={"fields": {"method": method}})
                await context.abort(status, "the service failed; its log says why")
            finally:
                span.set_attribute(Attribute.RPC_STATUS, status.value[0])
                if status is not grpc.StatusCode.OK:
                    span.set_status(Status(StatusCode.ERROR))
                span.end()
                seconds.record(time.monotonic() - began, {"method": method, "status": status.name})

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


class RpcServer:
    """The gRPC server of one service."""

    def __init__(self, settings: RpcSettings, services: Sequence[Servicer], status: StatusOf) -> None:
        self._server = aio.server(interceptors=[_Interceptor(), *_guard(settings, services)], options=_OPTIONS)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        status_pb2_grpc.add_StatusServiceServicer_to_server(_Status(status), self._server)
        names = [s.name for s in services]
        for service in services:
            service.register(service.answers, self._server)
        reflected = [*names, *_OPEN]
        reflection.enable_server_reflection(reflected, self._server)
        credentials = _server_credentials(settings)
        self.port = (
            self._server.add_secure_port(settings.bind, credentials)
            if credentials
            else self._server.add_insecure_port(settings.bind)
        )
        if self.port == 0:
            raise Misconfigured(f"GRPC_BIND: cannot listen on {settings.bind}")

    async def start(self) -> None:
        """Answers calls; health says NOT_SERVING until `healthy`."""
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()

    async def healthy(self, serving: bool) -> None:
        """What the health service answers."""
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set("", state)

    async def stop(self, grace_s: float = 2.0) -> None:
        """Lets calls under way end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


_OPEN = ("touchline.runtime.v1.StatusService", health.SERVICE_NAME, reflection.SERVICE_NAME)


def _guard(settings: RpcSettings, services: Sequence[Servicer]) -> list[aio.ServerInterceptor]:
    """What asks callers for their keys. Raises Misconfigured where others could reach the service and nothing would."""
    if settings.keys_file is None:
        if settings.tls_ca is None and not is_loopback(settings.bind) and not all(s.own_keys for s in services):
            raise Misconfigured(
                f"GRPC_BIND: {settings.bind} can be reached from elsewhere; set GRPC_KEYS_FILE, or GRPC_TLS_CA with "
                "GRPC_TLS_CERT and GRPC_TLS_KEY, so that callers are asked who they are"
            )
        return []
    changing = [f"/{s.name}/{method}" for s in services for method in s.changing]
    open_services = [*_OPEN, *(s.name for s in services if s.own_keys)]
    return [Guard(Callers(settings.keys_file), changing, open_services)]


def _read(path: str, variable: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Misconfigured(f"{variable}: cannot read {path}: {error.strerror}") from None


def _server_credentials(settings: RpcSettings) -> grpc.ServerCredentials | None:
    if settings.tls_cert is None and settings.tls_key is None:
        if settings.tls_ca is not None and not is_loopback(settings.bind):
            raise Misconfigured("GRPC_TLS_CA: without GRPC_TLS_CERT and GRPC_TLS_KEY callers can't be asked for theirs")
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        raise Misconfigured("GRPC_TLS_CERT and GRPC_TLS_KEY: one without the other")
    pair = (_read(settings.tls_key, "GRPC_TLS_KEY"), _read(settings.tls_cert, "GRPC_TLS_CERT"))
    ca = _read(settings.tls_ca, "GRPC_TLS_CA") if settings.tls_ca else None
    return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)


class _Carry(aio.UnaryUnaryClientInterceptor):
    """Makes a client span of each call in a traced context, and sends its context along."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return await continuation(details, request)
        method = details.method.decode() if isinstance(details.method, bytes) else str(details.method)
        _, service, name = method.split("/")
        labels: dict[str, str] = {
            Attribute.RPC_SYSTEM: _SYSTEM,
            Attribute.RPC_SERVICE: service,
            Attribute.RPC_METHOD: name,
        }
        span = tracer().start_span(method[1:], kind=SpanKind.CLIENT, attributes=labels)
        metadata = aio.Metadata(*(details.metadata or ()), ("traceparent", traceparent_of(span)))
        with trace.use_span(span, end_on_exit=True):
            call = await continuation(details._replace(metadata=metadata), request)
            span.set_attribute(Attribute.RPC_STATUS, (await call.code()).value[0])
        return call


class _Show(aio.UnaryUnaryClientInterceptor):
    """Shows our key."""

    def __init__(self, key: str) -> None:
        self._authorization = f"Bearer {key}"

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = aio.Metadata(*(details.metadata or ()))
        if metadata.get("authorization") is None:
            metadata.add("authorization", self._authorization)
        return await continuation(details._replace(metadata=metadata), request)


def channel(address: str, settings: RpcSettings | None = None) -> aio.Channel:
    """A channel to a peer; it connects when first used, and again whenever the peer comes back.

    settings: how peers are spoken to, and the key that we show; by default as GRPC_* says.
    """
    settings = load(RpcSettings) if settings is None else settings
    options = (*_OPTIONS, ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 2000))
    key = settings.key.get_secret_value() if settings.key is not None else ""
    interceptors: list[aio.UnaryUnaryClientInterceptor] = [_Carry(), *([_Show(key)] if key else [])]
    if settings.tls_ca is None:
        return aio.insecure_channel(address, options=options, interceptors=interceptors)
    pair = (
        (_read(settings.tls_key, "GRPC_TLS_KEY"), _read(settings.tls_cert, "GRPC_TLS_CERT"))
        if settings.tls_key and settings.tls_cert
        else (None, None)
    )
    credentials = grpc.ssl_channel_credentials(_read(settings.tls_ca, "GRPC_TLS_CA"), *pair)
    return aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


LookupFailed = (aio.AioRpcError, OSError, TimeoutError)
"""What a lookup can fail with: catch these, and decide without it."""
