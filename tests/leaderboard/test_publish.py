"""Publishing sends the row, its answers and its scores, and nothing by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard

from merbench.leaderboard.board import SETTINGS, add_run
from merbench.leaderboard.row import Row, Statement
from merbench.record.reading import read_record
from tests.leaderboard.conftest import copy_of, edit
from tests.leaderboard.hub import running
from tests.leaderboard.test_board import forge, replaced

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "somebody/model"
CARD = """---
license: mit
tags:
- emotion
model-index:
- name: my model
  results:
  - task:
      type: image-classification
    dataset:
      name: Faces
      type: faces
    metrics:
    - type: accuracy
      value: 0.5
---
# My model

Written by hand.
"""


def publish(row: Path, hub, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does: the hub's address is read when its client is imported."""
    code = "import sys; from merbench.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "leaderboard", "publish", str(row), "--to", REPOSITORY, *words]
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.address,
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": "hf_secret",
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",  # its store is another protocol; the hub still speaks plain LFS
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_nothing_is_sent_unless_asked_for(merbench, row, monkeypatch):
    monkeypatch.setattr("merbench.leaderboard.publish.send", None)  # would fail if it were called
    done = merbench("leaderboard", "publish", row, "--to", REPOSITORY)
    assert done.code == 0, done.err
    assert f"would send merbench/typos/{row.name}" in done.err
    assert "model-index" in done.out
    assert "nothing was sent" in done.err


def test_the_row_its_answers_and_its_scores_arrive(row, tmp_path):
    with running(REPOSITORY) as hub:
        hub.files["README.md"] = CARD.encode()
        done = publish(row, hub, "--yes", home=tmp_path)
        assert done.returncode == 0, done.stderr
        again = publish(row, hub, "--yes", home=tmp_path)
    assert again.returncode == 0, again.stderr
    answers = row.with_suffix(".parquet")
    assert hub.files[f"merbench/typos/{row.name}"] == row.read_bytes()
    assert hub.files[f"merbench/typos/{answers.name}"] == answers.read_bytes()
    assert set(hub.files) == {"README.md", f"merbench/typos/{row.name}", f"merbench/typos/{answers.name}"}
    assert "Bearer hf_secret" in hub.tokens
    card = ModelCard(hub.files["README.md"].decode())
    assert "Written by hand." in card.text
    assert (card.data.license, card.data.tags, card.data.model_name) == ("mit", ["emotion"], "my model")
    results = card.data.eval_results
    assert any(r.dataset_type == "faces" and r.metric_value == 0.5 for r in results)
    figures = read_record(row, Row).figures
    ours = [(r.dataset_config, r.metric_type, r.metric_value) for r in results if r.dataset_type == "table"]
    assert len(ours) == len(set(ours)) == 3 * 4  # clean, noise, text: each once though sent twice
    assert ("noise", "uar", round(figures.overall["uar"].noisy, 4)) in ours


@pytest.mark.slow
def test_a_repository_without_a_card_gets_one(row, tmp_path):
    with running(REPOSITORY) as hub:
        done = publish(row, hub, "--yes", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ModelCard(hub.files["README.md"].decode()).data.model_name == read_record(row, Row).model.name


@pytest.mark.slow
def test_a_refusal_is_one_line_with_the_remedy(row, tmp_path):
    with running(REPOSITORY) as hub:
        hub.refuses = True
        done = publish(row, hub, "--yes", home=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "the hub did not take somebody/model" in last
    assert "hf auth login" in last
    assert "hf_secret" not in done.stderr


def test_a_row_that_is_not_verified_is_not_sent(merbench, row):
    edit(row, lambda r: r["figures"]["overall"]["uar"].update(noisy=0.99))
    merbench("leaderboard", "publish", row, "--to", REPOSITORY).refused("figures.overall.uar.noisy")


@pytest.mark.parametrize("column", ["raw_output", "prediction"])
def test_words_of_a_model_on_restricted_data_are_not_sent(merbench, answered, tmp_path, column):
    run = copy_of(answered("Talker"), tmp_path / "run")
    edit(run / "result.json", lambda r: r["data"].update(restricted=True))
    row = add_run(run, tmp_path / "board", Statement())
    kept = pq.read_table(row.with_suffix(".parquet"))
    outside = [status == "out_of_set" for status in kept["parse_status"].to_pylist()]
    quoted = [
        "what the speaker said" if out else value
        for out, value in zip(outside, kept[column].to_pylist(), strict=True)
    ]
    forge(row, lambda answers: replaced(answers, column, quoted))
    assert (tmp_path / "board" / SETTINGS).exists()
    merbench("leaderboard", "publish", row, "--to", REPOSITORY).refused("what the model said")
