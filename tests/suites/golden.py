"""The content of a fixed 50-sample synthetic suite, as roots that any machine must reproduce.

``python -m tests.suites.golden`` prints the roots as JSON; ``--write`` commits them to golden.json, and
refuses when a root moved though neither its corruption's version nor the generator's was raised.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from merbench.corruption import corruptions
from merbench.datasets import datasets
from merbench.datasets.synthetic import VERSION
from merbench.suites.content import content_root
from merbench.suites.plan import make_plan, parse_corruption
from merbench.suites.presets import PRESETS
from merbench.suites.verify import roots_of
from merbench.types import SEVERITIES

GOLDEN = Path(__file__).with_name("golden.json")


def compute() -> dict[str, object]:
    """Return the versions, the recipe and the roots of the suite."""
    exact = [name for name in PRESETS["core"] if corruptions[name].exactness == "exact"]
    plan = make_plan(
        datasets["synthetic"](),
        [parse_corruption(name, {}) for name in exact],
        SEVERITIES,
        split="test",
        limit=50,
    )
    roots = roots_of(plan)
    versions = {name: corruptions[name].version for name in exact}
    return {
        "versions": {"synthetic": VERSION, **versions},
        "recipe_id": plan.recipe_id,
        "roots": roots,
        "content_root": content_root(roots),
    }


def main() -> None:
    found = compute()
    if "--write" in sys.argv and GOLDEN.exists():
        old = json.loads(GOLDEN.read_text(encoding="utf-8"))
        if old["versions"] == found["versions"] and old["roots"] != found["roots"]:
            sys.exit("the roots moved but no version was raised: raise the version of what changed first")
    text = json.dumps(found, indent=1, sort_keys=True)
    if "--write" in sys.argv:
        GOLDEN.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
