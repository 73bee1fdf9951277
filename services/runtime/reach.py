"""Why Kafka can't be reached: asked by hand, since the clients say no more than that they could not connect."""

import asyncio
import contextlib
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import AuthenticationFailedError, KafkaError, SaslAuthenticationFailed

from services.runtime.settings import KafkaSettings

_WITHIN_MS = 3000


async def why_away(kafka: KafkaSettings, error: BaseException) -> str:
    """What is wrong, naming the setting where one is: tries each address once, within 3 s. `error` is what the client said."""
    given = kafka.client()
    given.pop("bootstrap_servers")
    for address in kafka.bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            connection = await create_conn(host, int(port), request_timeout_ms=_WITHIN_MS, **given)
        except ssl.SSLCertVerificationError as wrong:
            return f"{address} shows a certificate that KAFKA_SSL_CAFILE does not vouch for ({wrong.verify_message})"
        except (SaslAuthenticationFailed, AuthenticationFailedError):
            return f"{address} does not let KAFKA_SASL_USERNAME in with KAFKA_SASL_PASSWORD by {kafka.sasl_mechanism}"
        except ssl.SSLError as wrong:
            return f"{address} does not speak TLS as KAFKA_SECURITY_PROTOCOL says, or asks for KAFKA_SSL_CERTFILE ({wrong.reason})"
        except (KafkaError, OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as wrong:
            error = wrong
            continue
        with contextlib.suppress(KafkaError, OSError):
            connection.close()
    if kafka.security_protocol == "PLAINTEXT" and not isinstance(error, ConnectionRefusedError):
        return f"{type(error).__name__}; where it is up, it may ask for TLS or SASL (KAFKA_SECURITY_PROTOCOL)"
    return type(error).__name__
