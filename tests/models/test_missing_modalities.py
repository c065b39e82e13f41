"""What stands in for a missing modality in Emotion-LLaMA: five strategies, one network."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from merbench.errors import MerbenchError
from merbench.models import TrainingRecord
from merbench.models._emotion_llama import recovery_files
from merbench.models._load import load_model
from merbench.types import MODALITIES
from tests.models.media import batch, without
from tests.models.random_checkpoint import LABELS, encode, save_network, save_recovery

STRATEGIES = ("learned", "zero", "mean", "expected", "recover")
ROWS = 6


@pytest.fixture(scope="module")
def encodings(folder):
    return encode(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    save_network(path)
    save_recovery(path)
    return path


@pytest.fixture(scope="module")
def adapters(folder):
    return {strategy: load_model(f"{folder}:absent={strategy}") for strategy in STRATEGIES}


@pytest.fixture(scope="module")
def some(encodings):
    return {m: e[:ROWS] for m, e in encodings.items()}


def here(*given: str):
    return {m: np.full(ROWS, m in given) for m in MODALITIES}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_complete_rows_get_the_same_answer_whatever_the_strategy(adapters, some, strategy):
    present = here(*MODALITIES)
    expected = adapters["learned"].fuse(some, present)
    assert np.array_equal(adapters[strategy].fuse(some, present), expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_complete_rows_do_not_notice_incomplete_company(adapters, some, strategy):
    mixed = {m: np.arange(ROWS) % (2 + place) != 1 for place, m in enumerate(MODALITIES)}
    complete = np.logical_and.reduce(list(mixed.values()))
    assert 0 < complete.sum() < ROWS
    found = adapters[strategy].fuse(some, mixed)[complete]
    assert np.allclose(found, adapters["learned"].fuse(some, here(*MODALITIES))[complete], atol=1e-4)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_incomplete_row_alone_gets_what_it_gets_among_others(adapters, some, strategy):
    mixed = {m: np.arange(ROWS) % (2 + place) != 1 for place, m in enumerate(MODALITIES)}
    together = adapters[strategy].fuse(some, mixed)
    for i in range(ROWS):
        alone = adapters[strategy].fuse(
            {m: e[i : i + 1] for m, e in some.items() if mixed[m][i]},
            {m: p[i : i + 1] for m, p in mixed.items()},
        )
        assert np.allclose(alone[0], together[i], atol=1e-4)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_another_instance_says_the_same(adapters, folder, some, strategy):
    again = load_model(f"{folder}:absent={strategy}")
    torch.manual_seed(5)
    present = here("vision")
    assert np.array_equal(again.fuse(some, present), adapters[strategy].fuse(some, present))
    assert again.fingerprint() == adapters[strategy].fingerprint()


@pytest.mark.parametrize("gone", MODALITIES)
def test_strategies_differ_where_something_is_missing(adapters, some, gone):
    present = here(*(m for m in MODALITIES if m != gone))
    answers = [adapters[strategy].fuse(some, present) for strategy in STRATEGIES]
    for i, one in enumerate(answers):
        assert all(not np.allclose(one, other, atol=1e-4) for other in answers[i + 1 :])


@pytest.mark.parametrize("gone", ["audio", "vision"])
def test_zero_is_an_encoding_of_zeros(adapters, some, gone):
    present = here(*(m for m in MODALITIES if m != gone))
    given = {**some, gone: np.zeros_like(some[gone])}
    expected = adapters["learned"].fuse(given, here(*MODALITIES))
    assert np.allclose(adapters["zero"].fuse(some, present), expected, atol=1e-4)


@pytest.mark.parametrize("gone", ["audio", "vision"])
def test_mean_is_the_mean_encoding_of_the_training_utterances(adapters, some, encodings, gone):
    present = here(*(m for m in MODALITIES if m != gone))
    given = {**some, gone: np.broadcast_to(encodings[gone].mean(axis=0), some[gone].shape)}
    expected = adapters["learned"].fuse(given, here(*MODALITIES))
    assert np.allclose(adapters["mean"].fuse(some, present), expected, atol=1e-3)


def test_recovery_depends_on_what_is_there(adapters, some):
    learned, recovered = (adapters[name] for name in ("learned", "recover"))
    changed = {**some, "audio": -some["audio"]}
    token = recovered.stand_in("vision", *tokens_of(recovered, some, "audio"))
    other = recovered.stand_in("vision", *tokens_of(recovered, changed, "audio"))
    assert not torch.allclose(token, other, atol=1e-4)
    same = (learned.stand_in("vision", *tokens_of(learned, rows, "audio")) for rows in (some, changed))
    assert torch.equal(*same)


def tokens_of(adapter, rows, *given):
    present = {m: torch.from_numpy(p) for m, p in here(*given).items()}
    with torch.no_grad():
        return adapter.network.tokens({m: torch.from_numpy(e) for m, e in rows.items()}, present), present


def test_a_row_without_anything_has_nothing_to_be_recovered_from(adapters, some):
    nothing = here()
    assert np.array_equal(adapters["recover"].fuse({}, nothing), adapters["learned"].fuse({}, nothing))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("gone", [("audio",), ("vision", "text"), MODALITIES], ids="+".join)
def test_media_may_be_missing(adapters, strategy, gone):
    answer = adapters[strategy].predict(without(batch(3), *gone))
    assert answer.shape == (3, len(LABELS))
    assert np.isfinite(answer).all()


def test_strategies_have_fingerprints_of_their_own(adapters):
    assert len({adapter.fingerprint() for adapter in adapters.values()}) == len(STRATEGIES)


def test_what_recovery_was_trained_on_counts_as_seen(adapters):
    base, more = (
        TrainingRecord(
            dataset="synthetic", samples=frozenset({f"train-0000{i}"}), speakers=frozenset({speaker})
        )
        for i, speaker in enumerate(("one", "two"))
    )
    for strategy in STRATEGIES:
        seen = (base,) if strategy in ("learned", "zero") else (base, more)
        assert adapters[strategy].trained_on == seen


class TestRefusals:
    """Each ends with exit code 2 and one line."""

    @pytest.fixture
    def copy(self, folder, tmp_path):
        path = tmp_path / "copy"
        shutil.copytree(folder, path)
        return path

    @pytest.fixture
    def run(self, merbench, copy):
        def run(strategy):
            return merbench(
                "eval", "--model", f"{copy}:absent={strategy}", "--dataset", "synthetic:test=2",
                "--corruption", "modality/dropout:pattern=av", "--severity", 3, "--out", copy.parent / "run",
            )  # fmt: skip

        return run

    @pytest.mark.parametrize("strategy", ["mean", "expected", "recover"])
    def test_without_a_recovery_model(self, run, copy, strategy):
        (copy / "recovery.json").unlink()
        run(strategy).refused("has no recovery.json", "merbench train --recipe emollama-recovery")

    @pytest.mark.parametrize("strategy", ["mean", "expected", "recover"])
    def test_with_one_of_other_weights(self, run, copy, strategy):
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes() + b"\0")
        run(strategy).refused("belongs to other weights than model.safetensors", "train it again")

    def test_with_a_damaged_record(self, run, copy):
        (copy / "recovery.json").write_text("{")
        run("recover").refused("recovery.json is damaged")

    def test_with_an_incomplete_record(self, run, copy):
        record = json.loads((copy / "recovery.json").read_text())
        del record["design"]
        (copy / "recovery.json").write_text(json.dumps(record))
        run("recover").refused("recovery.json lacks design")

    def test_with_an_unknown_design(self, run, copy):
        record = json.loads((copy / "recovery.json").read_text())
        (copy / "recovery.json").write_text(json.dumps({**record, "design": {"layers": 3}}))
        run("recover").refused("recovery.json describes no known design")

    def test_with_tensors_of_another_design(self, run, copy):
        record = json.loads((copy / "recovery.json").read_text())
        record["design"]["components"] = 5
        (copy / "recovery.json").write_text(json.dumps(record))
        run("recover").refused("recovery.safetensors has another shape")

    def test_with_half_a_file(self, run, copy):
        weights = copy / "recovery.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
        run("mean").refused("recovery.safetensors", "cannot be read")

    def test_with_a_strategy_that_is_none(self, run):
        run("guess").refused("option 'absent'", "cannot be 'guess'", "learned")

    @pytest.mark.parametrize("strategy", ["learned", "zero"])
    def test_others_need_no_recovery_model(self, copy, strategy):
        for path in recovery_files.files(copy):
            path.unlink()
        load_model(f"{copy}:absent={strategy}")

    def test_it_is_refused_before_anything_is_decoded(self, copy):
        (copy / "recovery.json").unlink()
        with pytest.raises(MerbenchError):
            load_model(f"{copy}:absent=mean")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_an_option_of_the_command(merbench, folder, tmp_path, strategy):
    done = merbench(
        "eval", "--model", f"{folder}:absent={strategy}", "--dataset", "synthetic:test=4", "--corruption",
        "modality/dropout", "--severity", "3,5", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["metrics"]["n"] == 4
    assert [cell["severity"] for cell in result["cells"]] == [0, 3, 5]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_shipped_network_has_every_strategy(strategy):
    """Retraining it without its recovery model makes this fail."""
    load_model(f"emollama-base:absent={strategy}")
