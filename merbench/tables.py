"""A table once, in every form in which it is read: terminal, log, Markdown, CSV, LaTeX, web page."""

from __future__ import annotations

import csv
import io
import operator
import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal, get_args

from merbench.errors import MerbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table as RichTable

Format = Literal["text", "markdown", "csv", "latex"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIX: dict[Format, str] = {"text": ".txt", "markdown": ".md", "csv": ".csv", "latex": ".tex"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its cells, and whether a rule is drawn above it."""

    cells: tuple[str, ...]
    starts_section: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text below headings.

    `left` columns at the beginning hold words, the others figures. `title` and `caption` are sentences
    in plain text; what a reader must know before believing a figure is in the title. `name` is a
    short name for files and references.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    left: int = field(default=1, kw_only=True)

    @property
    def file_name(self) -> str:
        """The name in characters that every file system and LaTeX take."""
        return re.sub("[^A-Za-z0-9]+", "-", self.name).strip("-")

    def rich(self) -> RenderableType:
        """Return the table for a rich console; nothing is cut where the console is narrow."""
        return _OnScreen(self)

    def text(self, width: int = 100) -> str:
        """Return plain text, at most `width` columns wide."""
        from rich.console import Console

        out = io.StringIO()
        console = Console(file=out, width=width, color_system=None, force_terminal=False, highlight=False)
        console.print(self.rich())
        return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())

    def markdown(self) -> str:
        """Return GitHub-flavoured Markdown."""
        rule = (*["---"] * self.left, *["---:"] * (len(self.columns) - self.left))
        rows = (self.columns, rule, *(row.cells for row in self.rows))
        lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in rows]
        return "\n".join([f"**{self.title}**", "", *lines, "", self.caption, ""])

    def csv(self) -> str:
        """Return comma-separated values (RFC 4180, but with plain line feeds), the headings first."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([self.columns, *(row.cells for row in self.rows)])
        return out.getvalue()

    def latex(self) -> str:
        r"""Return a ``table`` with booktabs rules, for ``\usepackage{booktabs}``."""
        lines = [
            r"\begin{table}[t]",
            r"\centering\small",
            r"\caption{"
            + _tex(" ".join(f"{part.rstrip('.')}." for part in (self.title, self.caption) if part))
            + "}",
            r"\label{tab:" + self.file_name + "}",
            r"\begin{tabular}{" + "l" * self.left + "r" * (len(self.columns) - self.left) + "}",
            r"\toprule",
            " & ".join(map(_tex, self.columns)) + r" \\",
            r"\midrule",
        ]
        for i, row in enumerate(self.rows):
            if row.starts_section and i:
                lines.append(r"\addlinespace")
            lines.append(" & ".join(map(_tex, row.cells)) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])

    def html(self, *, sortable: bool = False) -> str:
        """Return an HTML table with its title and caption; a page's script sorts a `sortable` one."""
        head = "".join(
            f'<th scope="col"{" class=word" if i < self.left else ""}>{escape(heading)}</th>'
            for i, heading in enumerate(self.columns)
        )
        body = "".join(
            f"<tr{' class=section' if row.starts_section else ''}>{self._html_cells(row.cells)}</tr>"
            for row in self.rows
        )
        kind = ' class="sortable"' if sortable else ""
        title = escape(self.title)
        note = f'<p class="note">{escape(self.caption)}</p>' if self.caption else ""
        # The title stands outside of what scrolls: on a phone it is read whole.
        return (
            f'<p class="title">{title}</p>'
            f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
            f"<table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}"
        )

    def _html_cells(self, cells: Sequence[str]) -> str:
        first = f'<th scope="row">{escape(cells[0])}</th>'
        rest = (
            f"<td{' class=word' if i < self.left else ''}>{escape(c)}</td>"
            for i, c in enumerate(cells[1:], 1)
        )
        return first + "".join(rest)

    def to(self, form: Format) -> str:
        """Return the table in one of `FORMATS`."""
        make = {"text": self.text, "markdown": self.markdown, "csv": self.csv, "latex": self.latex}
        return make[form]()


_NAME = 22
"""Characters that a column of words keeps before figures are wrapped."""


@dataclass(frozen=True, slots=True)
class _OnScreen:
    """A table that takes its columns' widths from the console it is printed on."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(
            title=Text(self.table.title),
            caption=Text(self.table.caption),
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            title_justify="left",
            caption_justify="left",
        )
        for i, (heading, width) in enumerate(
            zip(self.table.columns, self._widths(options.max_width), strict=True)
        ):
            if i < self.table.left:
                table.add_column(Text(heading), overflow="fold", width=width)
            else:
                stacked = Text(heading.replace(" ", "\n"))
                table.add_column(stacked, overflow="fold", width=width, justify="right")
        for row in self.table.rows:
            if row.starts_section:
                table.add_section()
            table.add_row(*map(Text, row.cells))
        yield table

    def _widths(self, available: int) -> list[int]:
        """Return how wide each column is: words fold first, then figures wrap at blanks, then all fold."""
        from rich.cells import cell_len

        left = self.table.left
        cells = list(zip(*(row.cells for row in self.table.rows), strict=True)) or [()] * len(
            self.table.columns
        )
        widths, pieces = [], []
        for i, (heading, column) in enumerate(zip(self.table.columns, cells, strict=True)):
            whole = [*column, *([heading] if i < left else heading.split())]
            widths.append(max(map(cell_len, whole), default=1) or 1)
            pieces.append(max((cell_len(piece) for text in whole for piece in text.split()), default=1))
        names, ones = [min(width, _NAME) for width in widths[:left]], [1] * len(widths)
        room = available - 2 * len(widths) - 1  # a blank and a divider per column, and the left edge
        for floors in (names + widths[left:], names + pieces[left:], ones[:left] + pieces[left:], ones):
            while sum(widths) > room and any(map(operator.gt, widths, floors)):
                spare = [width if width > floor else 0 for width, floor in zip(widths, floors, strict=True)]
                widths[spare.index(max(spare))] -= 1
        return widths


def require_format(form: str) -> Format:
    """Return `form` if it is one of `FORMATS`.

    Raises:
        MerbenchError: it is not.
    """
    if form not in FORMATS:
        raise MerbenchError(f"there is no table format '{form}'", fix=f"choose one of {', '.join(FORMATS)}")
    return form


_TEX = {
    **{character: "\\" + character for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)
