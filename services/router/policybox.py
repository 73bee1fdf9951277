"""The policy in force: read again when its file changes; a wrong one is refused, and the one before stays."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from services.router.domain.policy import Policy
from services.router.policyfile import BadPolicyError, parse
from services.runtime import signals
from services.runtime.errors import Misconfigured
from services.runtime.telemetry import meters
from services.runtime.watched import Watched

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0


def _read(text: str) -> Policy:
    try:
        return parse(text)
    except BadPolicyError as error:
        raise Misconfigured(str(error)) from None


class PolicyBox:
    """Holds the policy of a file."""

    def __init__(self, path: Path) -> None:
        """Raises Misconfigured where the file is missing or wrong: a service doesn't begin with no policy."""
        self._file = Watched(path, "ROUTER_POLICY", _read)
        self.now = self._file.read()
        self.refused = ""
        """Why the file as it is now was refused; empty where it is the policy in force."""
        made = meters()
        self._reads = made.counter(signals.POLICY_READ)
        made.watch(signals.POLICY_REFUSED, lambda: [(float(bool(self.refused)), {})])

    def look(self) -> None:
        """Take the file's policy, if it changed and is right."""
        if not self._file.changed():
            return
        try:
            policy = self._file.read()
        except Misconfigured as error:
            self.refused = str(error)
            self._reads.add(1, {"outcome": "refused"})
            log.error("the policy is refused, %s stays: %s", self.now.version, error)
            return
        self.refused = ""
        if policy.version != self.now.version:
            log.info("the policy is %s from now on, it was %s", policy.version, self.now.version)
            self._reads.add(1, {"outcome": "taken"})
            self.now = policy

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
