"""The voices of a split that may be heard in the background, decoded once each. Thread-safe."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np

from merbench.errors import MerbenchError
from merbench.media.resample import resample, to_pcm16
from merbench.rng import derive_key, rendezvous

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.types import Pool, Utterance

    PCM16 = npt.NDArray[np.int16]

COUNT = 64
"""Talkers of a split: enough that two samples seldom hear the same ones, few enough to stay in memory."""

_RMS = 1024
"""Of a voice while it speaks: seven of them together stay 13 dB below full scale."""


class Talkers:
    """At most `COUNT` utterances of the pool at hand, chosen by a hash of their ids alone."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pool: tuple[Utterance, ...] = ()
        self._chosen: tuple[Utterance, ...] = ()
        self._voices: dict[tuple[str, int], PCM16] = {}

    def of(self, pool: Pool) -> tuple[Utterance, ...]:
        """Return the talkers of `pool`."""
        with self._lock:
            if self._pool is not pool.utterances:
                ids = [u.id for u in pool.utterances]
                self._chosen = tuple(rendezvous(derive_key("babble"), pool.utterances, ids, COUNT))
                self._pool, self._voices = pool.utterances, {}
            return self._chosen

    def voice(self, utterance_id: str, sample_rate: int, pool: Pool) -> PCM16:
        """Return what a talker says as PCM16 [T] at `sample_rate` Hz and a common level; [0] if nothing.

        Raises:
            MerbenchError: the pool has no such talker.
        """
        with self._lock:
            talkers = {u.id: u for u in self.of(pool)}
            if utterance_id not in talkers:
                raise MerbenchError(
                    f"the utterance '{utterance_id}', to be heard in the background, is not in the split",
                    fix="corrupt with the split that the draw was made from",
                )
            key = utterance_id, sample_rate
            if key not in self._voices:
                sample = pool.load(talkers[utterance_id])
                self._voices[key] = _levelled(sample.audio, sample.sample_rate or sample_rate, sample_rate)
            return self._voices[key]


def _levelled(audio: PCM16 | None, source: int, target: int) -> PCM16:
    from corruptions.audio._mixing import active_power, on_grid, scale

    if audio is None or not audio.any():
        return np.zeros(0, dtype=np.int16)
    voice, _ = to_pcm16(resample(audio, source, target))
    out = np.empty_like(voice)
    scale(voice, on_grid(_RMS / math.sqrt(max(1.0, active_power(voice, target)))), out)
    out.setflags(write=False)
    return out
