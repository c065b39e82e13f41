"""A headless Chromium, where there is one: what a page does, what it complains about, how it looks."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Everything that a page complains about, from before its first script on.
_COLLECT = """<script>
window.complaints = [];
addEventListener("error", (e) => complaints.push(String(e.message || e.target.src || e.target.href)), true);
addEventListener("unhandledrejection", (e) => complaints.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => complaints.push(e.violatedDirective));
for (const level of ["error", "warn"]) console[level] = (...words) => complaints.push(words.join(" "));
</script>"""

_REPORT = """<script>
addEventListener("load", () => {
  let found;
  try { found = (() => { %s })(); } catch (error) { complaints.push(String(error)); }
  const out = document.createElement("pre");
  out.id = "findings";
  out.textContent = JSON.stringify({found, complaints});
  document.body.append(out);
});
</script>"""


def chromium() -> str:
    """The browser; the test skips where there is none."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium here: install one, or name it in CHROMIUM")
    return found


def _run(
    page: Path, tmp_path: Path, width: int, height: int, *flags: str
) -> subprocess.CompletedProcess[str]:
    command = [
        chromium(),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # a page that needs the network fails here
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},{height}",
        *flags,
        page.resolve().as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def probe(page: Path, tmp_path: Path, script: str, *, width: int = 1280, height: int = 1000) -> Any:
    """Open a page, run `script` (the body of a function) in it and return what that returned.

    The test fails if the page, or the script, complained about anything.
    """
    source = page.read_text(encoding="utf-8")
    watched = tmp_path / f"watched-{page.name}"
    # The last </body> is the page's own, whatever its texts hold.
    before, end = source.rsplit("</body>", 1)
    head = before.replace("<head>", f"<head>{_COLLECT}", 1)
    watched.write_text(f"{head}{_REPORT % script}</body>{end}", encoding="utf-8")
    done = _run(watched, tmp_path, width, height, "--virtual-time-budget=10000", "--dump-dom")
    match = re.search(r'<pre id="findings">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, f"the page did not finish loading: {done.stderr[-2000:]}"
    findings = json.loads(html.unescape(match.group(1)))
    assert not findings["complaints"], findings["complaints"]
    assert "CONSOLE" not in done.stderr, done.stderr
    return findings["found"]


def screenshot(page: Path, out: Path, tmp_path: Path, *, width: int, height: int, theme: str) -> Path:
    """Write a picture of a page in a theme."""
    themed = tmp_path / f"{theme}-{page.name}"
    source = page.read_text(encoding="utf-8")
    themed.write_text(source.replace("<html ", f'<html data-theme="{theme}" ', 1), encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    _run(themed, tmp_path, width, height, f"--screenshot={out.resolve()}")
    return out
