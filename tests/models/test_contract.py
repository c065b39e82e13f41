"""What every model owes. Whatever is registered is tested here by itself."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from merbench.models import Adapter, SplitAdapter, Valued, models
from merbench.models._load import load_model
from merbench.models._validate import check_output
from merbench.types import MODALITIES, Batch, Packed
from tests.models.media import batch, without

ADAPTERS = Path(__file__).parents[1] / "adapters.py"
NEED_FILES = {"emollama", "emollama-7b"}
"""Models that are nothing without files; `emollama-base` is the first of them with its own."""
NAMES = [
    *(name for name in models.names() if name not in NEED_FILES),
    "emollama-base:absent=recover",
    f"{ADAPTERS}:Statistics",
    f"{ADAPTERS}:Talker",
    f"{ADAPTERS}:Feeling",
    f"{ADAPTERS}:Affect",
]
NAMES += [
    f"router(only(late-fusion; modalities=audio); {ADAPTERS}:Statistics)",
    f"vote(late-fusion; majority; {ADAPTERS}:Whole)",
]
LABELS = {"train": {"happy": 3, "neutral": 5, "sad": 1}, "test": {"calm": 2, "happy": 2}}
MEANS = {"train": {"valence": 0.5, "arousal": 2.0}, "test": {"valence": 9.0, "arousal": 9.0}}
TOLERANCE = 1e-4  # float32 sums in another order


@pytest.fixture(scope="module", params=NAMES, ids=lambda name: name.rpartition("/")[2])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return load_model(request.param, label_counts=LABELS, target_means=MEANS)


@pytest.fixture(scope="module")
def full(adapter: Adapter) -> Batch:
    """A batch as the adapter wants its media."""
    wants = adapter.wants
    return batch(sample_rate=wants.sample_rate or 16_000, frame_size=wants.frame_size or 224)


def answers(adapter: Adapter, of: Batch) -> np.ndarray | list[str]:
    return checked(adapter, adapter.predict(of.only(*adapter.uses)), len(of))


def checked(adapter: Adapter, output, n: int) -> np.ndarray | list[str]:
    """Return what was answered, values and logits side by side."""
    found = check_output(output, n, adapter.labels, adapter.targets)
    return np.hstack([part for part in found if part is not None]) if isinstance(found, Valued) else found


def same(a, b) -> bool:
    return a == b if isinstance(a, list) else np.allclose(a, b, atol=TOLERANCE, rtol=0)


def test_labels_and_targets_are_distinct_words(adapter):
    assert adapter.labels or adapter.targets
    for names in (adapter.labels, adapter.targets):
        assert len(set(names)) == len(names)
        assert all(isinstance(name, str) and name.strip() for name in names)


def test_it_reads_known_modalities(adapter):
    assert set(adapter.uses) <= set(MODALITIES)


def test_it_answers_every_row_with_finite_logits_or_a_text(adapter, full):
    assert len(answers(adapter, full)) == len(full)


def test_a_row_alone_gets_the_answer_it_gets_in_a_batch(adapter, full):
    together = answers(adapter, full)
    for i in range(len(full)):
        assert same(answers(adapter, full.take([i])), together[i : i + 1])


def test_the_order_of_the_rows_changes_no_answer(adapter, full):
    back = list(range(len(full)))[::-1]
    together = answers(adapter, full)
    expected = [together[i] for i in back] if isinstance(together, list) else together[back]
    assert same(answers(adapter, full.take(back)), expected)


@pytest.mark.parametrize(
    "gone", [g for r in (1, 2, 3) for g in itertools.combinations(MODALITIES, r)], ids="+".join
)
def test_it_answers_without_any_of_its_modalities(adapter, full, gone):
    answers(adapter, without(full, *gone))


def test_a_modality_may_be_missing_in_some_rows_only(adapter, full):
    mixed = full.replace(
        audio=full.audio.hide(np.arange(len(full)) % 2 == 0),
        frames=full.frames.hide(np.arange(len(full)) % 3 == 0),
        text=tuple(text if i % 4 else None for i, text in enumerate(full.text)),
    )
    together = answers(adapter, mixed)
    for i in range(len(full)):
        assert same(answers(adapter, mixed.take([i])), together[i : i + 1])


def test_bytes_left_behind_by_a_missing_row_are_never_read(adapter, full):
    """A hidden row keeps its buffer; what is in it must not matter."""
    hidden = np.zeros(len(full), dtype=bool)
    hidden[1] = True
    lacking = full.replace(audio=full.audio.hide(hidden), frames=full.frames.hide(hidden))
    zeroed = lacking.replace(audio=_emptied(lacking.audio, 1), frames=_emptied(lacking.frames, 1))
    assert same(answers(adapter, lacking), answers(adapter, zeroed))


def _emptied(packed: Packed, row: int) -> Packed:
    values = packed.values.copy()
    values[packed.offsets[row] : packed.offsets[row + 1]] = 0
    return packed.with_values(values)


def test_it_never_writes_to_its_input(adapter, full):
    before = full.audio.values.copy(), full.frames.values.copy(), full.text
    answers(adapter, full)
    assert np.array_equal(before[0], full.audio.values)
    assert np.array_equal(before[1], full.frames.values)
    assert before[2] == full.text


def test_modalities_it_does_not_use_do_not_matter(adapter, full):
    assert same(answers(adapter, full), checked(adapter, adapter.predict(full), len(full)))


def test_splitting_changes_no_answer(adapter, full):
    if not isinstance(adapter, SplitAdapter):
        pytest.skip("it does not split")
    present = {m: full.present(m) for m in adapter.uses}
    encodings = {m: adapter.encode(m, full.only(m)) for m in adapter.uses}
    assert same(answers(adapter, full), checked(adapter, adapter.fuse(encodings, present), len(full)))


def test_an_encoder_reads_its_own_modality_only(adapter, full):
    if not isinstance(adapter, SplitAdapter):
        pytest.skip("it does not split")
    for modality in adapter.uses:
        alone = adapter.encode(modality, full.only(modality))
        assert np.array_equal(alone, adapter.encode(modality, full))
        one = adapter.encode(modality, full.only(modality).take([2]))
        assert np.allclose(one[0], alone[2], atol=TOLERANCE)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.rpartition("/")[2])
def test_the_fingerprint_is_the_same_for_another_instance_and_in_another_process(name):
    code = (
        "import sys; from merbench.models._load import load_model; "
        f"print(load_model(sys.argv[1], label_counts={LABELS!r}).fingerprint())"
    )
    here = [load_model(name, label_counts=LABELS).fingerprint() for _ in range(2)]
    there = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    assert here == [there.stdout.strip()] * 2


def test_models_have_fingerprints_of_their_own():
    prints = [load_model(name, label_counts=LABELS).fingerprint() for name in NAMES]
    assert None not in prints
    assert len(set(prints)) == len(prints)


def test_the_majority_model_answers_the_frequencies_of_the_training_split():
    majority = load_model("majority", label_counts=LABELS)
    assert majority.labels == ("calm", "happy", "neutral", "sad")
    logits = majority.predict(batch(2, frame_size=8))
    assert np.exp(logits) == pytest.approx(np.array([[1, 4, 6, 2]] * 2) / 13)


def test_the_majority_model_takes_everything_where_nothing_is_for_training():
    majority = load_model("majority", label_counts={"all": {"happy": 3, "sad": 1}})
    assert np.exp(majority.predict(batch(1, frame_size=8))) == pytest.approx(np.array([[4, 2]]) / 6)


def test_the_mean_is_that_of_the_training_split_or_else_of_everything():
    found = load_model("target-mean", label_counts=LABELS, target_means=MEANS)
    assert found.targets == ("valence", "arousal")
    assert found.predict(batch(2, frame_size=8)).values.tolist() == [[0.5, 2.0]] * 2
    counts = {"one": {"happy": 3}, "two": {"happy": 1}}
    means = {"one": {"valence": 1.0}, "two": {"valence": 5.0}}
    found = load_model("target-mean", label_counts=counts, target_means=means)
    assert found.predict(batch(1, frame_size=8)).values == 2


def test_the_fingerprint_of_the_mean_changes_with_what_it_learnt():
    other = {**MEANS, "train": {"valence": 0.6, "arousal": 2.0}}
    prints = {
        load_model("target-mean", label_counts=LABELS, target_means=means).fingerprint()
        for means in (MEANS, other)
    }
    assert len(prints) == 2


def test_the_fingerprint_of_the_majority_model_changes_with_what_it_learnt():
    other = {"train": {**LABELS["train"], "sad": 2}}
    assert (
        load_model("majority", label_counts=LABELS).fingerprint()
        != load_model("majority", label_counts=other).fingerprint()
    )
