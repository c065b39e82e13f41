"""ESC-50 and MUSAN as they are distributed, and the noise of MER-NOISE made from the latter."""

from __future__ import annotations

import os
import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile

from corruptions.audio._recorded import Esc50Bank, MusanBank, fold_of
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import build, canonical
from merbench.types import SEVERITIES, Batch
from tests.corruptions import banks
from tests.corruptions.samples import ordinary, pool

MER_NOISE = {"noise_class": "speech", "snr": "drawn", "snr_reference": "whole"}


@pytest.fixture
def musan(tmp_path):
    return banks.write_musan(tmp_path / "musan")


@pytest.fixture
def esc50(tmp_path):
    return banks.write_esc50(tmp_path / "esc50")


def made(name, root, **options):
    return build(corruptions[name], name, {"noise_root": root, **options})


def spoil(corruption, samples, severity):
    params = corruption.draw_all(samples, pool(samples), "tests")
    return corruption.apply(Batch.of(samples), params, pool(samples), **corruption.strength(severity))


def refused(of, *words):
    with pytest.raises(MerbenchError) as caught:
        of()
    for word in words:
        assert word in str(caught.value)


class TestMusan:
    def test_its_three_folders_are_its_classes(self, musan):
        clips = MusanBank(musan).clips
        assert Counter(clip.noise_class for clip in clips) == {"music": 3, "noise": 9, "speech": 13}
        assert {clip.id.split("/")[1] for clip in clips if clip.noise_class == "speech"} == {
            "librivox",
            "us-gov",
        }

    def test_a_part_of_it_will_do(self, musan):
        before = {clip.id: clip.fold for clip in MusanBank(musan).clips}
        shutil.rmtree(musan / "music")
        (musan / "speech/librivox/speech-librivox-0003.wav").unlink()
        after = {clip.id: clip.fold for clip in MusanBank(musan).clips}
        assert len(after) == len(before) - 4
        assert after.items() <= before.items()  # no recording has changed its fold

    def test_what_hardens_is_never_what_tests(self, musan):
        hardening = made("audio/musan", musan, noise_folds="1+2+3+4+5+6+7+8+9")
        test = made("audio/musan", musan)
        assert {*hardening.clips, *test.clips} == {*MusanBank(musan).clips}
        assert not {*hardening.clips} & {*test.clips}
        learned, heard = (type(c).material(canonical(c)) for c in (hardening, test))
        assert heard == {"audio/musan fold 10"}
        assert not learned & heard
        compound = corruptions["compound/mer_noise"]
        assert compound.material({"noise_folds": (10,)}) == heard

    def test_folds_are_about_equally_large(self):
        folds = Counter(fold_of(f"noise-free-sound-{i:04d}") for i in range(4_000))
        assert sorted(folds) == list(range(1, 11))
        assert min(folds.values()) > 340 and max(folds.values()) < 460  # 3 standard deviations

    def test_the_draw_below_the_table_leaves_clip_and_place(self, musan):
        samples = ordinary(40)
        table, drawn = (
            made("audio/musan", musan, snr=snr).draw_all(samples, pool(samples), "t")
            for snr in ("table", "drawn")
        )
        assert [{"clip": d["clip"], "start": d["start"]} for d in drawn] == table

    def test_mer_noise_is_5_to_10_db_of_speech_over_the_whole_clip(self, musan):
        samples = ordinary(120)
        _, achieved = spoil(made("audio/musan", musan, **MER_NOISE), samples, 3)
        ratios = Counter(round(report["snr_db"], 2) for report in achieved)
        assert sorted(ratios) == [5, 6, 7, 8, 9, 10]
        assert min(ratios.values()) > 8
        assert all(report["clip"].startswith("speech/") for report in achieved)

    def test_a_drawn_ratio_falls_with_the_severity_like_the_tables(self, musan):
        samples = ordinary(8)
        ratios = [
            [report["snr_db"] for report in spoil(made("audio/musan", musan, snr="drawn"), samples, s)[1]]
            for s in SEVERITIES
        ]
        assert np.diff(ratios, axis=0) == pytest.approx(np.full((4, 8), -5), abs=0.02)

    def test_its_root_is_found_under_its_own_name(self, musan, tmp_path, monkeypatch, merbench):
        banks.write_urban(tmp_path / "urbansound8k")
        monkeypatch.setenv("MERBENCH_DATA", os.fspath(tmp_path))
        done = merbench(
            "corrupt", "--limit", 3, "--out", tmp_path / "suite", "--severity", 3,
            "--corruption", "compound/mer_noise", "--corruption", "audio/urban_noise",
        )  # fmt: skip
        assert done.code == 0, done.err

    def test_another_folder_is_refused(self, tmp_path, merbench):
        banks.write_urban(tmp_path)
        done = merbench("corrupt", "--corruption", "audio/musan", "--noise-root", tmp_path)
        done.refused("does not have the layout of MUSAN", "https://www.openslr.org/17", "music, noise and")

    def test_no_folder_is_refused(self, monkeypatch):
        monkeypatch.delenv("MERBENCH_DATA", raising=False)
        refused(lambda: made("audio/musan", None).clips, "audio/musan needs MUSAN", "openslr.org/17")


class TestEsc50:
    def test_the_last_of_five_folds_is_for_tests(self, esc50):
        assert {clip.id[0] for clip in made("audio/esc50", esc50).clips} == {"5"}
        assert [c.noise_class for c in made("audio/esc50", esc50, noise_folds="1").clips] == ["dog"]
        refused(lambda: made("audio/esc50", esc50, noise_folds="6").clips, "folds present: 1, 5")

    def test_the_silence_that_fills_five_seconds_is_no_noise(self, esc50):
        path = esc50 / "audio" / "5-203128-A-0.wav"
        whole, rate = soundfile.read(path, dtype="int16")
        sound, same_rate = Esc50Bank(esc50).load(path.name, None)
        assert (len(whole), same_rate) == (5 * 44_100, rate)
        assert np.array_equal(sound, np.trim_zeros(whole))
        assert len(Esc50Bank(esc50).audio(path.name, 16_000)) == -(-len(sound) * 16_000 // 44_100)
        _, achieved = spoil(made("audio/esc50", esc50, noise_class="dog"), ordinary(20, seconds=2.0), 3)
        assert all(report["applied"] for report in achieved)

    def test_another_folder_is_refused(self, esc50):
        (esc50 / "meta" / "esc50.csv").unlink()
        refused(
            lambda: made("audio/esc50", esc50).clips,
            "layout of ESC-50: meta/esc50.csv is missing",
            "karolpiczak/ESC-50",
        )

    def test_real_recordings(self, real_data, tmp_path):
        source = real_data / "noise" / "ESC-50" / "audio"
        kinds = {10: "rain", 12: "crackling_fire", 15: "water_drops", 16: "wind", 42: "siren"}
        lines = [banks.ESC_HEADER]
        for path in source.glob("*.wav"):
            fold, recording, take, target = path.stem.split("-")
            lines.append(f"{path.name},{fold},{target},{kinds[int(target)]},False,{recording},{take}")
        (tmp_path / "audio").symlink_to(source, target_is_directory=True)
        (tmp_path / "meta").mkdir()
        (tmp_path / "meta" / "esc50.csv").write_text("\n".join(lines), encoding="utf-8")
        for kind in kinds.values():
            _, achieved = spoil(made("audio/esc50", tmp_path, noise_class=kind), ordinary(4), 5)
            assert [report["snr_db"] for report in achieved] == pytest.approx([0] * 4, abs=0.05)
