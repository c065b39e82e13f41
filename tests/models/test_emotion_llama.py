"""Emotion-LLaMA: the instruction, what each modality becomes in it, and the two ways of answering."""

from __future__ import annotations

import dataclasses
import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from merbench.errors import MerbenchError
from merbench.models import Answered
from merbench.models._emotion_llama import checkpoint, front_end
from merbench.models._emotion_llama.answers import named_label
from merbench.models._emotion_llama.config import SIZES, config_from, load_config
from merbench.models._emotion_llama.network import Context, EmotionLlama
from merbench.models._emotion_llama.prompt import load_prompt, prompt_names
from merbench.models._emotion_llama.tokenizer import load_tokenizer
from merbench.models._load import load_model
from merbench.rng import Stream
from merbench.types import MODALITIES
from tests.models.media import batch

LABELS = ("neutral", "happy", "sad", "angry", "fear", "surprise")
ROWS = 4
RECORD = {"labels": list(LABELS), "prompt": "short", "trained_on": []}


def build(**changes) -> EmotionLlama:
    torch.manual_seed(0)
    config = dataclasses.replace(load_config("tiny"), **changes)
    return EmotionLlama(config, load_tokenizer("tiny_tokenizer.json")).eval()


@pytest.fixture(scope="module")
def network():
    return build()


def noise(n: int, *fields: str) -> torch.Tensor:
    return torch.from_numpy(Stream.of(*fields).normal(n)).float()


@pytest.fixture(scope="module")
def waves():
    return [noise(9_000 + 4_000 * i, "wave", str(i)) for i in range(ROWS)]


@pytest.fixture(scope="module")
def clips():
    return [
        (noise(5 * 40 * 48 * 3, "clip", str(i)).reshape(5, 40, 48, 3) * 40 + 128).clamp(0, 255)
        for i in range(ROWS)
    ]


TEXTS = ("I am furious about the exam.", "", "naïve café 🙂 日本語", "so what?")


@pytest.fixture(scope="module")
def encodings(network, waves, clips):
    with torch.no_grad():
        return {
            "audio": network.encode_audio(waves),
            "vision": network.encode_vision(clips),
            "text": network.encode_text(TEXTS),
        }


def given(*modalities: str, rows: int = ROWS) -> dict[str, torch.Tensor]:
    return {m: torch.full((rows,), m in modalities) for m in MODALITIES}


def fused(network, encodings, present=None, prompt="short", labels=LABELS, **options) -> Context:
    return network.fuse(encodings, present or given(*MODALITIES), load_prompt(prompt), labels, **options)


def places(context: Context, row: int, tokens: torch.Tensor) -> list[int]:
    """Where each of `tokens` [T, D] stands in a row of the context."""
    near = torch.cdist(tokens, context.embeddings[row], compute_mode="donot_use_mm_for_euclid_dist").detach()
    assert float(near.amin(dim=1).max()) < 1e-5
    return near.argmin(dim=1).tolist()


class TestConfig:
    @pytest.mark.parametrize("size", SIZES)
    def test_survives_the_record_of_a_checkpoint(self, size):
        config = load_config(size)
        assert config_from(json.loads(json.dumps(config.to_json())), where="x") == config

    @pytest.mark.parametrize("size", SIZES)
    def test_names_a_prompt_and_a_layout_that_exist(self, size):
        assert load_config(size).prompt in prompt_names()
        assert load_config(size).layout in ("split", "joined")

    def test_what_does_not_exist_is_refused(self):
        with pytest.raises(MerbenchError, match="neither a size"):
            load_config("13b")

    @pytest.mark.parametrize("change", [{"hiden": 3}, {"lora": {"r": 8}}, {"lora": None}])
    def test_with_an_unknown_or_missing_key_is_refused(self, change):
        with pytest.raises(MerbenchError, match="somewhere is no configuration"):
            config_from({**load_config("tiny").to_json(), **change}, where="somewhere")

    def test_tiny_is_tiny_and_has_every_part(self, network):
        assert 1_000_000 < sum(p.numel() for p in network.parameters()) < 2_000_000
        assert {name for name, _ in network.named_children()} == {
            "visual_encoder",
            "ln_vision",
            "face_encoder",
            "video_encoder",
            "audio_encoder",
            "llama_proj",
            "cls_tk_llama_proj",
            "feats_llama_proj1",
            "feats_llama_proj2",
            "feats_llama_proj3",
            "absent",
            "llama_model",
        }


class TestPrompt:
    @pytest.mark.parametrize("mark", ["<VideoHere>", "<FeatureHere>", "{sentence}", "{labels}"])
    @pytest.mark.parametrize("count", [0, 2])
    def test_has_each_mark_once_or_is_refused(self, tmp_path, mark, count):
        text = load_prompt("mer2023").template.replace(mark, mark * count)
        (tmp_path / "mine.txt").write_text(text, encoding="utf-8")
        with pytest.raises(MerbenchError, match=f"'mine.txt' has {mark} {count} times"):
            load_prompt(str(tmp_path / "mine.txt"))

    def test_may_be_a_file_of_text_or_toml(self, tmp_path):
        template = load_prompt("question").template
        (tmp_path / "a.txt").write_text(template + "\n", encoding="utf-8")
        (tmp_path / "b.toml").write_text(
            f"template = {json.dumps(template)}\nlabels = ['sad']", encoding="utf-8"
        )
        assert load_prompt(str(tmp_path / "a.txt")).template == template
        assert load_prompt(str(tmp_path / "b.toml")).labels == ("sad",)

    @pytest.mark.parametrize("content", ["labels = ['sad']", "template = 3", "template = ["])
    def test_without_a_template_is_refused(self, tmp_path, content):
        (tmp_path / "b.toml").write_text(content, encoding="utf-8")
        with pytest.raises(MerbenchError, match=r"prompt '.*b\.toml'"):
            load_prompt(str(tmp_path / "b.toml"))

    @pytest.mark.parametrize("name", ["shrot", "missing.txt"])
    def test_that_does_not_exist_is_refused(self, name):
        with pytest.raises(MerbenchError, match=f"prompt '{name}'"):
            load_prompt(name)

    def test_of_the_paper_asks_for_nine_labels_and_of_2024_for_six(self):
        assert len(load_prompt("mer2023").labels) == 9
        assert load_prompt("mer2024").labels == load_prompt("mer2023").labels[:6]
        written = "".join(load_prompt("mer2023").pieces(load_prompt("mer2023").labels, "split"))
        assert (
            ".  [emotion] Please determine which emotion label in the video represents: happy, sad, "
            in written
        )


class TestTokenizer:
    @pytest.mark.parametrize("text", ["", "I am Furious!", "naïve 🙂 日本語\n\t", "</s> <s> <VideoHere>"])
    def test_writes_any_text_and_reads_it_back_in_lower_case(self, network, text):
        ids = network.tokenizer.encode(text)
        assert network.tokenizer.decode(ids) == text.lower().strip()
        assert not set(ids) & {network.tokenizer.bos, network.tokenizer.eos}

    def test_a_label_of_the_synthetic_set_is_one_token(self, network):
        assert [len(network.tokenizer.encode(label)) for label in LABELS] == [1] * 6

    def test_that_is_nowhere_is_refused(self):
        with pytest.raises(MerbenchError, match="the tokenizer 'no/where' cannot be loaded"):
            load_tokenizer("no/where")


class TestFrontEnd:
    def test_scale_and_offset_of_a_sound_do_not_matter(self, network, waves):
        with torch.no_grad():
            changed = network.encode_audio([wave * 3000 + 200 for wave in waves])
            assert torch.allclose(changed, network.encode_audio(waves), atol=1e-4)

    @pytest.mark.parametrize("length", [0, 1, 50])
    def test_a_sound_shorter_than_a_frame_is_filled_up(self, network, length):
        assert torch.isfinite(network.encode_audio([torch.ones(length)])).all()

    @pytest.mark.parametrize("count", [1, 3, 16, 25])
    def test_any_number_of_frames_will_do_and_the_first_is_always_seen(self, network, count):
        clip = torch.arange(count).float()[:, None, None, None].expand(count, 8, 8, 3)
        encoder = dataclasses.replace(network.config.face_encoder, mean=(0, 0, 0), std=(1, 1, 1))
        seen = front_end.pictures(clip, encoder)[:, 0, 0, 0] * 255
        assert len(seen) == encoder.frames
        assert seen[0] == 0
        assert (seen.diff() >= 0).all()

    def test_pictures_are_resized_as_pillow_does(self, network):
        from PIL import Image

        clip = (noise(64 * 80 * 3, "pillow").reshape(1, 64, 80, 3) * 50 + 128).clamp(0, 255).to(torch.uint8)
        encoder = dataclasses.replace(network.config.visual_encoder, mean=(0, 0, 0), std=(1, 1, 1))
        ours = front_end.pictures(clip, encoder)[0].permute(1, 2, 0) * 255
        theirs = Image.fromarray(clip[0].numpy()).resize((encoder.size,) * 2, Image.Resampling.BICUBIC)
        away = (ours - torch.from_numpy(np.array(theirs)).float()).abs()
        assert float(away.mean()) < 0.4  # Pillow rounds to whole levels, twice
        assert float(away.max()) < 3

    def test_a_gradient_reaches_sound_and_pixels(self, network, waves, clips):
        sound, pixels = waves[0].clone().requires_grad_(), clips[0].clone().requires_grad_()
        encodings = {
            "audio": network.encode_audio([sound]),
            "vision": network.encode_vision([pixels]),
            "text": network.encode_text(["fine"]),
        }
        context = fused(network, encodings, given(*MODALITIES, rows=1))
        network.label_log_likelihoods(context, LABELS)[0, 2].backward()
        assert (sound.grad != 0).float().mean() > 0.9
        assert (pixels.grad != 0).float().mean() > 0.9

    def test_hubert_with_group_norm_hears_no_padding(self, waves):
        part = load_config("tiny").audio_encoder
        settings = {**part.settings, "feat_extract_norm": "group", "do_stable_layer_norm": False}
        grouped = build(audio_encoder=dataclasses.replace(part, settings=settings))
        with torch.no_grad():
            together = grouped.encode_audio(waves)
            alone = torch.cat([grouped.encode_audio([wave]) for wave in waves])
        assert torch.allclose(together, alone, atol=1e-5)


class TestEncodings:
    def test_vision_comes_apart_again(self, network, encodings):
        face, video, scene = network.split_vision(encodings["vision"])
        assert face.shape == (ROWS, network.config.face_encoder.width)
        assert video.shape == (ROWS, network.config.video_encoder.width)
        assert scene.shape == (ROWS, 1 + network.config.visual_encoder.patches, 64)

    def test_text_is_kept_to_the_character_and_cut(self, network, encodings):
        assert network._texts(encodings, torch.ones(ROWS, dtype=torch.bool)) == list(TEXTS)
        long = network.encode_text(["ab" * 1000])
        assert long.shape == (1, network.config.text_characters)
        assert (long > 0).all()

    def test_7b_makes_260_tokens_of_what_it_sees_and_hears(self):
        config = load_config("7b")
        assert config.visual_encoder.tokens == 256
        assert config.vision_tokens + 1 == 260


class TestFusing:
    def test_split_puts_patches_first_and_four_features_later(self, network, encodings):
        context = fused(network, encodings, layout="split")
        tokens = network.tokens(encodings, given(*MODALITIES))
        patches = network.config.visual_encoder.tokens
        vision = places(context, 0, tokens["vision"][0])
        (audio,) = places(context, 0, tokens["audio"][0])
        assert vision[:patches] == list(range(vision[0], vision[0] + patches))
        # face, video, audio, class token
        feature = vision[patches]
        assert feature > vision[patches - 1] + 1
        assert [vision[patches + 1], audio, vision[patches + 2]] == [feature + 1, feature + 2, feature + 3]

    def test_joined_puts_all_at_one_place_as_the_papers_evaluation_does(self, network, encodings):
        context = fused(network, encodings, layout="joined")
        tokens = network.tokens(encodings, given(*MODALITIES))
        found = sorted(places(context, 1, tokens["vision"][1]) + places(context, 1, tokens["audio"][1]))
        assert found == list(range(found[0], found[0] + len(found)))
        assert len(found) == network.config.vision_tokens + 1

    def test_a_sentence_is_written_where_its_mark_is(self, network, encodings):
        context = fused(network, encodings, prompt="question")
        text = "</feature> Somebody says: I am furious about the exam.. [emotion] Which of these does the"
        written = network._embed(torch.tensor(network.tokenizer.encode(text)))
        assert bool((context.embeddings[0].unfold(0, len(written), 1) == written.T).all(dim=(1, 2)).any())

    @pytest.mark.parametrize("modality", MODALITIES)
    def test_what_a_row_lacks_is_not_read(self, network, encodings, modality):
        present = given(*(m for m in MODALITIES if m != modality))
        others = {**encodings, modality: encodings[modality].flip(0) + 1}
        without = {m: e for m, e in encodings.items() if m != modality}
        contexts = [fused(network, e, present).embeddings for e in (encodings, others, without)]
        assert torch.equal(contexts[0], contexts[1])
        assert torch.equal(contexts[0], contexts[2])

    @pytest.mark.parametrize("modality", MODALITIES)
    def test_the_absent_embedding_of_a_lacking_modality_learns(self, network, encodings, modality):
        present = given(*(m for m in MODALITIES if m != modality))
        network.zero_grad()
        network.loss(fused(network, encodings, present), ["sad"] * ROWS).backward()
        learnt = {
            m: bool(getattr(network.absent, m).grad.abs().sum() > 0) for m in MODALITIES if m == modality
        }
        assert learnt == {modality: True}

    def test_what_stands_in_can_be_given(self, network, encodings):
        present = given("vision", "text")
        context = fused(network, encodings, present, absent=lambda *_: torch.full((1, 1, 96), 7.0))
        assert bool((context.embeddings == 7).all(dim=2).any(dim=1).all())


class TestScoring:
    WORDS = ("sad", "sadness and grief", "happily surprised", "fear")

    def test_of_labels_of_many_tokens_is_what_reading_each_answer_alone_gives(self, network, encodings):
        context = fused(network, encodings)
        with torch.no_grad():
            scores = network.label_log_likelihoods(context, self.WORDS, ended=True)
            for column, word in enumerate(self.WORDS):
                tokens = len(network.tokenizer.encode(word)) + 1
                for row in range(ROWS):
                    one = Context(context.embeddings[row : row + 1], context.mask[row : row + 1])
                    alone = -network.loss(one, [word]) * tokens
                    assert scores[row, column] == pytest.approx(float(alone), abs=1e-4)

    def test_of_a_label_that_begins_another_counts_the_end(self, network, encodings):
        context = fused(network, encodings)
        with torch.no_grad():
            assert torch.equal(
                network.label_log_likelihoods(context, self.WORDS),
                network.label_log_likelihoods(context, self.WORDS, ended=True),
            )
            apart = network.label_log_likelihoods(context, ("sad", "fear"))
            ended = network.label_log_likelihoods(context, ("sad", "fear"), ended=True)
        assert (apart > ended).all()

    def test_per_token_divides_by_how_many(self, network, encodings):
        context = fused(network, encodings)
        counts = torch.tensor([len(network.tokenizer.encode(word)) + 1 for word in self.WORDS])
        with torch.no_grad():
            summed = network.label_log_likelihoods(context, self.WORDS)
            mean = network.label_log_likelihoods(context, self.WORDS, per_token=True)
        assert torch.allclose(mean * counts, summed, atol=1e-4)

    def test_agrees_with_generation_on_what_comes_first(self, network, encodings):
        """The likeliest of *all* tokens, scored as labels, is the first token of the greedy answer."""
        context = fused(network, encodings)
        with torch.no_grad():
            every = network._tree_logits(context, [], [])[:, 0].argmax(dim=1)
        for token, answer in zip(every.tolist(), network.generate(context), strict=True):
            assert answer.startswith(network.tokenizer.decode([token]))


class TestGenerating:
    def test_a_row_alone_says_what_it_says_in_a_batch(self, network, encodings):
        together = network.generate(fused(network, encodings))
        for row in range(ROWS):
            one = {m: e[row : row + 1] for m, e in encodings.items()}
            assert network.generate(fused(network, one, given(*MODALITIES, rows=1))) == [together[row]]


class TestParsing:
    @pytest.mark.parametrize(
        ("answer", "label"),
        [
            ("happy", "happy"),
            ("The face smiles. Therefore: HAPPY.", "happy"),
            ("sad\n", "sad"),
            ("she is joyful", "joyful"),
            ("not sad but worried!", "worried"),
            ("", None),
            ("... ?!", None),
        ],
    )
    def test_reads_the_last_word(self, answer, label):
        assert named_label(answer, LABELS) == label

    def test_a_label_of_several_words_is_one(self):
        assert named_label("I would say: very Happy!", ("happy", "very happy")) == "very happy"

    @pytest.mark.parametrize(("answer", "label"), [("joyful", "neutral"), ("", "neutral"), ("sad", "sad")])
    def test_can_call_the_rest_neutral_as_the_paper_does(self, answer, label):
        assert named_label(answer, LABELS, else_neutral=True) == label


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    checkpoint.save(path, network, RECORD)
    return path


class TestCheckpoint:
    def test_gives_back_the_network_to_half_precision(self, network, folder, encodings):
        again = build()
        with torch.no_grad():
            for parameter in again.parameters():
                parameter.zero_()
        checkpoint.load_weights(again, folder)
        with torch.no_grad():
            scores = [n.label_log_likelihoods(fused(n, encodings), LABELS) for n in (network, again)]
        assert torch.allclose(*scores, atol=0.02)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda t: t.pop("llama_proj.bias"), "lacks llama_proj.bias"),
            (lambda t: t.update(extra=torch.zeros(1)), "has the unknown tensor extra"),
            (
                lambda t: t.update({"llama_proj.bias": torch.zeros(3)}),
                r"another shape for llama_proj.bias: \[3\] instead of \[96\]",
            ),
            (lambda t: t["llama_proj.bias"].fill_(torch.nan), "has NaN or infinity in llama_proj.bias"),
        ],
        ids=["missing", "extra", "shape", "nan"],
    )
    def test_with_a_wrong_tensor_is_refused_by_its_name(self, folder, tmp_path, change, words):
        weights, record = checkpoint.files(folder)
        tensors = load_file(weights)
        change(tensors)
        save_file(tensors, tmp_path / weights.name)
        (tmp_path / record.name).write_bytes(record.read_bytes())
        with pytest.raises(MerbenchError, match=words):
            load_model(str(tmp_path)).predict(batch(1))

    @pytest.mark.parametrize("damage", [b"", b"not a table of tensors"])
    def test_that_is_damaged_is_refused(self, folder, tmp_path, damage):
        weights, record = checkpoint.files(folder)
        (tmp_path / weights.name).write_bytes(damage)
        (tmp_path / record.name).write_bytes(record.read_bytes())
        with pytest.raises(MerbenchError, match="cannot be read"):
            load_model(str(tmp_path)).predict(batch(1))

    @pytest.mark.parametrize("key", ["config", "labels", "prompt", "trained_on"])
    def test_with_a_record_that_lacks_something_is_refused(self, folder, tmp_path, key):
        record = json.loads(checkpoint.files(folder)[1].read_text())
        del record[key]
        (tmp_path / "checkpoint.json").write_text(json.dumps(record))
        with pytest.raises(MerbenchError, match=f"it lacks {key}"):
            load_model(str(tmp_path))

    def test_of_a_network_with_pretrained_parts_holds_what_is_trained(self, network):
        parts = {
            name: dataclasses.replace(getattr(network.config, name), source="somewhere")
            for name in ("audio_encoder", "visual_encoder", "face_encoder", "video_encoder", "llama_model")
        }
        names = checkpoint.stored_names(build(**parts))
        assert {name.partition(".")[0] for name in names} == {
            "llama_model",
            "ln_vision",
            "llama_proj",
            "cls_tk_llama_proj",
            "feats_llama_proj1",
            "feats_llama_proj2",
            "feats_llama_proj3",
            "absent",
        }
        assert all("lora_" in name for name in names if name.startswith("llama_model"))


class TestAdapter:
    def test_without_a_checkpoint_it_says_where_to_name_one(self):
        with pytest.raises(MerbenchError, match="'emollama' has no checkpoint; write --model DIR"):
            load_model("emollama")

    def test_a_folder_is_a_model(self, folder):
        assert load_model(str(folder)).name == "emollama"
        assert load_model(str(folder)).labels == LABELS

    def test_scores_says_and_does_both(self, folder):
        media = batch(3)
        scored, said, both = (
            load_model(f"{folder}:answer={way}").predict(media) for way in ("score", "generate", "both")
        )
        assert isinstance(said, list)
        assert isinstance(both, Answered)
        assert both.logits == pytest.approx(scored, abs=1e-5)
        assert both.texts == said

    @pytest.mark.parametrize(
        "option", ["prompt=mer2024", "layout=joined", "answer=generate", "else_neutral=true"]
    )
    def test_every_option_is_another_model(self, folder, option):
        assert load_model(f"{folder}:{option}").fingerprint() != load_model(str(folder)).fingerprint()

    @pytest.mark.parametrize("option", ["prompt=nope", "layout=both", "answer=sing"])
    def test_an_option_that_cannot_be_is_refused(self, folder, option):
        with pytest.raises(MerbenchError):
            load_model(f"{folder}:{option}")

    def test_half_precision_changes_little(self, folder):
        media = batch(3)
        full = load_model(str(folder)).predict(media)
        half = load_model(str(folder), precision="bfloat16").predict(media)
        assert np.abs(half - full).max() < 0.3

    def test_the_order_and_number_of_rows_per_call_do_not_matter(self, folder):
        model = load_model(str(folder))
        media = batch(5)
        order = random.Random(0).sample(range(5), 5)
        model.batch_size = 2
        assert model.predict(media.take(order)) == pytest.approx(model.predict(media)[order], abs=1e-4)
