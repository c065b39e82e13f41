"""docs/catalogue.html: every corruption to hear, see and read, on one page that needs nothing else."""

from __future__ import annotations

import inspect
import re
from base64 import b64encode
from hashlib import sha256
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from docs.catalogue import pages, strips
from docs.catalogue.exhibits import DOCS, clip_seconds
from docs.catalogue.texts import changes
from merbench.report._media import data_url
from merbench.report._palette import DARK, LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docs.catalogue.exhibits import Exhibit

SHEET = DOCS / "catalogue.html"

_HERE = Path(__file__).parent
_COLOURS = ("paper", "panel", "ink", "muted", "axis", "grid", "accent", "warn", "warn-panel")


def sheet(exhibits: Sequence[Exhibit]) -> str:
    """Return the page; the strips are those below docs/corruptions/."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    script = (_HERE / "sheet.js").read_text(encoding="utf-8")
    return environment.get_template("sheet.html").render(
        families=[(family, list(map(_shown, members))) for family, members in groupby(exhibits, _family)],
        count=len(exhibits),
        themes=Markup(_themes()),
        style=Markup((_HERE / "sheet.css").read_text(encoding="utf-8")),
        script=Markup(script),
        # The template puts a line feed before and after it.
        script_hash=Markup(f"'sha256-{b64encode(sha256(f'{chr(10)}{script}'.encode()).digest()).decode()}'"),
        clip_s=clip_seconds(),
        pause_s=strips.PAUSE_S,
    )


def _family(exhibit: Exhibit) -> str:
    return exhibit.family


def _shown(exhibit: Exhibit) -> dict[str, Any]:
    corruption = exhibit.corruption
    return {
        "name": exhibit.name,
        "slug": exhibit.slug,
        "about": [_plain(paragraph) for paragraph in (inspect.getdoc(corruption) or "").split("\n\n")],
        "strengths": "; ".join(
            f"{name} {', '.join(f'{v:g}' for v in values)}" for name, values in corruption.severity.items()
        ),
        "validity": _in_runs(corruption.label_validity),
        "validity_source": corruption.validity_source,
        "source": corruption.source,
        "exactness": corruption.exactness,
        "version": corruption.version,
        "needs": exhibit.needs,
        "strip": _strip(exhibit) if exhibit.seen else None,
        "sound": data_url("audio/mpeg", exhibit.sound.read_bytes()) if exhibit.heard else None,
        "film": data_url("video/webm", exhibit.film.read_bytes()) if exhibit.moves else None,
        "texts": _texts(exhibit) if exhibit.read else None,
        "language": "zh" if exhibit.name == "text/chinese" else "en",
    }


def _strip(exhibit: Exhibit) -> dict[str, Any]:
    data = exhibit.strip.read_bytes()
    with Image.open(BytesIO(data)) as image:
        width, height = image.size
    return {
        "url": data_url("image/webp", data),
        "alt": pages.alternative(exhibit),
        "legend": pages.legend(exhibit),
        "width": width,
        "height": height,
    }


def _texts(exhibit: Exhibit) -> list[Markup]:
    clean, *spoilt = exhibit.texts()
    tags = {"same": "{}", "new": "<mark>{}</mark>", "gone": "<del>{}</del>"}
    marked = (
        "".join(tags[kind].format(escape(piece)) for kind, piece in changes(clean, text)) for text in spoilt
    )
    return [escape(clean), *map(Markup, marked)]


def _plain(paragraph: str) -> Markup:
    """Return a paragraph of a docstring, with what stands between backticks as code."""
    return Markup(
        re.sub(r"``(.+?)``|`(.+?)`", r"<code>\1\2</code>", str(escape(" ".join(paragraph.split()))))
    )


def _in_runs(validity: Sequence[str]) -> str:
    """Return e.g. ``preserved 1-3, uncertain 4-5``."""
    runs = []
    for word, members in groupby(enumerate(validity, 1), key=lambda pair: pair[1]):
        severities = [severity for severity, _ in members]
        span = f"{severities[0]}-{severities[-1]}" if len(severities) > 1 else f"{severities[0]}"
        runs.append(f"{word} {span}")
    return ", ".join(runs)


def _themes() -> str:
    light, dark = ("".join(f"--{name}:{theme[name]};" for name in _COLOURS) for theme in (LIGHT, DARK))
    return (
        f":root{{{light}color-scheme:light}}\n"
        f":root[data-theme=dark]{{{dark}color-scheme:dark}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}color-scheme:dark}}}}\n"
    )
