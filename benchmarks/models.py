"""What merbench adds to a model's own forward pass, and whether the batch size changes an answer.

    python benchmarks/models.py [--model emollama-base] [--size 64] [--device cuda] [--precision bfloat16]

`bare` calls the model's encoders and `fuse` on batches that are ready; `scorer` is what ``merbench eval``
does with the same chunk: conversion, batching by length, checks. Any model that merbench loads will do;
``emollama`` checkpoints of any size are loaded from their folder.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from merbench.datasets.synthetic import Synthetic
from merbench.evaluation.scorer import Batcher, Passes, Scorer
from merbench.media.conform import conform
from merbench.models import SplitAdapter
from merbench.models._load import load_model
from merbench.types import Batch, MediaSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from merbench.models import Adapter

ROWS = 32


def chunks(size: int) -> list[Batch]:
    """Return synthetic test utterances in chunks, as the runner reads them."""
    dataset = Synthetic(train=0, validation=0, test=size, media=MediaSpec())
    samples = [dataset.load(u) for u in dataset.utterances()]
    return [Batch.of(samples[start : start + ROWS]) for start in range(0, size, ROWS)]


def bare(adapter: Adapter, batch: Batch) -> np.ndarray:
    """Return the model's own answer to a batch that is as it wants it."""
    if isinstance(adapter, SplitAdapter):
        encodings = {m: adapter.encode(m, batch.only(m)) for m in adapter.uses}
        return np.asarray(adapter.fuse(encodings, {m: batch.present(m) for m in adapter.uses}))
    return np.asarray(adapter.predict(batch))


def seconds(call: Callable[[], object], device: str) -> float:
    """Return the best of three times."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        call()
        if device != "cpu":
            import torch

            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="emollama-base")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    asked = parser.parse_args()
    adapter = load_model(asked.model, device=asked.device, precision=asked.precision)
    parts = chunks(asked.size)
    wants = adapter.wants
    ready = [conform(b, sample_rate=wants.sample_rate, frame_size=wants.frame_size) for b in parts]
    bare(adapter, ready[0])  # loads the weights
    alone = seconds(lambda: [bare(adapter, batch) for batch in ready], adapter.device)
    scored = seconds(
        lambda: [Scorer(adapter, batch, Batcher(ROWS), Passes()).clean_answers for batch in parts],
        adapter.device,
    )
    together = np.concatenate([bare(adapter, batch) for batch in ready])
    singly = np.concatenate([bare(adapter, batch.take([i])) for batch in ready for i in range(len(batch))])
    flips = int((together.argmax(1) != singly.argmax(1)).sum())
    print(f"{adapter.name} on {adapter.device} in {asked.precision}, {asked.size} utterances:")
    print(f"  bare    {asked.size / alone:8.1f} utterances/s")
    print(f"  scorer  {asked.size / scored:8.1f} utterances/s, {scored / alone:.3f} times the time")
    print(
        f"  batches of 1 against {ROWS}: {flips} of {asked.size} answers differ, logits by at most "
        f"{np.abs(together - singly).max():.2g}"
    )


if __name__ == "__main__":
    main()
