"""What a paper that uses the figures owes a citation: the data, the corruptions, merbench itself."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

from merbench.corruption import corruptions
from merbench.datasets import datasets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from merbench.report._study import Study


def bibliography(study: Study) -> str:
    """Return BibTeX: the dataset's own entry, the protocol's, and one ``@misc`` per corruption.

    A corruption's card names the sources of its maths and of its severity table in words; they are
    given as a note, for whoever writes the paper to take the entries from.
    """
    return "\n".join(_entries(study)) + "\n"


def _entries(study: Study) -> Iterator[str]:
    data = study.panel.data
    card = datasets[data["dataset"]].card
    if card.bibtex:
        yield card.bibtex.strip() + "\n"
    else:
        yield f"% The dataset '{data['dataset']}' has no entry of its own: cite what you put into it.\n"
    if by_protocol := (data.get("protocol") or {}).get("bibtex"):
        yield by_protocol + "\n"
    yield _entry(
        "software",
        "merbench",
        title="{merbench}: robustness benchmarks for multimodal emotion recognition",
        author="{The merbench authors}",
        version=version("merbench"),
    )
    versions = {cell.corruption: cell.version for cell in study.panel.cells if not cell.is_clean}
    for name, number in versions.items():
        if name not in corruptions.names():
            yield f"% The corruption {name} is not installed here: cite the sources on its card.\n"
            continue
        cls = corruptions[name]
        yield _entry(
            "misc",
            f"merbench-{re.sub('[^A-Za-z0-9]+', '-', name)}",
            title=f"The corruption {_escaped(name)}, version {number}, of {{merbench}}",
            note=_escaped(" ".join(f"{cls.source}. Validity of labels: {cls.validity_source}.".split())),
        )


def _entry(kind: str, key: str, **fields: str) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", text)
