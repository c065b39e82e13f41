"""A recipe alone is enough to make a suite again, and it is told apart what is not the same any more."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import soundfile

from merbench.corruption import corruptions
from merbench.datasets.synthetic import Synthetic
from merbench.options import canonical
from merbench.suites.plan import make_corruption
from tests.suites.test_build import TYPOS, fingerprint, tamper

TINY = ("corrupt", "--limit", 4, "--frames", 2, "--frame-size", 32, "--severity", "1,3", "--replicates", 2)


@pytest.fixture
def tiny(merbench, tmp_path):
    """A small suite of every family, with two replicates."""
    folder = tmp_path / "tiny"
    assert merbench(*TINY, "--out", folder).code == 0
    return folder


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table of texts with these columns."""
    path = tmp_path / "table.csv"

    def write(rows):
        lines = [",".join(row) for row in rows]
        path.write_text("\n".join(["id,text,label,split", *lines]) + "\n", encoding="utf-8")
        return path

    return write


SENTENCES = [
    ("a", "the bus was late again today", "sad", "test"),
    ("b", "we walk home under the quiet lamps", "calm", "test"),
    ("c", "they sing on the way back", "glad", "test"),
]


@pytest.fixture
def recipe(merbench, table, tmp_path):
    """The recipe of a suite of the three sentences."""
    folder = tmp_path / "recipe"
    root = table(SENTENCES)
    command = ("corrupt", "--dataset", "table", "--root", root, *TYPOS, "--out", folder)
    assert merbench(*command, "--recipe-only").code == 0
    return folder / "recipe.json"


def test_recipe_only_writes_the_recipe_and_decodes_nothing(merbench, tmp_path, monkeypatch):
    monkeypatch.setattr(Synthetic, "load", None)
    outcome = merbench(*TINY, "--recipe-only", "--out", tmp_path / "tiny", "--json")
    assert outcome.code == 0, outcome.err
    assert list(fingerprint(tmp_path / "tiny")) == ["recipe.json"]
    written = json.loads((tmp_path / "tiny" / "recipe.json").read_text())
    assert json.loads(outcome.out) == {"folder": str(tmp_path / "tiny"), "recipe_id": written["recipe_id"]}


def test_recipe_only_goes_to_the_usual_folder(merbench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = merbench(*TINY, "--recipe-only")
    (folder,) = (tmp_path / "suites").iterdir()
    recipe_id = json.loads((folder / "recipe.json").read_text())["recipe_id"]
    assert folder.name == f"synthetic-{recipe_id[:8]}"
    assert recipe_id in outcome.err


def test_corrupt_builds_what_recipe_only_promised(merbench, tiny, tmp_path):
    later = ("--out", tmp_path / "later")
    assert merbench(*TINY, "--recipe-only", *later).code == 0
    assert merbench(*TINY, *later).code == 0
    assert fingerprint(tmp_path / "later") == fingerprint(tiny)


def test_recipe_only_leaves_other_things_alone(merbench, tmp_path):
    (tmp_path / "thesis.tex").write_text("do not lose me")
    merbench(*TINY, "--recipe-only", "--out", tmp_path).refused("not empty")
    assert list(fingerprint(tmp_path)) == ["thesis.tex"]


@pytest.mark.parametrize("kept", [("recipe.json",), ("manifest.json",), ("manifest.json", "recipe.json")])
def test_a_folder_that_holds_only_its_record_is_filled_with_the_same_bytes(merbench, tiny, tmp_path, kept):
    folder = tmp_path / "shared"
    folder.mkdir()
    for name in kept:
        shutil.copy(tiny / name, folder)
    outcome = merbench("suite", "rebuild", folder, "--json")
    assert outcome.code == 0, outcome.err
    assert fingerprint(folder) == fingerprint(tiny)
    manifest = json.loads((tiny / "manifest.json").read_text())
    assert json.loads(outcome.out) == {
        "folder": str(folder),
        "recipe_id": manifest["recipe_id"],
        "content_root": manifest["content_root"],
    }


@pytest.mark.parametrize("name", ["recipe.json", "manifest.json", "."])
def test_a_suite_is_made_again_elsewhere(merbench, tiny, tmp_path, name):
    before = fingerprint(tiny)
    assert merbench("suite", "rebuild", tiny / name, "--out", tmp_path / "again").code == 0
    assert fingerprint(tmp_path / "again") == before == fingerprint(tiny)


def test_a_recipe_file_alone_is_built_in_the_usual_folder(merbench, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny / "recipe.json", tmp_path / "mailed.json")
    assert merbench("suite", "rebuild", "mailed.json").code == 0
    (folder,) = (tmp_path / "suites").iterdir()
    assert fingerprint(folder) == fingerprint(tiny)


def test_a_complete_suite_is_verified_and_not_touched(merbench, tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.rglob("*.*")}
    assert merbench("suite", "rebuild", tiny).code == 0
    assert before == {path: path.stat().st_mtime_ns for path in tiny.rglob("*.*")}


def test_a_tampered_suite_is_not_taken_for_complete(merbench, tiny):
    shard = next(iter((tiny / "data").glob("text-typo-s3-*/00000.parquet")))
    sample = tamper(shard, "text", lambda text: f"{text}!")
    merbench("suite", "rebuild", tiny).refused(sample, "text")


def test_a_missing_shard_is_made_again(merbench, tiny):
    before = fingerprint(tiny)
    next(iter((tiny / "data").glob("vision-*/00000.parquet"))).unlink()
    assert merbench("suite", "rebuild", tiny).code == 0
    assert fingerprint(tiny) == before


def test_other_content_than_the_manifest_claims_is_refused_and_the_claim_is_kept(merbench, tiny, tmp_path):
    path = tiny / "manifest.json"
    manifest = json.loads(path.read_text())
    cell = next(cell for cell in manifest["roots"] if cell.startswith("audio-"))
    manifest["roots"][cell] = "0" * 64
    manifest["tools"]["numpy"] = "1.0"
    path.write_text(json.dumps(manifest))
    merbench("suite", "rebuild", tiny, "--out", tmp_path / "again").refused(cell, "numpy 1.0 (here ")
    shutil.rmtree(tiny / "data")
    merbench("suite", "rebuild", tiny).refused(cell)
    assert json.loads(path.read_text()) == manifest


def test_splits_taken_together_are_taken_together_again(merbench, table, tmp_path):
    rows = [(id, text, label, split) for (id, text, label, _), split in zip(SENTENCES, "ttd", strict=True)]
    root, folder = table(rows), tmp_path / "suite"
    assert merbench("corrupt", "--dataset", "table", "--root", root, *TYPOS, "--out", folder).code == 0
    outcome = merbench("suite", "rebuild", folder, "--root", root, "--out", tmp_path / "again")
    assert outcome.code == 0, outcome.err
    assert fingerprint(tmp_path / "again") == fingerprint(folder)


def test_a_recipe_names_no_place_on_this_machine(merbench, recipe, table, tmp_path):
    assert str(tmp_path) not in recipe.read_text()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(table(SENTENCES), moved / "another_name.csv")
    outcome = merbench("suite", "rebuild", recipe, "--root", moved, "--out", tmp_path / "suite")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([*SENTENCES[:2], ("c", "they shout on the way back", "glad", "test")], "another content"),
        ([*SENTENCES[:2], ("c", "they sing on the way back", "calm", "test")], "another content"),
        ([*SENTENCES[:2], ("d", "they sing on the way back", "glad", "test")], "other sample ids"),
        (SENTENCES[:2], "2 of its 3 samples"),
        ([(*row[:3], "dev") for row in SENTENCES], "no split 'test'"),
    ],
)
def test_other_data_are_refused_with_the_part_that_differs(merbench, recipe, table, tmp_path, rows, reason):
    root = table(rows)
    merbench("suite", "rebuild", recipe, "--root", root, "--out", tmp_path / "suite").refused(reason)
    assert not (tmp_path / "suite").exists()


def test_data_that_are_not_here_are_asked_for(merbench, recipe, monkeypatch):
    monkeypatch.delenv("MERBENCH_DATA", raising=False)
    merbench("suite", "rebuild", recipe).refused("--root")


def test_another_noise_is_refused(merbench, tmp_path):
    noise = tmp_path / "urban"
    clip = noise / "audio" / "fold3" / "100-4-0-0.wav"
    for folder in (clip.parent, noise / "metadata"):
        folder.mkdir(parents=True)
    (noise / "metadata" / "UrbanSound8K.csv").write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n100-4-0-0.wav,100,0,4,1,3,4,drilling\n"
    )
    sound = (np.arange(64_000) * 7919 % 6007 - 3003).astype(np.int16)
    soundfile.write(clip, sound, 16_000)
    options = ("--corruption", "audio/urban_noise", "--noise-folds", "3", "--noise-root", noise)
    assert merbench(*TINY, *options, "--out", tmp_path / "suite").code == 0
    rebuild = ("suite", "rebuild", tmp_path / "suite", "--out", tmp_path / "again", "--noise-root")
    assert merbench(*rebuild, noise).code == 0
    assert fingerprint(tmp_path / "again") == fingerprint(tmp_path / "suite")
    other = shutil.copytree(noise, tmp_path / "other")
    soundfile.write(other / clip.relative_to(noise), sound // 2, 16_000)
    merbench(*rebuild, other).refused("the noise of 'audio/urban_noise'", "--noise-root")


def test_another_version_of_a_corruption_is_refused(merbench, recipe, monkeypatch):
    monkeypatch.setattr(corruptions["text/typo"], "version", 9)
    merbench("suite", "rebuild", recipe).refused("version 1 of 'text/typo'", "version 9 is here")


def test_a_generator_that_moved_on_is_refused(merbench, tiny, monkeypatch):
    monkeypatch.setattr("merbench.datasets.synthetic.VERSION", 9)
    merbench("suite", "rebuild", tiny).refused("the sources of 'synthetic'", "install the merbench")


def test_another_suite_in_the_target_is_left_alone(merbench, recipe, table, tiny):
    before = fingerprint(tiny)
    merbench("suite", "rebuild", recipe, "--root", table(SENTENCES), "--out", tiny).refused(
        "holds another suite", "--out"
    )
    assert fingerprint(tiny) == before


def edited(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    return path


def test_a_recipe_that_was_edited_is_refused(merbench, recipe):
    merbench("suite", "rebuild", edited(recipe, lambda r: r["recipe"]["variants"][0].update(seed=1))).refused(
        "recipe.json", "does not hash"
    )


def test_a_recipe_of_another_format_is_refused(merbench, recipe):
    merbench("suite", "rebuild", edited(recipe, lambda r: r["recipe"].update(format=99))).refused("format 99")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"recipe_id": "ab"}', "\udcff"])
def test_what_is_no_recipe_is_refused(merbench, tmp_path, text):
    path = tmp_path / "recipe.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    merbench("suite", "rebuild", path).refused("recipe.json is damaged")


def test_a_place_without_a_recipe_is_refused(merbench, tmp_path):
    merbench("suite", "rebuild", tmp_path).refused("neither manifest.json nor recipe.json")
    merbench("suite", "rebuild", tmp_path / "nowhere").refused("does not exist")


@pytest.mark.parametrize("name", corruptions.names())
def test_every_corruption_comes_back_from_its_canonical_options(name):
    options = json.loads(json.dumps(canonical(corruptions[name]())))
    assert canonical(make_corruption(name, options, {})) == canonical(corruptions[name]())
