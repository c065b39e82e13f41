"""A page as a browser shows it: headless Chromium, without network."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS = 60


@dataclass(frozen=True)
class Page:
    """The document after its scripts have run, and what they wrote to the console, errors included."""

    dom: str
    console: tuple[str, ...]


def chromium() -> str:
    """Return the browser; a test that needs it skips where it is absent."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    return found


def open_page(
    path: Path, tmp_path: Path, *, address: str = "", probe: str = "", dark: bool = False, width: int = 1280
) -> Page:
    """Open a page from disk.

    Args:
        path: the page.
        tmp_path: where the browser may leave its profile.
        address: what follows ``#``.
        probe: a script of the test's own that runs last; it is let through the page's security policy.
        dark: what the reader prefers.
        width: of the window, in pixels.
    """
    browser = chromium()
    if probe:
        path = _with_probe(path, probe)
    url = path.resolve().as_uri() + (f"#{address}" if address else "")
    done = subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},1000",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--enable-logging=stderr",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    return Page(done.stdout, tuple(re.findall(r":CONSOLE[^\]]*\] (.*)", done.stderr)))


def _with_probe(path: Path, probe: str) -> Path:
    """Return a copy of the page beside it, with the test's script at its end."""
    allowed = f"'sha256-{b64encode(sha256(probe.encode()).digest()).decode()}'"
    text = path.read_text(encoding="utf-8").replace("script-src ", f"script-src {allowed} ", 1)
    copy = path.with_name(f"probed-{path.name}")
    copy.write_text(text.replace("</body>", f"<script>{probe}</script></body>"), encoding="utf-8")
    return copy
