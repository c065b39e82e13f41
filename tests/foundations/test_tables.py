"""One table, every form: the same cells, escaped as each form wants it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from merbench.errors import MerbenchError
from merbench.tables import FORMATS, Row, Table, require_format

TABLE = Table(
    name="scores of A/B",
    title="A_B on 50 % of data",
    columns=("model", "drop"),
    rows=(Row(("a|b <i>", "1.0")), Row(("x, \\y", "-"), starts_section=True)),
    caption="n = 3",
)


def test_csv_reads_back_cell_by_cell():
    assert list(csv.reader(io.StringIO(TABLE.csv()))) == [
        ["model", "drop"],
        ["a|b <i>", "1.0"],
        ["x, \\y", "-"],
    ]


def test_markdown_keeps_a_pipe_inside_its_cell():
    assert "| a\\|b <i> | 1.0 |" in TABLE.markdown().splitlines()


def test_latex_has_booktabs_rules_and_no_bare_special_characters():
    latex = TABLE.latex()
    assert [rule for rule in (r"\toprule", r"\midrule", r"\bottomrule") if rule not in latex] == []
    assert r"\caption{A\_B on 50 \% of data. n = 3.}" in latex
    assert r"\label{tab:scores-of-A-B}" in latex
    assert r"\addlinespace" + "\n" + r"x, \textbackslash{}y & - \\" in latex
    assert r"a|b \textless{}i\textgreater{} & 1.0 \\" in latex


def test_html_shows_what_a_cell_holds_and_does_not_run_it():
    html = TABLE.html()
    assert "<i>" not in html
    assert '<th scope="row">a|b &lt;i&gt;</th><td>1.0</td>' in html


def test_text_has_no_colours_and_the_width_asked_for():
    text = TABLE.text(width=40)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 40


WIDE = Table(
    name="gains",
    title="Gains",
    columns=("trained with", "tested on", *(f"gain of arm {i}" for i in range(4))),
    rows=(
        Row(("noise without audio/environment", "vision/occlusion_mask", *["+1.2 [-0.3, 2.7]"] * 4)),
        Row(("control", "clean", *["-0.1 [-11.5, 10.8]"] * 4), starts_section=True),
    ),
    left=2,
)


@pytest.mark.parametrize("width", [50, 60, 80, 100, 200])
@pytest.mark.parametrize("left", [1, 2, 6])
def test_a_narrow_terminal_cuts_nothing(width, left):
    text = replace(WIDE, left=left).text(width)
    assert max(map(len, text.splitlines())) <= width
    cells = "".join(cell for row in WIDE.rows for cell in row.cells)
    shown = "".join(text.partition("\u2500")[2].split()).replace("\u2500", "")
    assert sorted(shown) == sorted("".join(cells.split()))


def test_figures_wrap_at_blanks_before_names_are_hard_to_read():
    lines = WIDE.text(80).splitlines()
    assert any("control" in line and "clean" in line and "-0.1" in line for line in lines)
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_every_figure(form):
    assert "1.0" in TABLE.to(form)


def test_another_format_is_refused_by_name():
    with pytest.raises(
        MerbenchError, match=r"no table format 'pdf'; choose one of text, markdown, csv, latex"
    ):
        require_format("pdf")
