"""What a figure is: panels that are read together, a caption that says what to look for.

Panels are about as wide as a phone, so that text keeps its size on any screen: a page lets them flow,
a file joins them on one sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from merbench.report._drawing import Dots, Drawing, Text, shortened, text_width
from merbench.report._palette import series

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 300.0
"""Of a panel, in pixels."""

ROW = 20.0
"""From one line of a list to the next, in pixels."""

SMALL = 10.0
"""Of the text at ticks and in cells, in pixels."""

_TITLE = 12.0
_TITLE_Y = 13.0


@dataclass(frozen=True)
class Figure:
    """Panels that are read together; `columns` is how many stand side by side in a file."""

    name: str
    title: str
    caption: str
    panels: tuple[Drawing, ...]
    columns: int = 3
    legend: bool = True


class Entry(Protocol):
    """What a legend names: the place of its colour and marker, and a name."""

    @property
    def slot(self) -> int: ...
    @property
    def name(self) -> str: ...


def joined(figure: Figure, models: Sequence[Entry]) -> Drawing:
    """Return all panels on one sheet, the legend above them."""
    gap = 16.0
    columns = min(figure.columns, len(figure.panels))
    rows = [figure.panels[i : i + columns] for i in range(0, len(figure.panels), columns)]
    widest = max(panel.width for panel in figure.panels)
    top = 34.0 if figure.legend else gap
    sheet = Drawing(gap + columns * (widest + gap), 0, f"{figure.title}. {figure.caption}")
    if figure.legend:
        top += _draw_legend(sheet, models, gap)
    for row in rows:
        for i, panel in enumerate(row):
            sheet.place(panel, gap + i * (widest + gap), top)
        top += max(panel.height for panel in row) + gap
    sheet.height = top
    return sheet


def _draw_legend(sheet: Drawing, models: Sequence[Entry], gap: float) -> float:
    """Draw markers and names in lines; return the height of all lines but the first."""
    x, y = gap, 20.0
    for model in models:
        width = 16 + text_width(model.name) + 18
        if x > gap and x + width > sheet.width:
            x, y = gap, y + 18
        sheet.add(Dots(((x + 5, y - 4),), model.slot, series(model.slot)), Text(x + 16, y, model.name))
        x += width
    return y - 20.0


def make_panel(label: str, title: str, height: float, width: float = WIDTH, *, note: str = "") -> Drawing:
    """Return an empty panel with its title at the left and a note at the right."""
    sheet = Drawing(width, height, label)
    room = width - (text_width(note, SMALL) * 1.2 + 10 if note else 0)
    sheet.add(Text(0, _TITLE_Y, shortened(title, room, _TITLE), _TITLE, bold=True))
    if note:
        sheet.add(Text(width, _TITLE_Y, note, SMALL, "muted", "end"))
    return sheet


def draw_axis_title(sheet: Drawing, x: float, title: str) -> None:
    """Write what the horizontal axis shows, and its unit, at the foot of a panel, around `x`."""
    sheet.add(Text(x, sheet.height - 4, title, SMALL, "muted", "middle"))
