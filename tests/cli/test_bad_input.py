"""What real folders are full of: each is one line, exit code 2, and nothing half-written."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tests.media.clips import counting_frames, write_clip

RATE = 16_000
VOICE = (6000 * np.sin(np.arange(RATE) / 11) * np.hanning(RATE)).astype(np.int16)


def write_wav(path, audio=VOICE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, RATE, **options)
    return path


@pytest.fixture
def refused(merbench, tmp_path):
    """Return a function that corrupts a one-row table with the given media and expects a refusal."""

    def run(column, path, *words, corruption="audio/environment"):
        table = tmp_path / "clips.csv"
        table.write_text(f"id,{column},label\nclip,{path.name},sad\n", encoding="utf-8")
        out = tmp_path / "suite"
        merbench(
            "corrupt",
            "--dataset",
            "table",
            "--root",
            table,
            "--corruption",
            corruption,
            "--severity",
            3,
            "--out",
            out,
        ).refused(*words)
        assert not (out / "manifest.json").exists()
        assert not list(out.rglob("*.parquet")) and not list(out.rglob("*.part"))

    return run


def test_a_truncated_wav(refused, tmp_path):
    path = write_wav(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:9000])
    refused("audio", path, "a.wav", "truncated")


def test_a_wav_of_zero_length(refused, tmp_path):
    refused("audio", write_wav(tmp_path / "a.wav", VOICE[:0]), "a.wav")


def test_a_wav_with_nan(refused, tmp_path):
    audio = VOICE / 32768
    audio[700] = np.nan
    refused("audio", write_wav(tmp_path / "a.wav", audio, subtype="FLOAT"), "a.wav", "NaN")


def test_a_missing_file(refused, tmp_path):
    refused("audio", tmp_path / "gone.wav", "gone.wav")


def test_a_file_that_is_no_recording(refused, tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("this is not a recording")
    refused("audio", path, "a.wav")


def test_a_clip_with_no_video_stream(refused, tmp_path):
    refused("video", write_wav(tmp_path / "a.wav"), "a.wav", "video", corruption="vision/occlusion_mask")


def test_a_truncated_mp4(refused, tmp_path):
    path = write_clip(tmp_path / "a.mp4", counting_frames(20))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused("video", path, "a.mp4", corruption="vision/occlusion_mask")


@pytest.fixture
def urban(tmp_path):
    """A one-file UrbanSound8K in fold 3."""
    root = tmp_path / "urban"
    rng = np.arange(4 * RATE)
    noise = ((rng * 7919 % 6007) - 3003).astype(np.int16)
    write_wav(root / "audio" / "fold3" / "100-4-0-0.wav", noise)
    (root / "metadata").mkdir()
    (root / "metadata" / "UrbanSound8K.csv").write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class_name\n100-4-0-0.wav,100,0,4,1,3,4,drilling\n"
    )
    return root


@pytest.fixture
def noisy(merbench, tmp_path):
    def run(*words):
        return merbench(
            "corrupt", "--limit", 4, "--frames", 1, "--frame-size", 16, "--corruption", "audio/urban_noise",
            "--severity", 3, "--out", tmp_path / "suite", *words,
        )  # fmt: skip

    return run


def test_urban_noise_from_a_real_layout(noisy, urban):
    assert noisy("--noise-root", urban, "--noise-folds", "3").code == 0


def test_a_noise_root_that_is_not_given(noisy, monkeypatch):
    monkeypatch.delenv("MERBENCH_DATA", raising=False)
    noisy().refused("--noise-root", "urbansounddataset", "audio/environment")


def test_a_noise_root_that_is_not_there(noisy, tmp_path):
    noisy("--noise-root", tmp_path / "nowhere").refused("nowhere")


def test_a_noise_root_of_another_layout(noisy, tmp_path):
    (tmp_path / "music").mkdir()
    noisy("--noise-root", tmp_path / "music").refused("UrbanSound8K.csv")


def test_a_fold_with_no_files_lists_the_folds_that_have_some(noisy, urban):
    noisy("--noise-root", urban).refused("fold", "10", "3")


def test_a_class_that_is_not_there_lists_those_that_are(noisy, urban):
    noisy(
        "--noise-root", urban, "--noise-folds", "3", "--corruption", "audio/urban_noise:noise_class=siren"
    ).refused("siren", "drilling")


def test_a_silent_noise_file(noisy, urban):
    write_wav(urban / "audio" / "fold3" / "100-4-0-0.wav", np.zeros(4 * RATE, np.int16))
    noisy("--noise-root", urban, "--noise-folds", "3").refused("100-4-0-0.wav", "silent")


def test_an_unknown_label(merbench, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("id,text,label\na,hello there,sad\nb,good day,gloomy\n")
    merbench("corrupt", "--dataset", "table:label_names=sad+happy", "--root", table).refused("gloomy")


def test_duplicate_ids(merbench, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("id,text,label\na,hello there,sad\na,good day,happy\n")
    merbench("corrupt", "--dataset", "table", "--root", table).refused("'a'")


def test_a_dataset_of_the_wrong_layout(merbench, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    merbench("corrupt", "--dataset", "ravdess", "--root", tmp_path).refused("Actor_")
