"""What the synthetic set looks and sounds like, what leaks, and how well it can be recognised.

    python benchmarks/synthetic.py pictures             # writes docs/images/synthetic-*.png
    python benchmarks/synthetic.py figures [--size N]   # prints the tables of docs/synthetic.md
    python benchmarks/synthetic.py sentences            # prints some
    python benchmarks/synthetic.py photographs DIR      # what networks trained on photographs see
    python benchmarks/synthetic.py speed                # rates on one core

DIR holds ``faceapi_expression.onnx`` and ``fer2013_mini_xception.onnx``.
`figures` trains the baselines on N utterances of the train split and scores everything on N / 2 of the
test split.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from merbench.datasets._synthetic.cues import CUES, INTENSITIES
from merbench.datasets.synthetic import Synthetic, bayes_ceiling
from merbench.models.late_fusion import LateFusion
from merbench.types import MODALITIES, Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from merbench.datasets._synthetic.cues import Cue, Intensity
    from merbench.types import Modality, Sample, Utterance

    Features = npt.NDArray[np.floating] | Sequence[str]

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SUBSETS: list[tuple[Modality, ...]] = [
    subset for size in (1, 2, 3) for subset in itertools.combinations(MODALITIES, size)
]


# What must say nothing about the label.


def duration(sample: Sample) -> list[float]:
    """Return the length of the sound."""
    return [len(sample.audio)]


def loudness(sample: Sample) -> list[float]:
    """Return the RMS of the sound."""
    return [float(np.sqrt(np.mean(np.square(sample.audio, dtype=np.float64))))]


def text_length(sample: Sample) -> list[float]:
    """Return the length of the text in characters and in words."""
    return [len(sample.text), len(sample.text.split())]


def mean_pixel(sample: Sample) -> list[float]:
    """Return the mean of each colour."""
    return sample.frames.mean(axis=(0, 1, 2)).tolist()


def sample_id(sample: Sample) -> list[float]:
    """Return the digits of the id."""
    return [int(digit) for digit in sample.id.rsplit("-", 1)[1]]


def row_order(sample: Sample) -> list[float]:
    """Return the place among all rows and within the periods that the generator knows."""
    place = int(sample.id.rsplit("-", 1)[1])
    return [place, place % 6, place % 8, place % 12]


LEAKS = {
    "duration": duration,
    "RMS": loudness,
    "text length": text_length,
    "mean pixel": mean_pixel,
    "id": sample_id,
    "row order": row_order,
}

# What a simple baseline sees of each modality.


def mfcc(sample: Sample) -> npt.NDArray[np.floating]:
    """Return mean and spread over time of 20 MFCC and of their differences."""
    import librosa

    coefficients = librosa.feature.mfcc(y=sample.audio / np.float32(32768), sr=sample.sample_rate, n_mfcc=20)
    change = np.diff(coefficients, axis=1)
    return np.concatenate([f(x, axis=1) for x in (coefficients, change) for f in (np.mean, np.std)])


def pixels(sample: Sample) -> npt.NDArray[np.floating]:
    """Return the last frame as 28 x 28 grey values, standardised."""
    import cv2

    grey = cv2.cvtColor(sample.frames[-1], cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (28, 28), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    return (small - small.mean()) / (small.std() + 1)


def words(sample: Sample) -> str:
    """Return the text."""
    return sample.text


BASELINES: dict[Modality, tuple[str, Callable[[Sample], Any]]] = {
    "audio": ("MFCC + logistic regression", mfcc),
    "vision": ("pixels + logistic regression", pixels),
    "text": ("TF-IDF + logistic regression", words),
}


def trees() -> Any:
    """Return boosted trees, which find a dependence of any form."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=8, random_state=0)


def regression() -> Any:
    """Return logistic regression on standardised numbers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))


def tf_idf() -> Any:
    """Return logistic regression on TF-IDF of words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=2000))


@dataclass
class Measured:
    """Features of a train and a test part, by name, and their labels."""

    train: dict[str, Features]
    test: dict[str, Features]
    train_labels: list[str]
    test_labels: list[str]

    def accuracy(self, name: str, model: Any) -> float:
        """Return the accuracy on the test part of a model fitted to one kind of features."""
        return float(model.fit(self.train[name], self.train_labels).score(self.test[name], self.test_labels))


def measure(
    dataset: Synthetic, features: Mapping[str, Callable[[Sample], Any]], train: int, test: int
) -> Measured:
    """Make that many samples of both splits and keep their features only."""
    parts: dict[str, tuple[dict[str, Features], list[str]]] = {}
    for split, size in (("train", train), ("test", test)):
        utterances = [u for u in dataset.utterances() if u.split == split][:size]
        rows: dict[str, list[Any]] = {name: [] for name in features}
        for utterance in utterances:
            sample = dataset.load(utterance)
            for name, feature in features.items():
                rows[name].append(feature(sample))
        kept = {name: r if isinstance(r[0], str) else np.array(r) for name, r in rows.items()}
        parts[split] = kept, [u.label for u in utterances]
    return Measured(parts["train"][0], parts["test"][0], parts["train"][1], parts["test"][1])


def chance_band(n: int, classes: int = 6) -> tuple[float, float]:
    """Return the accuracies between which guessing `n` times stays in 999 of 1000 cases."""
    from scipy.stats import binom

    low, high = binom.interval(0.999, n, 1 / classes)
    return low / n, high / n


def by_subset(
    dataset: Synthetic, utterances: Sequence[Utterance]
) -> Iterator[tuple[tuple[Modality, ...], npt.NDArray[np.bool_]]]:
    """Yield each subset of modalities and where `late-fusion` is right when it has only these."""
    model = LateFusion()
    encodings: dict[Modality, list[npt.NDArray[np.float32]]] = {m: [] for m in MODALITIES}
    for start in range(0, len(utterances), 32):
        batch = Batch.of([dataset.load(u) for u in utterances[start : start + 32]])
        for m in MODALITIES:
            encodings[m].append(model.encode(m, batch))
    everything = {m: np.concatenate(parts) for m, parts in encodings.items()}
    truth = np.array([model.labels.index(u.label) for u in utterances])
    for subset in SUBSETS:
        present = {m: np.full(len(truth), m in subset) for m in MODALITIES}
        logits = model.fuse({m: everything[m] for m in subset}, present)
        yield subset, logits.argmax(axis=1) == truth


def figures(size: int) -> None:
    """Print the tables of docs/synthetic.md."""
    dataset = Synthetic(train=size, test=size // 2)
    test = [u for u in dataset.utterances() if u.split == "test"]
    strong = np.array([u.extra["intensity"] == "high" for u in test])
    print("| modalities | ceiling | late-fusion | low: ceiling | low | high: ceiling | high |")
    print("|---|---|---|---|---|---|---|")
    for subset, right in by_subset(dataset, test):
        cells = [bayes_ceiling(subset), right.mean()]
        cells += [bayes_ceiling(subset, "low"), right[~strong].mean()]
        cells += [bayes_ceiling(subset, "high"), right[strong].mean()]
        print(f"| {' + '.join(subset)} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")

    baselines = dict(BASELINES.values())
    measured = measure(dataset, {**LEAKS, **baselines}, size, size // 2)
    print("\n| baseline | accuracy | ceiling |\n|---|---|---|")
    for modality, (name, _) in BASELINES.items():
        accuracy = measured.accuracy(name, tf_idf() if modality == "text" else regression())
        print(f"| {modality}: {name} | {accuracy:.3f} | {bayes_ceiling([modality]):.3f} |")
    low, high = chance_band(size // 2)
    print(f"\n| boosted trees on | accuracy (guessing: {low:.3f} to {high:.3f}) |\n|---|---|")
    for name in LEAKS:
        print(f"| {name} | {measured.accuracy(name, trees()):.3f} |")


def photographs(folder: Path) -> None:
    """Print what two networks trained on photographs of faces see in 240 drawn ones, as a table."""
    import cv2
    import onnxruntime

    def colour(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return cv2.resize(frame, (112, 112)).astype(np.float32)

    def grey(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (64, 64))
        return small[..., None].astype(np.float32) / np.float32(127.5) - 1

    networks = {
        "faceapi_expression": (colour, ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"]),
        "fer2013_mini_xception": (grey, ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]),
    }
    dataset = Synthetic()
    seen: dict[Cue, list[npt.NDArray[np.uint8]]] = {}
    for u in [u for u in dataset.utterances() if u.split == "test"][:240]:
        face = dataset.load(u).frames[8:16:2, 15:210, 25:200]
        seen.setdefault(dataset.shown(u)["vision"], []).append(face)
    print("| cue | network | sees |\n|---|---|---|")
    for cue, (name, (prepare, labels)) in itertools.product(CUES["vision"], networks.items()):
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
        votes: Counter[str] = Counter()
        for face in seen[cue]:
            inputs = {session.get_inputs()[0].name: np.stack([prepare(frame) for frame in face])}
            votes[labels[int(session.run(None, inputs)[0].mean(axis=0).argmax())]] += 1
        answers = ", ".join(f"{label} {n / len(seen[cue]):.0%}" for label, n in votes.most_common(3))
        print(f"| {' or '.join(cue)} | {name} | {answers} |")


def speed() -> None:
    """Print how many samples per second one core makes, and how many late-fusion encodes."""
    import torch

    torch.set_num_threads(1)
    dataset = Synthetic()
    utterances = dataset.utterances()[:120]
    dataset.load(utterances[0])
    started = time.perf_counter()
    for utterance in utterances:
        dataset.load(utterance)
    seconds = time.perf_counter() - started
    print(f"made: {len(utterances) / seconds:.0f} samples/s (sound, 16 frames of 224 px, text)")

    model, batch = LateFusion(), Batch.of([dataset.load(u) for u in utterances[:32]])
    model.predict(batch)
    started = time.perf_counter()
    for _ in range(10):
        model.predict(batch)
    seconds = time.perf_counter() - started
    print(f"encoded and fused: {10 * len(batch) / seconds:.0f} utterances/s")


def sentences() -> None:
    """Print sentences of every cue, weak and strong, as a table."""
    dataset = Synthetic()
    print("| cue | intensity | sentence |\n|---|---|---|")
    for cue in CUES["text"]:
        for intensity in INTENSITIES:
            sample = dataset.load(next(of_cue(dataset, "text", cue, intensity)))
            print(f"| {' or '.join(cue)} | {intensity} | {sample.text} |")


def pictures() -> None:
    """Write the pictures of docs/synthetic.md."""
    import matplotlib

    matplotlib.use("Agg")
    IMAGES.mkdir(exist_ok=True)
    dataset = Synthetic()
    _faces(dataset).savefig(IMAGES / "synthetic-faces.png", dpi=80)
    _course(dataset).savefig(IMAGES / "synthetic-course.png", dpi=80)
    _voices(dataset).savefig(IMAGES / "synthetic-voices.png", dpi=60)


def of_cue(dataset: Synthetic, modality: Modality, cue: Cue, intensity: Intensity) -> Iterator[Utterance]:
    """Yield utterances, each by another speaker, whose modality shows this cue at this intensity."""
    heard: set[str | None] = set()
    for u in dataset.utterances():
        matches = u.extra["intensity"] == intensity and dataset.shown(u)[modality] == cue
        if matches and u.speaker not in heard:
            heard.add(u.speaker)
            yield u


def _faces(dataset: Synthetic) -> Any:
    """Draw a row per cue: four people who show it weakly and four who show it strongly."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(4, 8, figsize=(14, 7.6), layout="constrained")
    for row, cue in zip(axes, CUES["vision"], strict=True):
        for half, intensity in ((row[:4], "low"), (row[4:], "high")):
            for axis, u in zip(half, of_cue(dataset, "vision", cue, intensity), strict=False):
                axis.imshow(dataset.load(u).frames[10])
        row[0].set_ylabel(" or ".join(cue), fontsize=12)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    axes[0, 0].set_title("low intensity", loc="left")
    axes[0, 4].set_title("high intensity", loc="left")
    return figure


def _course(dataset: Synthetic) -> Any:
    """Draw every second frame of one clip of each cue."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 8, figsize=(14, 5.6), layout="constrained")
    for row, cue in zip(axes, CUES["vision"][1:], strict=True):
        sample = dataset.load(next(of_cue(dataset, "vision", cue, "high")))
        for axis, frame, seconds in zip(row, sample.frames[::2], sample.timestamps[::2], strict=True):
            axis.imshow(frame)
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{seconds:.2f} s", fontsize=9)
        row[0].set_ylabel(" or ".join(cue), fontsize=12)
    return figure


def _voices(dataset: Synthetic) -> Any:
    """Draw waveform and spectrogram of one woman and one man per cue."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(8, 2, figsize=(14, 15), layout="constrained", height_ratios=[1, 3] * 4)
    for k, cue in enumerate(CUES["audio"]):
        for column, gender in enumerate(("female", "male")):
            u = next(u for u in of_cue(dataset, "audio", cue, "high") if u.extra["gender"] == gender)
            sample = dataset.load(u)
            seconds = np.arange(len(sample.audio)) / sample.sample_rate
            wave, picture = axes[2 * k, column], axes[2 * k + 1, column]
            wave.plot(seconds, sample.audio, linewidth=0.3, color="black")
            wave.set(xlim=(0, 4), xticks=[], yticks=[], title=f"{' or '.join(cue)}, {gender}")
            picture.specgram(
                sample.audio / 32768, NFFT=400, noverlap=320, Fs=sample.sample_rate, vmin=-125, vmax=-45
            )
            picture.set(xlim=(0, 4), ylim=(0, 6000), ylabel="Hz")
    for axis in axes[-1]:
        axis.set_xlabel("s")
    return figure


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for command in (pictures, figures, sentences, photographs, speed):
        commands.add_parser(command.__name__, help=command.__doc__).set_defaults(command=command)
    commands.choices["figures"].add_argument("--size", type=int, default=2400)
    commands.choices["photographs"].add_argument("folder", type=Path)
    arguments = vars(parser.parse_args())
    arguments.pop("command")(**arguments)


if __name__ == "__main__":
    main()
