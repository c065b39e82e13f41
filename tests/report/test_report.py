"""``merbench report`` and ``merbench paper``: what the page and the files say, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from merbench.report import Media, write_paper, write_report
from merbench.report._failures import worst_failures
from merbench.report._media import PICTURES, _pictures
from merbench.report._study import read_study
from merbench.statistics.intervals import paired_interval, single_interval
from merbench.statistics.panel import load_panel
from merbench.types import Cell
from tests.report.runs import CORRUPTIONS, suite, write_run

NO_MEDIA = Media(wanted=False)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def strong(base) -> Path:
    return write_run(base / "strong", "late-fusion")


@pytest.fixture(scope="module")
def weak(base) -> Path:
    marks = [{"kind": "out of domain", "why": "trained on ravdess, evaluated on synthetic"}]
    return write_run(base / "weak", "ser_cnn", skill=0.7, uses=["audio"], marks=marks)


def page_of(runs, tmp_path, **options) -> str:
    write_report(runs, tmp_path / "report.html", media=options.pop("media", NO_MEDIA), **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def overview(runs, tmp_path) -> list[dict[str, str]]:
    write_report(runs, tmp_path / "r.html", media=NO_MEDIA, tables_folder=tmp_path / "tables")
    return list(
        csv.DictReader(io.StringIO((tmp_path / "tables" / "overview.csv").read_text(encoding="utf-8")))
    )


def test_the_page_needs_nothing_from_anywhere_else(strong, tmp_path):
    page = page_of([strong], tmp_path)
    addresses = re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)|url\(([^)]+)\)""", page)
    assert {a or b for a, b in addresses if not (a or b).startswith(("#", "data:"))} == set()
    assert "@import" not in page
    assert "fetch(" not in page


def test_the_same_runs_give_the_same_page(strong, weak, tmp_path):
    assert page_of([strong, weak], tmp_path) == page_of([strong, weak], tmp_path)


def test_intervals_are_those_of_the_statistics(strong, weak, tmp_path):
    row = overview([strong, weak], tmp_path)[0]
    one = single_interval(load_panel([strong, weak]), 0, metric="uar", quantity="drop")
    assert row["drop"] == f"{100 * one.estimate:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def test_models_are_held_against_the_first_on_the_same_samples(strong, tmp_path):
    other = write_run(tmp_path / "other", "emollama", fall=0.12)
    row = overview([strong, other], tmp_path)[1]
    one = paired_interval(load_panel([strong, other]), 1, 0, metric="uar", quantity="drop")
    assert (
        row["drop against first"] == f"{100 * one.estimate:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"
    )


def test_marks_and_unread_modalities_are_beside_the_figures(strong, weak, tmp_path):
    row = overview([strong, weak], tmp_path)[1]
    assert row["marks"] == "out of domain"
    assert row["reads"] == "audio"
    assert row["drop against first"] == "reads other"
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "ser_cnn: out of domain (trained on ravdess, evaluated on synthetic)" in page
    assert "ser_cnn does not read vision and text: overall figures do not compare" in page
    assert "not read" in page  # in place of a drop of nothing


def test_what_is_not_applicable_says_so_and_has_no_curve(tmp_path):
    run = write_run(tmp_path / "run", "ser_cnn", dataset="ravdess", text_informative=False)
    page = page_of([run], tmp_path)
    assert "text/typo: not applicable, the text is scripted" in page
    assert "UAR by severity of text/typo" not in page


def test_a_line_is_fitted_from_five_models_on(tmp_path):
    runs = [write_run(tmp_path / f"r{i}", f"m{i}", skill=0.9 - 0.05 * i) for i in range(5)]
    assert "the line fitted over 5 models" in page_of(runs, tmp_path)
    assert "the same drop as m0 (parallel shift" in page_of(runs[:4], tmp_path)


def test_models_that_do_not_read_everything_have_no_part_in_the_line(tmp_path):
    runs = [write_run(tmp_path / f"r{i}", f"m{i}", skill=0.9 - 0.05 * i) for i in range(4)]
    runs.append(write_run(tmp_path / "r4", "m4", uses=["text"]))
    assert "parallel shift" in page_of(runs, tmp_path)


def test_attacks_have_a_section_only_where_there_are_any_and_weak_ones_are_told(strong, tmp_path):
    assert "Attack reliability" not in page_of([strong], tmp_path)
    good = write_run(tmp_path / "a", "m", cells=suite(["audio/rain", "adversarial/fgsm", "adversarial/pgd"]))
    page = page_of([good], tmp_path)
    assert "Attack reliability" in page
    assert "FAILS" not in page
    helped = write_run(tmp_path / "b", "m", fall=-0.02, skill=0.6, cells=suite(["adversarial/pgd"]))
    assert "FAILS: a larger budget helps the model" in page_of([helped], tmp_path)


def test_without_probabilities_calibration_is_not_applicable(tmp_path):
    run = write_run(tmp_path / "run", "emollama", probabilities=False)
    assert "not applicable: it answers without probabilities" in page_of([run], tmp_path)


def test_a_model_with_one_answer_for_everything_is_shown(tmp_path):
    run = write_run(tmp_path / "run", "constant", skill=0.0, classes=("happy", "sad"))
    assert "constant" in page_of([run], tmp_path)


def test_failures_are_right_when_clean_wrong_and_sure_under_noise_and_each_sample_once(strong, weak):
    study = read_study([strong, weak])
    failures = worst_failures(study)
    assert len({failure.sample for failure in failures}) == len(failures) == 12
    for failure in failures:
        assert any(clean.right and not noisy.right for clean, noisy in failure.answers)
        assert study.panel.applied[failure.cell, failure.sample]
    by_corruption = [study.panel.cells[failure.cell].corruption for failure in failures]
    assert {by_corruption.count(name) for name in CORRUPTIONS} == {3}  # they take turns


def test_restricted_media_stay_out_unless_asked_for(tmp_path, merbench):
    run = write_run(tmp_path / "run", "m", restricted=True)
    done = merbench("report", run, "--out", tmp_path / "report.html")
    assert done.code == 0
    assert "the licence of the data forbids" in done.err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not any(media in page for media in ("<audio", "<img", "<blockquote"))


def test_restricted_media_asked_for_are_marked(texts, tmp_path, merbench):
    run, page = tmp_path / "run", tmp_path / "report.html"
    adapter = f"{Path(__file__).parents[1] / 'adapters.py'}:TextOnly"
    data = ("--dataset", "table", "--root", texts, "--limit", "40", "--severity", "5")
    assert merbench("eval", "--model", adapter, *data, "--corruption", "text/typo", "--out", run).code == 0
    assert merbench("report", run, "--media", "--root", texts, "--out", page).code == 0
    html = page.read_text(encoding="utf-8")
    assert "<blockquote>" in html
    assert "Do not share this page." in html


def test_a_run_with_attacks_keeps_the_media_of_its_natural_cells(texts, tmp_path, merbench):
    run, page = tmp_path / "run", tmp_path / "report.html"
    adapter = f"{Path(__file__).parents[1] / 'adapters.py'}:TextOnly"
    data = ("--dataset", "table", "--root", texts, "--limit", "40", "--severity", "5")
    words = ("--corruption", "text/typo", "--attack", "char_flips", "--out", run)
    done = merbench("eval", "--model", adapter, *data, *words)
    assert done.code == 0, done.err
    done = merbench("report", run, "--media", "--root", texts, "--out", page)
    assert done.code == 0, done.err
    assert "<blockquote>" in page.read_text(encoding="utf-8")
    assert "no media: those under attack" in done.err


def test_every_frame_of_a_restricted_set_says_do_not_share():
    frames = np.zeros((16, 64, 64, 3), dtype=np.uint8)
    plain, marked = (
        np.asarray(Image.open(io.BytesIO(_pictures(frames, mark=mark)))).astype(int) for mark in (False, True)
    )
    assert plain.max() < 10
    for frame in np.split(marked, PICTURES, axis=1):
        assert frame.max() > 200


def test_media_that_would_not_be_the_runs_are_refused(strong, tmp_path, merbench):
    done = merbench("report", strong, "--media", "--out", tmp_path / "report.html")
    done.refused("the run's recipe is", "--suite")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_streamed_again_or_from_the_suite_the_media_are_the_same(tmp_path, merbench):
    common = ("--dataset", "synthetic", "--limit", "20", "--severity", "5", "--corruption", "text/typo")
    common += ("--corruption", "modality/dropout", "--frames", "4", "--frame-size", "64")
    assert merbench("corrupt", *common, "--out", tmp_path / "suite").code == 0
    run = tmp_path / "run"
    model = ("--model", "late-fusion", "--out", run)
    assert merbench("eval", *model, "--suite", tmp_path / "suite").code == 0
    streamed, built = tmp_path / "streamed.html", tmp_path / "built.html"
    sizes = ("--frames", "4", "--frame-size", "64")
    assert merbench("report", run, "--media", *sizes, "--out", streamed).code == 0
    assert merbench("report", run, "--media", "--suite", tmp_path / "suite", "--out", built).code == 0
    assert "<blockquote>" in built.read_text(encoding="utf-8")
    assert streamed.read_bytes() == built.read_bytes()


def test_figures_and_tables_go_to_files(strong, weak, tmp_path, merbench):
    folders = ("--figures", tmp_path / "figures", "--tables", tmp_path / "tables")
    assert merbench("report", strong, weak, "--no-media", "--out", tmp_path / "r.html", *folders).code == 0
    figures = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert {"severity-curves", "heat-map", "families", "clean-against-noisy", "confusions"} <= figures
    assert {"recall-by-class", "recall-by-speaker", "calibration"} <= figures
    for name in figures:
        assert (tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8").startswith("<svg xmlns=")
        assert Image.open(tmp_path / "figures" / f"{name}.png").width >= 900
    tables = {path.name for path in (tmp_path / "tables").iterdir()}
    assert {"overview.tex", "overview.csv", "scores-2-ser-cnn.tex", "intervals.csv"} <= tables


def test_every_estimate_is_in_the_table_of_intervals(strong, tmp_path):
    write_report([strong], tmp_path / "r.html", media=NO_MEDIA, tables_folder=tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "intervals.csv").read_text(encoding="utf-8"))))
    summary = json.loads((strong / "result.json").read_text(encoding="utf-8"))["metrics"]
    shown = {(r["metric"], r["quantity"], r["scope"]): float(r["estimate"]) for r in rows}
    for metric, score in summary["overall"].items():
        assert shown[metric, "noisy", "overall"] == pytest.approx(score["noisy"], abs=1e-6)
    for entry in summary["corruptions"]:
        for severity in entry["severities"]:
            scope = f"{entry['corruption']} severity {severity['severity']}"
            drop = severity["robustness"]["uar"]["drop"]
            assert shown["uar", "drop", scope] == pytest.approx(drop, abs=1e-6)


def test_a_paper_folder_says_where_it_comes_from_and_is_the_same_twice(strong, weak, tmp_path, merbench):
    folder = tmp_path / "paper"
    assert merbench("paper", strong, weak, "--out", folder).code == 0
    readme = (folder / "README.md").read_text(encoding="utf-8")
    result = json.loads((strong / "result.json").read_text(encoding="utf-8"))
    assert result["predictions"]["sha256"] in readme
    assert result["model"]["fingerprint"] in readme
    assert "merbench paper strong weak --metric uar" in readme
    assert str(tmp_path) not in readme
    bib = (folder / "CITATIONS.bib").read_text(encoding="utf-8")
    assert "@software{merbench," in bib
    assert "@misc{merbench-text-typo," in bib
    first = {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert merbench("paper", strong, weak, "--out", folder).code == 0
    assert first == {path: path.read_bytes() for path in folder.rglob("*.*")}


def test_a_paper_cites_the_dataset(tmp_path):
    run = write_run(tmp_path / "run", "m", dataset="ravdess", restricted=True)
    write_paper([run], tmp_path / "paper")
    assert "@article{livingstone2018ravdess" in (tmp_path / "paper" / "CITATIONS.bib").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("command", ["report", "paper"])
def test_a_figure_edited_by_hand_is_found(strong, tmp_path, merbench, command):
    run = shutil.copytree(strong, tmp_path / "run")
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    result["metrics"]["overall"]["uar"]["noisy"] += 0.01
    (run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    merbench(command, run, "--out", tmp_path / "out").refused("does not follow from its predictions")


def test_a_run_is_shown_as_the_table_of_a_paper(strong, merbench):
    done = merbench("show", "run", strong, "--format", "latex")
    assert done.code == 0
    assert r"\toprule" in done.out
    merbench("show", "run", strong, "--format", "word").refused("no table format 'word'")


def test_a_paper_leaves_other_folders_alone(strong, tmp_path, merbench):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "README.md").write_text("mine", encoding="utf-8")
    merbench("paper", strong, "--out", tmp_path / "thesis").refused("holds no paper folder")


def test_a_truncated_prediction_file_is_refused(strong, tmp_path, merbench):
    run = shutil.copytree(strong, tmp_path / "run")
    data = (run / "predictions.parquet").read_bytes()
    (run / "predictions.parquet").write_bytes(data[: len(data) // 2])
    merbench("report", run, "--out", tmp_path / "r.html").refused("is not the file that was scored")


def test_runs_over_different_data_are_refused(strong, tmp_path, merbench):
    other = write_run(tmp_path / "other", "m", n=60)
    merbench("report", strong, other, "--out", tmp_path / "r.html").refused("has the sample", "same suite")


def test_no_more_than_ten_runs(strong, tmp_path, merbench):
    merbench("report", *[strong] * 11, "--out", tmp_path / "r.html").refused(
        "1 to 10 runs, and 11 were given"
    )


def test_a_run_of_the_clean_cell_alone_is_refused(tmp_path, merbench):
    run = write_run(tmp_path / "run", "m", cells=[Cell.clean()])
    merbench("report", run, "--out", tmp_path / "r.html").refused("no corrupted cell")


@pytest.mark.slow
def test_ten_models_of_two_hundred_cells_in_seconds_and_three_megabytes(tmp_path):
    corruptions = [
        f"{family}/kind_{i}" for family in ("audio", "vision", "text", "compound") for i in range(10)
    ]
    runs = [
        write_run(tmp_path / f"r{i}", f"model-{i}", n=240, speakers=24, cells=suite(corruptions))
        for i in range(10)
    ]
    started = time.process_time()
    page = page_of(runs, tmp_path)
    assert time.process_time() - started < 8
    assert len(page) < 3_200_000
