"""A page that stays open in headless Chromium, spoken to in the Chrome DevTools Protocol.

Unlike a page that is printed once it has loaded (`tests.browser`), it can be waited for, clicked and
listened to; scripts of the test run whatever the page's own security policy says.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from tests.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 60  # after which a browser that does not answer is given up


@dataclass
class Tab:
    """An open page; `complaints` is what went wrong in it: errors, refused addresses, broken media."""

    questions: IO[bytes]
    answers: IO[bytes]
    session: str | None = None
    complaints: list[str] = field(default_factory=list)
    _asked: int = 0
    _events: list[str] = field(default_factory=list)

    def run(self, script: str) -> Any:
        """Return what `script`, the body of an async function, returns; it runs as if the user clicked."""
        told = self.ask(
            "Runtime.evaluate",
            expression=f"(async () => {{{script}}})()",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command of the protocol."""
        self._asked += 1
        question = {"id": self._asked, "method": method, "params": parameters}
        if self.session is not None:
            question["sessionId"] = self.session
        self.questions.write(json.dumps(question).encode() + b"\0")
        self.questions.flush()
        while (message := self._next()).get("id") != self._asked:
            pass
        assert "error" not in message, (method, message)
        result: dict[str, Any] = message["result"]
        return result

    def wait_for(self, event: str) -> None:
        """Wait until something has happened, if it has not yet."""
        while event not in self._events:
            self._next()

    def _next(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser is gone"
            data += byte
        message: dict[str, Any] = json.loads(data)
        event = message.get("method")
        if event is not None:
            self._events.append(event)
        told = message.get("params", {})
        if event == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["exception"]["description"])
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([argument.get("value") for argument in told["args"]]))
        return message


@contextmanager
def opened(page: Path, tmp_path: Path, *, width: int = 1280, dark: bool = False) -> Iterator[Tab]:
    """Open a page from disk and wait until it has loaded; nothing is let out into the network."""
    ours, theirs = os.pipe(), os.pipe()
    command = [
        chromium(),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--mute-audio",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},1000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--remote-debugging-pipe",
        "about:blank",
    ]
    # Chromium reads questions from file descriptor 3 and answers on 4.
    pipes = f'exec "$@" 3</dev/fd/{ours[0]} 4>/dev/fd/{theirs[1]}'
    browser = subprocess.Popen(
        ["sh", "-c", pipes, "sh", *command], pass_fds=(ours[0], theirs[1]), stderr=subprocess.DEVNULL
    )
    os.close(ours[0])
    os.close(theirs[1])
    patience = threading.Timer(_SECONDS, browser.kill)
    patience.start()
    with os.fdopen(ours[1], "wb") as questions, os.fdopen(theirs[0], "rb") as answers:
        tab = Tab(questions, answers)
        try:
            targets = tab.ask("Target.getTargets")["targetInfos"]
            target = next(t["targetId"] for t in targets if t["type"] == "page")
            tab.session = tab.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                tab.ask(f"{domain}.enable")
            tab.ask("Page.navigate", url=page.resolve().as_uri())
            tab.wait_for("Page.loadEventFired")
            yield tab
        finally:
            patience.cancel()
            browser.kill()
            browser.wait()
