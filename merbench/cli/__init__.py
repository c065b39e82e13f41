"""The command line: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import io
import sys

_INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Run ``merbench``.

    Exit codes: 0 done; 1 a finding; 2 bad input, an interrupted run, or could not tell. A bad input
    is one line on stderr; ``--debug`` anywhere shows the traceback.
    """
    from typer.exceptions import TyperException

    from merbench.cli import _app
    from merbench.errors import MerbenchError

    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name must not end a run on an ASCII terminal
    try:
        code = _app.app(
            args=[word for word in words if word != "--debug"], prog_name="merbench", standalone_mode=False
        )
    except BrokenPipeError:
        # Whoever read our output has gone: nothing more to say, and nowhere to say it.
        sys.stderr.close()
        code = 2
    except Exception as error:
        if debug:
            raise
        if isinstance(error, TyperException):
            # Without a command the help is already printed, and the message is empty.
            if not error.format_message().strip():
                raise SystemExit(2) from None
            _fail(f"{error.format_message().rstrip('.')}; see 'merbench --help' or 'merbench COMMAND --help'")
        if isinstance(error, MerbenchError):
            _fail(str(error))
        if isinstance(error, OSError) and error.filename is not None:
            _fail(f"{error.filename}: {error.strerror}; check the path, its permissions and the disk")
        _fail(f"unexpected {type(error).__name__}: {error}; this is a bug: --debug shows where")
    if code == _INTERRUPTED:
        _fail("interrupted; what is complete stays, and the same command goes on from there")
    raise SystemExit(code or 0)


def _fail(message: str) -> None:
    sys.stderr.write(f"merbench: {' '.join(message.split())}\n")
    raise SystemExit(2)
