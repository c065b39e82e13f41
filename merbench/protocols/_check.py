"""Is what is on disk what a protocol was published with?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from merbench.datasets import CheckReport, Finding, load_dataset
from merbench.datasets._view import FOLD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from merbench.protocols._protocol import Protocol, Published


def check_protocol(protocol: Protocol, root: Path | None = None) -> CheckReport:
    """Count labels before and after merging, splits or folds, and hold them against what is published.

    Nothing is decoded: `Dataset.check` does that. Where every published utterance is there, a count that
    deviates is an error; where some are missing, each count says how many of how many there are, and only
    more than were published is an error. What the dataset's card lists as defective and its reader leaves
    out is not missed.

    Raises:
        MerbenchError: the dataset is not there, or has a label or a group that the protocol does not know.
    """
    dataset = load_dataset(protocol.dataset, root, protocol.media)
    own, scored = dataset.utterances(), protocol.over(dataset).utterances()
    part = "fold" if protocol.folds else "split"
    counts = {
        "label": Counter(u.label for u in own),
        "class": Counter(u.label for u in scored),
        part: Counter(str(u.extra[FOLD] if protocol.folds else u.split) for u in scored),
    }
    there = {u.id for u in own}
    left_out = sorted(id for id in dataset.card.known_bad if id not in there)
    findings = (
        [Finding("info", protocol.name, "no counts were published")]
        if protocol.published is None
        else list(against_published(protocol.published, len(scored), counts, left_out))
    )
    return CheckReport(tuple(findings), {name: dict(sorted(found.items())) for name, found in counts.items()})


def against_published(
    published: Published, scored: int, counts: Mapping[str, Mapping[str, int]], left_out: Sequence[str]
) -> Iterator[Finding]:
    """Yield how counts differ from the published ones.

    Args:
        published: what was published.
        scored: how many utterances are scored or trained on.
        counts: by ``label``, ``class``, and ``fold`` or ``split``.
        left_out: the ids of defective utterances that the reader leaves out.
    """
    total = published.utterances
    is_whole = total is not None and scored + len(left_out) >= total
    tables = zip(counts, (published.labels, published.classes, published.parts), strict=True)
    expected = {
        **({} if total is None else {"utterances": (scored, total)}),
        **{
            f"{kind} {name}": (counts[kind].get(name, 0), n)
            for kind, table in tables
            for name, n in table.items()
        },
    }
    agrees = True
    for where, (found, n) in expected.items():
        if found > n or (is_whole and found + len(left_out) < n):
            agrees = False
            yield Finding("error", where, f"{found}, and {n} were published ({published.source})")
        elif found < n:
            without = f", without the defective {', '.join(left_out)}" if is_whole else ""
            yield Finding("info", where, f"{found} of {n} present{without}")
    if is_whole and agrees:
        yield Finding("info", "counts", f"all as published: {published.source}")
