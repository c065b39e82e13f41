"""``merbench compare``, from runs to sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import merbench as package
from merbench.errors import MerbenchError
from merbench.statistics.compare import compare
from merbench.statistics.hypotheses import non_inferiority, robustness_gain
from merbench.statistics.table import tables
from merbench.types import Cell
from tests.statistics.panels import panel, write_run
from tests.statistics.simulation import World

if TYPE_CHECKING:
    from pathlib import Path

N, SPEAKERS = 480, 12


def noise(name: str) -> list[Cell]:
    return [Cell(corruption=name, version=1, severity=severity) for severity in (1, 3)]


OF = [Cell.clean(), *noise("audio/rain"), *noise("vision/mask"), *noise("text/typo")]
FAMILY = np.array([{"clean": 0, "audio": 1, "vision": 2, "text": 3}[cell.family] for cell in OF])


def share_right(clean: float, audio: float, vision: float, text: float) -> np.ndarray:
    return np.array([clean, audio, vision, text])[FAMILY]


def simulated(*shares: np.ndarray, seeds: list[int] | None = None, speakers: int = SPEAKERS, **more):
    """Return a panel of models that are right with these probabilities by cell."""
    rng = np.random.default_rng(5)
    truth = np.arange(N) % 4
    luck = rng.uniform(size=N)  # hard utterances are hard for everybody, severities are nested
    right = np.stack([luck < share[:, None] + rng.normal(0, 0.03, (len(OF), N)) for share in shares])
    return panel(
        truth,
        np.where(right, truth, (truth + 1) % 4),
        rng.permutation(N) % speakers,
        of=OF,
        seeds=seeds,
        **more,
    )


BASE = share_right(0.9, 0.5, 0.6, 0.7)
HARDENED = share_right(0.9, 0.8, 0.6, 0.7)


def test_a_hardened_model_is_found_more_robust_where_it_is():
    found = compare(simulated(BASE, HARDENED), metric="macro_f1")
    rain = next(line for line in found.findings if "audio/rain" in line)
    assert rain.startswith("By corruption, b is more robust than a: audio/rain +")
    assert "points of macro-F1 under it, 12 speakers" in rain
    assert "Nothing is shown between b and a for vision/mask, text/typo." in found.findings
    assert found.findings[0].startswith("Without noise no difference is shown between b and a: ")
    assert found.findings[1].startswith("Over all noise b is more robust than a: +")
    noisy, drop = found.contrasts[0].pair("audio/rain")
    assert noisy.estimate == pytest.approx(0.3, abs=0.05)
    assert drop.estimate == pytest.approx(-noisy.estimate, abs=0.05)
    assert noisy.p_permutation == noisy.p == 1 / 2**11  # all 2^12 swaps
    assert found.exact and found.permutations == 2**12


def test_the_other_way_round_says_the_same():
    p = simulated(BASE, HARDENED)
    turned = panel(p.truth, p.answer[::-1], p.units.code, of=OF)
    one, other = compare(p), compare(turned)
    for mine, theirs in zip(one.findings[1:3], other.findings[1:3], strict=True):
        assert "b is more robust than a: " in mine
        assert theirs == mine.replace("b is more robust than a: ", "a is more robust than b: ")


def test_a_model_that_is_always_wrong_is_not_called_robust():
    constant = np.full(len(OF), 0.25)
    found = compare(simulated(BASE, constant), hypotheses=True)
    assert "Over all noise a scores higher than b, though it loses more" in found.findings[1]
    assert not any("b is more robust" in line for line in found.findings)
    gain = next(h for h in found.hypotheses if h.name == "H1")
    assert gain.verdict == "not shown"


def test_a_model_that_reads_nothing_is_a_floor():
    constant = np.full(len(OF), 0.25)
    found = compare(simulated(constant, BASE, uses=[(), ("audio", "vision", "text")]), hypotheses=True)
    assert found.findings[1].startswith("Over all noise b scores higher than a, which reads nothing: +")
    assert [ranking.model for ranking in found.rankings] == ["b"]
    assert found.contrasts[0].not_compared == {}


def test_every_line_says_estimand_unit_n_and_assumption():
    found = compare(simulated(BASE, HARDENED), hypotheses=True, regression="gee", method="naive")
    for table in tables(found, wide=True):
        if table.name == "hypotheses":
            assert all("12 speakers, n 480" in row.cells[3] for row in table.rows)
            continue
        assert table.columns[-4:] == ("estimand", "units", "n", "assumption"), table.name
        for row in table.rows:
            estimand, units, n, assumption = row.cells[-4:]
            assert estimand and n == "480" and assumption
            assert units == "12 speakers" or "NAIVE" in estimand
    for table in tables(found):
        if table.columns[-1] == "basis":
            assert {row.cells[-1] for row in table.rows} <= {
                part.partition(":")[0] for part in table.caption.split("; ")
            }


def test_naive_says_so_in_every_line():
    found = compare(simulated(BASE, HARDENED), method="naive")
    naive = next(table for table in tables(found) if table.name.startswith("naive"))
    assert all(row.cells[0].startswith("NAIVE ") for row in naive.rows)
    assert "FALSE" in naive.caption
    assert all("FALSE" in line["assumption"] for line in found.contrasts[0].to_json()["naive"])
    assert compare(simulated(BASE, HARDENED)).contrasts[0].naive == ()


def test_holm_is_over_corruptions():
    found = compare(simulated(BASE, HARDENED, BASE))
    lines = [
        line
        for c in found.contrasts
        for line in c.lines
        if (line.kind, line.quantity) == ("corruption", "noisy")
    ]
    assert len(lines) == 6
    least = min(lines, key=lambda line: line.p)
    assert least.p_adjusted == pytest.approx(6 * least.p)
    assert all(line.p_adjusted >= line.p for line in lines)
    assert all(line.p_adjusted is None for c in found.contrasts for line in c.lines if line.kind == "overall")


def test_models_that_read_different_things_are_compared_on_what_both_read():
    found = compare(simulated(BASE, HARDENED, uses=[("audio", "vision", "text"), ("audio", "text")]))
    contrast = found.contrasts[0]
    assert contrast.not_compared == {
        "overall": "the models do not read the same modalities",
        "vision": "b does not read vision",
    }
    assert contrast.scopes("overall") == ["audio + text"]
    assert contrast.scopes("corruption") == ["audio/rain", "text/typo"]
    assert any(line.startswith("Over audio + text noise b is more robust") for line in found.findings)
    assert any("cannot be compared on vision: b does not read vision" in line for line in found.findings)
    assert found.anova is not None and found.anova.factors["corruption"] == ("audio/rain", "text/typo")
    deaf = compare(simulated(BASE, HARDENED, uses=[("audio",), ("vision",)]))
    assert deaf.contrasts[0].lines == ()
    assert deaf.anova is None


def test_five_speakers_are_underpowered_and_say_so():
    found = compare(simulated(BASE, HARDENED, speakers=5))
    assert any("underpowered" in warning and "0.0625" in warning for warning in found.warnings)
    assert any("analysis of variance over 5 speakers is refused" in warning for warning in found.warnings)
    assert not any("more robust" in line or "scores higher" in line for line in found.findings)


def test_one_speaker_is_refused():
    with pytest.raises(MerbenchError, match="all 480 samples are of one speaker"):
        compare(simulated(BASE, HARDENED, speakers=1))


def test_seeds_are_crossed_with_speakers():
    shares = [BASE, BASE - 0.02, BASE + 0.02, HARDENED, HARDENED + 0.01, HARDENED - 0.02]
    found = compare(simulated(*shares, seeds=[3, 3]))
    line = found.contrasts[0].pair("overall")[0]
    assert line.seeds == (3, 3)
    assert line.method == "cluster jackknife-t, crossed with seeds"
    assert line.p_permutation is None
    assert line.df < 11
    assert "12 speakers, 3 seeds" in found.findings[0]


def test_unit_means_have_a_sign_flip_beside_the_t_test():
    found = compare(simulated(BASE, HARDENED), estimand="unit mean")
    noisy = found.contrasts[0].pair("overall")[0]
    assert noisy.p == noisy.p_t != noisy.p_permutation
    assert noisy.method == "paired t over speaker means"
    assert {line.estimand for line in found.contrasts[0].check} == {"pooled"}


def test_mcnemar_appears_where_utterances_are_independent():
    found = compare(simulated(BASE, HARDENED, speakers=N, unit="sample"))
    assert [line.cell_id for line in found.contrasts[0].mcnemar] == [cell.cell_id for cell in OF]
    clean, rain = found.contrasts[0].mcnemar[:2]
    assert rain.only_a > 0 == rain.only_b
    assert (rain.odds_ratio, rain.high) == (None, None)  # without bound
    assert rain.low > 1 and rain.p < 1e-9 < clean.p
    assert compare(simulated(BASE, HARDENED)).contrasts[0].mcnemar == ()


@pytest.mark.parametrize("kind", ["gee", "mixed"])
def test_regressions_find_the_interaction(kind):
    (fitted,) = compare(simulated(BASE, HARDENED), regression=kind).regressions
    terms = {term.name: term for term in fitted.terms}
    assert terms["b x audio/rain"].p < 0.001
    assert terms["b x audio/rain"].estimate > 0
    assert terms["b x text/typo"].p > 0.01
    if kind == "mixed":
        assert terms["b x audio/rain"].estimate == pytest.approx(0.3, abs=0.06)
    else:
        assert terms["b x audio/rain"].odds_ratio > 2


def test_a_regression_without_a_solution_is_refused():
    p = simulated(BASE, HARDENED)
    p.answer[0] = 0  # one class, whatever is heard
    with pytest.raises(MerbenchError, match="no solution"):
        compare(p, regression="gee")


def test_preset_hypotheses():
    found = compare(simulated(BASE, HARDENED), hypotheses=True)
    verdicts = {h.name: h.verdict for h in found.hypotheses}
    assert verdicts == {"H1": "supported", "H2": "supported", "H3": "supported"}
    assert found.rankings[0].corruptions[0].corruption == "audio/rain"
    worse = compare(simulated(BASE, HARDENED - 0.2), hypotheses=True)
    assert next(h for h in worse.hypotheses if h.name == "H2").verdict == "contradicted"
    unsure = compare(World(8, samples=8).draw(3), hypotheses=True)
    assert next(h for h in unsure.hypotheses if h.name == "H2").verdict == "not shown"


def test_a_wider_margin_is_easier_to_hold():
    clean = compare(simulated(BASE, HARDENED - 0.05)).contrasts[0].clean
    assert non_inferiority(clean, 0.01).verdict != "supported"
    assert non_inferiority(clean, 0.5).verdict == "supported"
    noisy, drop = compare(simulated(HARDENED, BASE)).contrasts[0].pair("overall")
    assert robustness_gain(noisy, drop).verdict == "contradicted"


def test_the_library_has_the_same_noun():
    assert package.compare is compare


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    truth = ["happy", "sad"] * 40
    facts = [{"speaker": f"s{i % 8}"} for i in range(80)]
    of = [Cell.clean(), *noise("audio/rain"), *noise("vision/mask")]
    folders = []
    for name, right in (("base", 0.6), ("new", 0.9)):
        answers = {
            cell: [
                label
                if rng.uniform() < (0.9 if cell.is_clean else right)
                else "sad"
                if label == "happy"
                else "happy"
                for label in truth
            ]
            for cell in of
        }
        folders.append(write_run(tmp_path / name, truth, answers, facts, name=name))
    return folders


def test_command_line(merbench, runs, tmp_path):
    done = merbench("compare", *runs, "--hypotheses", "--out", tmp_path / "found.md")
    assert done.code == 0, done.err
    words = " ".join(done.out.split())
    assert "Over all noise new is more robust than base: +" in words
    assert "8 speakers" in words
    page = (tmp_path / "found.md").read_text()
    assert page.startswith("- Without noise")
    assert "| noise | figure | difference |" in page
    assert "speakers are independent" in page


def test_json_is_complete_and_plain(merbench, runs, tmp_path):
    done = merbench("compare", *runs, "--json", "--metric", "macro_f1", "--out", tmp_path / "found.json")
    value = json.loads(done.out)
    assert value == json.loads((tmp_path / "found.json").read_text())
    assert (value["schema"], value["metric"], value["unit"], value["n"]) == (1, "macro_f1", "speaker", 80)
    line = value["contrasts"][0]["lines"][0]
    assert {
        "estimand",
        "unit",
        "n_units",
        "n",
        "estimate",
        "low",
        "high",
        "p",
        "method",
        "assumption",
    } <= line.keys()
    assert value["findings"]


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".tex"])
def test_tables_are_written_in_every_form(merbench, runs, tmp_path, suffix):
    assert merbench("compare", *runs, "--out", tmp_path / f"found{suffix}").code == 0
    assert "audio/rain" in (tmp_path / f"found{suffix}").read_text().replace("\\_", "_")


def test_bad_input_is_one_line(merbench, runs, tmp_path):
    merbench("compare", runs[0]).refused("one model only", "two or more")
    merbench("compare", *runs, "--unit", "dialogue").refused("no sample", "dialogue")
    merbench("compare", *runs, "--metric", "f2").refused("no metric 'f2'", "macro_f1")
    merbench("compare", *runs, "--estimand", "median").refused("no estimand 'median'", "pooled")
    merbench("compare", *runs, "--method", "wild").refused("no method 'wild'", "naive")
    merbench("compare", *runs, "--regression", "ols").refused("no regression 'ols'", "gee")
    merbench("compare", *runs, "--level", "95").refused("level cannot be 95", "0.95")
    merbench("compare", *runs, "--out", tmp_path / "x.docx").refused("x.docx", ".md")
    merbench("compare", runs[0], tmp_path / "nothing").refused("no result in", "merbench eval")


def test_a_run_against_its_own_copy_shows_nothing(merbench, runs, tmp_path):
    import shutil

    shutil.copytree(runs[0], tmp_path / "copy")
    done = merbench("compare", runs[0], tmp_path / "copy")
    assert done.code == 0, done.err
    assert "is more robust" not in done.out
    assert "+0.0 [0.0, 0.0]" in done.out


def test_models_are_ranked_over_datasets(merbench, tmp_path):
    truth = ["happy", "sad"] * 10
    of = [Cell.clean(), noise("audio/rain")[0]]
    for d in range(4):
        for name, wrong in (("good", 2), ("bad", 6 + d)):
            answers = {cell: [*truth[:-wrong], *["?"] * wrong] for cell in of}
            data = {
                "dataset": f"data{d}",
                "options": {},
                "split": None,
                "unit": "speaker",
                "text_informative": True,
            }
            write_run(tmp_path / f"{name}-{d}", truth, answers, data=data)
    entries = [f"{name}={tmp_path}/{name}-*" for name in ("bad", "good")]
    found = json.loads(merbench("compare", "--across-datasets", *entries, "--json").out)
    assert found["models"] == ["bad", "good"]
    assert found["mean_ranks"] == [2.0, 1.0]
    assert found["n_datasets"] == 4
    shown = merbench("compare", "--across-datasets", *entries)
    assert "Mean ranks over 4 datasets" in shown.out
    one_short = f"bad={tmp_path}/bad-0,{tmp_path}/bad-1,{tmp_path}/bad-2"
    merbench("compare", "--across-datasets", one_short, entries[1]).refused("bad has no run over data3")
    merbench("compare", "--across-datasets", *(f"{n}={tmp_path}/{n}-0" for n in ("bad", "good"))).refused(
        "over 1 datasets"
    )
