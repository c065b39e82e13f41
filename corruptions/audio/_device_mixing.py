"""Speech and noise on a device. Importing this module imports torch and numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from corruptions.audio._device import pcm16, rows_of, scaled, window
from corruptions.audio._mixing import ACTIVE_RANGE, FRAMES_PER_SECOND, Balance
from merbench.device import joined
from merbench.device.kernels import fused
from merbench.device.random import gaussian_picks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corruptions.audio._device import Frames, Recordings
    from corruptions.audio._mixing import Mixture


def mix(
    speech: Recordings,
    noise: torch.Tensor,
    reasons: Sequence[str | None],
    snr_db: Sequence[float],
    *,
    whole: bool,
    control: bool,
) -> tuple[torch.Tensor, list[Mixture | str]]:
    """Mix recordings with noise [total]; see `corruptions.audio._mixing.mix`.

    Args:
        speech: the recordings.
        noise: what to add to them.
        reasons: for each recording, why it has no noise, if so.
        snr_db: for each recording, its ratio.
        whole: whether powers are over the whole clip.
        control: whether only the speech is to be heard, at the level that it has in the mixture.

    Returns:
        The mixtures, PCM16 [total], and for each what was done, or why it is the recording as it was.
    """
    frames = speech.frames([max(1, rate // FRAMES_PER_SECOND) for rate in speech.rates])
    measured = zip(reasons, _active_energies(speech, noise, frames, whole), snr_db, strict=True)
    balances = [reason or Balance.of(*energies, wanted) for reason, energies, wanted in measured]

    def gains(done: Sequence[Mixture | str]) -> tuple[torch.Tensor, torch.Tensor]:
        pairs = [(1.0, 0.0) if isinstance(one, str) else (one.headroom_gain, one.noise_gain) for one in done]
        voices, behind = speech.tensor(np.array(pairs).T.copy())
        return voices, behind

    level = [balance if isinstance(balance, str) else balance.mixture() for balance in balances]
    per_frame = (gain[frames.rows] for gain in gains(level))
    sums = _sum_peaks(speech.values, noise, frames.begins, frames.lengths, frames.width, *per_frame)
    peaks = frames.greatest(sums).int().tolist()
    done = [
        balance if isinstance(balance, str) else balance.mixture(peak)
        for balance, peak in zip(balances, peaks, strict=True)
    ]
    voices, behind = gains(done)
    if control:
        return scaled(speech.values, speech.ends, voices), done
    return _mixed(speech.values, noise, speech.ends, voices, behind), done


def _active_energies(
    speech: Recordings, noise: torch.Tensor, frames: Frames, whole: bool
) -> list[tuple[int, int, int]]:
    """Return per recording how many samples its active frames have, and both signals' energy in them."""
    energies = frames.energies(speech.values)
    power = energies.double() / frames.lengths
    active = (power * ACTIVE_RANGE >= frames.greatest(power)[frames.rows]) | whole
    figures = [frames.total(part * active) for part in (frames.lengths, energies, frames.energies(noise))]
    return [(length, voice, behind) for length, voice, behind in torch.stack(figures, dim=1).tolist()]


@fused
def _sum_peaks(
    speech: torch.Tensor,
    noise: torch.Tensor,
    begins: torch.Tensor,
    lengths: torch.Tensor,
    width: int,
    speech_gains: torch.Tensor,
    noise_gains: torch.Tensor,
) -> torch.Tensor:
    """Return the peak of every frame [K] of what `_mixed` gives before it is limited; gains are per frame."""
    voice = window(speech, begins, lengths, width).double() * speech_gains[:, None]
    behind = window(noise, begins, lengths, width).double() * noise_gains[:, None]
    return (voice + behind).round().abs().amax(1)


@fused
def _mixed(
    speech: torch.Tensor,
    noise: torch.Tensor,
    ends: torch.Tensor,
    speech_gains: torch.Tensor,
    noise_gains: torch.Tensor,
) -> torch.Tensor:
    """Return the rounded sum of two signals [total], limited to 16 bits; gains are per recording."""
    row = rows_of(speech, ends)
    total = speech.double() * speech_gains[row] + noise.double() * noise_gains[row]
    return pcm16(total)


def looped(
    recordings: Recordings, clips: Sequence[torch.Tensor], loops: Sequence[tuple[int, int, int]]
) -> torch.Tensor:
    """Return a loop for every recording, [total].

    Args:
        recordings: how long they are to be.
        clips: end to end, the samples that loops are made of.
        loops: where each begins there, how far into it to start, and after how many samples it repeats.
    """
    bank = joined(clips, recordings.values)
    begins, shifts, periods = recordings.tensor(np.array(loops).T.copy())
    return _looped(recordings.values, bank, recordings.ends, recordings.begins, begins, shifts, periods)


@fused
def _looped(
    like: torch.Tensor,
    bank: torch.Tensor,
    ends: torch.Tensor,
    begins: torch.Tensor,
    bases: torch.Tensor,
    shifts: torch.Tensor,
    periods: torch.Tensor,
) -> torch.Tensor:
    row = rows_of(like, ends)
    along = torch.arange(len(like), device=like.device) - begins[row]
    return bank[bases[row] + (along + shifts[row]) % periods[row]]


def gaussian(recordings: Recordings, keys: Sequence[str], table: np.ndarray) -> torch.Tensor:
    """Return what `Stream.normal` gives for each key, by way of `table`: [total] of its type.

    Args:
        recordings: how many numbers each needs.
        keys: of the streams.
        table: what stands for each of the 65 536 Gaussians.
    """
    picks, bases = gaussian_picks(keys, recordings.lengths, recordings.values.device)
    return _picked(
        recordings.values,
        picks,
        recordings.ends,
        recordings.begins,
        recordings.tensor(bases),
        recordings.tensor(table),
    )


@fused
def _picked(
    like: torch.Tensor,
    picks: torch.Tensor,
    ends: torch.Tensor,
    begins: torch.Tensor,
    bases: torch.Tensor,
    table: torch.Tensor,
) -> torch.Tensor:
    row = rows_of(like, ends)
    position = torch.arange(len(like), device=like.device)
    return table[picks[bases[row] + position - begins[row]].int() & 0xFFFF]
