"""The README of a suite folder: what it is, and how `datasets.load_dataset` finds its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merbench.types import CLEAN

if TYPE_CHECKING:
    from merbench.suites.plan import Plan


def suite_card(plan: Plan) -> str:
    """Return the dataset card: a YAML head with one configuration per cell, and a few lines to read."""
    card = plan.dataset.card
    head = ["---", f"pretty_name: merbench suite on {card.title}", "configs:"]
    for cell in plan.cells:
        head += [
            f"- config_name: {cell.cell_id}",
            "  data_files:",
            "  - split: test",
            f"    path: data/{cell.cell_id}/*.parquet",
            *(["  default: true"] if cell.is_clean else []),
        ]
    head += ["---", ""]
    shown = [f"| `{c.cell_id}` | {c.corruption} | {c.severity or ''} |" for c in plan.cells]
    body = [
        f"# A merbench suite on {card.title}",
        "",
        f"{plan.size} samples x {len(plan.cells)} cells, recipe `{plan.recipe_id}`.",
        f"Licence of the data: {card.licence} ({card.licence_url})."
        + (" It may not be redistributed: share the recipe, not this folder." if card.restricted else ""),
        "",
        "`clean` holds every modality. Every other cell holds the media that it changed and the hashes",
        "of the rest: a modality that is `present` but null is the clean one. Rows are in a hashed order.",
        "",
        "```python",
        "import datasets, io, soundfile",
        f'cell = datasets.load_dataset(FOLDER, "{CLEAN}", split="test")',
        'audio, rate = soundfile.read(io.BytesIO(cell[0]["audio"]["bytes"]), dtype="int16")',
        "```",
        "",
        "| cell | corruption | severity |",
        "|---|---|---|",
        *shown,
        "",
    ]
    return "\n".join(head + body)
