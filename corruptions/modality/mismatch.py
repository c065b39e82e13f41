"""The wrong transcript, the wrong face: somebody else's, after an error in synchronising or in tracking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from corruptions.modality._partners import Ring
from merbench.corruption import Corruption, Measure
from merbench.errors import MerbenchError
from merbench.options import option
from merbench.types import Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from merbench.device import DeviceBatch
    from merbench.rng import Stream
    from merbench.types import Achieved, Batch, Params, Pool, Sample


@dataclass(frozen=True)
class Mismatch(Corruption):
    """The text or the face of another utterance of the split, for a share of the utterances.

    Which of the two is drawn once per utterance, and so is whose: what one severity exchanges, a higher
    one exchanges alike.
    """

    version = 1
    changes = ("vision", "text")
    exactness = "exact"
    device_tolerance = 0
    uses_pool = True
    exchanges = True
    keeps_shape = False
    severity: ClassVar = {"rate": (0.05, 0.10, 0.20, 0.30, 0.40)}
    measure = Measure("mismatched", "rate", worse="higher", kind="on-average", tolerance=0.15)
    label_validity = ("uncertain", "uncertain", "uncertain", "uncertain", "changed")
    validity_source = (
        "de Gelder and Vroomen: The perception of emotions by ear and by eye, Cognition and Emotion "
        "14(3), 2000: where voice and face disagree, each biases what is seen or heard in the other"
    )
    source = (
        "rates from occasional errors of tracking to a broken pipeline; mismatched pairs as in Lee et al.: "
        "Making sense of vision and touch, ICRA 2019 (there as a task to learn from)"
    )

    which: Literal["drawn", "text", "vision"] = option("drawn", "what is exchanged: drawn, or always this")

    _ring: Ring = field(default_factory=Ring, repr=False, compare=False)

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw when, what and whose."""
        when, what = rng.uniform(2).tolist()
        partner = self._ring.partner(rng.child("partner").key, sample.utterance, pool)
        return {"when": when, "what": what, "partner": None if partner is None else partner.id}

    def apply(
        self, batch: Batch, params: Sequence[Params], pool: Pool, *_: Any, rate: float
    ) -> tuple[Batch, list[Achieved]]:
        """Exchange what is to be exchanged; a partner is loaded only for that."""
        return self._exchange(batch, params, pool, rate, lambda rows: Packed.of(rows, np.uint8))

    def apply_on_device(
        self, batch: DeviceBatch, params: Sequence[Params], pool: Pool, *_: Any, rate: float
    ) -> tuple[DeviceBatch, list[Achieved]]:
        """Exchange what is to be exchanged; only the faces of others are sent to the device."""
        from merbench.device import DeviceBatch, packed

        exchanged, achieved = self._exchange(
            batch, params, pool, rate, lambda rows: packed(rows, batch.frames)
        )
        return DeviceBatch.like(exchanged), achieved

    def _exchange(
        self,
        batch: Batch,
        params: Sequence[Params],
        pool: Pool,
        rate: float,
        pack: Callable[[Sequence[np.ndarray | None]], Packed],
    ) -> tuple[Batch, list[Achieved]]:
        frames: list[np.ndarray | None] = list(batch.frames)
        times, texts = list(batch.timestamps), list(batch.text)
        achieved: list[Achieved] = []
        by_id = {u.id: u for u in pool.utterances} if any(p["when"] < rate for p in params) else {}
        seen = False
        for i, row in enumerate(params):
            here = [name for name, there in (("vision", frames[i]), ("text", texts[i])) if there is not None]
            wanted = here if self.which == "drawn" else [name for name in here if name == self.which]
            if not wanted or row["partner"] is None:
                reason = "there is nothing to exchange" if not wanted else "the split has no other utterance"
                achieved.append({"applied": False, "mismatched": None, "reason": reason})
                continue
            if row["when"] >= rate:
                achieved.append({"applied": True, "mismatched": 0})
                continue
            what = wanted[int(row["what"] * len(wanted))]
            if row["partner"] not in by_id:
                raise MerbenchError(
                    f"the utterance '{row['partner']}', to be shown instead of another, is not in the split",
                    fix="corrupt with the split that the draw was made from",
                )
            other = pool.load(by_id[row["partner"]])
            if (other.frames if what == "vision" else other.text) is None:
                reason = f"'{row['partner']}', whose {what} it should get, has none"
                achieved.append({"applied": False, "mismatched": None, "reason": reason})
                continue
            if what == "vision":
                frames[i], times[i], seen = other.frames, other.timestamps, True
            else:
                texts[i] = other.text
            achieved.append({"applied": True, "mismatched": 1, "what": what, "of": row["partner"]})
        if seen:
            batch = batch.replace(frames=pack(frames), timestamps=tuple(times))
        return batch.replace(text=tuple(texts)), achieved
