"""The tree of errors: what becomes of a failure follows from its class.

- `Permanent`: the record is at fault and always will be; it goes to the dead letters.
- `Transient`: something around us is away for now; pause, back off, try the same again.
- `Fenced`: somebody else owns the partition; forget it and do nothing.
- anything else is a bug: the process ends loudly and its supervisor starts a new one.
"""


class TouchlineError(Exception):
    """Root of all errors that Touchline raises itself."""


class Permanent(TouchlineError):
    """Trying again cannot help."""


class Unreadable(Permanent):
    """A record or event that breaks the contract.

    field: what is wrong, such as "data.score" or "ce_id".
    reason: what is wrong with it, for the sender to read; never holds the customer's text.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Misconfigured(Permanent):
    """A setting is missing or wrong; the message names it."""


class Transient(TouchlineError):
    """Trying again later can help."""


class Conflict(Transient):
    """An event of the batch has taken effect before; ask which, and decide again without it."""


class Fenced(TouchlineError):
    """This process no longer owns the partition: its transaction was refused and nothing of it stands."""
