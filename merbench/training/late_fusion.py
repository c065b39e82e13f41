"""Train `late-fusion` on the synthetic set.

    python -m merbench.training.late_fusion --out DIR

The recipe is `late_fusion.toml` beside this file. DIR gets ``weights.safetensors`` and ``record.json``
and can be evaluated as ``--model late-fusion:folder=DIR``. On one machine the same recipe gives the same
bytes; between machines, weights differ by what their floating-point libraries round differently.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from merbench.datasets.synthetic import Synthetic, bayes_ceiling
from merbench.models._late_fusion import checkpoint, features
from merbench.models._late_fusion.network import LateFusionNetwork
from merbench.rng import Stream, torch_seed
from merbench.types import MODALITIES, MediaSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from merbench.types import Modality, Utterance

RECIPE = Path(__file__).with_suffix(".toml")


class Example(NamedTuple):
    """What the network reads of one utterance, and its label's place."""

    inputs: dict[Modality, Any]
    label: int


def train(recipe: dict[str, Any], out: Path) -> dict[str, Any]:
    """Train by `recipe` and write weights and record into the folder `out`; return the record."""
    data, training = recipe["data"], recipe["training"]
    sizes = {split: data[split] for split in ("train", "validation", "test")}
    dataset = Synthetic(seed=data["seed"], media=MediaSpec(), **sizes)
    splits = {split: prepare(dataset, split) for split in sizes}
    network = fit(splits["train"], len(dataset.labels), training)
    record = {
        "labels": list(dataset.labels),
        "trained_on": {
            "dataset": data["dataset"],
            "options": {"seed": data["seed"]},
            "samples": {split: sizes[split] for split in ("train", "validation")},
            "speakers": sorted({str(u.speaker) for u in dataset.utterances() if u.split != "test"}),
        },
        "recipe": recipe,
        "accuracy": {split: accuracies(network, splits[split]) for split in ("validation", "test")},
        "bayes_ceiling": {"+".join(subset): round(bayes_ceiling(subset), 4) for subset in subsets()},
    }
    checkpoint.save(out, network, record)
    return record


def prepare(dataset: Synthetic, split: str) -> list[Example]:
    """Make the media of a split and keep only what the network reads."""

    def example(utterance: Utterance) -> Example:
        sample = dataset.load(utterance)
        media = {"audio": sample.audio, "vision": sample.frames, "text": sample.text}
        inputs = {m: features.READERS[m](media[m]) for m in MODALITIES}
        return Example(inputs, dataset.labels.index(utterance.label))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(example, [u for u in dataset.utterances() if u.split == split]))


def fit(examples: Sequence[Example], classes: int, training: dict[str, Any]) -> LateFusionNetwork:
    """Return a network trained on `examples`, in evaluation mode.

    Modality dropout in full: every row counts with each non-empty subset of its modalities.
    """
    torch.manual_seed(torch_seed("late-fusion", str(training["seed"])))
    chance = Stream.of("late-fusion", str(training["seed"]))
    error = torch.nn.CrossEntropyLoss(label_smoothing=training["label_smoothing"])
    network = LateFusionNetwork(classes)
    labels = torch.tensor([example.label for example in examples])
    network.prior.copy_(torch.log(torch.bincount(labels, minlength=classes) / len(labels)))
    kept = torch.tensor([[float(m in subset) for m in MODALITIES] for subset in subsets()])
    size = training["batch_size"]
    steps = len(examples) // size
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=training["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training["learning_rate"], epochs=training["epochs"], steps_per_epoch=steps
    )
    for epoch in range(training["epochs"]):
        shuffled = chance.permutation(len(examples))[: steps * size].reshape(steps, size)
        total = 0.0
        for rows in shuffled:
            evidence = encode(network, [vary(examples[i], chance) for i in rows])
            logits = network.prior + torch.einsum("sm,nmc->nsc", kept, evidence)
            loss = error(logits.flatten(0, 1), labels[rows].repeat_interleave(len(kept)))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), training["gradient_norm"])
            optimizer.step()
            schedule.step()
            total += loss.item()
        sys.stderr.write(f"epoch {epoch + 1} of {training['epochs']}: loss {total / steps:.3f}\n")
    return network.eval()


def vary(example: Example, chance: Stream) -> Example:
    """Return the example with its start cut and its pictures mirrored and moved by a pixel, or not.

    Up to a fifth of the sound is cut: neither the first syllables nor where somebody sits is an emotion.
    """
    sound = example.inputs["audio"]
    later = sound[chance.one_integer(0, len(sound) // 5) :]
    down, right = chance.integers(2, -1, 2).tolist()
    pictures = example.inputs["vision"][:, :, :: chance.choice((1, -1))]
    moved = np.roll(pictures, (down, right), axis=(1, 2))
    return example._replace(inputs={**example.inputs, "audio": later, "vision": moved})


def encode(network: LateFusionNetwork, rows: Sequence[Example]) -> Tensor:
    """Return the evidence [N, M, C] of the modalities, in the order of `MODALITIES`."""
    return torch.stack([network.encode(m, [row.inputs[m] for row in rows]) for m in MODALITIES], dim=1)


def accuracies(network: LateFusionNetwork, examples: Sequence[Example]) -> dict[str, float]:
    """Return the accuracy with each non-empty subset of modalities."""
    with torch.inference_mode():
        evidence = encode(network, examples)
    truth = torch.tensor([example.label for example in examples])
    scores = {}
    for subset in subsets():
        logits = network.prior + evidence[:, [MODALITIES.index(m) for m in subset]].sum(dim=1)
        scores["+".join(subset)] = round(float((logits.argmax(dim=1) == truth).float().mean()), 4)
    return scores


def subsets() -> list[tuple[Modality, ...]]:
    """Return the non-empty subsets of the modalities, small ones first."""
    sizes = range(1, len(MODALITIES) + 1)
    return [subset for size in sizes for subset in itertools.combinations(MODALITIES, size)]


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m merbench.training.late_fusion", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder that gets weights and record")
    out = parser.parse_args().out
    torch.set_num_threads(1)  # two are no faster on a network this small, and add up in another order
    torch.use_deterministic_algorithms(True)
    record = train(tomllib.loads(RECIPE.read_text(encoding="utf-8")), out)
    sys.stdout.write(json.dumps(record["accuracy"], indent=1) + "\n")


if __name__ == "__main__":
    main()
