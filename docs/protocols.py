"""Write the table of docs/protocols.md from the committed protocols, or check that it is up to date.

python docs/protocols.py           # rewrite the table
python docs/protocols.py --check   # exit 1 if it differs
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from merbench.protocols import PROTOCOLS, Protocol, load_protocol, tell_merge
from merbench.tables import Row, Table
from merbench.types import SEVERITIES

PAGE = Path(__file__).with_name("protocols.md")
TABLE = re.compile(r"<!-- protocols -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str) -> str:
    """Return the page with its table made anew."""
    table = Table(
        name="protocols",
        title="",
        columns=("protocol", "classes", "tested", "unit", "metric", "cells", "published"),
        rows=tuple(Row(_row(load_protocol(name))) for name in PROTOCOLS.names()),
        left=7,
    )
    lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
    return TABLE.sub(lambda _: "\n".join(["<!-- protocols -->", *lines, "<!-- end -->"]), text)


def _row(protocol: Protocol) -> tuple[str, ...]:
    facts, suite, published = protocol.facts(), protocol.suite, protocol.published
    merges = [told for told in tell_merge(facts["labels"]) if "=" in told]
    classes = len(protocol.labels.classes) if protocol.labels else len(protocol.card.labels)
    folds = protocol.folds
    tested = f"{len(folds.members)} folds by {folds.by}" if folds else f"`{facts['test']}`"
    severities = "1-5" if suite.severities == SEVERITIES else ",".join(map(str, suite.severities))
    return (
        f"`{protocol.name}`",
        f"{classes}" + f" ({'; '.join(merges)})" * bool(merges),
        tested,
        protocol.unit,
        protocol.metric,
        f"{', '.join(suite.corruptions)} at {severities}",
        str(published.utterances) if published and published.utterances else "-",
    )


def main(arguments: list[str]) -> None:
    """Write the table, or hold it against the protocols."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = filled(text)
    if "--check" in arguments:
        if fresh != text:
            sys.exit(f"{PAGE.name} is not what the protocols say: run python docs/protocols.py")
    else:
        PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
