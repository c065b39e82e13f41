"""A camera that is off, a microphone that is muted, a transcript that never came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from merbench.corruption import Corruption, Measure
from merbench.options import option
from merbench.types import MODALITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.device import DeviceBatch
    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Modality, Params, Pool, Sample

_LETTERS: dict[str, Modality] = {"a": "audio", "v": "vision", "t": "text"}


@dataclass(frozen=True)
class Dropout(Corruption):
    """Whole modalities missing: an exact share of all (utterance, modality) cells.

    One of an utterance's M modalities, drawn uniformly, always stays. Each other one is dropped when its
    own uniform number is below rate * M / (M - 1), which makes the expected share of dropped cells exactly
    the rate, and what a severity drops a subset of what the next one drops. An utterance whose M cannot
    reach a rate, being above (M - 1) / M, passes unchanged with ``applied=False``: dropping fewer than
    asked for would go unnoticed.

    A fixed `pattern` keeps exactly these modalities of every utterance that has them; the severity then
    means nothing, so one is enough.
    """

    version = 1
    changes = MODALITIES
    exactness = "exact"
    device_tolerance = 0
    severity: ClassVar = {"rate": (0.10, 0.20, 0.35, 0.50, 0.65)}
    measure = Measure("dropped", "rate", worse="higher", kind="on-average", tolerance=0.05)
    label_validity = ("uncertain", "uncertain", "uncertain", "uncertain", "uncertain")
    validity_source = (
        "Cao et al.: CREMA-D, IEEE Transactions on Affective Computing 5(4), 2014: people recognise the "
        "intended emotion in 40.9 % of clips from the voice, 58.2 % from the face and 63.6 % from both"
    )
    source = (
        "rates over utterances x modalities as in Lian et al.: GCNet, IEEE Transactions on Pattern "
        "Analysis and Machine Intelligence 45(7), 2023; the draw is ours, as that mask falls short of "
        "high rates"
    )

    pattern: Literal["random", "a", "v", "t", "av", "at", "vt"] = option(
        "random",
        "what is kept: drawn per utterance, or always these of audio, vision and text (any severity)",
    )

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw which modality stays, and one uniform number per modality."""
        keep, *drop = rng.uniform(1 + len(MODALITIES)).tolist()
        return {"keep": keep, "drop": dict(zip(MODALITIES, drop, strict=True))}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *, rate: float
    ) -> tuple[Batch, list[Achieved]]:
        """Hide the dropped modalities; no media is copied."""
        present = np.stack([batch.present(m) for m in MODALITIES], axis=1)
        gone = np.zeros_like(present)
        achieved: list[Achieved] = []
        for i, row in enumerate(params):
            here = [m for m, there in zip(MODALITIES, present[i], strict=True) if there]
            dropped = self._dropped(here, row, rate)
            if isinstance(dropped, str):
                achieved.append({"applied": False, "dropped": None, "reason": dropped})
                continue
            gone[i] = [m in dropped for m in MODALITIES]
            achieved.append(
                {"applied": True, "dropped": round(len(dropped) / len(here), 6), "missing": dropped}
            )
        return _without(batch, gone), achieved

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *, rate: float
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Do the same: wherever the media lie, they are neither read nor written."""
        hidden, achieved = self.apply(batch, params, pool, rate=rate)
        return batch.like(hidden), achieved

    def _dropped(self, here: list[Modality], params: Params, rate: float) -> list[Modality] | str:
        """Return what an utterance that has `here` loses, or why it cannot lose what it should."""
        if self.pattern != "random":
            kept = [_LETTERS[letter] for letter in self.pattern]
            absent = [m for m in kept if m not in here]
            if absent:
                return f"there is no {' and no '.join(absent)} to keep"
            return [m for m in here if m not in kept]
        count = len(here)
        if count < 2:
            return "there is no second modality"
        if rate > (count - 1) / count:
            return f"of {count} modalities at most {(count - 1) / count:.0%} can be dropped"
        kept_index = int(params["keep"] * count)
        threshold = rate * count / (count - 1)
        return [m for i, m in enumerate(here) if i != kept_index and params["drop"][m] < threshold]


def _without(batch: Batch, gone: npt.NDArray[np.bool_]) -> Batch:
    """Return the batch without the marked media [N, M]; a modality of which nothing goes is left as it is."""
    audio, vision, text = gone.T
    if audio.any():
        rates = (None if g else rate for g, rate in zip(audio, batch.sample_rates, strict=True))
        batch = batch.replace(audio=batch.audio.hide(audio), sample_rates=tuple(rates))
    if vision.any():
        times = (None if g else time for g, time in zip(vision, batch.timestamps, strict=True))
        batch = batch.replace(frames=batch.frames.hide(vision), timestamps=tuple(times))
    if text.any():
        texts = (None if g else line for g, line in zip(text, batch.text, strict=True))
        batch = batch.replace(text=tuple(texts))
    return batch
