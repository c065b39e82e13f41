"""Stored features: the published evaluation, and that the adapter and the features say the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, recall_score

from merbench.errors import MerbenchError
from merbench.evaluation import published
from merbench.media.decode import read_video
from merbench.media.plain import encode_mp4
from merbench.models._emotion_llama.assemble import assemble
from merbench.models._emotion_llama.config import SOURCES, load_config, with_sources
from merbench.models._emotion_llama.prompt import load_prompt
from merbench.models._emotion_llama.stored import Features, encode
from merbench.models._load import load_model
from merbench.rng import Stream
from merbench.types import MODALITIES, MediaSpec
from tests.models.emotion_llama_files import write
from tests.models.media import batch, without

LABELS = ("happy", "sad", "neutral", "angry", "worried", "surprise")
NAMES = [f"samplenew_{i:08d}" for i in range(7)]
FOLDERS = {"mae_340_UTT_MER2023-SEMI": (8,), "maeV_399_UTT": (1, 8), "HL-UTT": (8,)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write(tmp_path_factory.mktemp("emotion-llama"))


@pytest.fixture(scope="module")
def config(files):
    return with_sources(load_config(files.config), files.parts)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Lay features, clips, sentences and annotation out as the authors do."""
    root = tmp_path_factory.mktemp("MER2023")
    for folder, shape in FOLDERS.items():
        (root / "features" / folder).mkdir(parents=True)
        for name in NAMES:
            vector = Stream.of("test", folder, name).normal(8).reshape(shape)
            np.save(root / "features" / folder / f"{name}.npy", vector.astype(np.float32))
    (root / "video").mkdir()
    for i, name in enumerate(NAMES):
        frames = np.full((3, 32, 48, 3), 30 * i, np.uint8)
        (root / "video" / f"{name}{('.mp4', '.avi')[i % 2]}").write_bytes(
            encode_mp4(frames, np.arange(3) / 25)
        )
    lines = [f"{name} 35 {LABELS[i % 6]} -1.17" for i, name in enumerate(NAMES)]
    lines[1] = f"{NAMES[1]} sad"  # the compact form
    (root / "relative_test3_NCEV.txt").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    table = ["name,sentence_en", *(f'{name},"Oh, no {i}"' for i, name in enumerate(NAMES))]
    (root / "transcription_en_all.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def clips(data):
    return published.read_clips(
        data / "relative_test3_NCEV.txt", data / "transcription_en_all.csv", data / "video"
    )


class TestReading:
    def test_knows_both_forms_of_a_line(self, clips):
        assert [clip.name for clip in clips] == NAMES
        assert [clip.label for clip in clips] == [LABELS[i % 6] for i in range(7)]
        assert clips[3].sentence == "Oh, no 3"
        assert [clip.video.suffix for clip in clips[:2]] == [".mp4", ".avi"]

    def test_finds_folders_and_vectors_of_either_shape(self, data, config):
        features = Features.find(data / "features", config)
        vectors = features.read(NAMES[2])
        assert {part: vector.shape for part, vector in vectors.items()} == dict.fromkeys(
            ("face_encoder", "video_encoder", "audio_encoder"), (8,)
        )
        expected = Stream.of("test", "maeV_399_UTT", NAMES[2]).normal(8).astype(np.float32)
        assert np.array_equal(vectors["video_encoder"], expected)

    @pytest.mark.parametrize(
        ("vector", "words"),
        [
            (np.zeros(7, np.float32), r"shape \[7\], not 8"),
            (np.zeros((3, 8), np.float32), r"shape \[3, 8\]"),
            (np.zeros(8, np.int64), "int64"),
            (np.full(8, np.nan, np.float32), "NaN"),
            (np.array([{"a": 1}], dtype=object), "cannot be read"),
        ],
    )
    def test_refuses_features_that_are_none(self, tmp_path, config, vector, words):
        for folder in FOLDERS:
            (tmp_path / folder).mkdir()
        np.save(tmp_path / "mae_340_UTT_MER2023-SEMI" / "a.npy", vector, allow_pickle=True)
        with pytest.raises(MerbenchError, match=words):
            Features.find(tmp_path, config).read("a")

    def test_refuses_a_missing_or_doubtful_folder(self, tmp_path, config):
        with pytest.raises(MerbenchError, match=r"begins with mae_, and holds none; .*mae_340_UTT"):
            Features.find(tmp_path, config)
        for folder in (*FOLDERS, "HL-UTT-old"):
            (tmp_path / folder).mkdir()
        with pytest.raises(MerbenchError, match="holds HL-UTT, HL-UTT-old"):
            Features.find(tmp_path, config)

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("alone", r"names\.txt:1 is not 'name emotion'"),
            ("unknown 3 sad", "has no sentence of 'unknown'"),
            ("silent 3 sad", r"has no silent\.mp4 or silent\.avi"),
        ],
    )
    def test_refuses_a_line_and_names_it(self, tmp_path, line, words):
        (tmp_path / "names.txt").write_text(line + "\n", encoding="utf-8")
        (tmp_path / "table.csv").write_text("name,sentence\nsilent,oh\n", encoding="utf-8")
        with pytest.raises(MerbenchError, match=words):
            published.read_clips(tmp_path / "names.txt", tmp_path / "table.csv", tmp_path)


def answers_of(clips, texts):
    prompt = load_prompt("mer2023")
    return [
        published.Answer(clip, text, published.named_label(text, prompt.labels))
        for clip, text in zip(clips, texts, strict=True)
    ]


class TestScores:
    TEXTS = ("happy", "sad", "contempt", "The person is angry.", "who knows", "", "sad")

    @pytest.fixture
    def found(self, clips):
        return published.score(answers_of(clips, self.TEXTS), load_prompt("mer2023"))

    def test_agree_with_scikit_learn_in_the_authors_reading(self, found, clips):
        truth = [clip.label for clip in clips]
        said = ["happy", "sad", "neutral", "angry", "neutral", "neutral", "sad"]
        figures = found["figures"]["as_published"]
        assert figures["accuracy"] == pytest.approx(accuracy_score(truth, said))
        assert figures["weighted_f1"] == pytest.approx(f1_score(truth, said, average="weighted"))
        assert figures["uar"] == pytest.approx(recall_score(truth, said, average="macro"))

    def test_keep_other_emotions_and_no_emotion_apart(self, found):
        assert (found["out_of_set"], found["unparsed"]) == (1, 2)

    def test_give_nothing_for_an_answer_that_is_no_class(self, found):
        assert found["figures"]["strict"]["accuracy"] == pytest.approx(3 / 7)
        assert found["figures"]["as_published"]["accuracy"] == pytest.approx(4 / 7)

    def test_say_what_they_are_of(self, found):
        assert "not corrupted media" in found["media"]


class TestEncodings:
    def test_take_the_place_of_what_the_encoders_would_find(self, files, config, tmp_path):
        """Features written from the encoders' own output lead to the very same encodings."""
        whole = assemble(config, files.released)
        frames = np.zeros((4, 32, 48, 3), np.uint8)
        frames += (np.arange(4)[:, None, None, None] * 40).astype(np.uint8)
        (tmp_path / "a.mp4").write_bytes(encode_mp4(frames, np.arange(4) / 25))
        clip = read_video(tmp_path / "a.mp4", MediaSpec(frames=4, frame_size=None)).frames
        sound = torch.randn(4000, generator=torch.Generator().manual_seed(2))
        with torch.inference_mode():
            audio = whole.encode_audio([sound])
            vision = whole.encode_vision([torch.from_numpy(clip)])
            parts = whole.split_vision(vision)
            made = {
                "mae_340_UTT": parts.face,
                "maeV_399_UTT": parts.video,
                "HL-UTT": audio,
            }
            for folder, vector in made.items():
                (tmp_path / folder).mkdir()
                np.save(tmp_path / folder / "a.npy", vector.numpy())
            features = Features.find(tmp_path, config).read("a")
            given = {part: files.parts[part] for part in ("llama_model", "visual_encoder")}
            lean = assemble(
                with_sources(load_config(files.config), given), files.released, encoders=("visual_encoder",)
            )
            first = read_video(tmp_path / "a.mp4", published._FIRST_PICTURE).frames[0]
            stored = encode(lean, [first], [features], ["I see"])
        assert torch.equal(stored["audio"], audio)
        assert torch.equal(stored["vision"], vision)
        assert torch.equal(stored["text"], whole.encode_text(["I see"]))


class TestTheCommand:
    def run(self, merbench, files, data, *words):
        return merbench(
            "model",
            "published",
            "emollama",
            "--size",
            files.config,
            "--checkpoint",
            files.released,
            "--llama",
            files.parts["llama_model"],
            "--eva",
            files.parts["visual_encoder"],
            "--features",
            data / "features",
            "--annotation",
            data / "relative_test3_NCEV.txt",
            "--transcripts",
            data / "transcription_en_all.csv",
            "--videos",
            data / "video",
            "--device",
            "cpu",
            "--precision",
            "float32",
            *words,
        )

    def test_scores_every_clip_and_keeps_what_was_said(self, merbench, files, data, tmp_path):
        outcome = self.run(merbench, files, data, "--out", tmp_path / "answers.json", "--json")
        assert outcome.code == 0
        found = json.loads(outcome.out)
        assert found["n"] == 7
        assert found["published"] == {"n": 834, "accuracy": 0.9053, "weighted_f1": 0.9036}
        kept = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
        assert [answer["name"] for answer in kept["answers"]] == NAMES

    def test_prints_ours_beside_the_published(self, merbench, files, data):
        outcome = self.run(merbench, files, data, "--limit", 3)
        assert "3 clips; stored clean features, not corrupted media" in outcome.out
        assert "paper, 834 clips of MER2023-SEMI" in outcome.out
        assert "0.9036" in outcome.out

    def test_does_not_depend_on_the_number_of_rows(self, merbench, files, data, tmp_path):
        for rows in (1, 3):
            self.run(merbench, files, data, "--limit", 3, "--rows", rows, "--out", tmp_path / f"{rows}.json")
        one, three = (json.loads((tmp_path / f"{n}.json").read_text())["answers"] for n in (1, 3))
        assert one == three

    def test_refuses_bad_input(self, merbench, files, data, tmp_path):
        self.run(merbench, files, data, "--features", tmp_path).refused("mae_", "mae_340_UTT")
        self.run(merbench, files, data, "--layout", "mixed").refused("mixed", "joined")


class TestTheAdapter:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, files):
        parts = "".join(f",{SOURCES[part]}={path}" for part, path in files.parts.items())
        return load_model(f"emollama-7b:size={files.config},checkpoint={files.released}{parts},answer=both")

    def test_answers_media_with_scores_and_words(self, model):
        logits, texts = model.predict(batch(3))
        assert logits.shape == (3, 9)
        assert np.isfinite(logits).all()
        assert len(texts) == 3

    def test_does_not_depend_on_the_company_of_a_row(self, model):
        media = batch(4)
        together = model.predict(media).logits
        alone = np.concatenate([model.predict(media.take([i])).logits for i in range(4)])
        assert np.allclose(together, alone, atol=1e-4)

    @pytest.mark.parametrize("gone", MODALITIES)
    def test_does_without_any_modality(self, model, gone):
        assert np.isfinite(model.predict(without(batch(2), gone)).logits).all()

    def test_offers_what_the_paper_asks_for(self, model):
        assert model.labels == load_prompt("mer2023").labels

    def test_is_contaminated_by_what_its_parts_have_seen(self, model):
        assert {record.dataset for record in model.trained_on} == {"merr", "mer2023"}
        assert all(record.samples is None for record in model.trained_on)

    def test_has_a_fingerprint_over_every_part(self, model, files, tmp_path):
        parts = {**files.parts, "visual_encoder": tmp_path / "eva.pth"}
        held = torch.load(files.parts["visual_encoder"], weights_only=True)
        held["cls_token"] += 1
        torch.save(held, parts["visual_encoder"])
        words = "".join(f",{SOURCES[part]}={path}" for part, path in parts.items())
        other = load_model(f"emollama-7b:size={files.config},checkpoint={files.released}{words},answer=both")
        assert model.fingerprint() != other.fingerprint()

    def test_asks_for_its_file(self):
        with pytest.raises(MerbenchError, match="emollama-7b:checkpoint=FILE"):
            load_model("emollama-7b")

    def test_refuses_a_recovery_that_nobody_trained(self, files):
        with pytest.raises(MerbenchError, match="absent=zero"):
            load_model(f"emollama-7b:size={files.config},checkpoint={files.released},absent=recover")
