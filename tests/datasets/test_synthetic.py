"""The synthetic set: exact bytes, a known ceiling, cues that can be recognised, and nothing that leaks."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.synthetic import BASELINES, LEAKS, chance_band, measure, regression, tf_idf, trees
from merbench.datasets._synthetic import cues, language, voice
from merbench.datasets.synthetic import SPEAKERS, Synthetic, bayes_ceiling
from merbench.errors import MerbenchError
from merbench.hashing import combine, hash_array, hash_text
from merbench.rng import Stream
from merbench.types import MODALITIES, MediaSpec

SMALL = MediaSpec(frames=2, frame_size=64)
GOLDEN = "94086aeddec47491f1ad9119ad1ffd82e74a1ad5d900de6d026c9704107ccc5f"
"""Over the clean media of the first 50 test utterances; CONTRIBUTING.md says how it is changed."""


def content(dataset: Synthetic, count: int) -> str:
    """Return a hash over the media of the first `count` test utterances."""
    hashes = []
    for u in [u for u in dataset.utterances() if u.split == "test"][:count]:
        sample = dataset.load(u)
        arrays = (sample.audio, sample.frames, sample.timestamps)
        hashes += [*map(hash_array, arrays), hash_text(sample.text)]
    return combine(hashes)


class TestExactness:
    def test_the_bytes_are_the_golden_ones(self):
        assert content(Synthetic(), 50) == GOLDEN

    def test_another_processor_makes_the_same_bytes(self, tmp_path):
        """No AVX2, AVX-512 or FMA: numpy's dispatched loops are off and numba compiles for any x86-64."""
        from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

        old = {
            "NPY_DISABLE_CPU_FEATURES": " ".join(f for f in __cpu_dispatch__ if __cpu_features__[f]),
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CACHE_DIR": str(tmp_path),
        }
        code = (
            "from merbench.datasets.synthetic import Synthetic\n"
            "from tests.datasets.test_synthetic import content\n"
            "print(content(Synthetic(), 50))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **old},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == GOLDEN, done.stderr

    def test_a_sample_does_not_change_with_the_sizes_of_the_splits(self):
        few = Synthetic(train=1, validation=0, test=13, media=SMALL)
        many = Synthetic(train=9, validation=5, test=300, media=SMALL)
        known = {u.id: u for u in many.utterances()}
        assert all(known[u.id] == u for u in few.utterances())
        assert content(few, 1) == content(replace(few, train=700), 1)

    def test_another_seed_is_another_world(self):
        one, other = (Synthetic(seed=seed, media=SMALL) for seed in (0, 1))
        assert one.source_hash(one.utterances()) != other.source_hash(other.utterances())
        assert content(one, 3) != content(other, 3)
        first, second = one.utterances()[0], other.utterances()[0]
        assert first.id == second.id
        assert one.load(first).text != other.load(second).text


class TestIndex:
    def test_everything_about_people_and_wordings_is_disjoint_between_splits(self):
        by_split = {split: set() for split in SPEAKERS}
        for u in Synthetic().utterances():
            by_split[u.split].add(u.speaker)
        assert {split: len(speakers) for split, speakers in by_split.items()} == SPEAKERS
        for one, other in itertools.combinations(SPEAKERS, 2):
            assert not by_split[one] & by_split[other]
            for frames in (language.PLAIN, language.CONTRAST):
                assert not set(frames[one]) & set(frames[other])

    def test_labels_and_intensities_are_balanced_in_every_dozen(self):
        rows = [u for u in Synthetic().utterances() if u.split == "train"]
        for start in range(0, len(rows), 12):
            conditions = {(u.label, u.extra["intensity"]) for u in rows[start : start + 12]}
            assert len(conditions) == 12

    def test_everybody_says_about_as_much(self):
        said = Counter(u.speaker for u in Synthetic().utterances() if u.split == "test")
        assert max(said.values()) - min(said.values()) <= 4

    def test_ids_name_a_split_and_a_number_and_nothing_else(self):
        for u in Synthetic(train=20, validation=20, test=20).utterances():
            assert re.fullmatch(rf"{u.split}-\d{{5}}", u.id)

    def test_a_dialogue_is_held_by_two_people(self):
        dialogues: dict[str, set[str]] = {}
        for u in Synthetic().utterances():
            dialogues.setdefault(u.dialogue, set()).add(u.speaker)
        assert {len(speakers) for speakers in dialogues.values()} == {2}

    def test_the_check_counts_and_finds_nothing(self):
        report = Synthetic(train=24, validation=12, test=12).check()
        assert report.findings == ()
        assert report.counts["split"] == {"test": 12, "train": 24, "validation": 12}
        assert set(report.counts["label"].values()) == {8}

    @pytest.mark.parametrize("sizes", [{"test": -1}, {"train": 0, "validation": 0, "test": 0}])
    def test_impossible_sizes_are_refused(self, sizes):
        with pytest.raises(
            MerbenchError, match=r"cannot have .* utterances; give train, validation and test"
        ):
            Synthetic(**sizes).utterances()


class TestMedia:
    def test_sound_is_as_long_and_as_loud_as_promised_and_never_clips(self):
        dataset = Synthetic(media=SMALL)
        for u in dataset.utterances()[:60]:
            sample = dataset.load(u)
            assert 2 * 16_000 <= len(sample.audio) < 4 * 16_000
            assert 395 < np.sqrt(np.mean(sample.audio.astype(float) ** 2)) < 1520
            assert np.abs(sample.audio.astype(int)).max() < 32_000
            assert sample.clipped == 0

    @pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
    def test_other_sample_rates_are_the_same_sound(self, rate):
        dataset = Synthetic(media=replace(SMALL, sample_rate=rate))
        u = dataset.utterances()[0]
        sample, native = dataset.load(u), Synthetic(media=SMALL).load(u)
        assert sample.sample_rate == rate
        assert len(sample.audio) == -(-len(native.audio) * rate // 16_000)
        assert np.std(sample.audio.astype(float)) == pytest.approx(
            np.std(native.audio.astype(float)), rel=0.1
        )

    @pytest.mark.parametrize(("frames", "side"), [(1, 224), (5, 48), (16, 300)])
    def test_other_frame_counts_and_sizes_are_the_same_face(self, frames, side):
        import cv2

        dataset = Synthetic(media=MediaSpec(frames=frames, frame_size=side))
        u = dataset.utterances()[3]
        sample, usual = dataset.load(u), Synthetic().load(u)
        assert sample.frames.shape == (frames, side, side, 3)
        assert sample.timestamps[0] == 0
        assert sample.timestamps[-1] < len(sample.audio) / 16_000
        small = [
            cv2.resize(clip.frames[0], (24, 24), interpolation=cv2.INTER_AREA) for clip in (sample, usual)
        ]
        assert np.abs(small[0].astype(int) - small[1]).mean() < 3

    def test_native_media_are_those_of_the_generator(self):
        dataset = Synthetic(media=MediaSpec(sample_rate=None, frames=1, frame_size=None))
        sample = dataset.load(dataset.utterances()[0])
        assert sample.sample_rate == 16_000
        assert sample.frames.shape == (1, 224, 224, 3)

    def test_the_mouth_opens_with_the_sounds(self):
        dataset = Synthetic()
        u = next(u for u in dataset.utterances() if dataset.shown(u)["vision"] == ("neutral",))
        spread = dataset.load(u).frames.astype(float).std(axis=0).mean(axis=2)
        mouth, forehead = spread[125:165, 90:135].mean(), spread[50:75, 90:135].mean()
        assert mouth > 1.5 * forehead


class TestCues:
    @pytest.mark.parametrize("modality", MODALITIES)
    def test_cues_divide_the_labels(self, modality):
        assert sorted(label for cue in cues.CUES[modality] for label in cue) == sorted(cues.LABELS)

    def test_no_pair_is_confused_by_two_modalities(self):
        pairs = [frozenset(cue) for m in MODALITIES for cue in cues.CUES[m] if len(cue) > 1]
        assert len(pairs) == len(set(pairs))

    @given(st.sampled_from(MODALITIES), st.sampled_from(cues.LABELS), st.sampled_from(cues.INTENSITIES))
    def test_probabilities_sum_to_one_and_the_own_cue_leads(self, modality, label, intensity):
        table = cues.cue_probabilities(modality, label, intensity)
        assert sum(table.values()) == 1
        assert label in max(table, key=table.__getitem__)

    def test_what_is_shown_follows_the_tables(self):
        dataset = Synthetic(train=12_000)
        rows = [u for u in dataset.utterances() if u.split == "train"]
        shown = [(u, dataset.shown(u)) for u in rows]
        for modality, label, intensity in itertools.product(MODALITIES, cues.LABELS, cues.INTENSITIES):
            of_kind = [
                s[modality] for u, s in shown if u.label == label and u.extra["intensity"] == intensity
            ]
            for cue, p in cues.cue_probabilities(modality, label, intensity).items():
                spread = float(p * (1 - p) / len(of_kind)) ** 0.5
                assert abs(of_kind.count(cue) / len(of_kind) - p) < 4 * spread

    def test_modalities_mislead_independently(self):
        dataset = Synthetic(train=12_000)
        strong = [u for u in dataset.utterances() if u.split == "train" and u.extra["intensity"] == "low"]
        misled = np.array([[u.label not in cue for cue in dataset.shown(u).values()] for u in strong])
        expected = np.outer(misled.mean(axis=0), misled.mean(axis=0))
        together = misled.T.astype(float) @ misled / len(misled)
        for i, j in itertools.combinations(range(3), 2):
            assert together[i, j] == pytest.approx(
                expected[i, j], abs=4 * (expected[i, j] / len(misled)) ** 0.5
            )


class TestCeiling:
    def test_without_any_modality_it_is_guessing(self):
        assert bayes_ceiling([]) == pytest.approx(1 / 6)

    def test_of_one_modality_by_hand(self):
        """Four cues; the best guess within a cue is right when the cue is true: 4 (1 - rate) / 6."""
        for modality, rates in cues.MISLEADING.items():
            assert bayes_ceiling([modality], "low") == pytest.approx(4 * (1 - float(rates["low"])) / 6)

    def test_more_modalities_and_more_intensity_never_hurt(self):
        for few in itertools.chain.from_iterable(itertools.combinations(MODALITIES, k) for k in (0, 1, 2)):
            for more in set(MODALITIES) - set(few):
                assert bayes_ceiling([*few, more]) > bayes_ceiling(few) + 0.03
        for k in (1, 2, 3):
            for subset in itertools.combinations(MODALITIES, k):
                assert bayes_ceiling(subset, "high") > bayes_ceiling(subset, "low")

    def test_it_is_where_the_set_aims(self):
        for modality in MODALITIES:
            assert 0.55 < bayes_ceiling([modality]) < 0.75
        for pair in itertools.combinations(MODALITIES, 2):
            assert 0.85 < bayes_ceiling(pair) < 0.93
        assert 0.94 < bayes_ceiling() < 0.97

    def test_the_page_prints_it(self):
        page = (Path(__file__).parents[2] / "docs" / "synthetic.md").read_text(encoding="utf-8")
        for k in (1, 2, 3):
            for subset in itertools.combinations(MODALITIES, k):
                both, weak, strong = (f"{bayes_ceiling(subset, i):.3f}" for i in (None, "low", "high"))
                row = r" \| ".join((re.escape(" + ".join(subset)), both, "0.*", weak, "0.*", strong))
                assert re.search(rf"^\| {row} \|", page, re.MULTILINE), subset

    def test_an_observer_who_reads_every_cue_reaches_it_and_no_more(self):
        dataset = Synthetic(train=6_000)
        rows = [u for u in dataset.utterances() if u.split == "train"]
        right = 0
        for u in rows:
            shown = dataset.shown(u)

            def likelihood(label, u=u, shown=shown):
                tables = (
                    cues.cue_probabilities(m, label, u.extra["intensity"])[shown[m]] for m in MODALITIES
                )
                return float(np.prod([float(p) for p in tables]))

            right += max(dataset.labels, key=likelihood) == u.label
        spread = (bayes_ceiling() * (1 - bayes_ceiling()) / len(rows)) ** 0.5
        assert right / len(rows) == pytest.approx(bayes_ceiling(), abs=4 * spread)


class TestIntensity:
    """A weak expression is weak in the media, not only in the labels."""

    def test_of_a_voice(self):
        for cue in cues.CUES["audio"]:
            who = voice.Voice.of(Stream.of("who"), "female")
            weak, strong = (voice.plan(Stream.of("what"), who, cue, s).prosody for s in (500, 1000))
            habit = voice.plan(Stream.of("what"), who, cue, 0).prosody
            distance = [np.abs(np.subtract(p, habit)).sum() for p in (weak, strong)]
            assert 0.4 < distance[0] / distance[1] < 0.6

    def test_of_a_face(self):
        from merbench.datasets._synthetic import face

        looks = face.Looks.of(Stream.of("who"), "male")
        times = np.arange(8) / 8

        def clip(cue, strength):
            rng = Stream.of("clip")
            frames = face.render(rng, looks, cue, strength, times=times, speech=np.zeros(8), side=96)
            return frames[-1].astype(float)

        for cue in cues.CUES["vision"]:
            if cue != ("neutral",):
                neutral, weak, strong = clip(("neutral",), 0), clip(cue, 500), clip(cue, 1000)
                assert 0 < np.abs(weak - neutral).mean() < 0.8 * np.abs(strong - neutral).mean()

    def test_of_a_sentence(self):
        for cue in cues.CUES["text"]:
            low, high = (set(language.FEELINGS[i][cue]) for i in ("low", "high"))
            assert not low & high


def test_every_wording_belongs_to_one_cue():
    wordings = [w for table in language.FEELINGS.values() for feelings in table.values() for w in feelings]
    assert len(wordings) == len(set(wordings))


def test_sentences_are_sentences():
    for i in range(200):
        rng = Stream.of("sentence", str(i))
        cue, intensity = rng.choice(cues.CUES["text"]), rng.choice(cues.INTENSITIES)
        text = language.sentence(rng, cue, intensity, ("train", "validation", "test")[i % 3])
        assert re.fullmatch(r"[A-Z][A-Za-z ,-]+\.", text), text
        assert "  " not in text
        assert any(feeling in text for feeling in language.FEELINGS[intensity][cue])


class TestProbes:
    """Nothing beside the cues gives the label away, and simple baselines recognise the cues."""

    @pytest.fixture(scope="class")
    @classmethod
    def measured(cls):
        return measure(Synthetic(media=SMALL, test=300), {**LEAKS, **dict(BASELINES.values())}, 600, 300)

    @pytest.mark.parametrize("leak", LEAKS)
    def test_nothing_leaks(self, measured, leak):
        low, high = chance_band(300)
        assert low <= measured.accuracy(leak, trees()) <= high

    @pytest.mark.parametrize("modality", MODALITIES)
    def test_a_baseline_is_well_above_chance_and_below_the_ceiling(self, measured, modality):
        name, _ = BASELINES[modality]
        accuracy = measured.accuracy(name, tf_idf() if modality == "text" else regression())
        assert chance_band(300)[1] + 0.1 < accuracy < bayes_ceiling([modality])

    @pytest.mark.slow
    def test_nothing_leaks_from_the_full_media(self):
        measured = measure(Synthetic(train=3000, test=1500), LEAKS, 3000, 1500)
        low, high = chance_band(1500)
        for leak in LEAKS:
            assert low <= measured.accuracy(leak, trees()) <= high, leak
