"""Data that ask for numbers, several labels or a distribution, from the command line to the table."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.datasets.miniature import crema_d, iemocap_without_videos, mer2023, mosei, mosei_emotions

ADAPTERS = Path(__file__).parents[1] / "adapters.py"
SMALL = ("--frames", 2, "--frame-size", 32)
NOISE = ("--corruption", "audio/white", "--severity", 3)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return mosei(tmp_path_factory.mktemp("archive"))[0]


@pytest.fixture
def evaluate(merbench, tmp_path):
    """Evaluate, and return what was printed and the result."""

    def run(dataset, root, model, *more):
        out = tmp_path / f"run-{model.partition(':')[2] or model}"
        data = ("--dataset", dataset, "--root", root, *SMALL, *NOISE)
        spec = f"{ADAPTERS}:{model}" if model[0].isupper() else model
        printed = merbench("eval", *data, "--model", spec, "--out", out, *more)
        assert printed.code == 0, printed.err
        return printed.out, json.loads((out / "result.json").read_text(encoding="utf-8"))

    return run


def clean(result):
    return result["metrics"]["cells"][0]["metrics"]


def test_mosei_built_streamed_and_shown(merbench, archive, tmp_path, evaluate):
    suite, run = tmp_path / "suite", tmp_path / "built"
    data = ("--dataset", "mosei", "--root", archive, *SMALL)
    built = merbench("corrupt", *data, "--corruption", "audio/white", "--severity", 3, "--out", suite)
    assert built.code == 0, built.err
    assert merbench("suite", "verify", suite).code == 0
    printed = merbench("eval", "--suite", suite, "--model", f"{ADAPTERS}:Feeling", "--out", run)
    assert all(name in printed.out for name in ("MAE", "Corr", "Acc-2", "F1-2", "Acc-7"))
    assert "less is better" in printed.out
    _, result = evaluate("mosei", archive, "Feeling")
    of_the_suite = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["metrics"] == of_the_suite["metrics"]
    assert result["model"]["targets"] == ["sentiment"]
    assert result["data"]["task"]["targets"] == ["sentiment"]
    assert clean(result)["acc7"] == clean(result)["accuracy"]
    shown = merbench("show", "run", run, "--metric", "ccc")
    assert shown.code == 0
    assert "CCC" in shown.out
    assert "agrees" in shown.err


def test_plain_files_have_the_targets_beside_them(merbench, archive, tmp_path):
    suite, out = tmp_path / "suite", tmp_path / "plain"
    data = ("--dataset", "mosei", "--root", archive, *SMALL, "--limit", 1)
    assert merbench("corrupt", *data, *NOISE, "--out", suite).code == 0
    exported = merbench("suite", "export", suite, "--out", out)
    assert exported.code == 0, exported.err
    header, row = (out / "clean" / "samples.csv").read_text(encoding="utf-8").splitlines()
    assert (header.rpartition(",")[2], float(row.rpartition(",")[2])) == ("sentiment", -1.333)


def test_what_rows_hold(archive, evaluate, tmp_path):
    evaluate("mosei", archive, "Feeling")
    rows = pq.read_table(tmp_path / "run-Feeling" / "predictions.parquet")
    assert rows.column_names[-2:] == ["target", "values"]
    one = next(r for r in rows.to_pylist() if (r["sample_id"], r["cell_id"]) == ("81406[1]", "clean"))
    assert one["target"] == [3.0]
    assert one["parse_status"] == "ok"
    assert one["probabilities"] is None


def test_edited_values_are_found_out(merbench, archive, evaluate, tmp_path):
    evaluate("mosei", archive, "Feeling")
    path = tmp_path / "run-Feeling" / "predictions.parquet"
    rows = pq.read_table(path)
    place = rows.schema.get_field_index("values")
    honest = pa.array([[float(t[0])] for t in rows["target"].to_pylist()], rows.schema.field("values").type)
    pq.write_table(rows.set_column(place, rows.schema.field("values"), honest), path)
    merbench("show", "run", path.parent).refused("is not the file that was scored")


def test_several_emotions_at_once(tmp_path, evaluate):
    root, _ = mosei_emotions(tmp_path)
    told, result = evaluate("mosei:target=emotions", root, "Several")
    assert "mAP" in told
    found = clean(result)
    assert found["per_target"]["sad"].keys() == {"f1", "weighted_accuracy", "average_precision"}
    assert found["per_target"]["anger"]["f1"] is None  # no sample of the split has it
    assert 0 <= found["map"] <= 1


def test_valence_arousal_and_dominance(tmp_path, evaluate):
    root, _ = iemocap_without_videos(tmp_path)
    told, result = evaluate("iemocap:target=dimensions", root, "Affect", "--split", "Session1")
    assert "CCC" in told
    found = clean(result)
    each = [found["per_target"][name]["mae"] for name in ("valence", "arousal", "dominance")]
    assert found["mae"] == pytest.approx(sum(each) / 3)
    assert result["labels"]["table"] == {}  # its emotions are no steps of valence


def test_soft_labels_are_compared_with_what_any_classifier_believes(tmp_path, evaluate):
    root, _ = crema_d(tmp_path)
    told, result = evaluate("crema-d:target=soft,release=wav", root, "Votes")
    assert "JS" in told
    assert 0 < clean(result)["js_divergence"] < 1
    assert clean(result)["cosine"] > 0


def test_an_emotion_and_a_valence_make_the_score_of_mer2023(tmp_path, evaluate):
    root, _ = mer2023(tmp_path)
    told, result = evaluate("mer2023:target=valence", root, "target-mean", "--split", "test1")
    assert "MER2023" in told
    found = clean(result)
    assert found["mer2023_score"] == pytest.approx(found["weighted_f1"] - 0.25 * found["mse"])
    assert found["ccc"] == pytest.approx(0)


def test_a_model_of_labels_alone_has_no_values(archive, evaluate):
    told, result = evaluate("mosei", archive, "majority")
    assert "UAR" in told
    assert "this model gives no values of sentiment" in " ".join(told.split())
    assert clean(result)["mae"] is None
    assert clean(result)["accuracy"] is not None


def test_the_mean_of_the_training_split_is_a_floor(archive, evaluate):
    _, result = evaluate("mosei", archive, "target-mean")
    mean = -1.333 / 3
    errors = [abs(mean - target) for target in (-1.333, -0.333, 3.0)]
    assert clean(result)["mae"] == pytest.approx(sum(errors) / 3)
    assert clean(result)["pearson"] is None


def test_boards_and_comparisons_are_of_the_labels(merbench, archive, evaluate, tmp_path):
    evaluate("mosei", archive, "target-mean", "--verify")
    evaluate("mosei", archive, "Feeling", "--verify")
    board = tmp_path / "board"
    for name in ("target-mean", "Feeling"):
        added = merbench("leaderboard", "add", tmp_path / f"run-{name}", "--board", board)
        assert added.code == 0, added.err
    assert merbench("leaderboard", "verify", board).code == 0
    runs = [tmp_path / f"run-{name}" for name in ("target-mean", "Feeling")]
    assert merbench("compare", *runs, "--metric", "accuracy").code == 0
    merbench("compare", *runs, "--metric", "mae").refused("'mae' is of values", "uar, accuracy")


class TestRefusals:
    def test_metrics_that_the_data_do_not_ask_for(self, merbench, archive):
        data = ("--dataset", "mosei", "--root", archive, "--model", "majority", "--metric", "map")
        merbench("eval", *data).refused("'map' is no metric of what these data ask", "mae")

    def test_values_that_nobody_asks_for(self, merbench, archive):
        data = ("--dataset", "mosei:target=emotions", "--root", archive)
        merbench("eval", *data, "--model", f"{ADAPTERS}:Feeling").refused("answers sentiment, and mosei asks")

    def test_the_mean_of_nothing(self, merbench, tmp_path):
        data = ("--limit", 1, "--corruption", "text/typo", "--out", tmp_path / "run")
        merbench("eval", "--model", "target-mean", *data).refused("the data ask for labels alone")
