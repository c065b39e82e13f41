"""Write everything that is shown of the built-in corruptions, or check that it is up to date.

    python docs/cards.py           # rewrite what differs
    python docs/cards.py --check   # exit 1 naming the first file that differs

docs/corruptions.md is the table of all of them, docs/corruptions/ holds a page for each with strips of
pictures, sounds and films, and docs/catalogue.html shows all of it on one page. Texts follow from the cards
to the letter. Media are made again only where what they are made from has changed, of which the
page keeps a hash: other builds of the libraries that encode them may write other bytes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# Python looks into a script's own folder first, and there `corruptions` is pages and no package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.catalogue import pages, sheet, strips
from docs.catalogue.exhibits import DOCS, clip_seconds, exhibits

if TYPE_CHECKING:
    from docs.catalogue.exhibits import Exhibit


def main(arguments: list[str]) -> None:
    """Write what differs, or name it."""
    os.environ.pop("MERBENCH_DATA", None)  # what is shown does not depend on what lies on this machine
    shown = exhibits()
    texts = {exhibit.page: pages.page(exhibit) for exhibit in shown}
    texts[pages.OVERVIEW] = pages.overview(shown)
    if "--check" in arguments:
        check(shown, texts)
        return
    for exhibit in shown:
        make_media(exhibit)
    for path, text in texts.items():
        write(path, text.encode())
    for path in left_over(shown):
        path.unlink()
    write(sheet.SHEET, sheet.sheet(shown).encode())


def check(shown: list[Exhibit], texts: dict[Path, str]) -> None:
    """Exit with what differs from the cards."""
    absent = [path for exhibit in shown for path in exhibit.media if not path.exists()]
    differs = [path for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]
    wrong = [*absent, *differs, *left_over(shown)]
    if not wrong and sheet.SHEET.read_text("utf-8") != sheet.sheet(shown):
        wrong = [sheet.SHEET]
    if wrong:
        sys.exit(f"{wrong[0].relative_to(DOCS.parent)} is not what the cards say: run python docs/cards.py")


def left_over(shown: list[Exhibit]) -> list[Path]:
    """Return files that belong to no corruption, or no more."""
    wanted = {path for exhibit in shown for path in (exhibit.page, *exhibit.media)}
    return sorted(path for path in (DOCS / "corruptions").rglob("*.*") if path not in wanted)


def make_media(exhibit: Exhibit) -> None:
    """Draw and record what is shown of a corruption, unless it is there."""
    there = exhibit.page.exists() and all(path.exists() for path in exhibit.media)
    if not exhibit.media or (there and pages.media_are_of(exhibit, exhibit.page.read_text("utf-8"))):
        return
    stages = exhibit.stages()
    if exhibit.of_crowd:
        write(exhibit.strip, strips.presence(exhibit.corruption, stages))
    else:
        drawn = strips.pictures(exhibit.corruption, stages, exhibit.drawn, dots=exhibit.stalls)
        write(exhibit.strip, drawn)
    if exhibit.heard:
        write(exhibit.sound, strips.sounds(stages))
    if exhibit.moves:
        write(exhibit.film, strips.films(stages, clip_seconds()))


def write(path: Path, data: bytes) -> None:
    """Write a file if it differs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
