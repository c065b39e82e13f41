"""Labels that people gave to the corrupted clips, laid over a suite."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.evaluation.relabelled import score_relabelled
from merbench.suites import build as builder
from merbench.suites.overlay import Overlay, read_overlay, winner
from merbench.types import Cell

TYPOS = ("--corruption", "text/typo", "--severity", "1,4")
LABELS = ("calm", "glad", "low")
CELLS = (Cell.clean(), *(corruptions["text/typo"]().cell(s) for s in (1, 4)))
MILD, STRONG = (cell.cell_id for cell in CELLS[1:])
IDS = ("t0000", "t0001", "t0002")


@pytest.fixture
def write(tmp_path):
    """A function that writes a table and returns its path."""

    def write(text, name="labels.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def read(path):
    return read_overlay(path, CELLS, IDS, LABELS).votes


class TestTable:
    def test_a_row_speaks_of_all_cells_that_fit_what_it_fills_in(self, write):
        rows = "sample_id,corruption,severity,label\n"
        assert set(read(write(rows + "t0000,,,glad\n"))) == {"clean", MILD, STRONG}
        assert set(read(write(rows + "t0000,text/typo,,glad\n"))) == {MILD, STRONG}
        assert set(read(write(rows + "t0000,,4,glad\n"))) == {STRONG}
        assert set(read(write(rows + "t0000,clean,,glad\n"))) == {"clean"}
        assert set(read(write(f"sample_id,cell_id,label\nt0000,{MILD},glad\n"))) == {MILD}

    def test_everybody_has_a_vote(self, write):
        people = "sample_id,severity,label,annotator\nt0000,4,glad,ann\nt0000,4,low,bob\nt0000,4,glad,eve\n"
        counted = "sample_id,severity,label,votes\nt0000,4,glad,2\nt0000,4,low,1\n"
        assert read(write(people)) == read(write(counted)) == {STRONG: {"t0000": {"glad": 2, "low": 1}}}

    def test_most_votes_win_and_a_tie_is_no_label(self):
        assert winner({"glad": 2, "low": 1}) == "glad"
        assert winner({"glad": 2, "low": 2, "calm": 1}) is None

    def test_how_the_table_is_written_down_does_not_matter(self, write):
        plain = "sample_id,severity,label\nt0000,4,glad\nt0001,1,low\n"
        marked = "\ufeff" + 'label,severity,sample_id\r\n"low",1,t0001\r\n" glad ",4,t0000\r\n'
        as_tsv = write(plain.replace(",", "\t"), "labels.tsv")
        parquet = as_tsv.with_suffix(".parquet")
        pq.write_table(
            pa.table({"sample_id": ["t0000", "t0001"], "severity": [4, 1], "label": ["glad", "low"]}), parquet
        )
        tables = [write(plain), write(marked, "marked.csv"), as_tsv, parquet]
        assert len({read_overlay(path, CELLS, IDS, LABELS).sha256 for path in tables}) == 1

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ("sample_id,label\nt0000,glad\nt9999,glad\n", r"labels.csv:3: there is no sample 't9999'"),
            ("sample_id,label\nt0000,merry\n", r"labels.csv:2: 'merry' is no label .* of calm, glad, low"),
            ("sample_id,severity,label\nt0000,3,low\n", r"labels.csv:2: this suite has no cell with seve"),
            ("sample_id,cell_id,label\nt0000,x,glad\n", r"has no cell with cell_id x"),
            (
                "sample_id,severity,label\nt0000,,glad\nt0000,4,low\n",
                rf"labels.csv:3: 't0000' in {STRONG} was labelled in labels.csv:2 already",
            ),
            (
                "sample_id,label,annotator\nt0000,glad,ann\nt0000,glad,ann\n",
                r"labels.csv:3: .* already; give each judgement once",
            ),
            ("sample_id,label,votes\nt0000,glad,many\n", r"labels.csv:2: 'many' is no number of votes"),
            ("sample_id,severty,label\nt0000,4,glad\n", r"the column 'severty' of .* means nothing here"),
            ("sample_id;label\nt0000;glad\n", r"separated by semicolons: save it with commas"),
            ("sample,label\nt0000,glad\n", r"has no column sample_id"),
            ("sample_id,label\n", r"holds no labels"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_with_its_line(self, write, table, message):
        with pytest.raises(MerbenchError, match=message) as caught:
            read(write(table))
        assert "\n" not in str(caught.value)


class TestScores:
    def grid(self):
        """Four samples, true classes calm glad low calm; the model says calm, glad, calm and nothing."""
        return SimpleNamespace(
            cells=CELLS[:2],
            ids=("a", "b", "c", "d"),
            truth=np.array([0, 1, 2, 0]),
            answer=np.array([[0, 1, 2, 0], [0, 1, 0, 3]]),
        )

    def test_by_hand(self):
        votes = {MILD: {"a": {"low": 3, "calm": 1}, "b": {"glad": 2}, "c": {"calm": 1}, "d": {"calm": 4}}}
        (cell,) = score_relabelled(self.grid(), LABELS, Overlay(votes))
        assert (cell["cell_id"], cell["n"], cell["undecided"], cell["outside"]) == (MILD, 4, 0, 0)
        assert cell["changed"] == 0.5  # a and c
        assert cell["original"]["accuracy"] == 0.5  # a and b
        assert cell["relabelled"]["accuracy"] == 0.5  # b and c
        assert cell["relabelled"]["uar"] == pytest.approx(np.mean([1 / 2, 1, 0]))
        assert cell["ratings"] == {
            "n": 11,
            "model": pytest.approx((1 / 4 + 1 + 1 + 0) / 4),
            "majority": pytest.approx((3 / 4 + 1 + 1 + 1) / 4),
        }

    def test_ties_and_labels_that_are_not_scored_are_counted_and_left_out(self):
        votes = {MILD: {"a": {"low": 1, "calm": 1}, "b": {"rage": 2}, "c": {"calm": 1}}}
        (cell,) = score_relabelled(self.grid(), LABELS, Overlay(votes))
        assert (cell["n"], cell["undecided"], cell["outside"]) == (1, 1, 1)
        votes = {MILD: {"a": {"low": 1, "calm": 1}}}
        (cell,) = score_relabelled(self.grid(), LABELS, Overlay(votes))
        assert cell["changed"] is cell["relabelled"]["uar"] is cell["ratings"]["majority"] is None

    def test_the_clean_clips_own_labels_change_nothing(self):
        grid = self.grid()
        votes = {MILD: {id: {LABELS[t]: 1} for id, t in zip(grid.ids, grid.truth, strict=True)}}
        (cell,) = score_relabelled(grid, LABELS, Overlay(votes))
        assert cell["changed"] == 0
        assert cell["original"] == cell["relabelled"]


class TestCommands:
    @pytest.fixture
    def data(self, texts):
        return ("--dataset", "table", "--root", texts, "--limit", 40, *TYPOS)

    @pytest.fixture
    def overlay(self, merbench, data, write, tmp_path):
        """Every one of the 40 texts is found 'low' by two of three people at severity 4."""
        from merbench.suites.store import Suite

        assert merbench("corrupt", *data, "--out", tmp_path / "plain").code == 0
        ids = [u.id for u in Suite.open(tmp_path / "plain").index()]
        rows = [f"{id},4,{label},{n}" for id in ids for label, n in (("low", 2), ("calm", 1))]
        return write("\n".join(["sample_id,severity,label,votes", *rows]) + "\n")

    def test_a_suite_keeps_them_and_a_run_is_scored_against_both(self, merbench, data, overlay, tmp_path):
        suite, run = tmp_path / "suite", tmp_path / "run"
        built = merbench("corrupt", *data, "--labels", overlay, "--out", suite)
        assert "labels laid over 40 clips, of 1 cells" in built.err
        assert "labels laid over 40 clips" in merbench("suite", "show", suite).out
        assert merbench("suite", "verify", suite).code == 0
        ran = merbench("eval", "--suite", suite, "--model", "majority", "--out", run)
        assert "against the labels of the clean clips and against new labels" in " ".join(ran.out.split())
        result = json.loads((run / "result.json").read_text())
        (cell,) = result["relabelled"]["cells"]
        assert (cell["cell_id"], cell["n"]) == (STRONG, 40)
        assert cell["ratings"]["majority"] == pytest.approx(2 / 3)
        clean = next(c for c in result["metrics"]["cells"] if c["cell_id"] == STRONG)["metrics"]
        assert cell["original"]["uar"] == clean["uar"]
        assert merbench("show", "run", run).code == 0
        result["relabelled"]["cells"][0]["relabelled"]["uar"] = 1.0
        (run / "result.json").write_text(json.dumps(result))
        merbench("show", "run", run).refused("does not follow from its predictions")

    def test_a_build_killed_between_labels_and_recipe_goes_on(
        self, merbench, data, overlay, tmp_path, monkeypatch
    ):
        suite = tmp_path / "suite"
        build = ("corrupt", *data, "--labels", overlay, "--out", suite)

        def killed(path, value):
            if written:
                raise KeyboardInterrupt
            written.append(path.name)
            write_json(path, value)

        written, write_json = [], builder.write_json
        with monkeypatch.context() as patch:
            patch.setattr(builder, "write_json", killed)
            merbench(*build)
        assert written == ["recipe.json"]
        assert merbench(*build).code == 0
        assert merbench("suite", "verify", suite).code == 0

    def test_media_and_labels_stay_what_they_are(self, merbench, data, overlay, tmp_path):
        merbench("corrupt", *data, "--labels", overlay, "--out", tmp_path / "suite")
        plain, laid = (
            json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("plain", "suite")
        )
        assert plain["content_root"] == laid["content_root"]
        assert plain["recipe_id"] != laid["recipe_id"]
        assert {k: v for k, v in laid["recipe"].items() if k != "labels"} == plain["recipe"]

    def test_they_can_be_laid_over_a_suite_when_it_is_evaluated(self, merbench, data, overlay, tmp_path):
        laid = tmp_path / "suite"
        merbench("corrupt", *data, "--labels", overlay, "--out", laid)
        found = []
        for i, words in enumerate(
            (
                ("--suite", laid),
                ("--suite", tmp_path / "plain", "--labels-overlay", overlay),
                (*data, "--labels-overlay", overlay),
            )
        ):
            out = tmp_path / f"run{i}"
            assert merbench("eval", *words, "--model", "majority", "--out", out).code == 0
            found.append(json.loads((out / "result.json").read_text())["relabelled"])
        assert found[0] == found[1] == found[2]
        both = merbench("eval", "--suite", laid, "--labels-overlay", overlay, "--model", "majority")
        both.refused("has labels laid over it already")

    def test_rebuilding_asks_for_them_where_they_are_not_at_hand(self, merbench, data, overlay, tmp_path):
        suite, root = tmp_path / "suite", data[3]
        merbench("corrupt", *data, "--labels", overlay, "--out", suite)
        recipe = shutil.copy(suite / "recipe.json", tmp_path / "recipe.json")
        again = ("suite", "rebuild", recipe, "--root", root, "--out", tmp_path / "again")
        merbench(*again).refused("labels.json is not beside it", "--labels FILE.csv")
        assert merbench(*again, "--labels", overlay).code == 0
        (suite / "labels.json").write_text("{}")
        merbench("suite", "verify", suite).refused("does not hold the labels that were laid over this")
