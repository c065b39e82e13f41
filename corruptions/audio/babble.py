"""Other people talking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from corruptions.audio._additive import AdditiveNoise
from corruptions.audio._background import FADES_PER_SECOND, excerpt
from corruptions.audio._talkers import Talkers
from merbench.rng import rendezvous

if TYPE_CHECKING:
    import numpy.typing as npt

    from merbench.rng import Stream
    from merbench.types import Achieved, Params, Pool, Sample, Utterance

    PCM16 = npt.NDArray[np.int16]

_VOICES = (3, 7)


@dataclass(frozen=True)
class Babble(AdditiveNoise):
    """Three to seven other utterances of the split under the voice, each at the same level.

    The talkers come from 64 utterances of the split, chosen once by rendezvous hashing: so they are
    decoded once, and neither ``--limit`` nor the order of rows changes anything. Never is one of the same
    speaker or the same dialogue as the voice itself; where a dataset does not name its speakers, another
    utterance counts as another speaker, and ``speakers_known`` says so.
    """

    version = 1
    uses_pool = True
    severity: ClassVar = {"snr_db": (20.0, 15.0, 10.0, 5.0, 0.0)}
    source = (
        "three to seven talkers as in the babble of the x-vector recipe (Snyder et al., ICASSP 2018); SNR "
        "steps of 5 dB from 20 to 0 dB, the range of Robuser"
    )
    validity_source = (
        "Scharenborg, Kakouros and Koemans: The effect of noise on emotion perception in an unknown "
        "language, Speech Prosody 2018: in babble listeners recognise emotions less well, and still "
        "better than chance"
    )

    _talkers: Talkers = field(default_factory=Talkers, repr=False, compare=False)

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Draw how many talk, who, and where in their utterances they begin."""
        count = rng.one_integer(_VOICES[0], _VOICES[1] + 1)
        starts = rng.uniform(count).tolist()
        strangers = [u.id for u in self._talkers.of(pool) if _are_strangers(u, sample.utterance)]
        return {
            "talkers": rendezvous(rng.key, strangers, strangers, count),
            "starts": [round(start, 6) for start in starts],
            "speakers_known": sample.utterance.speaker is not None,
        }

    def noise(self, params: Params, length: int, sample_rate: int, pool: Pool) -> PCM16 | str:
        """Return the sum of the talkers' voices."""
        if len(params["talkers"]) < _VOICES[0]:
            return f"the split has fewer than {_VOICES[0]} other speakers"
        total = np.zeros(length, dtype=np.int32)
        for talker, start in zip(params["talkers"], params["starts"], strict=False):
            voice = self._talkers.voice(talker, sample_rate, pool)
            if len(voice):
                total += excerpt(voice, start, length, sample_rate // FADES_PER_SECOND)
        return np.clip(total, -32768, 32767).astype(np.int16)

    def origin(self, params: Params) -> Achieved:
        """Say whose voices these are."""
        return {"talkers": params["talkers"], "speakers_known": params["speakers_known"]}


def _are_strangers(a: Utterance, b: Utterance) -> bool:
    """Tell whether two utterances are known to be of different people in different conversations.

    Where nobody is named, different utterances are all that is known.
    """
    if a.id == b.id or (a.dialogue is not None and a.dialogue == b.dialogue):
        return False
    return a.speaker is None or a.speaker != b.speaker
