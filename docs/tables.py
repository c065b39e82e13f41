"""Write the tables of README.md and docs/ from committed runs, or check that they are up to date.

    python docs/tables.py           # rewrite every table
    python docs/tables.py --check   # exit 1 naming the first page that differs

A table stands between ``<!-- run: FOLDER METRIC -->`` and ``<!-- end -->``; FOLDER is relative to the
repository. Every figure is first computed again from the folder's predictions.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from merbench.evaluation.result import recompute
from merbench.evaluation.table import to_markdown

ROOT = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"<!-- run: (\S+) (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def pages() -> list[Path]:
    """Return every Markdown page that may hold a table."""
    return sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def filled(page: Path) -> str:
    """Return the page with every table made anew."""

    def table(match: re.Match[str]) -> str:
        folder, metric = match.groups()
        shown = to_markdown(recompute(ROOT / folder), metric=metric)
        return f"<!-- run: {folder} {metric} -->\n{shown}<!-- end -->"

    return TABLE.sub(table, page.read_text(encoding="utf-8"))


def main() -> None:
    """Rewrite or check."""
    for page in pages():
        text = filled(page)
        if text != page.read_text(encoding="utf-8"):
            if "--check" in sys.argv:
                sys.exit(f"{page.relative_to(ROOT)} differs from its runs: python docs/tables.py")
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
