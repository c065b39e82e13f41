"""Hold the network's accuracy under noise against figures measured without merbench.

    python parity.py --ravdess DIR --noise-root DIR

Those figures count an answer as right when gender *and* emotion are right (ten classes), mix at 48 kHz
over whole-clip powers, and play one noise clip per class from its beginning. A suite draws where the
noise starts, so both are shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from merbench.corruption import corruptions
from merbench.datasets import datasets
from merbench.media.conform import conform
from merbench.models._load import load_model
from merbench.types import Batch, MediaSpec

MEASURED = {  # class: (fold, accuracy at 20, 10 and 0 dB)
    "drilling": (3, (0.707, 0.512, 0.268)),
    "jackhammer": (1, (0.159, 0.171, 0.073)),
    "street_music": (7, (0.195, 0.110, 0.134)),
}
MEASURED_CLEAN = 0.878
SEVERITIES = (1, 3, 5)  # 20, 10 and 0 dB
SEEDS = range(5)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ravdess", type=Path, required=True)
    parser.add_argument("--noise-root", type=Path, required=True)
    arguments = parser.parse_args()

    model = load_model(str(Path(__file__).with_name("ser_cnn_10way.toml")))
    dataset = datasets["ravdess"](root=arguments.ravdess, media=MediaSpec(sample_rate=None, frames=1))
    utterances, pool = dataset.select()
    truth = {u.id: f"{u.extra['gender']}_{u.label}" for u in utterances}
    samples = [dataset.load(u) for u in utterances if truth[u.id] in model.labels]
    clean = Batch.of(samples)

    def accuracy(batch: Batch) -> float:
        wanted = conform(batch, sample_rate=model.wants.sample_rate, frame_size=None)
        answers = model.predict(wanted).argmax(axis=1)
        return float(np.mean([model.labels[a] == truth[s.id] for a, s in zip(answers, samples, strict=True)]))

    print(f"| noise | SNR | measured | from its beginning | from a drawn place ({len(SEEDS)} seeds) |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| clean | | {MEASURED_CLEAN:.3f} | {accuracy(clean):.3f} | |")
    for name, (fold, measured) in MEASURED.items():
        noise = corruptions["audio/urban_noise"](
            noise_root=arguments.noise_root, noise_class=name, noise_folds=(fold,), snr_reference="whole"
        )
        drawn = [noise.draw_all(samples, pool, dataset.name, seed=seed) for seed in SEEDS]
        fixed = [{**params, "start": 0.0} for params in drawn[0]]
        for severity, expected in zip(SEVERITIES, measured, strict=True):
            strength = noise.strength(severity)
            begun = accuracy(noise.apply(clean, fixed, pool, **strength)[0])
            anywhere = [accuracy(noise.apply(clean, params, pool, **strength)[0]) for params in drawn]
            spread = f"{np.mean(anywhere):.3f} ({min(anywhere):.3f} to {max(anywhere):.3f})"
            print(f"| {name} | {strength['snr_db']:.0f} dB | {expected:.3f} | {begun:.3f} | {spread} |")


if __name__ == "__main__":
    main()
