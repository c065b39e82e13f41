"""Where the vocabulary of the tiny Emotion-LLaMA comes from, and the figures of emollama-base's model card.

    python benchmarks/emotion_llama.py vocabulary FILE
    python benchmarks/emotion_llama.py subsets emollama-base
    python benchmarks/emotion_llama.py seeds DIR

`vocabulary` writes the committed ``tiny_tokenizer.json`` again, byte for byte. `subsets` scores a model
with each subset of its modalities, the others missing. `seeds` trains the committed recipe with several
seeds below DIR (what is there already is kept) and does the same for each.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from merbench.datasets._synthetic.cues import LABELS
from merbench.datasets.synthetic import Synthetic, bayes_ceiling
from merbench.models._emotion_llama.prompt import load_prompt, prompt_names
from merbench.models._emotion_llama.tokenizer import train_vocabulary
from merbench.models._load import load_model
from merbench.training.recipe import load_recipe
from merbench.training.run import plan_training, train
from merbench.types import MODALITIES, Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from merbench.models import SplitAdapter
    from merbench.types import Modality, Utterance

SUBSETS: list[tuple[Modality, ...]] = [
    subset for size in range(1, len(MODALITIES) + 1) for subset in itertools.combinations(MODALITIES, size)
]
_BATCH = 32


def by_subset(
    model: SplitAdapter, dataset: Synthetic, utterances: Sequence[Utterance]
) -> dict[tuple[Modality, ...], float]:
    """Return a model's accuracy with each subset of modalities; everything is encoded once."""
    parts: dict[Modality, list[np.ndarray]] = {m: [] for m in MODALITIES}
    for start in range(0, len(utterances), _BATCH):
        batch = Batch.of([dataset.load(u) for u in utterances[start : start + _BATCH]])
        for modality in MODALITIES:
            parts[modality].append(model.encode(modality, batch))
    encodings = {m: np.concatenate(encoded) for m, encoded in parts.items()}
    truth = np.array([model.labels.index(u.label) for u in utterances])
    accuracy = {}
    for subset in SUBSETS:
        present = {m: np.full(len(truth), m in subset) for m in MODALITIES}
        answers = np.asarray(model.fuse({m: encodings[m] for m in subset}, present))
        accuracy[subset] = float((answers.argmax(axis=1) == truth).mean())
    return accuracy


def held_out(size: int) -> tuple[Synthetic, list[Utterance]]:
    """Return the synthetic set with a test split of this size, and that split."""
    dataset = Synthetic(test=size)
    return dataset, [u for u in dataset.utterances() if u.split == "test"]


def vocabulary(file: Path) -> None:
    """Train the vocabulary on sentences of the train split, and on the prompts often enough to matter."""
    dataset = Synthetic(train=2400)
    texts = [dataset.load(u).text or "" for u in dataset.utterances() if u.split == "train"]
    labels = ", ".join(LABELS)
    prompts = [load_prompt(name).template.replace("{labels}", labels) for name in prompt_names()]
    file.write_text(train_vocabulary([*texts, *prompts * 20], 1024), encoding="utf-8")


def subsets(model: str, size: int) -> None:
    """Print the accuracy with each subset beside the ceiling."""
    loaded = load_model(model)
    accuracy = by_subset(loaded, *held_out(size))  # type: ignore[arg-type]
    print("| modalities | Bayes ceiling | test |\n|---|---|---|")
    for subset in SUBSETS:
        print(f"| {' + '.join(subset)} | {bayes_ceiling(subset):.3f} | {accuracy[subset]:.3f} |")


def seeds(folder: Path, count: int, size: int) -> None:
    """Train the committed recipe with several seeds; print mean and spread, and the smallest lead."""
    recipe, test = load_recipe("emollama-base"), held_out(size)
    rows = []
    for seed in range(count):
        seeded = dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, seed=seed))
        job = plan_training(seeded)
        train(job, folder / f"seed{seed}", device="cpu", tell=lambda line: print(f"# {line}", flush=True))
        rows.append(by_subset(load_model(str(folder / f"seed{seed}")), *test))  # type: ignore[arg-type]
        print(f"# seed {seed}: {rows[-1]}", flush=True)
    print(f"| modalities | mean of {count} seeds | smallest | largest |\n|---|---|---|---|")
    for subset in SUBSETS:
        values = np.array([row[subset] for row in rows])
        print(f"| {' + '.join(subset)} | {values.mean():.3f} | {values.min():.3f} | {values.max():.3f} |")
    lead = min(row[MODALITIES] - max(row[(m,)] for m in MODALITIES) for row in rows)
    print(f"\nsmallest lead of all three over the best single modality, over seeds: {lead:.3f}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    words = commands.add_parser("vocabulary")
    words.add_argument("file", type=Path)
    one = commands.add_parser("subsets")
    one.add_argument("model")
    many = commands.add_parser("seeds")
    many.add_argument("folder", type=Path)
    many.add_argument("--count", type=int, default=5)
    for command in (one, many):
        command.add_argument("--size", type=int, default=1200, help="test utterances")
    asked = parser.parse_args()
    if asked.command == "vocabulary":
        vocabulary(asked.file)
    elif asked.command == "subsets":
        subsets(asked.model, asked.size)
    else:
        seeds(asked.folder, asked.count, asked.size)


if __name__ == "__main__":
    main()
