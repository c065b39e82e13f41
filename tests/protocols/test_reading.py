"""A protocol is read strictly, and what it fixes cannot be changed beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from merbench.cli._list import KINDS
from merbench.errors import MerbenchError
from merbench.protocols import PROTOCOLS, load_protocol


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_every_committed_protocol_is_valid_and_says_what_it_is_for(name):
    protocol = load_protocol(name)
    assert protocol.about
    assert protocol.transcript
    assert protocol.card.licence


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_every_class_is_made_of_labels_that_the_dataset_has(name):
    from merbench.datasets import load_dataset

    protocol = load_protocol(name)
    if protocol.merge is not None:
        labels = set(load_dataset(protocol.dataset).labels)
        assert protocol.merge.table.keys() == labels, "every label is in a class or dropped"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"top": "metrics = 3"}, ["metrics", "did you mean 'metric'"]),
        ({"suite": "severity = 3"}, ["[suite]", "severity", "severities"]),
        ({"folds": "validtion = 0.2"}, ["validtion", "validation"]),
        ({"top": 'reference = ["a", "b"]'}, ["reference", "text"]),
        ({"low": '["low", "calm"]'}, ["'calm' is named twice"]),
        ({"low": "[]"}, ["no label"]),
        ({"members": '[["s0"]]'}, ["fewer than two folds"]),
        ({"members": '[["s0"], ["s1", "s0"], ["s2"]]'}, ["names 's0' twice"]),
        ({"members": '[["s0"], ["s1"]]'}, ["two folds", "validation"]),
        ({"suite": "replicates = 0"}, ["replicates"]),
        ({"more": '[split]\ntrain = "train"\ntest = "test"'}, ["[split] or [folds]"]),
        ({"more": "[media]\nsample_rate = 16000.5"}, ["media.sample_rate", "whole number"]),
        ({"more": "[published]\nutterances = 3"}, ["[published]", "source"]),
        ({"more": '[published]\nsource = "me"\nclasses = { calm = "many" }'}, ["published.classes"]),
    ],
)
def test_what_a_protocol_cannot_say(bench, merbench, parts, words):
    merbench("show", "protocol", bench.protocol(**parts)).refused(*words)


def test_a_protocol_that_lacks_a_key(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "x"\ndataset = "synthetic"\n[split]\ntrain = "train"\ntest = "test"\n')
    with pytest.raises(MerbenchError, match=r"mine.toml lacks 'unit'"):
        load_protocol(str(path))


def test_an_unknown_protocol_is_answered_with_the_nearest(merbench):
    merbench("eval", "--protocol", "iemocap-4way", "--model", "majority").refused(
        "did you mean iemocap-4way-loso?"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--dataset", "ravdess"),
        ("--split", "train"),
        ("--corruption", "text/typo"),
        ("--noise-folds", "3"),
        ("--snr-reference", "whole"),
        ("--seed", "1"),
        ("--replicates", "2"),
        ("--frames", "8"),
        ("--faces", "fixed"),
    ],
)
def test_what_a_protocol_fixes_is_refused_beside_it(merbench, words):
    for command in (("eval", "--model", "majority"), ("corrupt",)):
        merbench(*command, "--protocol", "synthetic", *words).refused("protocol 'synthetic' fixes", words[0])


def test_a_severity_that_a_protocol_does_not_have(bench, evaluated):
    evaluated("--severity", "2-4").refused("has no severity 2", "1, 3")


def test_a_detector_of_faces_where_none_are_cropped(merbench, tmp_path):
    detector = tmp_path / "faces.onnx"
    merbench(
        *("eval", "--protocol", "synthetic", "--model", "majority", "--face-detector", detector)
    ).refused("crops no faces")


def test_a_protocol_and_a_suite(merbench, tmp_path):
    merbench("eval", "--protocol", "synthetic", "--suite", tmp_path, "--model", "majority").refused(
        "--protocol"
    )


def test_a_reference_that_is_not_the_protocols(bench, evaluated):
    protocol = bench.protocol(top='reference = "majority"')
    assert evaluated(protocol=protocol).code == 0
    evaluated("--reference", bench.folder / "run", protocol=protocol, out="other").refused(
        "relative to majority", "speller.py:Speller"
    )
    assert evaluated(model="majority", protocol=protocol, out="known").code == 0
    assert evaluated("--reference", bench.folder / "known", protocol=protocol, out="other").code == 0


def test_protocols_are_listed_and_shown(merbench):
    assert "protocols" in KINDS
    listed = merbench("list", "protocols", "--json")
    assert {"iemocap-4way-loso", "meld", "synthetic"} <= set(PROTOCOLS.names())
    for name in PROTOCOLS.names():
        assert f'"{name}"' in listed.out
        shown = merbench("show", "protocol", name)
        assert shown.code == 0
        assert name in shown.out


def test_showing_a_protocol_shows_its_merges_and_its_citation(merbench):
    shown = " ".join(merbench("show", "protocol", "iemocap-4way-loso").out.split())
    assert "happy = happy + excited" in shown
    assert "busso2008iemocap" in shown
    assert "[LAUGHTER]" in shown
    seven = " ".join(merbench("show", "protocol", "ravdess-7way-actor-5fold").out.split())
    assert "neutral = neutral + calm" in seven
    assert "lunajimenez2022proposal" in seven


@pytest.mark.parametrize(("preset", "severities"), [("robuser", (1, 3, 5)), ("mer-noise", (3,))])
def test_a_presets_severities_are_meant_where_nobody_says(preset, severities):
    from merbench.suites.plan import parse_corruption
    from merbench.suites.presets import expand, severities_of

    assert severities_of([preset]) == severities
    assert load_protocol(preset).suite.severities == severities
    for spec in expand([preset]):
        parse_corruption(spec, {})
    assert severities_of([preset, "text/typo"]) == (1, 2, 3, 4, 5)


def test_the_robuser_preset_is_at_20_10_and_0_db_over_the_whole_clip():
    from merbench.suites.plan import parse_corruption
    from merbench.suites.presets import expand, severities_of

    for spec in expand(["robuser"]):
        corruption = parse_corruption(spec, {})
        levels = [corruption.strength(s)["snr_db"] for s in severities_of(["robuser"])]
        assert levels == ([30, 20, 10] if corruption.name == "audio/white" else [20, 10, 0])
        assert corruption.snr_reference == "whole"


ROOT = Path(__file__).parents[2]


def test_the_page_has_the_table_that_the_protocols_say():
    subprocess.run([sys.executable, ROOT / "docs" / "protocols.py", "--check"], check=True)


def test_the_protocol_of_the_page_can_be_read(tmp_path):
    page = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(example, encoding="utf-8")
    protocol = load_protocol(str(path))
    assert protocol.suite.severities == (1, 3, 5)
    assert protocol.merge.classes["happy"] == ("happy", "excited"), "taken over"
