"""What a study says follows from its answers: gains, losses, intensity, corrections over all arms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from merbench.ablation import study as studies
from merbench.ablation.findings import METRIC, find, tables
from merbench.statistics.compare import holm
from merbench.statistics.intervals import paired_interval
from merbench.statistics.panel import load_panel
from merbench.types import Cell
from tests.evaluation import grids
from tests.statistics.panels import write_run

LABELS, SPEAKERS, PER_SPEAKER, SEEDS = ("happy", "sad", "angry"), 10, 12, range(5)
OF = [Cell.clean(), grids.cell("audio/rain", 3), grids.cell("text/typo", 3)]
ARMS = {  # how often each is right: clean, under rain, under typing errors
    "control": (0.9, 0.5, 0.6),
    "clean": (0.9, 0.5, 0.6),
    "noise": (0.85, 0.8, 0.6),
    "useless": (0.5, 0.5, 0.2),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Five seeds of every arm; strong emotion survives everything, weak emotion carries all errors."""
    folder = tmp_path_factory.mktemp("study")
    n = SPEAKERS * PER_SPEAKER
    truth = [LABELS[i % 3] for i in range(n)]
    extra = [
        {"speaker": f"s{i % SPEAKERS}", "intensity": "strong" if i < n // 2 else "weak"} for i in range(n)
    ]
    for arm, rates in ARMS.items():
        for seed in SEEDS:
            rng = np.random.default_rng([seed, *map(ord, arm)])
            answers = {
                cell: [
                    label
                    if i < n // 2 or rng.random() < 2 * rate - 1
                    else LABELS[(LABELS.index(label) + 1) % 3]
                    for i, label in enumerate(truth)
                ]
                for cell, rate in zip(OF, rates, strict=True)
            }
            write_run(
                folder / f"{arm}{seed}", truth, answers, extra, name="emollama", fingerprint=f"{arm}{seed}"
            )
    arms = [SimpleNamespace(name=name) for name in ("clean", "control", "noise", "useless")]
    test = studies.Test(groups={"seen": ["audio/rain"], "unseen": ["text/typo"]}, severities=(3,))
    return SimpleNamespace(
        folder=folder,
        study=SimpleNamespace(arms=arms, tests={"natural": test}),
        run=lambda name, arm, seed: folder / f"{arm.name}{seed}",
    )


@pytest.fixture(scope="module")
def found(study):
    (one,) = find(study, SEEDS, permutations=199)
    return one


def test_what_helps_where_it_was_hardened_is_told_apart_from_what_does_not(found):
    lines = {line.arm: line for line in found.lines}
    assert list(lines) == ["control", "clean", "noise", "useless"]
    noise, useless = lines["noise"], lines["useless"]
    assert noise.gains["seen"].estimate > 0.15 and noise.gains["seen"].shown
    assert not noise.gains["unseen"].shown
    assert noise.spared["seen"].estimate == pytest.approx(
        lines["control"].lost["seen"].estimate - noise.lost["seen"].estimate
    )
    assert useless.gains["unseen"].estimate < 0
    assert useless.spared["seen"].estimate > 0.2, (
        "who is bad without noise loses little: told beside the gain"
    )
    assert useless.verdict.verdict != "supported" and noise.cost.estimate < 0


def test_differences_are_those_of_compare_corrected_over_all_arms_of_a_group(found, study):
    arms = [line.arm for line in found.lines]
    panel = load_panel([f"{arm}={study.folder}/{arm}?" for arm in arms])
    for quantity, column in (("noisy", "gains"), ("drop", "spared")):
        alone = [
            paired_interval(
                panel,
                *((m, 0) if column == "gains" else (0, m)),
                metric=METRIC,
                quantity=quantity,
                scope="audio/rain",
                matched=True,
            )
            for m in range(1, len(arms))
        ]
        told = [getattr(line, column)["seen"] for line in found.lines[1:]]
        assert [one.estimate for one in told] == pytest.approx([one.estimate for one in alone])
        assert [one.p_adjusted for one in told] == pytest.approx(holm([one.p for one in alone]).tolist())
        assert [one.p_adjusted for one in told] != pytest.approx([one.p for one in alone])


def test_intensity_is_told_with_intervals(found):
    by_place = {(level.arm, level.intensity): level for level in found.intensity}
    assert {level for _, level in by_place} == {"strong", "weak"}
    assert by_place["control", "strong"].noisy.estimate == 1.0
    weak = by_place["noise", "weak"]
    assert weak.gain.estimate > 0.2 and weak.gain.low > 0
    assert by_place["control", "weak"].gain is None


def test_every_table_has_a_row_per_arm_and_the_hash_of_every_run_is_kept(found):
    shown = {table.name: table for table in tables(found)}
    assert {"ablation-natural", "ablation-natural-robustness", "ablation-natural-intensity"} <= shown.keys()
    for name in ("ablation-natural", "ablation-natural-robustness", "ablation-natural-intensity"):
        assert [row.cells[0] for row in shown[name].rows] == [line.arm for line in found.lines]
    assert len(found.runs) == 20
    gains = shown["ablation-natural"].rows[2].cells
    assert gains[4].endswith(" *") and not gains[6].endswith(" *")
