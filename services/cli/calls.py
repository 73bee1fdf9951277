"""Calls to the services of a running stack."""

from pathlib import Path

from services.cli.common import fail


def service_address(data: Path, service: str) -> str:
    """Where a service of the stack on this data folder answers gRPC. Fails where no stack is up."""
    from deploy.embedded.layout import Layout
    from deploy.embedded.state import is_held, read

    layout = Layout.of(data)
    state = read(layout) if is_held(layout) else None
    address = state.grpc.get(service) if state else None
    if address is None:
        fail(f"{data}: nothing is up there; start it with `touchline up --data {data}`")
    return address


def reason_of(error: BaseException) -> str:
    """What a failed call says: the service's own words and the status, or the error's name."""
    details = getattr(error, "details", None)
    code = getattr(error, "code", None)
    if callable(details) and callable(code):
        return f"{details()} ({code().name})"
    return str(error) or type(error).__name__
