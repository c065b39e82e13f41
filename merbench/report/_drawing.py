"""A drawing is a list of marks; it is written as SVG (for the page or as a file) and as PNG.

Coordinates are in pixels from the top left corner, y downwards. Colours are names (`_palette`): in the
page they become CSS variables, so that one drawing serves light and dark; in a file they are fixed.
There are few kinds of marks on purpose: what is not here cannot look different in SVG and in PNG.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from io import BytesIO
from itertools import groupby, pairwise
from math import cos, hypot, pi, sin
from typing import TYPE_CHECKING, Any, Literal
from unicodedata import east_asian_width

from merbench.report._palette import LIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Anchor = Literal["start", "middle", "end"]

FONT_SIZE = 11.0
_DASH = (4.0, 3.0)
_WIDER = 1.15  # a page shows text in the reader's own font, and some are wider than ours
_EDGE = 1.3  # of a hollow marker, in pixels
_ENLARGED = 1.35  # how much larger than drawn a panel may get on a wide page


@dataclass(frozen=True, slots=True)
class Line:
    """A line through `points`."""

    points: tuple[Point, ...]
    stroke: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    fill: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Boxes:
    """Filled boxes (x, y, width, height) of one colour."""

    boxes: tuple[Box, ...]
    fill: str


@dataclass(frozen=True, slots=True)
class Dots:
    """Markers of one model: its colour and its shape; `hollow` ones show the paper inside."""

    points: tuple[Point, ...]
    series: int
    stroke: str
    radius: float = 3.8
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; (x, y) is on its base line."""

    x: float
    y: float
    text: str
    size: float = FONT_SIZE
    fill: str = "ink"
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Tip:
    """A region of the page that tells `text` when it is pointed at; files do not have it."""

    box: Box
    text: str


Mark = Line | Area | Boxes | Dots | Text | Tip


@dataclass
class Drawing:
    """Marks on a sheet; `label` says what is seen, for those who do not see it."""

    width: float
    height: float
    label: str
    marks: list[Mark] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        """Put marks on top of those that are there."""
        self.marks.extend(marks)

    def place(self, other: Drawing, x: float, y: float) -> None:
        """Put another drawing onto this one, its corner at (x, y)."""
        self.marks.extend(_moved(mark, x, y) for mark in other.marks)


def _moved(mark: Mark, dx: float, dy: float) -> Mark:
    match mark:
        case Line(points, stroke, width, dashed):
            return Line(tuple((x + dx, y + dy) for x, y in points), stroke, width, dashed)
        case Area(points, fill, opacity):
            return Area(tuple((x + dx, y + dy) for x, y in points), fill, opacity)
        case Boxes(boxes, fill):
            return Boxes(tuple((x + dx, y + dy, w, h) for x, y, w, h in boxes), fill)
        case Dots(points, series, stroke, radius, hollow):
            return Dots(tuple((x + dx, y + dy) for x, y in points), series, stroke, radius, hollow)
        case Text(x, y, text, size, fill, anchor, bold):
            return Text(x + dx, y + dy, text, size, fill, anchor, bold)
        case Tip((x, y, w, h), text):
            return Tip((x + dx, y + dy, w, h), text)


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Return about how wide a text is in a sans-serif font, in pixels; East Asian characters are square."""
    wide = sum(east_asian_width(character) in "WF" for character in text)
    narrow = "".join(character for character in text if east_asian_width(character) not in "WF")
    return wide * size + float(_font(100).getlength(narrow)) * size / 100


def shortened(text: str, room: float, size: float = FONT_SIZE) -> str:
    """Return the text, cut with an ellipsis where it does not fit into `room` pixels."""
    room /= _WIDER
    if text_width(text, size) <= room:
        return text
    kept = text
    while kept and text_width(kept + "…", size) > room:
        kept = kept[:-1]
    return kept.rstrip() + "…"


# The n-th model's marker: (corners, turn in eighths of a circle, inner radius); 0 corners is a disc.
_SHAPES: tuple[tuple[int, int, float], ...] = (
    (0, 0, 1.0),  # disc
    (4, 1, 1.0),  # square
    (3, -2, 1.0),  # triangle up
    (4, 0, 1.0),  # diamond
    (3, 2, 1.0),  # triangle down
    (5, -2, 0.45),  # star
    (4, 0, 0.4),  # cross
    (3, 0, 1.0),  # triangle right
    (6, 0, 1.0),  # hexagon
    (3, 4, 1.0),  # triangle left
)


def _outline(series: int, x: float, y: float, radius: float) -> tuple[Point, ...]:
    """Return the corners of a marker, none for a disc; all shapes look about equally large."""
    corners, turn, inner = _SHAPES[series % len(_SHAPES)]
    if not corners:
        return ()
    reach = radius * (1.35 if corners <= 4 or inner < 1 else 1.1)
    steps = corners if inner == 1 else 2 * corners
    return tuple(
        (x + r * cos(angle), y + r * sin(angle))
        for k in range(steps)
        for r in [reach if inner == 1 or k % 2 == 0 else reach * inner]
        for angle in [2 * pi * k / steps + turn * pi / 4]
    )


def svg(drawing: Drawing, colours: Mapping[str, str] | None = None) -> str:
    """Return a drawing as SVG.

    Args:
        drawing: what to write.
        colours: hexadecimal colours by name, for a file of its own; ``None`` for the page, which
            defines them as CSS variables and shows the tips.
    """
    size = f"{_n(drawing.width)} {_n(drawing.height)}"
    marks = "".join(_svg_marks(drawing.marks, colours))
    label = escape(drawing.label)
    if colours is None:
        limit = _n(drawing.width * _ENLARGED)
        return (
            f'<svg viewBox="0 0 {size}" role="img" tabindex="0" aria-label="{label}" '
            f'style="max-width:{limit}px">{marks}</svg>'
        )
    width, height = size.split()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {size}" '
        f'font-family="Helvetica, Arial, sans-serif"><title>{label}</title>'
        f'<rect width="100%" height="100%" fill="{colours["paper"]}"/>{marks}</svg>\n'
    )


def _svg_marks(marks: Iterable[Mark], colours: Mapping[str, str] | None) -> Iterator[str]:
    """Yield SVG elements; marks of one style that follow each other share it, which keeps pages small."""

    def colour(name: str) -> str:
        return f"var(--{name})" if colours is None else colours[name]

    for style, run in groupby(marks, _style):
        match style:
            case "text", float(size), str(fill), anchor, bold:
                more = "" if anchor == "start" else f' text-anchor="{anchor}"'
                more += ' font-weight="600"' if bold else ""
                texts = "".join(map(_svg_text, run))
                yield f'<g font-size="{_n(size)}" fill="{colour(fill)}"{more}>{texts}</g>'
            case "line", str(stroke), float(width), dashed:
                more = "" if width == 1 else f' stroke-width="{_n(width)}"'
                more += f' stroke-dasharray="{_n(_DASH[0])} {_n(_DASH[1])}"' if dashed else ""
                path = "".join(_path(mark.points) for mark in run if isinstance(mark, Line))
                yield f'<path d="{path}" fill="none" stroke="{colour(stroke)}"{more}/>'
            case _:
                yield from (_svg_mark(mark, colour, tips=colours is None) for mark in run)


def _style(mark: Mark) -> tuple[str | float | bool, ...]:
    match mark:
        case Text():
            return "text", float(mark.size), mark.fill, mark.anchor, mark.bold
        case Line():
            return "line", mark.stroke, float(mark.width), mark.dashed
    return ()


def _svg_text(mark: Mark) -> str:
    return (
        f'<text x="{_n(mark.x)}" y="{_n(mark.y)}">{escape(mark.text)}</text>'
        if isinstance(mark, Text)
        else ""
    )


def _svg_mark(mark: Mark, colour: Callable[[str], str], *, tips: bool) -> str:
    match mark:
        case Area(points, fill, opacity):
            light = "" if opacity == 1 else f' fill-opacity="{opacity:g}"'
            return f'<path d="{_path(points)}z" fill="{colour(fill)}"{light}/>'
        case Boxes(boxes, fill):
            path = "".join(f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h{_n(-w)}z" for x, y, w, h in boxes)
            return f'<path d="{path}" fill="{colour(fill)}"/>'
        case Dots(points, series, stroke, radius, hollow):
            path = "".join(_svg_marker(series, x, y, radius) for x, y in points)
            edge = f' stroke="{colour(stroke)}" stroke-width="{_EDGE}"' if hollow else ""
            return f'<path d="{path}" fill="{colour("paper" if hollow else stroke)}"{edge}/>'
        case Tip((x, y, w, h), text) if tips:
            where = f'x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}"'
            return f'<rect class="tip" {where} data-tip="{escape(text)}"/>'
    return ""


def _svg_marker(series: int, x: float, y: float, radius: float) -> str:
    corners = _outline(series, x, y, radius)
    if corners:
        return f"{_path(corners)}z"
    r, across = _n(radius), _n(2 * radius)
    return f"M{_n(x - radius)} {_n(y)}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0-{across} 0z"


def _path(points: Sequence[Point]) -> str:
    """Return a path through points, each relative to the one before: that is shorter to write."""
    # Differences are taken between rounded points, so that rounding errors do not add up.
    at = [(round(x, 1), round(y, 1)) for x, y in points]
    steps = (f"{_n(b - a)} {_n(d - c)}" for (a, c), (b, d) in pairwise(at))
    start = f"M{_n(at[0][0])} {_n(at[0][1])}" if at else ""
    return start + "".join(f"l{step}" for step in steps)


def _n(value: float) -> str:
    """Return a coordinate to a tenth of a pixel."""
    return f"{value:z.1f}".removesuffix(".0")


def png(drawing: Drawing, *, scale: int = 3, colours: Mapping[str, str] = LIGHT) -> bytes:
    """Return a drawing as PNG, `scale` dots per pixel; pixels per inch are noted so that it prints in size.

    Text is set in the font that Pillow brings along, so that the picture is the same on any machine;
    it has no East Asian glyphs: take the SVG where labels need them.
    """
    from PIL import Image, ImageDraw

    # Pillow draws lines without anti-aliasing: draw larger, then reduce.
    over = 2
    factor = scale * over
    size = (round(drawing.width * factor), round(drawing.height * factor))
    sheet = Image.new("RGB", size, colours["paper"])
    pen = ImageDraw.Draw(sheet)
    for mark in drawing.marks:
        _png_mark(sheet, pen, mark, factor, colours)
    out = BytesIO()
    dots_per_inch = 96 * scale
    sheet.reduce(over).save(out, "PNG", dpi=(dots_per_inch, dots_per_inch))
    return out.getvalue()


def _png_mark(sheet: Image, pen: ImageDraw, mark: Mark, f: float, colours: Mapping[str, str]) -> None:
    def scaled(points: Sequence[Point]) -> list[Point]:
        return [(x * f, y * f) for x, y in points]

    match mark:
        case Line(points, stroke, width, dashed):
            thick = max(1, round(width * f))
            parts = _dashes(points) if dashed else [points]
            for part in (part for part in parts if len(part) > 1):  # Pillow takes no line without a length
                pen.line(scaled(part), fill=colours[stroke], width=thick, joint="curve")
        case Area(points, fill, opacity) if opacity < 1:
            _tint(sheet, scaled(points), colours[fill], opacity)
        case Area(points, fill, _):
            pen.polygon(scaled(points), fill=colours[fill])
        case Boxes(boxes, fill):
            for x, y, w, h in boxes:
                edges = [round(value * f) for value in (x, y, x + w, y + h)]
                if (
                    edges[2] > edges[0] and edges[3] > edges[1]
                ):  # Pillow's boxes hold their last row and column
                    pen.rectangle((edges[0], edges[1], edges[2] - 1, edges[3] - 1), fill=colours[fill])
        case Dots(points, series, stroke, radius, hollow):
            inside = colours["paper" if hollow else stroke]
            for x, y in points:
                corners = scaled(_outline(series, x, y, radius))
                r, edge = radius * f, round(_EDGE * f) if hollow else 0
                if not corners:
                    round_box = (x * f - r, y * f - r, x * f + r, y * f + r)
                    pen.ellipse(round_box, fill=inside, outline=colours[stroke], width=edge)
                    continue
                pen.polygon(corners, fill=inside)
                if edge:
                    pen.line([*corners, *corners[:2]], fill=colours[stroke], width=edge, joint="curve")
        case Text(x, y, text, size, fill, anchor, bold):
            side = {"start": "l", "middle": "m", "end": "r"}[anchor]
            pen.text(
                (x * f, y * f),
                text,
                fill=colours[fill],
                font=_font(size * f),
                anchor=f"{side}s",
                stroke_width=0.02 * size * f if bold else 0,
            )
        case Tip():
            pass


def _tint(sheet: Image, points: list[Point], colour: str, opacity: float) -> None:
    """Fill a polygon with see-through colour; only the part of the sheet below it is touched."""
    from PIL import Image, ImageDraw

    left, top = (max(0, int(min(axis))) for axis in zip(*points, strict=True))
    right, bottom = (int(max(axis)) + 1 for axis in zip(*points, strict=True))
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=round(255 * opacity))
    sheet.paste(colour, (left, top, right, bottom), mask)


def _dashes(points: Sequence[Point]) -> Iterable[tuple[Point, Point]]:
    """Yield the dashes of a line, one straight part after the other."""
    dash, gap = _DASH
    for (x0, y0), (x1, y1) in pairwise(points):
        length = hypot(x1 - x0, y1 - y0)
        start = 0.0
        while start < length:
            a, b = start / length, min(start + dash, length) / length
            yield (x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))
            start += dash + gap


@lru_cache(maxsize=32)
def _font(size: float) -> FreeTypeFont:
    """Return the sans-serif font that Pillow brings along."""
    from PIL import ImageFont

    font: Any = ImageFont.load_default(size)
    return font  # type: ignore[no-any-return]
