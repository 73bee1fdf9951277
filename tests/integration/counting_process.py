"""The counting pipeline as a service's process: `python -m tests.integration.counting_process NAME TOPIC`, set by the environment."""

import sys

from services.runtime.service import House, Parts, serve
from tests.integration.counting import pipeline


async def build(_: House) -> Parts:
    """The pipeline alone."""
    name, topic = sys.argv[1:]
    return Parts(pipelines=[pipeline(name, topic)])


if __name__ == "__main__":
    serve("counting", build)
