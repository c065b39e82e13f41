"""Everyday sounds behind the voice, synthesized: the same scene as `audio/urban_noise`, without any files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from corruptions.audio._background import BackgroundNoise
from corruptions.audio._banks import EnvironmentBank


@dataclass(frozen=True)
class Environment(BackgroundNoise):
    """Rain, wind, engine, siren, footsteps, a murmuring crowd or an alarm behind the voice."""

    version = 1
    source = (
        "sounds made by merbench, described in corruptions/audio/_environment.py; SNR steps of 5 dB from 20 "
        "to 0 dB, the range of Robuser"
    )

    @property
    def bank(self) -> EnvironmentBank:
        """The synthesized bank, shared by all instances."""
        return _bank()


@cache
def _bank() -> EnvironmentBank:
    return EnvironmentBank()
