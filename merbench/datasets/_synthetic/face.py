"""Faces: painted heads whose action units move from onset to apex.

A face is a list of shapes between two curves (`kernels.paint`), placed in the head's own coordinates
and moved by a small roll, turn and nod. The action units follow Ekman & Friesen's Facial Action
Coding System (1978); which of them make a cue follows their prototypes of the basic emotions.
Lengths are in units of 1/196 of the picture's side, x to the right and y downwards from the bridge of
the nose. Only ``+ - * / sqrt`` are used, one element at a time: the bytes are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from merbench.datasets._synthetic.cues import Cue
    from merbench.rng import Stream

    Track = npt.NDArray[np.float64]  # one number per frame
    Number = float | Track
    Point = tuple[Number, Number]
    Curve = Sequence[Number]  # p0..p4 of `kernels.paint`, zeros at the end left out
    RGB = tuple[float, float, float]

SIDE = 224
"""Pixels of a frame when the suite does not say."""
_UNITS = 196
_MIDDLE = _UNITS / 2
_ROW = 19  # numbers that describe a shape


class ActionUnits(NamedTuple):
    """How far each action unit is engaged, from 0 to 1, as a number or one per frame."""

    inner_brow: Number = 0.0  # AU1
    outer_brow: Number = 0.0  # AU2
    brow_lower: Number = 0.0  # AU4
    lid_raise: Number = 0.0  # AU5
    cheek: Number = 0.0  # AU6
    lid_tight: Number = 0.0  # AU7
    smile: Number = 0.0  # AU12
    frown: Number = 0.0  # AU15
    stretch: Number = 0.0  # AU20
    press: Number = 0.0  # AU24
    part: Number = 0.0  # AU25
    jaw: Number = 0.0  # AU26


_EXPRESSIONS: dict[Cue, ActionUnits] = {
    ("neutral",): ActionUnits(),
    ("happy",): ActionUnits(cheek=0.9, smile=1.0, part=0.9),
    ("sad", "angry"): ActionUnits(brow_lower=1.0, lid_tight=0.6, frown=1.0, press=0.7),
    ("fear", "surprise"): ActionUnits(
        inner_brow=1.0, outer_brow=0.9, lid_raise=1.0, stretch=0.3, part=0.3, jaw=0.8
    ),
}

_SKINS: tuple[RGB, ...] = (
    (244, 214, 190),
    (233, 195, 165),
    (214, 170, 135),
    (190, 140, 105),
    (150, 105, 76),
    (110, 76, 56),
)
_HAIRS: tuple[RGB, ...] = (
    (32, 26, 24),
    (62, 42, 30),
    (104, 68, 40),
    (170, 128, 74),
    (132, 62, 34),
    (140, 138, 136),
)
_EYES: tuple[RGB, ...] = ((74, 48, 30), (92, 70, 40), (66, 96, 120), (84, 112, 74), (48, 36, 30))
_WHITE: RGB = (255, 255, 255)


@dataclass(frozen=True)
class Looks:
    """A person's looks: colours in 0..255, sizes in units, shares in 0..1."""

    skin: RGB
    hair: RGB
    iris: RGB
    clothes: RGB
    width: float
    top: float
    chin: float
    eye_apart: float
    eye_size: float
    brow: float
    nose: float
    mouth: float
    lips: float
    long_hair: bool
    hairline: float
    parting: float
    volume: float
    beard: float
    glasses: bool

    @classmethod
    def of(cls, rng: Stream, gender: str) -> Looks:
        """Draw a person."""
        man = gender == "male"
        u = rng.uniform(13).tolist()
        return cls(
            skin=rng.choice(_SKINS),
            hair=rng.choice(_HAIRS),
            iris=rng.choice(_EYES),
            clothes=_colour(rng),
            width=52 + 7 * u[0] + 2 * man,
            top=62 + 8 * u[1],
            chin=66 + 8 * u[2] + 3 * man,
            eye_apart=22 + 4 * u[3],
            eye_size=11.5 + 2.5 * u[4],
            brow=2.0 + 1.6 * u[5] + 1.2 * man,
            nose=22 + 7 * u[6],
            mouth=18 + 4 * u[7],
            lips=3.4 + 2.4 * u[8] - 0.8 * man,
            long_hair=u[9] < (0.08 if man else 0.7),
            hairline=u[10],
            parting=2 * u[11] - 1,
            volume=4 + 6 * u[12],
            beard=0.5 + 0.3 * rng.one_uniform() if man and rng.one_integer(0, 3) == 0 else 0.0,
            glasses=rng.one_integer(0, 5) == 0,
        )


@dataclass
class _Drawing:
    """Shapes in painting order: `rows` holds one array [F, 19] per shape, as `kernels.paint` wants it.

    `x`, `y` place the head, `roll` tilts it (the tangent of a small angle).
    """

    frames: int
    scale: float
    x: Number = 0.0
    y: Number = 0.0
    roll: Number = 0.0
    rows: list[Track] = field(default_factory=list)
    clips: list[int] = field(default_factory=list)

    def add(
        self,
        at: Point,
        half: Number,
        upper: Curve,
        lower: Curve,
        colour: RGB,
        *,
        opacity: Number = 1.0,
        soft: float = 0.0,
        across: float = 0.0,
        down: float = 0.0,
        clip: int = -1,
    ) -> int:
        """Add the shape between two curves around a point of the head; return its number for clipping.

        `soft` is the width of a blurred edge; `across` and `down` are how much brighter it gets
        towards its right and its lower edge; `clip` is the number of a shape it may not leave.
        """
        s, (x, y) = self.scale, at
        row = np.empty((self.frames, _ROW))
        row[:, 0] = (self.x + x - self.roll * y) * s
        row[:, 1] = half * s
        level = self.y + y + self.roll * x
        for first, curve in ((2, upper), (7, lower)):
            p = (*curve, *(0.0,) * (5 - len(curve)))
            row[:, first] = (level + p[0]) * s
            row[:, first + 1] = (p[1] + self.roll * half) * s
            for k in (2, 3, 4):
                row[:, first + k] = p[k] * s
        row[:, 12:15] = colour
        row[:, 15] = opacity
        row[:, 16] = max(1.0, soft * s)
        row[:, 17], row[:, 18] = across, down
        self.rows.append(row)
        self.clips.append(clip)
        return len(self.rows) - 1

    def ellipse(self, at: Point, rx: Number, ry: Number, colour: RGB, **style: Any) -> int:
        """Add an ellipse; `style` is that of `add`."""
        return self.add(at, rx, (0, 0, 0, 0, -1.0 * ry), (0, 0, 0, 0, ry), colour, **style)

    def line(self, at: Point, half: Number, curve: Curve, width: float, colour: RGB, **style: Any) -> int:
        """Add a line of this width along a curve."""
        rest = tuple(curve[1:])
        return self.add(
            at, half, (curve[0] - width / 2, *rest), (curve[0] + width / 2, *rest), colour, **style
        )


def render(
    rng: Stream,
    looks: Looks,
    cue: Cue,
    strength: int,
    times: Track,
    speech: Track,
    side: int,
) -> npt.NDArray[np.uint8]:
    """Return frames [F, side, side, 3].

    Args:
        rng: what is random in this clip.
        looks: who is seen.
        cue: the expression.
        strength: its extent in thousandths.
        times: when the frames are, as shares of the clip's duration, [F].
        speech: how far the sounds open the mouth at these times, 0..1, [F].
        side: height and width in pixels.
    """
    from merbench.datasets._synthetic.kernels import paint

    drawing = _Drawing(len(times), side / _UNITS)
    scene = rng.child("scene")
    _background(drawing, scene)
    still = len(drawing.rows)
    units = _expression(rng.child("expression"), cue, strength, times, speech)
    _head(drawing, scene, looks, units, _blink(rng.child("blink"), times), times)
    shapes, clips = np.stack(drawing.rows, axis=1), np.array(drawing.clips)
    shapes[:, :, 12:15] *= 0.8 + 0.35 * scene.one_uniform()  # exposure
    blank = np.zeros((side, side, 3), dtype=np.uint8)
    backdrop = paint(blank, np.ascontiguousarray(shapes[:1, :still]), clips[:still])[0]
    return paint(backdrop, np.ascontiguousarray(shapes[:, still:]), clips[still:] - still)


def _expression(rng: Stream, cue: Cue, strength: int, times: Track, speech: Track) -> ActionUnits:
    """Return the action units over time: partly engaged at once, at their apex by mid-clip.

    Every unit differs a little from clip to clip, and so does every resting face.
    """
    start, apex = 0.5 + 0.2 * rng.one_uniform(), 0.25 + 0.25 * rng.one_uniform()
    rise = np.minimum(times / apex, 1.0)
    course = start + (1.0 - start) * (rise * rise * (3.0 - 2.0 * rise))
    habits = (0.85 + 0.3 * rng.uniform(len(ActionUnits._fields))).tolist()
    resting = (0.12 * rng.uniform(len(ActionUnits._fields))).tolist()
    units = ActionUnits(
        *(
            rest + unit * habit * course * (strength / 1000)
            for unit, habit, rest in zip(_EXPRESSIONS[cue], habits, resting, strict=True)
        )
    )
    return units._replace(
        jaw=units.jaw + 0.2 * speech, part=units.part + 0.3 * speech, press=units.press * (1.0 - speech)
    )


def _blink(rng: Stream, times: Track) -> Track:
    """Return how far a blink closes the lids: one or two short ones somewhere in the clip."""
    closed = np.zeros_like(times)
    for centre in rng.uniform(1 + rng.one_integer(0, 2)):
        closed = np.maximum(closed, 1.0 - np.abs(times - centre) / 0.03)
    return closed


def _sway(rng: Stream, times: Track, extent: float) -> Track:
    """Return a slow movement within about +-extent: the parabola through three drawn points."""
    first, middle, last = (extent * (2.0 * rng.uniform(3) - 1.0)).tolist()
    rest = 1.0 - times
    path: Track = first * rest * (rest - times) + middle * 4.0 * times * rest + last * times * (times - rest)
    return path


def _colour(rng: Stream) -> RGB:
    """Draw a muted colour that is neither black nor white."""
    red, green, blue = (45 + 170 * rng.uniform(3)).tolist()
    grey = (red + green + blue) / 3
    return _blend((red, green, blue), (grey, grey, grey), 0.4)


def _shade(colour: RGB, factor: float) -> RGB:
    """Return a colour made darker or lighter."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _blend(a: RGB, b: RGB, share: float) -> RGB:
    """Return a mixture with this share of `b`."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), a[2] + share * (b[2] - a[2])


def _background(d: _Drawing, rng: Stream) -> None:
    """Add a wall with a gradient, and a few blurred things in front of it."""
    across, down = (0.5 * rng.uniform(2) - 0.25).tolist()
    d.add(
        (_MIDDLE, _MIDDLE),
        _MIDDLE + 2,
        (-_MIDDLE - 2,),
        (_MIDDLE + 2,),
        _colour(rng),
        across=across,
        down=down,
    )
    for _ in range(rng.one_integer(1, 5)):
        x, y, rx, ry = rng.uniform(4).tolist()
        d.add(
            (_UNITS * x, _UNITS * y),
            14 + 36 * rx,
            (-10 - 50 * ry,),
            (10 + 50 * ry,),
            _colour(rng),
            opacity=0.7,
            soft=9,
        )


def _head(d: _Drawing, rng: Stream, looks: Looks, au: ActionUnits, blink: Track, times: Track) -> None:
    """Add shoulders, head and features."""
    right, down = (2.0 * rng.uniform(2) - 1.0).tolist()
    d.x = _MIDDLE + 6 * right + _sway(rng, times, 2.5)
    d.y = 86 + 4 * down + _sway(rng, times, 2.0)
    d.roll = _sway(rng, times, 0.05)
    turn, nod = _sway(rng, times, 3.0), _sway(rng, times, 2.5)
    light = 0.24 * (2.0 * rng.one_uniform() - 1.0)
    skin, width = looks.skin, looks.width
    dark = _blend(_shade(skin, 0.62), (90, 30, 20), 0.15)
    drop = 11.0 * au.jaw  # the chin follows the jaw
    chin = looks.chin + drop

    if looks.long_hair:
        d.ellipse((0, 20), width + 4 + looks.volume, looks.top + 28, _shade(looks.hair, 0.8), across=light)
    d.add((0, 150), 96, (0, 0, 18, 0, -48), (60,), looks.clothes, across=light)
    d.add((0, 84), 25, (-34,), (14, 0, -14, 0, 18), _shade(skin, 0.8), across=light)
    d.ellipse((0, 74), 24, 12, dark, opacity=0.45, soft=9)
    for side in (-1, 1):
        d.ellipse((side * (width - 1), 4), 8, 14, _shade(skin, 0.88), across=light)
    head = d.add(
        (0, 0),
        width,
        (-2, 0, 0, 0, -looks.top),
        (6, 0, -6, 0, chin - 6),
        skin,
        across=light,
        down=-0.12,
    )
    for side in (-1, 1):
        d.ellipse(
            (side * 31 + turn, 24 - 5 * au.cheek),
            13,
            9 + 2 * au.cheek,
            _blend(skin, (225, 95, 85), 0.35),
            opacity=0.3 + 0.2 * au.cheek,
            soft=9,
            clip=head,
        )
    if looks.beard:
        d.add(
            (0, 40),
            width,
            (10, 0, -34),
            (6, 0, -46, 0, chin - 46),
            looks.hair,
            opacity=looks.beard,
            soft=8,
            clip=head,
        )
    _wrinkles(d, au, turn, nod, dark)
    for side in (-1, 1):
        _eye(d, looks, au, side, turn, nod, blink)
        _brow(d, looks, au, side, turn, nod)
    _nose(d, looks, turn * 1.6, nod * 1.4, dark)
    _mouth(d, looks, au, turn, nod + 0.3 * drop, dark)
    _hair(d, looks, light)
    if looks.glasses:
        _glasses(d, looks, turn, nod)


def _wrinkles(d: _Drawing, au: ActionUnits, turn: Track, nod: Track, dark: RGB) -> None:
    """Add the lines of units 1 (forehead), 4 (between the brows) and 12 (beside the mouth)."""
    for y in (-34, -42):
        d.line((turn, y + nod), 26, (0, 0, 3), 1.8, dark, opacity=0.55 * au.inner_brow, soft=1.5)
    for side in (-1, 1):
        d.ellipse((side * 4.5 + turn, -17 + nod), 1.3, 7, dark, opacity=0.7 * au.brow_lower, soft=1.5)
        d.line((side * 27 + turn, 33 + nod), 6, (0, side * 9, 2), 2, dark, opacity=0.5 * au.smile, soft=1.5)


def _eye(
    d: _Drawing, looks: Looks, au: ActionUnits, side: int, turn: Track, nod: Track, blink: Track
) -> None:
    """Add one eye: iris and pupil between the lids, which units 5, 6, 7 and blinks move."""
    size, x = looks.eye_size, side * looks.eye_apart + turn
    shadow = _blend(looks.skin, (70, 40, 40), 0.35)
    d.ellipse((x, nod - 3), size + 5, 11, shadow, opacity=0.5, soft=8)
    upper = (5.6 + 3.8 * au.lid_raise - 1.8 * au.lid_tight - 1.2 * au.cheek) * (blink - 1.0) + 1.2 * blink
    lower = (4.6 + 0.8 * au.lid_raise - 1.8 * au.lid_tight - 2.4 * au.cheek) * (1.0 - blink) + 1.4 * blink
    white = d.add((x, nod), size, (0, 0, 0, 0, upper), (0, 0, 0, 0, lower), (244, 242, 238))
    gaze = x + 0.5 * turn
    for radius, colour in ((5.8, _shade(looks.iris, 0.7)), (5.0, looks.iris), (2.6, (14, 12, 12))):
        d.ellipse((gaze, nod - 0.4), radius, radius, colour, clip=white)
    d.ellipse((gaze + 1.8, nod - 2.2), 1.2, 1.2, _WHITE, clip=white)
    lashes = _blend(looks.skin, (24, 14, 14), 0.85)
    d.line((x, nod), size + 1, (-0.4, 0, 0, 0, upper - 0.2), 1.8, lashes)
    d.line((x, nod), size, (0, 0, 0, 0, lower), 0.8, lashes, opacity=0.45)
    d.line((x, nod - 3.5), size, (0, 0, 0, 0, upper), 1.2, shadow, opacity=0.8)


def _brow(d: _Drawing, looks: Looks, au: ActionUnits, side: int, turn: Track, nod: Track) -> None:
    """Add one brow; units 1 and 4 move its inner, unit 2 its outer end."""
    inner = 6.5 * au.brow_lower - 6.5 * au.inner_brow
    outer = 1.0 * au.brow_lower - 7.0 * au.outer_brow
    at = (side * (looks.eye_apart + 0.5 - 1.5 * au.brow_lower) + turn, nod - 15.5 + (inner + outer) / 2)
    tilt, arch = (outer - inner) / 2 * side, 3.0
    d.add(
        at,
        looks.eye_size + 4.5,
        (0, tilt, arch, 0, -looks.brow),
        (-0.4, tilt, arch, 0, looks.brow * 0.7),
        _shade(looks.hair, 0.75),
        opacity=0.95,
        soft=1.6,
    )


def _nose(d: _Drawing, looks: Looks, turn: Track, nod: Track, dark: RGB) -> None:
    """Add the nose: a lit bridge and its shadow, a tip and two nostrils."""
    length, half = looks.nose, looks.nose / 2
    lit = _blend(looks.skin, _WHITE, 0.35)
    d.add((turn + 4.5, half + nod), 3, (-half,), (half,), dark, opacity=0.28, soft=4)
    d.add((turn, half + nod), 2.6, (-half,), (half,), lit, opacity=0.5, soft=4)
    d.ellipse((turn, length + nod), 8.5, 5.5, _blend(looks.skin, _WHITE, 0.12), opacity=0.8, soft=4)
    d.add((turn, length + 3.5 + nod), 9, (-1, 0, -1), (0, 0, -4, 0, 3), dark, opacity=0.6, soft=2)
    for side in (-1, 1):
        d.ellipse((turn + side * 4.2, length + 3.4 + nod), 2.4, 1.4, _shade(dark, 0.5), opacity=0.85)


def _mouth(d: _Drawing, looks: Looks, au: ActionUnits, turn: Track, nod: Track, dark: RGB) -> None:
    """Add lips, teeth and tongue; units 12, 15, 20 move the corners, 24 to 26 press or part the lips."""
    half = looks.mouth + 6.5 * au.smile + 2.5 * au.stretch - 2.0 * au.press - 4.0 * au.jaw
    bend = 6.5 * au.frown - 8.5 * au.smile
    x, y = turn, 42 + nod - 0.35 * bend
    rise, gap = 0.6 * au.part + 3.0 * au.jaw, 5.5 * au.part + 15.0 * au.jaw
    lips = looks.lips * (1.0 - 0.45 * au.press)
    red = _blend(_shade(looks.skin, 0.78), (170, 50, 55), 0.4)
    d.add(
        (x, y), half + 1, (-0.6, 0, bend, 0, -1.1 * lips - rise), (0.8, 0, bend), _shade(red, 0.92), soft=1.5
    )
    d.add((x, y), half, (-0.4, 0, bend), (0.4, 0, bend, 0, gap + 1.6 * lips), red, soft=1.5)
    hole = d.add((x, y), half - 1, (0, 0, bend, 0, -rise), (0, 0, bend, 0, gap), (58, 18, 22))
    d.ellipse((x, y + gap), half * 0.55, 0.4 * gap + 0.1, (176, 70, 74), clip=hole)
    teeth = np.minimum(4.5, 0.75 * gap)
    d.add(
        (x, y), half - 2.5, (-1, 0, bend, 0, -rise), (0, 0, bend, 0, teeth - rise), (240, 236, 228), clip=hole
    )
    d.line((x, y), half, (0, 0, bend), 1.4, _shade(red, 0.45), opacity=np.maximum(0.0, 0.9 - 0.3 * gap))
    d.line((x, y + 9 + gap), 11, (0, 0, -2), 3, dark, opacity=0.35, soft=4)


def _hair(d: _Drawing, looks: Looks, light: float) -> None:
    """Add the hair over the forehead, with a parting to one side."""
    line = -looks.top * (0.52 + 0.2 * looks.hairline)
    temple = 34.0 if looks.long_hair else 8.0
    bow = (line - temple) * (0.35 + 0.4 * looks.hairline)
    rest = line - bow
    d.add(
        (0, 0),
        looks.width + looks.volume / 2,
        (0, 0, 0, 0, -looks.top - looks.volume),
        (rest, 8 * looks.parting, temple - rest, -8 * looks.parting, bow),
        looks.hair,
        across=light,
        down=-0.2,
    )


def _glasses(d: _Drawing, looks: Looks, turn: Track, nod: Track) -> None:
    """Add two rims and a bridge."""
    colour = (30.0, 30.0, 34.0)
    for side in (-1, 1):
        for half_rim in (-13, 13):
            at = (side * looks.eye_apart + turn, 1 + nod)
            d.line(at, 16.5, (0, 0, 0, 0, half_rim), 1.8, colour)
    d.line((turn, nod - 2), 7, (0, 0, 1), 2, colour)
