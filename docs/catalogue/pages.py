"""The page of every corruption and the table of all of them, in Markdown."""

from __future__ import annotations

import inspect
import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from docs.catalogue.exhibits import DOCS
from docs.catalogue.texts import changes
from merbench.options import describe
from merbench.tables import Row, Table
from merbench.types import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from docs.catalogue.exhibits import Exhibit
    from merbench.corruption import Corruption

OVERVIEW = DOCS / "corruptions.md"

_SHOWCASES = ("audio/environment", "compound/street", "modality/dropout", "vision/object_insertion")

_HEAD = """# Corruptions

There are {count}, at five severities each. To hear and see all of them, save
[catalogue.html](catalogue.html) and open it: one page that needs no network. `merbench show corruption NAME`
prints a card, and `--preview FILE` writes what becomes of a sound, picture, video or text of yours. A
severity is ordinal within a corruption and not commensurate between them.

- *exact*: the same bytes on any machine; *pinned*: for the same build of a library; *model*: for the same
  weights.
- Validity: whether people still perceive the labelled emotion, per severity: **p**reserved, **u**ncertain,
  **c**hanged.
- What is not random is the same for every seed and replicate.

`python docs/cards.py` writes this page, those it leads to and the catalogue from the cards.
"""

_CROWD = (
    "A column is an utterance; rows are audio, vision and text. Hollow is missing, orange somebody else's."
)
_SOUND = "Above the waveform, below the spectrogram from 0 to 8 kHz, each over the whole clip."
_FRAMES = "One frame large; below, from the first to the last."
_DOTS = "A hollow dot is a frame that repeats the one before."


def overview(exhibits: Sequence[Exhibit]) -> str:
    """Return the page of all corruptions."""
    parts = [_HEAD.format(count=len(exhibits))]
    for family, members in groupby(exhibits, key=lambda exhibit: exhibit.family):
        shown = list(members)
        parts.append(f"## {family}\n")
        parts += [f"{_picture(e, OVERVIEW)}\n" for e in shown if e.name in _SHOWCASES]
        parts.append(_overview(family, shown).markdown())
    return "\n".join(parts)


def _overview(family: str, exhibits: Sequence[Exhibit]) -> Table:
    rows = []
    for exhibit in exhibits:
        cls = type(exhibit.corruption)
        strengths = "; ".join(f"{name} {', '.join(map(_number, v))}" for name, v in cls.severity.items())
        validity = " ".join(word[0] for word in cls.label_validity)
        link = f"[{exhibit.name}]({_relative(exhibit.page, OVERVIEW)})"
        rows.append(Row((link, strengths, cls.exactness, "yes" if cls.is_random else "no", validity)))
    return Table(
        name=family,
        title=f"{len(rows)} {family} corruptions",
        columns=("corruption", "severity 1 to 5", "bytes", "random", "validity"),
        rows=tuple(rows),
        left=5,
    )


def page(exhibit: Exhibit) -> str:
    """Return a corruption's page."""
    cls = type(exhibit.corruption)
    parts = [f"# {cls.name}", inspect.getdoc(cls) or "", _severities(exhibit), *_shown(exhibit)]
    parts.append("\n".join(_facts(cls)))
    if not exhibit.needs:
        parts.append(f"```\nmerbench corrupt --corruption {cls.name} --severity 1-5\n```")
    parts.append(f"[All corruptions](../../corruptions.md#{exhibit.family})")
    if exhibit.media:
        parts.append(_mark(exhibit))
    return "\n\n".join(parts) + "\n"


def _shown(exhibit: Exhibit) -> Iterator[str]:
    """Yield what there is to hear, see and read, or why there is nothing."""
    if exhibit.needs:
        yield f"Not shown here: {exhibit.needs}."
    if exhibit.seen:
        yield _picture(exhibit, exhibit.page)
        yield caption(exhibit)
    links = [f"[Hear them one after the other]({exhibit.sound.name}) (MP3)"] * exhibit.heard
    links += [f"[See them move side by side]({exhibit.film.name}) (WebM)"] * exhibit.moves
    if links:
        yield " · ".join(links)
    if exhibit.read:
        yield _texts(exhibit.texts())


def _facts(cls: type[Corruption]) -> Iterator[str]:
    """Yield what else is on the card, as items of a list."""
    exactness = f"{cls.exactness} ({', '.join(cls.libraries)})" if cls.libraries else cls.exactness
    random = "random" if cls.is_random else "the same for every seed"
    yield f"- Version {cls.version}, {exactness}, {random}; changes {', '.join(cls.changes)}."
    if cls.device_tolerance is not None:
        off = f"at most {cls.device_tolerance} off, in levels of 16 or 8 bits"
        yield f"- On a GPU: {off if cls.device_tolerance else 'the same bytes'}."
    yield f"- Source: {cls.source}."
    yield f"- Label: {cls.validity_source}."
    for name, kind, default, help in describe(cls):
        yield f"- `{name}` ({kind}; {default}): {help}"


def _mark(exhibit: Exhibit) -> str:
    return f"<!-- media made from {exhibit.made_from} -->"


def media_are_of(exhibit: Exhibit, text: str) -> bool:
    """Tell whether a page was written together with the media that belong to this exhibit."""
    return _mark(exhibit) in text


def caption(exhibit: Exhibit) -> str:
    """Return what is to be known to read the strip."""
    if exhibit.of_crowd:
        return _CROWD
    said = [_SOUND] * exhibit.heard + [_FRAMES] * exhibit.moves
    return " ".join([*said, legend(exhibit)]).strip()


def legend(exhibit: Exhibit) -> str:
    """Return what the signs in the strip mean, if there are any."""
    return _CROWD if exhibit.of_crowd else _DOTS if exhibit.stalls else ""


def alternative(exhibit: Exhibit) -> str:
    """Return what the strip shows, for those who do not see it."""
    what = {"audio": "spectrograms", "vision": "frames"}
    things = "utterances" if exhibit.of_crowd else " and ".join(what[m] for m in exhibit.drawn)
    return f"{things}, clean and at severities 1 to 5 of {exhibit.name}"


def _picture(exhibit: Exhibit, page: Path) -> str:
    return f"![{alternative(exhibit)}]({_relative(exhibit.strip, page)})"


def _relative(path: Path, page: Path) -> str:
    return path.relative_to(page.parent).as_posix()


def _severities(exhibit: Exhibit) -> str:
    cls = type(exhibit.corruption)
    rows = [Row((name, *map(_number, values))) for name, values in cls.severity.items()]
    rows.append(Row(("label", *cls.label_validity)))
    columns = ("severity", *map(str, SEVERITIES))
    return (
        Table(name=cls.name, title="Strength and label", columns=columns, rows=tuple(rows))
        .markdown()
        .rstrip()
    )


def _number(value: float) -> str:
    return f"{value:g}"


def _texts(texts: Sequence[str]) -> str:
    """Return the texts below each other, what is new in bold type and what is gone struck through."""
    clean, *spoilt = texts
    lines = ["| | new in **bold**, left out ~~struck~~ |", "| --- | --- |", f"| clean | {_escaped(clean)} |"]
    for severity, text in zip(SEVERITIES, spoilt, strict=True):
        tags = {"same": "{}", "new": "<b>{}</b>", "gone": "<del>{}</del>"}
        pieces = (tags[kind].format(_escaped(piece)) for kind, piece in changes(clean, text))
        lines.append(f"| {severity} | {''.join(pieces)} |")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]~|#])", r"\\\1", escape(text, quote=False))
