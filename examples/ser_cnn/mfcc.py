"""What the network of Speech-Emotion-Analyzer takes in: the mean MFCC of every frame."""

from __future__ import annotations

import numpy as np

OFFSET_S = 0.5  # RAVDESS begins with about half a second of silence
DURATION_S = 2.5
COEFFICIENTS = 13
FRAMES = 216  # 2.5 s at 44.1 kHz and librosa's hop of 512


def mean_mfcc(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return [1, 216, 1]: the mean over 13 MFCCs, by frame.

    `waveform` is float32 [T] at 44.1 kHz, the rate the network was trained at; a shorter one goes on in
    silence.
    """
    import librosa

    start, length = round(OFFSET_S * sample_rate), round(DURATION_S * sample_rate)
    excerpt = waveform[start : start + length]
    padded = np.pad(excerpt, (0, length - len(excerpt)))
    mfcc = librosa.feature.mfcc(y=padded, sr=sample_rate, n_mfcc=COEFFICIENTS)
    return mfcc.mean(axis=0)[:FRAMES].astype(np.float32).reshape(1, FRAMES, 1)
