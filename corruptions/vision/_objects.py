"""Things that get between a camera and a face, drawn as shapes. Importing this module imports numba.

An object is a list of shapes, painted one over the other, in units of the face box: (0, 0) is the
object's anchor, x goes right and y down, and 1 is half the box's width. Enlarging it about its anchor
until it covers a wanted share of the face is how a severity is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from corruptions.vision._planned import Change
from merbench.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    import numpy.typing as npt
    import torch

    Floats = npt.NDArray[np.float64]
    Frames = npt.NDArray[np.uint8]
    Integers = npt.NDArray[np.int64]
    Sums = npt.NDArray[np.int16]
    Colour = tuple[int, int, int]

_SAMPLES = 4
"""Per pixel and direction: on an edge, 16 points decide how much of a pixel is covered."""

_POINTS = _SAMPLES * _SAMPLES
_SHIFT = _POINTS.bit_length() - 1

_BOX, _RING, _POLYGON = 0.0, 1.0, 2.0
_CORNERS = 6

_ROUNDING = 1e-6
"""More than any rounding error of a point's place."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A region of the plane with one colour: a kind and its figures, as `_holds` reads them."""

    figures: tuple[float, ...]
    colour: Colour

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what it may hold, with room for rounding."""
        kind, *figures = self.figures
        if kind == _BOX:
            left, top, right, bottom, corner = figures
        elif kind == _RING:
            x0, y0, corner = figures[0], figures[1], 0.0
            left, top, right, bottom = x0 - figures[2], y0 - figures[3], x0 + figures[2], y0 + figures[3]
        else:
            xs, ys, corner = figures[::2], figures[1::2], 0.0
            left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        room = corner + _ROUNDING
        return left - room, top - room, right + room, bottom + room


@dataclass(frozen=True)
class Object:
    """Shapes in painting order, and where on the face box the anchor lies (shares of its sides)."""

    shapes: tuple[Shape, ...]
    anchor: tuple[float, float]

    @cached_property
    def extents(self) -> Floats:
        """The shapes' extents, [S, 4]."""
        return np.array([shape.extent for shape in self.shapes])

    @cached_property
    def table(self) -> Floats:
        """The shapes' figures, one row each, [S, 1 + 2 * 6]."""
        table = np.zeros((len(self.shapes), 1 + 2 * _CORNERS))
        for row, shape in zip(table, self.shapes, strict=True):
            row[: len(shape.figures)] = shape.figures
        return table

    @cached_property
    def colours(self) -> Integers:
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
def _see(table: Floats, extents: Floats, xs: Floats, y: float, seen: Integers) -> None:
    """Write which shape is seen at every one of `xs`, in ascending order, at the height `y`; -1 for none."""
    seen[:] = -1
    for i in range(len(table)):
        if extents[i, 1] <= y <= extents[i, 3]:
            first, last = np.searchsorted(xs, extents[i, 0]), np.searchsorted(xs, extents[i, 2], "right")
            if first < last:
                _lay(table[i], i, xs[first:last], y, seen[first:last])


@kernel
def _lay(shape: Floats, i: int, xs: Floats, y: float, seen: Integers) -> None:
    """Write `i` where a shape holds the point."""
    if shape[0] == _BOX:
        beyond_y = max(shape[2] - y, y - shape[4], 0.0)
        for k in range(len(xs)):
            beyond_x = max(shape[1] - xs[k], xs[k] - shape[3], 0.0)
            if beyond_x * beyond_x + beyond_y * beyond_y <= shape[5] * shape[5]:
                seen[k] = i
    elif shape[0] == _RING:
        outer, inner = (y - shape[2]) / shape[4], 0.0
        if shape[5] != 0:
            inner = (y - shape[2]) / shape[6]
        for k in range(len(xs)):
            u = (xs[k] - shape[1]) / shape[3]
            if u * u + outer * outer <= 1:
                u = 2.0 if shape[5] == 0 else (xs[k] - shape[1]) / shape[5]
                if u * u + inner * inner > 1:
                    seen[k] = i
    else:
        for k in range(len(xs)):
            if _is_within(shape[1:], xs[k], y):
                seen[k] = i


@kernel
def _is_within(corners: Floats, x: float, y: float) -> bool:
    """Tell whether a point lies on the inner side of every edge of a polygon [2 * 6]."""
    for a in range(0, 2 * _CORNERS, 2):
        b = (a + 2) % (2 * _CORNERS)
        across = (corners[b] - corners[a]) * (y - corners[a + 1])
        if across - (corners[b + 1] - corners[a + 1]) * (x - corners[a]) < 0:
            return False
    return True


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


@cache
def thing(name: str, tone: int) -> Object:
    """Return an object of a tone."""
    return OBJECTS[name](tone)


def fit(thing: Object, face: Box, shift: tuple[float, float], area: float) -> tuple[float, float]:
    """Return the size at which an object covers a share of the face box, and the share that it covers.

    The share of a size is counted on 48 x 48 points; the size is found by bisection to 1/256.
    """
    x, y = _place(thing, face, shift)
    shapes, box = (thing.table, thing.extents), np.array(face)
    small, large = 0, 8 * 256
    while large - small > 1:
        middle = (small + large) // 2
        if _share(*shapes, box, x, y, middle / 256) < area:
            small = middle
        else:
            large = middle
    return large / 256, float(_share(*shapes, box, x, y, large / 256))


@dataclass(frozen=True)
class Insert(Change):
    """An object of some size in front of a face."""

    thing: Object
    face: Box
    shift: tuple[float, float]
    size: float

    def write(self, clip: Frames, out: Frames) -> None:
        """Lay the object over a clip's frames."""
        height, width = clip.shape[1:3]
        front, behind = np.empty((2, height, width * 3), dtype=np.int16)
        begins, ends = self._draw(front, behind)
        out[:] = clip
        _blend(front, behind, begins, ends, out.reshape(len(clip), height, width * 3))

    @classmethod
    def on_device(cls, changes: Sequence[Self], clips: torch.Tensor) -> torch.Tensor:
        """Lay the objects, which are drawn on the host, over clips."""
        from corruptions.vision._device import blended, uploaded

        height, width = clips.shape[2:4]
        front = np.zeros((len(changes), height, width * 3), dtype=np.int16)
        behind = np.full_like(front, _POINTS)
        for change, sums, points in zip(changes, front, behind, strict=True):
            change._draw(sums, points)
        pixels = (len(changes), 1, height, width, 3)
        colours, free = (uploaded(part, clips).int().view(pixels) for part in (front, behind))
        return blended(clips, free, colours + _POINTS // 2, _SHIFT)

    def _draw(self, front: Sums, behind: Sums) -> tuple[Integers, Integers]:
        """Draw the object where it is seen, and return from where to where that is in every row."""
        x, y = _place(self.thing, self.face, self.shift)
        unit = (self.face[2] - self.face[0]) / 2 * self.size
        begins, ends = np.zeros((2, len(front)), dtype=np.int64)
        thing = self.thing
        _draw(thing.table, thing.extents, thing.colours, x, y, unit, front, behind, begins, ends)
        return begins, ends


def _place(thing: Object, face: Box, shift: tuple[float, float]) -> tuple[float, float]:
    """Return where the anchor lies, in pixels."""
    return (
        face[0] + (thing.anchor[0] + shift[0]) * (face[2] - face[0]),
        face[1] + (thing.anchor[1] + shift[1]) * (face[3] - face[1]),
    )


@kernel
def _share(table: Floats, extents: Floats, face: Floats, x0: float, y0: float, size: float) -> float:
    unit = (face[2] - face[0]) / 2 * size
    xs = (face[0] + (np.arange(48) + 0.5) / 48 * (face[2] - face[0]) - x0) / unit
    seen = np.empty(48, dtype=np.int64)
    held = 0
    for i in range(48):
        _see(table, extents, xs, (face[1] + (i + 0.5) / 48 * (face[3] - face[1]) - y0) / unit, seen)
        held += (seen >= 0).sum()
    return held / (48 * 48)


@kernel
def _draw(
    table: Floats,
    extents: Floats,
    colours: Integers,
    x0: float,
    y0: float,
    unit: float,
    front: Sums,
    behind: Sums,
    begins: Integers,
    ends: Integers,
) -> None:
    """Draw an object, row by row from the first pixel that it touches to the last.

    A pixel whose four outermost points see the same is taken to see nothing else in between.

    Args:
        table: with `extents` and `colours`, the object.
        extents: see `Object.extents`.
        colours: see `Object.colours`.
        x0: with `y0`, where the anchor lies, in pixels.
        y0: see `x0`.
        unit: the object's unit, in pixels.
        front: gets the sum of the colours at a pixel's points, [H, 3 W].
        behind: gets how many points of a pixel see no colour, three times over, [H, 3 W].
        begins: gets where the touched bytes of every row begin, [H].
        ends: gets where they end, [H].
    """
    height, width = len(front), front.shape[1] // 3
    xs = np.empty(width * _SAMPLES)
    for column in range(width):
        for k in range(_SAMPLES):
            xs[column * _SAMPLES + k] = (column + (k + 0.5) / _SAMPLES - x0) / unit
    outermost = np.empty(2 * width)
    outermost[::2], outermost[1::2] = xs[::_SAMPLES], xs[_SAMPLES - 1 :: _SAMPLES]
    upper, lower = np.empty((2, 2 * width), dtype=np.int64)
    points = np.empty(_SAMPLES, dtype=np.int64)
    for row in range(height):
        _see(table, extents, outermost, (row + 0.5 / _SAMPLES - y0) / unit, upper)
        _see(table, extents, outermost, (row + 1 - 0.5 / _SAMPLES - y0) / unit, lower)
        begin, end = 0, 2 * width
        while begin < end and upper[begin] < 0 and lower[begin] < 0:
            begin += 1
        while end > begin and upper[end - 1] < 0 and lower[end - 1] < 0:
            end -= 1
        begin, end = begin // 2, (end + 1) // 2 if end > begin else begin // 2
        begins[row], ends[row] = 3 * begin, 3 * end
        for column in range(begin, end):
            seen, left, right = upper[2 * column], 2 * column, 2 * column + 1
            red, green, blue, free = 0, 0, 0, _POINTS
            if upper[right] == seen and lower[left] == seen and lower[right] == seen:
                if seen >= 0:
                    red, green, blue = colours[seen, 0], colours[seen, 1], colours[seen, 2]
                    red, green, blue, free = red * _POINTS, green * _POINTS, blue * _POINTS, 0
            else:
                here = xs[column * _SAMPLES : (column + 1) * _SAMPLES]
                for k in range(_SAMPLES):
                    _see(table, extents, here, (row + (k + 0.5) / _SAMPLES - y0) / unit, points)
                    for seen in points:
                        if seen >= 0:
                            red += colours[seen, 0]
                            green += colours[seen, 1]
                            blue += colours[seen, 2]
                            free -= 1
            at = 3 * column
            front[row, at], front[row, at + 1], front[row, at + 2] = red, green, blue
            behind[row, at] = behind[row, at + 1] = behind[row, at + 2] = free


@kernel
def _blend(front: Sums, behind: Sums, begins: Integers, ends: Integers, frames: Frames) -> None:
    """Lay what `_draw` has drawn over frames [F, H, 3 W]."""
    for f in range(len(frames)):
        for row in range(len(front)):
            touched = slice(begins[row], ends[row])
            line, colour, free = frames[f, row, touched], front[row, touched], behind[row, touched]
            for i in range(len(line)):
                line[i] = (np.int32(line[i]) * free[i] + colour[i] + _POINTS // 2) >> _SHIFT
