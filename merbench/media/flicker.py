"""How much a clip flickers: brightness that jumps and comes back, which no movement of a face does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def flicker(clip: npt.NDArray[np.uint8]) -> float:
    """Return the mean absolute second difference in time of frames [F, H, W, C], in grey levels 0..510.

    It is 0 for a still clip, and for one that darkens or brightens evenly. Noise of standard deviation s
    that is drawn anew for every frame adds sqrt(6) * sqrt(2 / pi) * s = 1.95 s: the second difference of
    independent Gaussians has 1 + 4 + 1 times their variance. Of fewer than three frames it is 0.
    """
    if len(clip) < 3:
        return 0.0
    levels = clip.astype(np.int16)
    return float(np.abs(levels[2:] - 2 * levels[1:-1] + levels[:-2]).mean())
