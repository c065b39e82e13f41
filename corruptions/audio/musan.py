"""Music, speech and noises from MUSAN behind the voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)
from typing import TYPE_CHECKING, Literal

from corruptions.audio._background import RecordedNoise
from corruptions.audio._recorded import MusanBank
from merbench.options import option, resource

if TYPE_CHECKING:
    from merbench.rng import Stream
    from merbench.types import Params, Pool, Sample

_SPREAD_DB = 5
"""How far below the severity's an SNR is drawn; from 10 dB that gives the 5 to 10 dB of MER-NOISE."""


@dataclass(frozen=True)
class Musan(RecordedNoise):
    """Music, somebody else's speech, or technical and everyday noises; `noise_class` says which of them.

    MUSAN has no folds, so each recording has one of ten by a hash of its name. Two recordings of one
    artist or reader may be in different folds.

    MER-NOISE (Lian et al.: MER 2023: multi-label learning, modality robustness, and semi-supervised
    learning, ACM Multimedia 2023) is severity 3 with ``noise_class=speech,snr=drawn,snr_reference=whole``.
    It strings recordings together where one is too short; here the one is played in a loop.
    """

    version = 1
    bank_type = MusanBank
    source = (
        "Snyder, Chen and Povey: MUSAN: a music, speech, and noise corpus, arXiv:1510.08484, 2015; SNR steps "
        "of 5 dB from 20 to 0 dB, the range of Robuser"
    )

    snr: Literal["table", "drawn"] = option(
        "table",
        "the severity's, or a whole number of dB from 5 below that up to it, all equally likely (MER-NOISE)",
    )
    noise_root: Path | None = resource("the folder that holds music, noise and speech", env=MusanBank.home)

    def draw(self, rng: Stream, sample: Sample, pool: Pool) -> Params:
        """Choose a clip and where in it to start; then, if asked to, how far the SNR is below the table's."""
        drawn = super().draw(rng, sample, pool)
        return drawn if self.snr == "table" else {**drawn, "below_db": rng.one_integer(0, _SPREAD_DB + 1)}

    def wanted(self, params: Params, snr_db: float) -> float:
        """Return the severity's SNR, or what is drawn below it."""
        return snr_db - float(params.get("below_db", 0))
