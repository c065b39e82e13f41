"""City noise from UrbanSound8K behind the voice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)

from corruptions.audio._background import BackgroundNoise
from corruptions.audio._banks import UrbanSound8KBank
from merbench.options import located, resource


@dataclass(frozen=True)
class UrbanNoise(BackgroundNoise):
    """Drilling, jackhammers, engines, sirens, music, children, dogs ... recorded in cities."""

    version = 1
    source = (
        "Salamon, Jacoby and Bello: A dataset and taxonomy for urban sound research, ACM Multimedia 2014 "
        "(CC BY-NC 3.0); SNR steps of 5 dB from 20 to 0 dB, the range of Robuser"
    )

    noise_root: Path | None = resource(
        "the folder that holds metadata/UrbanSound8K.csv and audio/fold1 ... fold10", env="urbansound8k"
    )

    @property
    def bank(self) -> UrbanSound8KBank:
        """UrbanSound8K on this machine, shared by all instances over the same folder."""
        return _bank(located(self, "noise_root"))

    def content_hash(self) -> str:
        """Return the hash of the noise that these options may take."""
        return self.bank.content_hash(self.clips)


@cache
def _bank(root: Path | None) -> UrbanSound8KBank:
    return UrbanSound8KBank(root)
