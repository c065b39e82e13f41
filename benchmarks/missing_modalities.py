"""What may stand in for a missing modality: five strategies of one model on the synthetic set.

    python benchmarks/missing_modalities.py [--model emollama-base] [--out docs/results/missing_modalities]
    python docs/tables.py       # the table in docs/missing_modalities.md

Every strategy answers the same incomplete utterances, at random rates of missing (utterance, modality) cells
and with every fixed pattern. `--model` may be the checkpoint folder of a recipe.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from merbench.corruption import corruptions
from merbench.datasets import load_dataset
from merbench.evaluation.run import evaluate
from merbench.models._emotion_llama.config import StandIn
from merbench.models._load import with_option
from merbench.options import build
from merbench.suites.plan import Plan, Variant, plan_variants
from merbench.types import SEVERITIES

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "missing_modalities"
PATTERNS = ("a", "v", "t", "av", "at", "vt")


def plan(dataset: str) -> Plan:
    """Return the suite: five rates, and every pattern once."""
    dropout = corruptions["modality/dropout"]
    patterns = [Variant(build(dropout, dropout.name, {"pattern": p}), SEVERITIES[:1]) for p in PATTERNS]
    return plan_variants(load_dataset(dataset), (Variant(dropout(), SEVERITIES), *patterns), split="test")


def main() -> None:
    """Evaluate every strategy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="emollama-base")
    parser.add_argument("--dataset", default="synthetic:test=600")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    for strategy in get_args(StandIn):
        model = with_option(arguments.model, "absent", strategy)
        _, result = evaluate(plan(arguments.dataset), model, arguments.out / strategy)
        sys.stderr.write(f"{strategy}: overall UAR {result['metrics']['overall']['uar']['noisy']:.4f}\n")


if __name__ == "__main__":
    main()
