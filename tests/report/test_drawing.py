"""Drawings: the same marks as SVG and as PNG, colours that can be told apart, scales that do not lie."""

from __future__ import annotations

import io
import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from merbench.report._axes import Scale, span
from merbench.report._drawing import (
    Area,
    Boxes,
    Dots,
    Drawing,
    Line,
    Text,
    Tip,
    png,
    shortened,
    svg,
    text_width,
)
from merbench.report._palette import (
    DARK,
    LIGHT,
    SERIES,
    contrast,
    drop_step,
    linear_rgb,
    oklab,
    series,
    share_step,
    text_on,
)

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", IEEE TVCG 15(6), 2009: complete deficiency, linear RGB.
VISIONS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
ONE_OF_EACH = (
    Line(((10, 10), (90, 10)), "s0", 2),
    Line(((10, 20), (90, 20)), "s1", 2, dashed=True),
    Area(((10, 30), (90, 30), (90, 40)), "s2", 0.5),
    Boxes(((10, 50, 20, 10), (40, 50, 0.2, 0)), "d10"),
    Dots(((50, 70), (60, 70)), 5, "s5"),
    Dots(((80, 70),), 0, "s0", hollow=True),
    Text(50, 95, "recall < 5 & more", anchor="middle", bold=True),
    Tip((0, 0, 10, 10), "a tip"),
)


def drawing() -> Drawing:
    return Drawing(100, 100, 'a "label" <b>', list(ONE_OF_EACH))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_series_and_text_stand_out_from_the_paper(theme):
    assert min(contrast(theme[series(i)], theme["paper"]) for i in range(SERIES)) >= 3  # WCAG 2.2, 1.4.11
    assert min(contrast(theme[ink], theme["paper"]) for ink in ("ink", "muted", "accent")) >= 4.5  # 1.4.3
    assert contrast(theme["warn"], theme["warn-panel"]) >= 4.5
    steps = [name for name in theme if re.fullmatch(r"[dq]-?\d+", name)]
    assert len(steps) == 15 + 11
    assert min(contrast(theme[text_on(step)], theme[step]) for step in steps) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_models_can_be_told_apart_with_any_colour_vision(theme, vision):
    seen = [
        oklab(np.clip(np.array(VISIONS[vision]) @ linear_rgb(theme[series(i)]), 0, 1)) for i in range(SERIES)
    ]
    apart = {(i, j): float(np.linalg.norm(seen[i] - seen[j])) for i, j in combinations(range(SERIES), 2)}
    # 0.02 is about a just noticeable difference of large patches; lines are thin.
    assert min(apart[pair] for pair in combinations(range(4), 2)) > 0.12
    assert min(apart.values()) > 0.05


def test_every_model_has_a_marker_of_its_own():
    shapes = set()
    for i in range(SERIES):
        path = re.search(r' d="([^"]+)"', svg(Drawing(20, 20, "", [Dots(((10, 10),), i, "ink")])))
        shapes.add(path.group(1))
    assert len(shapes) == SERIES


def test_a_file_is_valid_svg_with_fixed_colours_and_no_tips():
    text = svg(drawing(), LIGHT)
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") == "0 0 100 100"
    assert "var(" not in text
    assert "a tip" not in text
    assert "recall < 5 & more" in [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_in_a_page_colours_are_variables_and_labels_are_escaped():
    text = svg(drawing())
    assert "#" not in text
    assert 'aria-label="a &quot;label&quot; &lt;b&gt;"' in text
    assert 'data-tip="a tip"' in text


def test_png_has_the_size_asked_for_and_every_mark():
    image = Image.open(io.BytesIO(png(drawing(), scale=2)))
    assert image.size == (200, 200)
    assert round(image.info["dpi"][0]) == 192
    pixels = np.asarray(image.convert("RGB")).astype(int)
    paper = np.array([255, 255, 255])
    for top, bottom in ((8, 12), (18, 22), (30, 40), (50, 60), (66, 74), (86, 96)):  # one band per mark
        assert (np.abs(pixels[2 * top : 2 * bottom] - paper).sum(axis=-1) > 60).any(), (top, bottom)


def test_drawing_twice_gives_the_same_bytes():
    assert svg(drawing()) == svg(drawing())
    assert png(drawing(), scale=1) == png(drawing(), scale=1)


@given(st.text(max_size=60), st.floats(10, 300))
def test_shortened_text_fits(text, room):
    assert text_width(shortened(text, room)) <= max(room, text_width("…"))


@given(st.lists(st.floats(0, 1), max_size=20))
def test_a_span_holds_all_values_and_never_blows_noise_up(values):
    low, high = span(values, within=(0.0, 1.0))
    assert 0 <= low < high <= 1
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert high - low >= 0.1 - 1e-9


@given(st.floats(-1, 1), st.floats(0.01, 2), st.integers(1, 8))
def test_ticks_are_evenly_spaced_and_on_the_scale(low, length, about):
    scale = Scale(low, low + length, 0, 100)
    ticks = scale.ticks(about)
    assert all(low - 1e-9 <= tick <= low + length + 1e-9 for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[:1].repeat(len(steps)) if len(steps) else steps)
    assert len(ticks) <= 2 * about + 1


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.05, 1))
def test_a_larger_drop_never_has_a_weaker_colour(a, b, largest):
    step = [int(drop_step(value, largest)[1:]) for value in sorted((a, b))]
    assert step[0] <= step[1]
    assert drop_step(a, largest) in LIGHT


def test_shares_cover_their_scale():
    assert (share_step(0.0), share_step(1.0)) == ("q0", "q10")
