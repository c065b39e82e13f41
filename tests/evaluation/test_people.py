"""What people reach on the same clips, beside a model's patterns of missing modalities."""

from __future__ import annotations

import csv
import json
import shutil
from types import SimpleNamespace

import pytest

from merbench.evaluation.people import score_people
from merbench.types import Utterance
from tests.datasets.miniature import crema_d

LABELS = ("anger", "neutral", "sadness")


def clip(name, label, **votes):
    return Utterance(id=name, label=label, split="test", extra={"votes": votes} if votes else {})


def facts(**options):
    return SimpleNamespace(options=options, labels=LABELS)


CLIPS = [
    clip("a", "anger", voice=[3, 1, 0], multimodal=[4, 0, 0]),
    clip("b", "anger", voice=[2, 2, 0], multimodal=[0, 0, 4]),
    clip("c", "neutral", voice=[0, 4, 0], multimodal=[1, 3, 0]),
    clip("d", "sadness", voice=[0, 3, 1], multimodal=[0, 0, 4]),
    clip("e", "sadness"),
]


def test_by_hand():
    voice, both = score_people(CLIPS, facts(), LABELS)
    assert (voice["pattern"], voice["n"], voice["ratings"]) == ("a", 4, 16)
    assert voice["majority"]["accuracy"] == 2 / 4  # a tie, as on b, is no answer
    assert voice["majority"]["uar"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert voice["one_rater"]["accuracy"] == (3 + 2 + 4 + 1) / 16
    assert voice["one_rater"]["uar"] == pytest.approx((5 / 8 + 1 + 1 / 4) / 3)
    assert (both["pattern"], both["majority"]["accuracy"]) == ("av", 3 / 4)


def test_an_answer_that_is_none_of_the_scored_classes_is_wrong():
    voice, _ = score_people(CLIPS, facts(), ("anger", "sadness"))
    assert voice["n"] == 3
    assert voice["one_rater"]["accuracy"] == (3 + 2 + 1) / 12


def test_whoever_made_the_label_is_not_scored_against_it():
    options = {"label": "perceived", "question": "multimodal"}
    assert [entry["pattern"] for entry in score_people(CLIPS, facts(**options), LABELS)] == ["a"]


def test_without_votes_there_is_no_row():
    assert score_people([clip("e", "sadness")], facts(), LABELS) == []


def test_crema_d_has_the_row_beside_the_patterns_streamed_and_built(merbench, tmp_path):
    root, _ = crema_d(tmp_path)
    data = ("--dataset", "crema-d", "--root", root, "--frames", 2, "--frame-size", 16, "--severity", 1)
    patterns = [w for p in ("a", "v", "av") for w in ("--corruption", f"modality/dropout:pattern={p}")]
    streamed = merbench("eval", *data, *patterns, "--model", "majority", "--out", tmp_path / "run")
    assert streamed.code == 0, streamed
    shown = " ".join(streamed.out.split())
    # Of 8 votes per clip 3 by voice are right, the others say neutral, which is right for one clip of six.
    assert "{a}: majority 6 0.167" in shown
    assert f"{{a}}: one rater 6 {(5 * 3 + 8) / 48:.3f}" in shown
    assert "{av}: majority 6 1.000" in shown
    assert merbench("corrupt", *data, *patterns, "--out", tmp_path / "suite").code == 0
    built = merbench("eval", "--suite", tmp_path / "suite", "--model", "majority", "--out", tmp_path / "run2")
    assert built.code == 0
    both = [json.loads((tmp_path / run / "result.json").read_text())["people"] for run in ("run", "run2")]
    assert both[0] == both[1]


REAL_VOTES = {
    "1001_DFA_ANG_XX": (6, 2, 0, 0, 1, 0),
    "1001_DFA_HAP_XX": (1, 1, 2, 0, 4, 0),
    "1001_DFA_NEU_XX": (1, 1, 1, 0, 5, 1),
    "1001_DFA_SAD_XX": (1, 2, 0, 0, 5, 1),
}
"""What the raters of four published clips heard, by tabulatedVotes.csv: A, D, F, H, N, S."""


def test_real_votes(real_data, merbench, tmp_path):
    rows = [(f"10006{i}", *votes, name) for i, (name, votes) in enumerate(REAL_VOTES.items())]
    (tmp_path / "processedResults").mkdir()
    with (tmp_path / "processedResults" / "tabulatedVotes.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("", *"ADFHNS", "fileName"), *rows])
    shutil.copytree(real_data / "av" / "cremad" / "wav16k", tmp_path / "AudioWAV")
    with (real_data / "av" / "cremad" / "human_votes.csv").open(newline="") as handle:
        published = {row["file"]: row["voice_vote"] for row in csv.DictReader(handle)}
    assert {name: "ADFHNS"[max(range(6), key=votes.__getitem__)] for name, votes in REAL_VOTES.items()} == {
        name: published[name] for name in REAL_VOTES
    }
    words = ("--dataset", "crema-d", "--root", tmp_path, "--severity", 1, "--corruption", "audio/gain")
    assert merbench("eval", *words, "--model", "majority", "--out", tmp_path / "run").code == 0
    (people,) = json.loads((tmp_path / "run" / "result.json").read_text())["people"]
    assert (people["pattern"], people["n"], people["ratings"]) == ("a", 4, 35)
    assert people["majority"]["accuracy"] == 0.5  # the angry one and the neutral one are heard as meant
    assert people["one_rater"]["accuracy"] == pytest.approx((6 + 0 + 5 + 1) / 35)
