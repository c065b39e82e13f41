"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run ``merbench``.

    Exit codes: 0 done; 1 a finding; 2 bad input, an interrupted run, or could not tell. A bad input
    is one line on stderr; ``--debug`` anywhere shows the traceback.
    """
    from merbench.cli import _app
    from merbench.errors import MerbenchError

    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    try:
        _app.app(args=[word for word in words if word != "--debug"], prog_name="merbench")
    except MerbenchError as error:
        if debug:
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        if debug:
            raise
        _fail("interrupted; what is complete stays, and the same command goes on from there")
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(2) from None
    except Exception as error:
        if debug:
            raise
        _fail(f"unexpected {type(error).__name__}: {error}; this is a bug: --debug shows where")


def _fail(message: str) -> None:
    line = " ".join(message.split())
    sys.stderr.write(f"merbench: {line}\n")
    raise SystemExit(2)
