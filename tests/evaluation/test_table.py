"""The table shows clean beside every drop, says what limits it, and fits a terminal."""

from __future__ import annotations

import pytest

from merbench.errors import MerbenchError
from merbench.evaluation.summary import summarise
from merbench.evaluation.table import run_table
from merbench.types import Cell
from tests.evaluation.grids import CLASSES, cell, rows, table

TRUTH = ("happy", "happy", "sad", "sad")
WORSE = ("happy", "sad", "sad", "happy")
MARK = {"kind": "contaminated", "why": "trained on 4 of the 4 samples [all]"}


@pytest.fixture
def result() -> dict:
    cells = [
        Cell.clean(),
        *(cell("audio/urban_noise", s, options={"noise_class": "drilling", "folds": [1, 3]}) for s in (1, 5)),
        *(
            cell("audio/urban_noise", s, options={"noise_class": "jackhammer", "folds": [1, 3]})
            for s in (1, 5)
        ),
        cell("vision/occlusion_mask", 3),
        cell("text/typo", 2),
    ]
    answers = {c: TRUTH if c.is_clean else WORSE for c in cells}
    metrics = summarise(table(rows(TRUTH, answers)), cells, CLASSES, text_informative=False)
    data = {"dataset": "ravdess", "split": "test"}
    model = {"name": "ser_cnn", "uses": ["audio"]}
    return {"model": model, "data": data, "marks": [MARK], "metrics": metrics}


@pytest.mark.parametrize("width", [80, 100, 120])
def test_it_fits_the_width_in_plain_text(result, width):
    text = run_table(result).text(width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text


def test_every_drop_has_its_clean_score_beside_it(result):
    lines = [line.split() for line in run_table(result).text().splitlines()]
    noisy = [line for line in lines if "50%" in line]
    assert len(noisy) == 4 + 2 + 1 + 3  # severities, means, the single severity; two families, overall
    for line in noisy:
        at = line.index("50%")
        assert line[at - 3 : at] == ["1.000", "0.500", "0.500"]


def test_a_drop_of_nothing_has_no_sign(result):
    result["metrics"]["overall"]["uar"]["drop"] = -1e-17  # what a mean of equal figures leaves
    assert "-0.000" not in run_table(result).text() + run_table(result).markdown()


def test_the_title_names_the_model_the_data_and_what_limits_the_figures(result):
    text = " ".join(run_table(result).text(200).split())
    assert "ser_cnn on ravdess (test), 4 samples; CONTAMINATED: trained on 4 of the 4 samples [all]" in text


def test_chosen_options_are_part_of_the_name(result):
    result["model"]["options"] = {"absent": "mean", "folds": [1, 3]}
    assert run_table(result).title.startswith("ser_cnn:absent=mean,folds=1+3 on ravdess")


def test_the_agreement_of_words_and_scores_is_told_where_there_is_one(result):
    assert "text answers" not in run_table(result).caption
    result["metrics"]["cells"][0]["metrics"]["agreement"] = 0.75
    assert "the text answers name the scored class in 75% of the clean samples" in run_table(result).caption


def test_modalities_that_the_model_does_not_read_are_named(result):
    assert "does not read vision or text" in run_table(result).caption
    result["model"]["uses"] = ["audio", "vision", "text"]
    assert "does not read" not in run_table(result).caption


def test_variants_are_told_apart_by_the_options_in_which_they_differ(result):
    text = run_table(result).text(120)
    assert "audio/urban_noise noise_class=drilling" in text
    assert "folds" not in text


def test_cells_that_are_not_applicable_are_named_and_have_no_figures(result):
    line = next(line for line in run_table(result).text(120).splitlines() if "text/typo" in line)
    assert line.split() == ["text/typo:", "not", "applicable,", "the", "text", "is", "scripted", "2"]


def test_markdown_has_the_same_rows(result):
    text, markdown = run_table(result).text(120), run_table(result).markdown()
    rows_of_markdown = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows_of_markdown}) == 1
    for line in rows_of_markdown[2:]:
        cells = [c.strip() for c in line.strip("|").split("|")]
        assert " ".join(c for c in cells if c) in " ".join(text.split())


@pytest.mark.parametrize(("metric", "name"), [("accuracy", "acc clean"), ("macro_f1", "F1 clean")])
def test_another_metric_can_be_the_primary_one(result, metric, name):
    assert f"| {name} |" in run_table(result, metric=metric).markdown()


def test_an_unknown_metric_is_refused(result):
    with pytest.raises(MerbenchError, match="no metric 'bleu'"):
        run_table(result, metric="bleu")
