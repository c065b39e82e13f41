"""Environmental sounds from ESC-50 behind the voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (the types of options are read at run time)

from corruptions.audio._background import RecordedNoise
from corruptions.audio._recorded import Esc50Bank
from merbench.options import option, resource


@dataclass(frozen=True)
class Esc50(RecordedNoise):
    """Animals, weather, people without words, things of a household and of a city.

    ESC-50 has five folds, so its test fold is another one than that of the banks with ten.
    """

    version = 1
    bank_type = Esc50Bank
    source = (
        "Piczak: ESC: dataset for environmental sound classification, ACM Multimedia 2015 (CC BY-NC 3.0); "
        "SNR steps of 5 dB from 20 to 0 dB, the range of Robuser"
    )

    noise_folds: tuple[int, ...] = option(
        (5,), "folds to take noise from: 5 is kept for tests, 1 to 4 are for hardening", changes_draw=True
    )
    noise_root: Path | None = resource("the folder that holds meta/esc50.csv and audio", env=Esc50Bank.home)
