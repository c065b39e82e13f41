"""Write docs/corruptions.md from the cards of the built-in corruptions, or check that it is up to date.

python docs/cards.py           # rewrite the page
python docs/cards.py --check   # exit 1 if it differs
"""

from __future__ import annotations

import inspect
import sys
from itertools import groupby
from pathlib import Path

from merbench.corruption import Corruption, corruptions
from merbench.options import describe
from merbench.tables import Row, Table
from merbench.types import SEVERITIES

PAGE = Path(__file__).with_name("corruptions.md")

_HEAD = """# Corruptions

Written by `python docs/cards.py` from the cards; `merbench show corruption NAME` shows one, and
`--preview FILE.wav` writes what it sounds like. A severity is ordinal within a corruption and not
commensurate between them.

- *exact*: the same bytes on any machine; *pinned*: for the same build of a library; *model*: for the same
  weights.
- Validity: whether people still perceive the labelled emotion, per severity: **p**reserved, **u**ncertain,
  **c**hanged.
- What is not random is the same for every seed and replicate.
"""


def page() -> str:
    """Return the page."""
    built_in = [n for n in corruptions.names() if corruptions.entry(n).provider == "builtin"]
    parts = [_HEAD, _overview(built_in).markdown()]
    for family, names in groupby(built_in, key=lambda name: name.partition("/")[0]):
        parts += [f"## {family}\n", *(_card(corruptions[name]) for name in names)]
    return "\n".join(parts)


def _overview(names: list[str]) -> Table:
    rows = []
    for name in names:
        cls = corruptions[name]
        strengths = "; ".join(
            f"{strength} {', '.join(f'{value:g}' for value in values)}"
            for strength, values in cls.severity.items()
        )
        validity = " ".join(word[0] for word in cls.label_validity)
        link = f"[{name}](#{name.replace('/', '')})"
        rows.append(Row((link, strengths, cls.exactness, "yes" if cls.is_random else "no", validity)))
    return Table(
        name="corruptions",
        title=f"{len(names)} corruptions",
        columns=("corruption", "severity 1 to 5", "bytes", "random", "validity"),
        rows=tuple(rows),
        left=5,
    )


def _card(cls: type[Corruption]) -> str:
    options = [f"- `{name}` ({kind}; {default}): {help}" for name, kind, default, help in describe(cls)]
    validity = ", ".join(f"{s} {word}" for s, word in zip(SEVERITIES, cls.label_validity, strict=True))
    lines = [
        f"### {cls.name}\n",
        f"{inspect.getdoc(cls)}\n",
        f"- Version {cls.version}, {cls.exactness}; changes {', '.join(cls.changes)}.",
        f"- Source: {cls.source}.",
        f"- Label: {validity}. {cls.validity_source}.",
        *options,
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Write the page, or hold it against the cards."""
    fresh = page()
    if "--check" in arguments:
        if PAGE.read_text(encoding="utf-8") != fresh:
            sys.exit(f"{PAGE.name} is not what the cards say: run python docs/cards.py")
        return
    PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
