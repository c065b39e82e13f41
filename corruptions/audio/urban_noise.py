"""City noise from UrbanSound8K behind the voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)

from corruptions.audio._background import RecordedNoise
from corruptions.audio._recorded import UrbanSound8KBank
from merbench.options import resource


@dataclass(frozen=True)
class UrbanNoise(RecordedNoise):
    """Drilling, jackhammers, engines, sirens, music, children, dogs ... recorded in cities."""

    version = 1
    bank_type = UrbanSound8KBank
    source = (
        "Salamon, Jacoby and Bello: A dataset and taxonomy for urban sound research, ACM Multimedia 2014 "
        "(CC BY-NC 3.0); SNR steps of 5 dB from 20 to 0 dB, the range of Robuser"
    )

    noise_root: Path | None = resource(
        "the folder that holds metadata/UrbanSound8K.csv and audio/fold1 ... fold10",
        env=UrbanSound8KBank.home,
    )
