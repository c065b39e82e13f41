"""Colours by name, for paper and for dark screens: every drawing and the page use these and no others.

Series colours stand out from the paper by 3:1 (WCAG 2.2, 1.4.11). The first two are those of Okabe & Ito,
"Color universal design" (2008); the others were chosen for the largest least distance in OKLab, seen with
normal vision and with each complete colour vision deficiency (Machado et al., IEEE TVCG 15(6), 2009): they
differ in lightness as much as in hue. Every series has a marker of its own besides. Colour scales are mixed
in OKLab (Ottosson, "A perceptual color space for image processing", 2020), in which equal steps look equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

SERIES = 10
"""How many models a report can tell apart."""

DROP_STEPS = range(-4, 11)
"""Steps of the scale for drops: below 0 the score rose under noise, above 0 it fell."""

SHARE_STEPS = range(11)
"""Steps of the scale for shares, 0 to 100 %."""

# Blue, vermilion, green, purple, orange, sky, violet, olive, wine, slate.
# Blue, vermilion, green, purple, olive; violet, teal, rose, indigo, sage.
# fmt: off
_SERIES_LIGHT = ("#0072b2", "#d55e00", "#0a4a2a", "#6a0f7d", "#5d6416",
                 "#9a72f0", "#0c8fa8", "#a05a62", "#1f3fae", "#7f8a55")
_SERIES_DARK = ("#4ba3e0", "#f0803c", "#b4f5df", "#a8688a", "#f4cc2e",
                "#7268ec", "#5cd3e0", "#dc3f33", "#5d86d8", "#aec58f")
# fmt: on

_LIGHT = {
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "ink": "#1b2430",
    "muted": "#566270",
    "axis": "#8b96a3",
    "grid": "#e3e7ec",
    "accent": "#0b5cad",
    "warn": "#8a3b00",
    "warn-panel": "#fdf1e4",
}
_DARK = {
    "paper": "#12171d",
    "panel": "#1b222b",
    "ink": "#e8edf2",
    "muted": "#a3afbc",
    "axis": "#6d7a88",
    "grid": "#2b3540",
    "accent": "#7db8f2",
    "warn": "#f5b478",
    "warn-panel": "#332618",
}

# Anchors of the scales: rise - nothing - drop, and nothing - all.
_DROP_LIGHT = ("#2a78b5", "#f7f7f5", "#f5b57f", "#c8501e", "#661a0c")
_DROP_DARK = ("#58aee8", "#242c35", "#8a4a22", "#dd7434", "#ffd9ad")
_SHARE_LIGHT = ("#f7f9fb", "#9fc4e3", "#3a7fb8", "#123e6b")
_SHARE_DARK = ("#1f2832", "#2f5d86", "#5a9fd4", "#d3ebff")


def series(index: int) -> str:
    """Return the colour name of the index-th model."""
    return f"s{index % SERIES}"


def drop_step(drop: float, largest: float) -> str:
    """Return the colour name for a drop on a scale that ends at `largest`; a rise ends at 4/10 of it."""
    step = round(drop / largest * DROP_STEPS[-1]) if largest > 0 else 0
    return f"d{min(max(step, DROP_STEPS[0]), DROP_STEPS[-1])}"


def share_step(share: float) -> str:
    """Return the colour name for a share in 0..1."""
    return f"q{round(share * SHARE_STEPS[-1])}"


def text_on(step: str) -> str:
    """Return the colour name of text that is read on a step of a scale."""
    return f"t-{step}"


def _theme(
    base: Mapping[str, str], series: Sequence[str], drop: Sequence[str], share: Sequence[str]
) -> dict[str, str]:
    colours = {**base, **{f"s{i}": colour for i, colour in enumerate(series)}}
    rise, nothing, *fall = drop
    falls = _scale((nothing, *fall), DROP_STEPS[-1] + 1)
    rises = _scale((nothing, rise), 1 - DROP_STEPS[0])
    steps = {f"d{s}": (falls[s] if s >= 0 else rises[-s]) for s in DROP_STEPS}
    steps |= {f"q{s}": colour for s, colour in zip(SHARE_STEPS, _scale(share, len(SHARE_STEPS)), strict=True)}
    for name, colour in steps.items():
        colours[name] = colour
        colours[text_on(name)] = max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))
    return colours


def _scale(anchors: Sequence[str], steps: int) -> list[str]:
    """Return `steps` colours from the first anchor to the last, evenly through all of them."""
    at = np.linspace(0, len(anchors) - 1, steps)
    lab = np.array([oklab(linear_rgb(anchor)) for anchor in anchors])
    mixed = np.stack([np.interp(at, np.arange(len(anchors)), column) for column in lab.T], axis=1)
    return [_to_hex(colour) for colour in mixed]


_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear_rgb(colour: str) -> npt.NDArray[np.float64]:
    """Return a colour ``#rrggbb`` as linear-light sRGB [3] in 0..1 (IEC 61966-2-1)."""
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return linear-light sRGB [3] in OKLab, [3]."""
    return _TO_LAB @ np.cbrt(_TO_LMS @ linear)


def _to_hex(lab: npt.NDArray[np.float64]) -> str:
    linear = np.clip(np.linalg.inv(_TO_LMS) @ (np.linalg.inv(_TO_LAB) @ lab) ** 3, 0, 1)
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(float(channel) * 255):02x}" for channel in value)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(weights @ linear_rgb(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


LIGHT = _theme(_LIGHT, _SERIES_LIGHT, _DROP_LIGHT, _SHARE_LIGHT)
DARK = _theme(_DARK, _SERIES_DARK, _DROP_DARK, _SHARE_DARK)
