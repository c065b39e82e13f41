"""Filters and rooms on a device. Importing this module imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from corruptions.audio._device import rows_of, scaled
from corruptions.audio._filters import refuse_inexact
from corruptions.audio._room import matching_gain, relative, unit_of
from merbench.device.kernels import fused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corruptions.audio._device import Recordings


def low_pass(recordings: Recordings, taps: Mapping[int, np.ndarray]) -> torch.Tensor:
    """Return recordings filtered as their rate says, float64 [total]; as they are where it says nothing.

    Recordings of one rate become one signal with silence between them. Taps lie on a grid, so the sums of a
    matrix product are exact in whatever order it takes them.
    """
    signal = recordings.values.double()
    row = rows_of(signal, recordings.ends)
    for rate, response in taps.items():
        members = recordings.tensor(np.array(recordings.rates) == rate)
        here = members[row].nonzero()[:, 0]
        half = len(response) // 2
        # Of each sample, how much silence lies before it: one stretch per recording of this rate so far.
        lead = half * members.cumsum(0)[row[here]]
        place = torch.arange(len(here), device=signal.device) + lead
        block = max(_BLOCK, 2 * half)
        length = -(-(len(here) + half * len(members)) // block) * block
        spread = signal.new_zeros(length + 2 * half)
        spread[place] = signal[here]
        windows = spread.unfold(0, block + 2 * half, block)
        signal[here] = (windows @ recordings.tensor(_banded(response, block))).flatten()[place - half]
    return signal


_BLOCK = 256
"""Outputs per matrix product, at least."""


def _banded(taps: np.ndarray, block: int) -> np.ndarray:
    """Return the matrix [block + len(taps) - 1, block] that filters a window of a signal to one block."""
    tap = np.arange(block + len(taps) - 1)[:, None] - np.arange(block)
    return np.where((tap >= 0) & (tap < len(taps)), taps[tap.clip(0, len(taps) - 1)], 0.0)


def in_rooms(recordings: Recordings, rooms: Sequence[np.ndarray]) -> tuple[torch.Tensor, list[float | None]]:
    """Convolve recordings with impulse responses and match their levels, as `_room.level_match`.

    Returns:
        PCM16 [total], and each recording's gain, or ``None`` where it is silent and stays so.
    """
    pieces = recordings.pieces
    energies = pieces.total(pieces.energies(recordings.values)).tolist()
    heard = _convolved(recordings, rooms, energies)
    units = [unit_of(peak) for peak in pieces.greatest(pieces.peaks(heard)).tolist()]
    small = _in_units(heard, recordings.ends, recordings.tensor(units))
    reached = pieces.total(pieces.energies(small)).tolist()
    peaks = pieces.greatest(pieces.peaks(small)).tolist()
    gains = [
        matching_gain(*figures) if figures[0] else 0.0
        for figures in zip(energies, reached, peaks, strict=True)
    ]
    values = scaled(small, recordings.ends, recordings.tensor(gains))
    return values, [
        relative(gain, unit) if energy else None
        for gain, unit, energy in zip(gains, units, energies, strict=True)
    ]


def _convolved(recordings: Recordings, rooms: Sequence[np.ndarray], energies: Sequence[int]) -> torch.Tensor:
    """Return recordings convolved with their rooms, integers in float64 [total].

    What an FFT makes of integers is exact once rounded, whatever its length: so those that need about the
    same one share it, at the next power of two.
    """
    values = recordings.values
    lengths = [
        1 << (length + len(room) - 2).bit_length()
        for length, room in zip(recordings.lengths, rooms, strict=True)
    ]
    for energy, room, length in zip(energies, rooms, lengths, strict=True):
        refuse_inexact(energy, room, length)
    row = rows_of(values, recordings.ends)
    along = torch.arange(len(values), device=values.device) - recordings.begins[row]
    heard = values.double()
    for length in sorted(set(lengths)):
        members = [i for i, own in enumerate(lengths) if own == length]
        slot = torch.full((len(lengths),), -1, device=values.device)
        slot[members] = torch.arange(len(members), device=values.device)
        here = (slot[row] >= 0).nonzero()[:, 0]
        place = slot[row[here]], along[here]
        voices = heard.new_zeros(len(members), length)
        voices[place] = heard[here]
        taps = np.zeros((len(members), length))
        for filled, i in zip(taps, members, strict=True):
            filled[: len(rooms[i])] = rooms[i]
        spectrum = torch.fft.rfft(voices) * torch.fft.rfft(recordings.tensor(taps))
        heard[here] = torch.fft.irfft(spectrum, length)[place].round()
    return heard


@fused
def _in_units(signal: torch.Tensor, ends: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
    """Return a signal [total] in units of its recording's, rounded."""
    return (signal / units[rows_of(signal, ends)]).round()
