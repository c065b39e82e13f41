"""A small data set that `tests.attacks.adapters.Linear` gets right, in two splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import soundfile

from tests.attacks.adapters import LABELS, PATTERN, RATE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def linear_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 clips to train on and 12 to test: half a second of sound, a picture of 8 pixels, four words."""
    folder = tmp_path_factory.mktemp("linear")
    rng = np.random.default_rng(0)
    rows = ["id,audio,image,text,label,speaker,split"]
    for i in range(24):
        sign = 2 * (i % 2) - 1
        length = RATE // 2 + 16 * i
        sound = rng.normal(0, 1000, length) + sign * (30 + 5 * (i // 2)) * PATTERN[:length]
        picture = np.clip(rng.normal(128 + sign * (1 + i // 8), 20, (8, 8, 3)), 0, 255)
        soundfile.write(folder / f"{i}.wav", sound.round().astype(np.int16), RATE)
        cv2.imwrite(str(folder / f"{i}.png"), picture.astype(np.uint8))
        words = "we see a home" if sign > 0 else "why try my sky"
        rows.append(
            f"u{i:02d},{i}.wav,{i}.png,{words},{LABELS[i % 2]},s{i % 3},{'train' if i < 12 else 'test'}"
        )
    table = folder / "table.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table
