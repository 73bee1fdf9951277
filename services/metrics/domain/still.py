"""Whether something stands still: work waits, and none is taken."""


class Still:
    """Tells once nothing was taken for `patience_s` seconds while it was known all the time that something waits."""

    def __init__(self, patience_s: float) -> None:
        """Begin with nothing known."""
        self._patience_s = patience_s
        self._taken = -1
        self._since: float | None = None

    def seen(self, waiting: int | None, taken: int, now_s: float) -> bool:
        """Hear how much waits (None where that isn't known), and how much was ever taken. Returns whether it stands still."""
        if not waiting or taken != self._taken:
            self._taken, self._since = taken, None
        if not waiting:
            return False
        if self._since is None:
            self._since = now_s
        return now_s - self._since >= self._patience_s
