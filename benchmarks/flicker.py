"""What corruptions do to the steadiness of a clip.

    python -P benchmarks/flicker.py [--samples 8]

Prints, for every corruption of the family vision, the flicker (`merbench.media.flicker`, in grey levels)
that it adds at the severities 1, 3 and 5: to stills, the first frame of a clip repeated, and to moving
faces. The clips are the synthetic set's, 16 frames of 224 pixels.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from merbench.corruption import Corruption, corruptions
from merbench.datasets.synthetic import Synthetic
from merbench.media.flicker import flicker
from merbench.types import Batch, Pool, Sample

SEVERITIES = (1, 3, 5)


def still(sample: Sample) -> Sample:
    """Return the sample with its first frame repeated."""
    assert sample.frames is not None
    return replace(sample, frames=np.repeat(sample.frames[:1], len(sample.frames), axis=0))


def added(corruption: Corruption, samples: list[Sample], severity: int) -> float:
    """Return the flicker of the corrupted clips less that of the clean ones, the mean over samples."""
    by_id = {s.id: s for s in samples}
    pool = Pool(tuple(s.utterance for s in samples), lambda u: by_id[u.id])
    clean = Batch.of(samples)
    params = corruption.draw_all(samples, pool, "flicker")
    batch, _ = corruption.apply(clean, params, pool, **corruption.strength(severity))
    rows = [
        (a, b) for a, b in zip(batch.frames, clean.frames, strict=True) if a is not None and b is not None
    ]
    return float(np.mean([flicker(a) - flicker(b) for a, b in rows])) if rows else float("nan")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=8)
    count = parser.parse_args().samples
    data = Synthetic(train=0, validation=0, test=count)
    moving = [data.load(u) for u in data.utterances()]
    stills = [still(s) for s in moving]
    base = np.mean([flicker(s.frames) for s in moving if s.frames is not None])
    print(f"clean: stills 0.00, moving {base:.2f}\n")
    print("| corruption | stills 1 | 3 | 5 | moving 1 | 3 | 5 |\n|---|---|---|---|---|---|---|")
    for name in corruptions.names():
        if name.startswith("vision/"):
            one = corruptions[name]()
            figures = [added(one, samples, s) for samples in (stills, moving) for s in SEVERITIES]
            print(f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
