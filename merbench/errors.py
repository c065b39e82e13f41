"""What a user can do wrong, said in one line."""

from __future__ import annotations


class MerbenchError(Exception):
    """Bad input: one line that says what is wrong, where, and how to mend it.

    The command line prints the message without a traceback and exits with code 2
    (``--debug`` shows the traceback). Nothing already written may be lost when it is raised.
    """

    def __init__(self, what: str, *, fix: str | None = None) -> None:
        message = what.rstrip(".") if fix is None else f"{what.rstrip('.')}; {fix.rstrip('.')}"
        super().__init__(" ".join(message.split()))


class WriteError(MerbenchError):
    """The disk refused a write (full, quota, read-only); what was complete before is still complete."""
