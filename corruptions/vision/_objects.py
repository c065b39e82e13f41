"""Things that get between a camera and a face, drawn as shapes. Importing this module imports numba.

An object is a list of shapes, painted one over the other, in units of the face box: (0, 0) is the
object's anchor, x goes right and y down, and 1 is half the box's width. Enlarging it about its anchor
until it covers a wanted share of the face is how a severity is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from merbench.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Colour = tuple[int, int, int]

_SAMPLES = 4
"""Per pixel and direction: on an edge, 16 points decide how much of a pixel is covered."""

_BOX, _RING, _POLYGON = 0.0, 1.0, 2.0
_CORNERS = 6


@dataclass(frozen=True, slots=True)
class Shape:
    """A region of the plane with one colour: a kind and its figures, as `_holds` reads them."""

    figures: tuple[float, ...]
    colour: Colour


@dataclass(frozen=True, slots=True)
class Object:
    """Shapes in painting order, and where on the face box the anchor lies (shares of its sides)."""

    shapes: tuple[Shape, ...]
    anchor: tuple[float, float]

    @property
    def table(self) -> Floats:
        """The shapes' figures, one row each, [S, 1 + 2 * 6]."""
        table = np.zeros((len(self.shapes), 1 + 2 * _CORNERS))
        for row, shape in zip(table, self.shapes, strict=True):
            row[: len(shape.figures)] = shape.figures
        return table

    @property
    def colours(self) -> npt.NDArray[np.int64]:
        """The shapes' colours, [S, 3]."""
        return np.array([shape.colour for shape in self.shapes])


def _box(x0: float, y0: float, x1: float, y1: float, colour: Colour, corner: float = 0.0) -> Shape:
    """A rectangle whose corners are rounded with a radius of `corner`."""
    return Shape((_BOX, x0 + corner, y0 + corner, x1 - corner, y1 - corner, corner), colour)


def _ring(x0: float, y0: float, rx: float, ry: float, width: float, colour: Colour) -> Shape:
    return Shape((_RING, x0, y0, rx, ry, rx - width, ry - width), colour)


def _ellipse(x0: float, y0: float, rx: float, ry: float, colour: Colour) -> Shape:
    return Shape((_RING, x0, y0, rx, ry, 0.0, 0.0), colour)


def _hexagon(points: tuple[tuple[float, float], ...], colour: Colour) -> Shape:
    """Six corners of a convex shape, clockwise as seen on the screen."""
    return Shape((_POLYGON, *(value for point in points for value in point)), colour)


@kernel
def _holds(table: Floats, i: int, x: float, y: float) -> bool:
    if table[i, 0] == _BOX:
        beyond_x = max(table[i, 1] - x, x - table[i, 3], 0.0)
        beyond_y = max(table[i, 2] - y, y - table[i, 4], 0.0)
        return bool(beyond_x * beyond_x + beyond_y * beyond_y <= table[i, 5] * table[i, 5])
    if table[i, 0] == _RING:
        u, v = (x - table[i, 1]) / table[i, 3], (y - table[i, 2]) / table[i, 4]
        if u * u + v * v > 1:
            return False
        if table[i, 5] == 0:
            return True
        u, v = (x - table[i, 1]) / table[i, 5], (y - table[i, 2]) / table[i, 6]
        return bool(u * u + v * v > 1)
    for corner in range(_CORNERS):
        xa, ya = table[i, 1 + 2 * corner], table[i, 2 + 2 * corner]
        k = (corner + 1) % _CORNERS
        xb, yb = table[i, 1 + 2 * k], table[i, 2 + 2 * k]
        if (xb - xa) * (y - ya) - (yb - ya) * (x - xa) < 0:
            return False
    return True


@kernel
def _topmost(table: Floats, x: float, y: float) -> int:
    """Return the index of the shape that is seen at a point, -1 for none."""
    for i in range(len(table) - 1, -1, -1):
        if _holds(table, i, x, y):
            return i
    return -1


def _darker(colour: Colour, share: float = 0.75) -> Colour:
    return (int(colour[0] * share), int(colour[1] * share), int(colour[2] * share))


SKIN: tuple[Colour, ...] = ((255, 219, 188), (234, 192, 154), (198, 146, 104), (141, 94, 62), (84, 57, 42))
"""Five tones from light to dark, after the Monk Skin Tone Scale (2022)."""

CLOTH: tuple[Colour, ...] = ((176, 32, 44), (32, 72, 140), (52, 110, 66), (120, 92, 60), (90, 90, 96))


def _hand(tone: int) -> Object:
    skin = SKIN[tone]
    line = _darker(skin)
    fingers = []
    for i, (length, lean) in enumerate(((0.80, -0.10), (1.00, -0.03), (0.95, 0.03), (0.75, 0.10))):
        x = -0.36 + 0.24 * i + lean
        fingers += [
            _box(x - 0.12, -0.15 - length, x + 0.12, 0.0, line, 0.12),
            _box(x - 0.105, -0.135 - length, x + 0.105, 0.0, skin, 0.105),
        ]
    thumb = [_ellipse(0.62, 0.05, 0.34, 0.16, line), _ellipse(0.62, 0.05, 0.32, 0.145, skin)]
    palm = [_box(-0.52, -0.30, 0.50, 0.62, line, 0.25), _box(-0.50, -0.28, 0.48, 0.60, skin, 0.24)]
    return Object((*fingers, *thumb, *palm, _box(-0.36, 0.4, 0.34, 1.6, skin, 0.1)), (0.5, 0.72))


def _mug(tone: int) -> Object:
    body = CLOTH[tone]
    return Object(
        (
            _ring(0.60, 0.05, 0.34, 0.36, 0.14, _darker(body)),
            _box(-0.55, -0.50, 0.55, 0.62, body, 0.10),
            _box(-0.55, -0.50, -0.30, 0.62, _darker(body, 0.88), 0.10),
            _ellipse(0.0, -0.48, 0.55, 0.13, _darker(body, 0.6)),
        ),
        (0.5, 0.78),
    )


def _phone(tone: int) -> Object:
    side = -1.0 if tone % 2 else 1.0
    return Object(
        (
            _box(-0.42, -0.86, 0.42, 0.86, (24, 24, 28), 0.12),
            _box(-0.38, -0.80, 0.38, 0.80, (44, 48, 58), 0.08),
            _box(-0.30, -0.74, -0.06, -0.50, (16, 16, 18), 0.08),
            _ellipse(-0.18, -0.62, 0.06, 0.06, (70, 80, 100)),
        ),
        (0.5 + 0.22 * side, 0.55),
    )


def _scarf(tone: int) -> Object:
    cloth = CLOTH[tone]
    stripes = tuple(
        _box(-1.25, -0.30 + 0.28 * i, 1.25, -0.20 + 0.28 * i, _darker(cloth, 0.8)) for i in range(4)
    )
    return Object((_box(-1.25, -0.45, 1.25, 0.85, cloth, 0.15), *stripes), (0.5, 0.92))


def _sunglasses(tone: int) -> Object:
    lens = _darker((40, 40, 46), 1.0 - 0.1 * tone)
    return Object(
        (
            _box(-1.05, -0.14, 1.05, -0.06, (18, 18, 20)),
            _box(-0.92, -0.26, 0.92, 0.30, (18, 18, 20), 0.20),
            _box(-0.87, -0.21, -0.04, 0.25, lens, 0.17),
            _box(0.04, -0.21, 0.87, 0.25, lens, 0.17),
        ),
        (0.5, 0.38),
    )


def _surgical_mask(tone: int) -> Object:
    cloth = ((168, 208, 226), (186, 220, 206), (226, 230, 234), (150, 190, 220), (40, 44, 50))[tone]
    pleats = tuple(
        _box(-0.66, -0.20 + 0.22 * i, 0.66, -0.17 + 0.22 * i, _darker(cloth, 0.86)) for i in range(3)
    )
    return Object(
        (
            _box(-1.2, -0.36, 1.2, -0.30, (235, 235, 235)),
            _box(-1.2, 0.30, 1.2, 0.36, (235, 235, 235)),
            _hexagon(
                ((-0.80, -0.38), (0.0, -0.50), (0.80, -0.38), (0.66, 0.42), (0.0, 0.62), (-0.66, 0.42)), cloth
            ),
            *pleats,
        ),
        (0.5, 0.72),
    )


OBJECTS: dict[str, Callable[[int], Object]] = {
    "hand": _hand,
    "mug": _mug,
    "phone": _phone,
    "scarf": _scarf,
    "sunglasses": _sunglasses,
    "surgical_mask": _surgical_mask,
}
"""What there is, by name; each takes a tone in 0..4."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def fit(thing: Object, face: Box, shift: tuple[float, float], area: float) -> tuple[float, float]:
    """Return the size at which an object covers a share of the face box, and the share that it covers.

    The share of a size is counted on 48 x 48 points; the size is found by bisection to 1/256.
    """
    table, (x, y) = thing.table, _place(thing, face, shift)
    small, large = 0, 8 * 256
    while large - small > 1:
        middle = (small + large) // 2
        if _share(table, np.array(face), x, y, middle / 256) < area:
            small = middle
        else:
            large = middle
    return large / 256, float(_share(table, np.array(face), x, y, large / 256))


def paint(
    thing: Object,
    face: Box,
    shift: tuple[float, float],
    size: float,
    clip: npt.NDArray[np.uint8],
    out: npt.NDArray[np.uint8],
) -> None:
    """Write frames [F, H, W, 3] with an object in front of them to `out`."""
    x, y = _place(thing, face, shift)
    unit = (face[2] - face[0]) / 2 * size
    height, width = clip.shape[1:3]
    front = np.zeros((height, width, 4), dtype=np.int64)
    _draw(thing.table, thing.colours, x, y, unit, front)
    _blend(clip, front, out)


def _place(thing: Object, face: Box, shift: tuple[float, float]) -> tuple[float, float]:
    """Return where the anchor lies, in pixels."""
    return (
        face[0] + (thing.anchor[0] + shift[0]) * (face[2] - face[0]),
        face[1] + (thing.anchor[1] + shift[1]) * (face[3] - face[1]),
    )


@kernel
def _share(table: Floats, face: Floats, x0: float, y0: float, size: float) -> float:
    unit = (face[2] - face[0]) / 2 * size
    held = 0
    for i in range(48):
        y = face[1] + (i + 0.5) / 48 * (face[3] - face[1])
        for k in range(48):
            x = face[0] + (k + 0.5) / 48 * (face[2] - face[0])
            held += _topmost(table, (x - x0) / unit, (y - y0) / unit) >= 0
    return held / (48 * 48)


@kernel
def _draw(
    table: Floats,
    colours: npt.NDArray[np.int64],
    x0: float,
    y0: float,
    unit: float,
    front: npt.NDArray[np.int64],
) -> None:
    """Write colours, times how many of 16 points have them, and that number, to `front` [H, W, 4].

    A pixel whose four outermost points see the same is taken to see nothing else in between.
    """
    height, width, _ = front.shape
    first, last = 0.5 / _SAMPLES, 1 - 0.5 / _SAMPLES
    for row in range(height):
        top, bottom = (row + first - y0) / unit, (row + last - y0) / unit
        for column in range(width):
            left, right = (column + first - x0) / unit, (column + last - x0) / unit
            seen = _topmost(table, left, top)
            if (
                _topmost(table, right, top) == seen
                and _topmost(table, left, bottom) == seen
                and _topmost(table, right, bottom) == seen
            ):
                if seen >= 0:
                    for c in range(3):
                        front[row, column, c] = _SAMPLES * _SAMPLES * colours[seen, c]
                    front[row, column, 3] = _SAMPLES * _SAMPLES
                continue
            for i in range(_SAMPLES):
                y = (row + (i + 0.5) / _SAMPLES - y0) / unit
                for k in range(_SAMPLES):
                    seen = _topmost(table, (column + (k + 0.5) / _SAMPLES - x0) / unit, y)
                    if seen >= 0:
                        for c in range(3):
                            front[row, column, c] += colours[seen, c]
                        front[row, column, 3] += 1


@kernel
def _blend(clip: npt.NDArray[np.uint8], front: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]) -> None:
    count, height, width, _ = clip.shape
    for f in range(count):
        for y in range(height):
            for x in range(width):
                behind = _SAMPLES * _SAMPLES - front[y, x, 3]
                for c in range(3):
                    mixed = clip[f, y, x, c] * behind + front[y, x, c]
                    out[f, y, x, c] = (mixed + _SAMPLES * _SAMPLES // 2) // (_SAMPLES * _SAMPLES)
