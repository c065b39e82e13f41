"""Where noise comes from: UrbanSound8K on disk, the synthesized bank, and what is kept in memory."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from corruptions.audio import _banks
from corruptions.audio._banks import EnvironmentBank
from corruptions.audio._recorded import UrbanSound8KBank
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import build
from merbench.types import Batch, Utterance
from tests.corruptions import banks
from tests.corruptions.samples import ordinary, pool


@pytest.fixture
def root(tmp_path):
    """A miniature that may be damaged."""
    return banks.write_urban(tmp_path)


def urban_noise(root, **options):
    return build(corruptions["audio/urban_noise"], "audio/urban_noise", {"noise_root": root, **options})


def environment(**options):
    return build(corruptions["audio/environment"], "audio/environment", options)


def noise_path(root, name):
    return next((root / "audio").rglob(name))


def spoil(corruption, samples, severity=3):
    params = corruption.draw_all(samples, pool(samples), "tests")
    return corruption.apply(Batch.of(samples), params, pool(samples), **corruption.strength(severity))


class TestUrbanSound8K:
    def test_the_test_fold_is_the_default(self, root):
        assert {clip.id for clip in urban_noise(root).clips} == {
            "102-5-0-0.wav",
            "103-1-0-0.wav",
            "104-2-0-0.wav",
        }

    def test_folds_and_class_choose_what_may_be_drawn(self, root):
        assert [c.id for c in urban_noise(root, noise_folds="1+3").clips] == [
            "100-7-0-0.wav",
            "101-4-0-0.wav",
        ]
        assert [c.id for c in urban_noise(root, noise_class="car_horn").clips] == ["103-1-0-0.wav"]

    def test_channels_are_averaged_and_the_rate_becomes_the_samples_own(self, root):
        bank = UrbanSound8KBank(root)
        left, right = soundfile.read(noise_path(root, "101-4-0-0.wav"), dtype="int16")[0].T.astype(np.int64)
        own = bank.audio("101-4-0-0.wav", 44_100)
        assert np.abs(own - (left + right) / 2).max() <= 0.5
        for rate in (8_000, 16_000, 48_000):
            assert len(bank.audio("101-4-0-0.wav", rate)) == -(-len(own) * rate // 44_100)

    def test_resampling_keeps_a_tone_where_it_is(self, root):
        tone = (8_000 * np.sin(2 * np.pi * 1_000 * np.arange(44_100) / 44_100)).astype(np.int16)
        soundfile.write(noise_path(root, "101-4-0-0.wav"), tone, 44_100, subtype="PCM_16")
        heard = UrbanSound8KBank(root).audio("101-4-0-0.wav", 16_000).astype(np.float64)
        expected = 8_000 * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)
        assert np.abs(heard - expected)[500:-500].max() < 8  # -60 dB

    def test_the_first_release_named_its_class_column_otherwise(self, root):
        table = root / "metadata" / "UrbanSound8K.csv"
        table.write_text(table.read_text().replace(",class\n", ",class_name\n", 1))
        assert urban_noise(root, noise_class="car_horn").clips

    def test_the_root_may_come_from_the_environment(self, root, monkeypatch, tmp_path):
        data = tmp_path / "data"
        data.mkdir()
        shutil.copytree(root / "audio", data / "urbansound8k" / "audio")
        shutil.copytree(root / "metadata", data / "urbansound8k" / "metadata")
        monkeypatch.setenv("MERBENCH_DATA", os.fspath(data))
        assert urban_noise(None).clips

    def test_its_content_is_its_identity(self, root, tmp_path_factory):
        before = urban_noise(root).content_hash()

        def after(change):
            copy = shutil.copytree(root, tmp_path_factory.mktemp("copy") / "moved")
            path = noise_path(copy, "103-1-0-0.wav")
            samples, rate = soundfile.read(path, dtype="int16")
            change(samples)
            soundfile.write(path, samples, rate // 2 if change is half else rate, subtype="PCM_16")
            return urban_noise(copy).content_hash()

        def nothing(samples):
            """Written again, in another folder."""

        def half(samples):
            """The same samples, played at half the rate."""

        def louder(samples):
            samples[0] += 1

        assert after(nothing) == before
        assert len({before, after(half), after(louder)}) == 3
        assert urban_noise(root, noise_class="car_horn").content_hash() != before

    def test_noise_of_another_fold_is_no_part_of_it(self, root, tmp_path_factory):
        copy = shutil.copytree(root, tmp_path_factory.mktemp("copy") / "moved")
        noise_path(copy, "100-7-0-0.wav").unlink()
        assert urban_noise(copy).content_hash() == urban_noise(root).content_hash()


class TestRefusals:
    """Each says in one line what is wrong, where, and what to do."""

    def refused(self, *words, of):
        with pytest.raises(MerbenchError) as caught:
            of()
        message = str(caught.value)
        assert "\n" not in message
        for word in words:
            assert word in message, message

    def test_no_root(self, monkeypatch):
        monkeypatch.delenv("MERBENCH_DATA", raising=False)
        self.refused(
            "no noise root was given",
            "https://urbansounddataset.weebly.com/urbansound8k.html",
            "metadata/UrbanSound8K.csv",
            "audio/environment needs no files",
            of=lambda: urban_noise(None).clips,
        )

    def test_a_root_that_is_not_there(self, tmp_path):
        self.refused(str(tmp_path / "nowhere"), "weebly", of=lambda: urban_noise(tmp_path / "nowhere").clips)

    def test_another_layout(self, tmp_path):
        self.refused(
            "does not have the layout", "audio/fold1 ... audio/fold10", of=lambda: urban_noise(tmp_path).clips
        )

    def test_another_table(self, root):
        (root / "metadata" / "UrbanSound8K.csv").write_text("file,fold\nx.wav,10\n")
        self.refused("UrbanSound8K.csv is not the table", of=lambda: urban_noise(root).clips)

    def test_a_fold_without_files(self, root):
        self.refused(
            "no files in fold 7",
            "folds present: 1, 3, 10",
            of=lambda: urban_noise(root, noise_folds="1+7").clips,
        )

    def test_an_empty_fold_folder(self, root):
        noise_path(root, "100-7-0-0.wav").unlink()
        self.refused("fold 1", "folds present: 3, 10", of=lambda: urban_noise(root, noise_folds="1").clips)

    def test_a_class_that_is_not_there(self, root):
        self.refused(
            "no class 'dragon' in fold 10",
            "car_horn, children_playing, engine_idling",
            of=lambda: urban_noise(root, noise_class="dragon").clips,
        )

    def test_files_missing_from_a_fold(self, root):
        noise_path(root, "103-1-0-0.wav").unlink()
        self.refused("1 of the 3 noise files", "103-1-0-0.wav", of=lambda: urban_noise(root).clips)

    @pytest.mark.parametrize("use", [lambda c: c.content_hash(), lambda c: spoil(c, ordinary(1))])
    def test_a_silent_file(self, root, use):
        path = noise_path(root, "103-1-0-0.wav")
        soundfile.write(path, np.zeros((4_000, 2)), 44_100, subtype="PCM_16")
        self.refused("103-1-0-0.wav is silent", of=lambda: use(urban_noise(root, noise_class="car_horn")))

    @pytest.mark.parametrize("use", [lambda c: c.content_hash(), lambda c: spoil(c, ordinary(1))])
    def test_a_truncated_file(self, root, use):
        path = noise_path(root, "103-1-0-0.wav")
        path.write_bytes(path.read_bytes()[:-1_000])
        self.refused("103-1-0-0.wav is truncated", of=lambda: use(urban_noise(root, noise_class="car_horn")))

    def test_an_option_of_the_wrong_kind(self, root):
        self.refused("'noise_folds'", "ten", of=lambda: urban_noise(root, noise_folds="ten"))
        self.refused("'snr_reference'", "speech | whole", of=lambda: urban_noise(root, snr_reference="clip"))


class TestEnvironmentBank:
    def test_seven_sounds_in_ten_folds_three_takes_each(self):
        clips = EnvironmentBank().clips
        assert len(clips) == len({clip.id for clip in clips}) == 7 * 10 * 3
        assert len(environment().clips) == 21
        assert {clip.noise_class for clip in environment(noise_folds="4").clips} == {
            "alarm", "crowd_murmur", "engine", "footsteps", "rain", "siren", "wind",
        }  # fmt: skip

    def test_every_take_is_another(self):
        bank = EnvironmentBank()
        takes = [bank.load(clip.id, None)[0].tobytes() for clip in bank.clips if clip.fold in (1, 10)]
        assert len(set(takes)) == len(takes)

    def test_it_needs_nothing_from_outside(self):
        assert environment().content_hash() is None

    def test_a_fold_or_class_that_is_not_there(self):
        with pytest.raises(MerbenchError, match="no files in fold 11; folds present: 1, 2, 3"):
            _ = environment(noise_folds="11").clips
        with pytest.raises(MerbenchError, match="no class 'rocket' in fold 10; classes there: alarm, crowd"):
            _ = environment(noise_class="rocket").clips


class TestMemory:
    def test_noise_is_kept_and_cannot_be_written_to(self):
        bank = EnvironmentBank()
        first = bank.audio("wind-10-1", 16_000)
        assert bank.audio("wind-10-1", 16_000) is first
        assert not first.flags.writeable

    def test_what_is_kept_is_bounded_and_the_latest_stays(self, monkeypatch):
        size = EnvironmentBank().audio("wind-10-1", 16_000).nbytes
        monkeypatch.setattr(_banks, "CACHE_BYTES", 2 * size)
        bank = EnvironmentBank()
        a = bank.audio("wind-10-1", 16_000)
        b = bank.audio("wind-10-2", 16_000)
        assert bank.audio("wind-10-1", 16_000) is a
        c = bank.audio("wind-10-3", 16_000)  # the least recently used goes: take 2
        assert bank.audio("wind-10-1", 16_000) is a
        assert bank.audio("wind-10-3", 16_000) is c
        again = bank.audio("wind-10-2", 16_000)
        assert again is not b
        assert (again == b).all()


class TestOptions:
    def test_the_reference_and_the_control_share_the_draw(self):
        samples = ordinary(8)
        plain, *others = (
            corruption.draw_all(samples, pool(samples), "tests")
            for corruption in (environment(), environment(snr_reference="whole"), environment(control=True))
        )
        assert all(other == plain for other in others)

    def test_class_and_folds_are_draws_of_their_own(self):
        samples = ordinary(8)
        starts = {
            tuple(p["start"] for p in corruption.draw_all(samples, pool(samples), "tests"))
            for corruption in (environment(), environment(noise_class="rain"), environment(noise_folds="3"))
        }
        assert len(starts) == 3

    def test_every_option_is_part_of_the_cell(self):
        changes = [
            {},
            {"noise_class": "rain"},
            {"noise_folds": "3"},
            {"snr_reference": "whole"},
            {"control": "true"},
        ]
        assert len({environment(**change).cell(3).cell_id for change in changes}) == 5

    def test_all_the_noise_is_of_the_class_asked_for(self):
        _, achieved = spoil(environment(noise_class="rain"), ordinary(16))
        assert all(report["clip"].startswith("rain-10-") for report in achieved)

    def test_the_control_is_the_clean_clip_at_the_level_of_the_noisy_one(self):
        loud = [replace(s, audio=s.audio * 3) for s in ordinary(8)]
        noisy, noise_reports = spoil(environment(), loud, 5)
        control, reports = spoil(environment(control=True), loud, 5)
        gains = [report["headroom_gain"] for report in reports]
        assert gains == [report["headroom_gain"] for report in noise_reports]
        assert min(gains) < 1
        for i, sample in enumerate(loud):
            assert (control.audio[i] == np.rint(sample.audio * gains[i])).all()
            assert reports[i]["snr_db"] is None
            assert reports[i]["applied"]
        assert not np.array_equal(control.audio.values, noisy.audio.values)

    def test_the_kept_places_do_not_depend_on_the_length_of_the_recording(self):
        short, long = ordinary(4), ordinary(4, seconds=3.0)
        corruption = environment()
        assert corruption.draw_all(short, pool(short), "t") == corruption.draw_all(long, pool(long), "t")


class TestRealNoise:
    """UrbanSound8K files as they are: 44.1 kHz 16-bit and 48 kHz 24-bit stereo."""

    @pytest.fixture
    def recordings(self, real_data):
        from merbench.media.decode import read_audio
        from merbench.types import MediaSpec, Sample

        paths = sorted((real_data / "audio" / "ravdess").rglob("*.wav"))[:12]
        read = [(path, read_audio(path, MediaSpec(sample_rate=None))) for path in paths]
        return [
            Sample(
                utterance=Utterance(id=path.stem, label="?", split="test"),
                audio=r.audio,
                sample_rate=r.sample_rate,
            )
            for path, r in read
        ]

    @pytest.mark.parametrize("reference", ["speech", "whole"])
    def test_every_severity_on_real_voices_at_their_own_rate(self, real_data, recordings, reference):
        corruption = urban_noise(
            real_data / "noise" / "UrbanSound8K", noise_folds="1+3+5+7", snr_reference=reference
        )
        params = corruption.draw_all(recordings, pool(recordings), "ravdess")
        for severity, snr_db in zip((1, 2, 3, 4, 5), corruption.severity["snr_db"], strict=True):
            clean = Batch.of(recordings)
            batch, achieved = corruption.apply(
                clean, params, pool(recordings), **corruption.strength(severity)
            )
            for i, report in enumerate(achieved):
                assert report["applied"]
                assert report["snr_db"] == pytest.approx(snr_db, abs=0.05)
                if reference == "whole":
                    speech = clean.audio[i].astype(np.float64) * report["headroom_gain"]
                    ratio = (speech**2).sum() / ((batch.audio[i] - speech) ** 2).sum()
                    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.05)

    def test_the_folds_on_disk_are_named_when_the_default_is_not_there(self, real_data):
        with pytest.raises(MerbenchError, match="no files in fold 10; folds present: 1, 3, 5, 7"):
            _ = urban_noise(real_data / "noise" / "UrbanSound8K").clips
