"""Somebody else's package works exactly as what comes with merbench does."""

from __future__ import annotations

import json

import pytest

CONTRACTS = ("corruptions", "datasets", "models")

LISTING = """
import json
from merbench.corruption import corruptions
from merbench.datasets import datasets
from merbench.models import models
print(json.dumps([{n: r.entry(n).provider for n in r.names()} for r in (corruptions, datasets, models)]))
"""

STORY = """
import json
from merbench.corruption import corruptions
from merbench.datasets import datasets
from merbench.models import models
from merbench.types import Batch

diary, model = datasets["weather-diary"](), models["mood-words"]()
corruption = corruptions["text/lost_vowels"]()
rows, pool = diary.select()
samples = [diary.load(row) for row in rows]
params = corruption.draw_all(samples, pool, diary.name)
scores = []
for severity in (None, 1, 5):
    batch = Batch.of(samples)
    if severity:
        batch, _ = corruption.apply(batch, params, pool, **corruption.strength(severity))
    answers = [model.labels[i] for i in model.predict(batch).argmax(axis=1)]
    scores.append(sum(a == row.label for a, row in zip(answers, rows)) / len(rows))
print(json.dumps({"scores": scores, "text": batch.text[0]}))
"""


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_three_are_listed_beside_the_built_in_ones(python):
    found = answer(python("-c", LISTING))
    for names, mine, theirs in zip(
        found,
        ("text/lost_vowels", "weather-diary", "mood-words"),
        ("text/typo", "synthetic", "majority"),
        strict=True,
    ):
        assert names[mine] == "example"
        assert names[theirs] == "builtin"


def test_its_dataset_is_spoilt_by_its_corruption_and_read_by_its_model(python):
    told = answer(python("-c", STORY))
    clean, little, much = told["scores"]
    assert clean == 1
    assert little >= much
    assert much < 0.6
    assert not set(told["text"]) & set("aeiouAEIOU")


@pytest.mark.parametrize("contract", CONTRACTS)
def test_it_passes_the_contract_by_being_registered(python, contract):
    done = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/{contract}/test_contract.py",
        "-k", "lost_vowels or weather-diary or mood-words",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_it_nothing_of_it_is_known(python, installed):
    removed = LISTING.replace("import json", "import json, sys; sys.path.remove(sys.argv[1])")
    corruptions, datasets, models = answer(python("-c", removed, str(installed)))
    assert "text/typo" in corruptions
    assert not {"text/lost_vowels", "weather-diary", "mood-words"} & {*corruptions, *datasets, *models}


def test_a_name_that_is_taken_is_refused_with_both_owners(python, tmp_path):
    package = tmp_path / "rival" / "corruptions" / "text"
    package.mkdir(parents=True)
    (package / "lost_vowels.py").write_text("")
    record = tmp_path / "rival-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[merbench.corruptions]\nrival = rival.corruptions\n")
    done = python("-c", LISTING, also=tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "two corruptions are named 'text/lost_vowels'" in last
    assert "merbench_example_plugin.corruptions.text.lost_vowels (from 'example')" in last
    assert "rival.corruptions.text.lost_vowels (from 'rival')" in last
    assert "rename one of the files or uninstall one of the packages" in last
