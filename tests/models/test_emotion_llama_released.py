"""The released checkpoint: read strictly, put together from its parts, the same under either naming."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from merbench.errors import MerbenchError
from merbench.models._emotion_llama.assemble import assemble, on_meta
from merbench.models._emotion_llama.config import SOURCES, load_config, with_sources
from merbench.models._emotion_llama.pretrained import inspect_part, load_pretrained
from merbench.models._emotion_llama.released import inspect_released, read_released, trained_shapes
from merbench.models._emotion_llama.weights import read_weights
from merbench.models._load import load_model
from tests.models.emotion_llama_files import write
from tests.models.media import batch

A = "llama_model.base_model.model.model.layers.31.self_attn.v_proj.lora_A"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write(tmp_path_factory.mktemp("emotion-llama"))


@pytest.fixture(scope="module")
def config(files):
    return with_sources(load_config(files.config), files.parts)


@pytest.fixture(scope="module")
def network(files, config):
    return assemble(config, files.released)


@pytest.fixture
def spoiled(files, tmp_path):
    """Write the release after something was done to its tensors."""

    def make(change):
        tensors = dict(read_weights(files.released)["model"])
        change(tensors)
        path = tmp_path / "spoiled.pth"
        torch.save({"model": tensors}, path)
        return path

    return make


@pytest.fixture(scope="module")
def shapes():
    return trained_shapes(load_config("7b"))


class TestTheRealShapes:
    """What is known of the release from its public code, held against the network of size 7b."""

    def test_are_138_tensors(self, shapes):
        assert len(shapes) == 138

    def test_have_128_of_lora_under_the_names_of_the_release(self, shapes):
        names = {name.replace(".default", "") for name in shapes if ".lora_" in name}
        assert names == {
            f"llama_model.base_model.model.model.layers.{i}.self_attn.{p}_proj.lora_{x}.weight"
            for i in range(32)
            for p in "qv"
            for x in "AB"
        }

    def test_of_lora_have_rank_64(self, shapes):
        assert {shapes[n] for n in shapes if "lora_A" in n} == {(64, 4096)}
        assert {shapes[n] for n in shapes if "lora_B" in n} == {(4096, 64)}

    def test_of_the_projections_lead_to_the_language_model(self, shapes):
        inputs = {
            "llama_proj": 5632,
            "feats_llama_proj1": 1024,
            "feats_llama_proj2": 1024,
            "feats_llama_proj3": 1024,
            "cls_tk_llama_proj": 1408,
        }
        rest = {name: shape for name, shape in shapes.items() if ".lora_" not in name}
        assert rest == {
            **{f"{name}.weight": (4096, width) for name, width in inputs.items()},
            **{f"{name}.bias": (4096,) for name in inputs},
        }

    def test_of_the_visual_tokens_are_260(self):
        assert load_config("7b").vision_tokens + 1 == 260


class TestReading:
    def test_gives_138_tensors_and_names_what_it_leaves_aside(self, files, config):
        released = inspect_released(files.released, config)
        assert len(released.tensors) == 138
        assert released.ignored == ("attention.in_proj_weight", "attention.out_proj.bias")
        assert released.findings == ()

    def test_knows_old_and_new_names_and_safetensors(self, files, config):
        old, new, safe = (
            read_released(path, config) for path in (files.released, files.newer, files.safetensors)
        )
        assert old.keys() == new.keys() == safe.keys()
        for name, tensor in old.items():
            assert torch.equal(tensor, new[name])
            assert torch.equal(tensor, safe[name])

    @pytest.mark.parametrize(
        ("change", "kind", "words"),
        [
            (lambda t: t.pop(f"{A}.weight"), "missing", ["lora_A", "is not there"]),
            (lambda t: t.update(q_former=torch.ones(2)), "unknown", ["q_former", "no tensor of"]),
            (
                lambda t: t.update({f"{A}.default.weight": t[f"{A}.weight"]}),
                "twice",
                ["old and its new name"],
            ),
            (lambda t: t.update({f"{A}.weight": torch.ones(3, 16)}), "shape", ["[3, 16]", "[4, 16]"]),
            (lambda t: t.update({f"{A}.weight": torch.ones(4, 16).int()}), "dtype", ["int32", "float16"]),
            (lambda t: t.update({f"{A}.weight": 3}), "dtype", ["a int instead of a tensor"]),
            (
                lambda t: t["llama_proj.bias"].fill_(float("nan")),
                "not finite",
                ["llama_proj.bias", "16 of 16"],
            ),
            (lambda t: t["llama_proj.bias"][3:4].fill_(float("inf")), "not finite", ["1 of 16"]),
        ],
    )
    def test_refuses_in_one_line_with_the_name(self, spoiled, config, change, kind, words):
        path = spoiled(change)
        assert [finding.kind for finding in inspect_released(path, config).findings] == [kind]
        with pytest.raises(MerbenchError) as caught:
            read_released(path, config)
        assert "\n" not in str(caught.value)
        for word in (str(path), *words):
            assert word in str(caught.value)

    def test_counts_further_findings(self, spoiled, config):
        path = spoiled(lambda t: [t.pop(name) for name in list(t)[:5]])
        with pytest.raises(MerbenchError, match="and 4 more"):
            read_released(path, config)

    def test_takes_16_bit_floats(self, spoiled, config):
        path = spoiled(lambda t: t.update({n: x.half() for n, x in t.items()}))
        assert len(read_released(path, config)) == 138

    def test_refuses_another_size(self, files):
        with pytest.raises(MerbenchError, match=r"llama_proj.weight: has the shape \[16, 48\].* 137 more"):
            read_released(files.released, load_config("7b"))


class Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


class TestAFileWithCode:
    @pytest.fixture
    def marker(self, tmp_path):
        return tmp_path / "executed"

    @pytest.mark.parametrize("zipped", [True, False])
    def test_is_refused_and_nothing_of_it_is_executed(self, tmp_path, marker, config, zipped):
        path = tmp_path / "evil.pth"
        table = {"model": {"llama_proj.bias": torch.ones(16)}, "config": Runs(marker)}
        torch.save(table, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(MerbenchError, match="nothing of it was executed"):
            read_released(path, config)
        assert not marker.exists()

    def test_would_have_run(self, marker):
        """The file above is a real danger: an ordinary unpickling does execute it."""
        pickle.loads(pickle.dumps(Runs(marker)))
        assert marker.exists()

    def test_is_refused_among_the_parts_too(self, tmp_path, marker, files, config):
        path = tmp_path / "mae_checkpoint-340.pth"
        torch.save({"model": {}, "args": Runs(marker)}, path)
        with pytest.raises(MerbenchError, match="refused"):
            inspect_part(on_meta(config).face_encoder, path, torch.float32)
        assert not marker.exists()

    def test_may_hold_the_settings_of_mae(self, files):
        assert read_weights(files.parts["face_encoder"])["args"].mask_ratio == 0.75


class TestDamage:
    def test_a_missing_file(self, tmp_path, config):
        with pytest.raises(MerbenchError, match=r"gone\.pth cannot be read \(No such file"):
            read_released(tmp_path / "gone.pth", config)

    @pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
    def test_a_file_cut_short(self, files, tmp_path, config, name):
        source = files.safetensors if name.endswith("safetensors") else files.released
        path = tmp_path / name
        path.write_bytes(source.read_bytes()[:2000])
        with pytest.raises(MerbenchError, match="download it again"):
            read_released(path, config)

    def test_tensors_that_lie_elsewhere(self, tmp_path, config):
        path = tmp_path / "flat.pth"
        torch.save({"llama_proj.bias": torch.ones(16)}, path)
        with pytest.raises(MerbenchError, match='no table "model"'):
            read_released(path, config)

    def test_something_that_is_no_table(self, tmp_path, config):
        path = tmp_path / "list.pth"
        torch.save([torch.ones(2)], path)
        with pytest.raises(MerbenchError, match="holds a list"):
            read_released(path, config)


def transformer(table, x, heads, *, own_biases):
    """Run blocks as the authors' vision transformers do: the oracle of what the renamed tensors must do."""
    for i in range(1 + max(int(name.split(".")[1]) for name in table if name.startswith("blocks."))):
        block = {n.removeprefix(f"blocks.{i}."): t for n, t in table.items() if n.startswith(f"blocks.{i}.")}
        width = x.shape[-1]
        normed = F.layer_norm(x, (width,), block["norm1.weight"], block["norm1.bias"], 1e-6)
        bias = block.get("attn.qkv.bias")
        if own_biases:
            query, value = block["attn.q_bias"], block["attn.v_bias"]
            bias = torch.cat([query, torch.zeros_like(query), value])
        q, k, v = (
            part.unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in F.linear(normed, block["attn.qkv.weight"], bias).chunk(3, dim=-1)
        )
        weights = (q @ k.transpose(-1, -2) * (width // heads) ** -0.5).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        x = x + F.linear(mixed, block["attn.proj.weight"], block["attn.proj.bias"])
        normed = F.layer_norm(x, (width,), block["norm2.weight"], block["norm2.bias"], 1e-6)
        hidden = F.gelu(F.linear(normed, block["mlp.fc1.weight"], block["mlp.fc1.bias"]))
        x = x + F.linear(hidden, block["mlp.fc2.weight"], block["mlp.fc2.bias"])
    return x


class TestTheParts:
    """Each original layout, renamed, computes what the authors' own transformer computes from it."""

    @pytest.fixture
    def pictures(self):
        return torch.randn(2, 4, 3, 56, 56, generator=torch.Generator().manual_seed(3))

    def table(self, files, part):
        held = read_weights(files.parts[part])
        inner = held.get("model") or held.get("module") or held
        return {n.removeprefix("encoder."): t.float() for n, t in inner.items()}

    def test_eva_clip(self, files, network, pictures):
        table = self.table(files, "visual_encoder")
        patches = F.conv2d(
            pictures[:, 0], table["patch_embed.proj.weight"], table["patch_embed.proj.bias"], 14
        )
        x = torch.cat([table["cls_token"].expand(2, -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        square = table["pos_embed"][:, 1:].unflatten(1, (2, 2)).permute(0, 3, 1, 2)
        larger = F.interpolate(square, size=(4, 4), mode="bicubic").half().float()
        position = torch.cat([table["pos_embed"][:, :1], larger.flatten(2).transpose(1, 2)], dim=1)
        expected = transformer(table, x + position, 2, own_biases=True)
        with torch.inference_mode():
            found = network.visual_encoder(pictures[:, 0]).last_hidden_state
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)

    def test_face_mae(self, files, network, pictures):
        table, seen = self.table(files, "face_encoder"), pictures[:, 0, :, :32, :32]
        patches = F.conv2d(seen, table["patch_embed.proj.weight"], table["patch_embed.proj.bias"], 16)
        tokens = patches.flatten(2).transpose(1, 2) + table["pos_embed"][:, 1:]
        first = (table["cls_token"] + table["pos_embed"][:, :1]).expand(2, -1, -1)
        x = transformer(table, torch.cat([first, tokens], dim=1), 2, own_biases=False)
        expected = F.layer_norm(x, (8,), table["norm.weight"], table["norm.bias"], 1e-6)[:, 0]
        with torch.inference_mode():
            found = network._faces(seen[:, None])
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)

    def test_video_mae(self, files, network, pictures):
        table, clip = self.table(files, "video_encoder"), pictures[:, :, :, :32, :32]
        tubes = F.conv3d(
            clip.transpose(1, 2),
            table["patch_embed.proj.weight"],
            table["patch_embed.proj.bias"],
            (2, 16, 16),
        )
        place = torch.arange(8)[:, None] / 10_000 ** (2 * (torch.arange(8) // 2) / 8)
        position = torch.where(torch.arange(8) % 2 == 0, place.sin(), place.cos())
        tokens = tubes.flatten(2).transpose(1, 2) + position
        expected = transformer(table, tokens, 2, own_biases=True).mean(dim=1)
        with torch.inference_mode():
            found = network._video(clip)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)

    def test_from_folders_keep_their_values(self, files, network):
        from transformers import HubertModel, LlamaForCausalLM

        hubert = HubertModel.from_pretrained(files.parts["audio_encoder"], dtype=torch.float32)
        assert all(
            torch.equal(t, network.audio_encoder.state_dict()[n]) for n, t in hubert.state_dict().items()
        )
        llama = LlamaForCausalLM.from_pretrained(files.parts["llama_model"], dtype=torch.float32).state_dict()
        inner = network.llama_model.get_base_model().model.layers[5].self_attn.q_proj.base_layer.weight
        assert torch.equal(inner, llama["model.layers.5.self_attn.q_proj.weight"])

    @pytest.mark.parametrize("part", ["visual_encoder", "face_encoder", "video_encoder"])
    def test_lacking_a_tensor_are_refused(self, files, config, tmp_path, part):
        held = read_weights(files.parts[part])
        inner = held.get("model") or held.get("module") or held
        inner.pop(next(name for name in inner if name.endswith("blocks.1.mlp.fc1.weight")))
        path = tmp_path / "lacking.pth"
        torch.save(held, path)
        with pytest.raises(MerbenchError, match=r"lacking\.pth is not the .*1.*weight: is not there"):
            load_pretrained(on_meta(with_sources(config, {part: path})), torch.float32)

    def test_a_folder_of_another_width_is_refused(self, files, config, tmp_path):
        from transformers import HubertConfig, HubertModel

        settings = {**config.audio_encoder.settings, "intermediate_size": 24}
        HubertModel(HubertConfig(**settings)).save_pretrained(tmp_path / "other")
        with pytest.raises(MerbenchError, match=r"intermediate_dense.* more"):
            load_pretrained(
                on_meta(with_sources(config, {"audio_encoder": tmp_path / "other"})), torch.float32
            )

    def test_a_file_where_a_folder_belongs_is_refused(self, files, config):
        wrong = with_sources(config, {"llama_model": files.released})
        with pytest.raises(MerbenchError, match="is a file; name the folder"):
            load_pretrained(on_meta(wrong), torch.float32)

    def test_a_part_without_an_address_is_asked_for(self, files):
        given = {part: path for part, path in files.parts.items() if part != "face_encoder"}
        with pytest.raises(MerbenchError, match="give facemae=PATH"):
            load_pretrained(on_meta(with_sources(load_config(files.config), given)), torch.float32)

    def test_a_place_for_a_part_that_a_size_lacks_is_refused(self):
        with pytest.raises(MerbenchError, match="size 'small' has no face_encoder; leave out facemae"):
            with_sources(load_config("small"), {"face_encoder": "mae.pth"})

    def test_a_hub_id_that_is_not_cached_is_refused_while_offline(self, files, config):
        elsewhere = with_sources(config, {"audio_encoder": "nobody/has-this-hubert"})
        with pytest.raises(MerbenchError, match="HF_HUB_OFFLINE"):
            load_pretrained(on_meta(elsewhere), torch.float32)


class TestAssembled:
    def answers(self, network, layout=None):
        from merbench.models._emotion_llama.prompt import load_prompt

        prompt = load_prompt("mer2023")
        generator = torch.Generator().manual_seed(5)
        with torch.inference_mode():
            encodings = {
                "audio": network.encode_audio(
                    [torch.randn(4000 + 900 * i, generator=generator) for i in range(3)]
                ),
                "vision": network.encode_vision(
                    [torch.randint(0, 256, (6, 48, 64, 3), generator=generator) for _ in range(3)]
                ),
                "text": network.encode_text(["I am so happy", "no", "leave me alone"]),
            }
            everything = dict.fromkeys(encodings, torch.ones(3, dtype=torch.bool))
            context = network.fuse(encodings, everything, prompt, prompt.labels, layout=layout)
            return network.label_log_likelihoods(context, prompt.labels)

    def test_old_and_new_names_answer_the_same(self, files, config, network):
        newer = assemble(config, files.newer)
        assert torch.equal(self.answers(network), self.answers(newer))

    def test_the_released_tensors_matter(self, files, config, network, spoiled):
        other = assemble(config, spoiled(lambda t: t["llama_proj.bias"].add_(1)))
        assert not torch.allclose(self.answers(network), self.answers(other))

    def test_rows_differ_and_everything_is_there(self, network):
        scores = self.answers(network)
        assert scores.shape == (3, 9)
        assert torch.isfinite(scores).all()
        assert not torch.equal(scores[0], scores[1])
        assert not any(tensor.is_meta for tensor in [*network.parameters(), *network.buffers()])

    def test_ln_vision_is_what_the_authors_froze(self, network):
        assert torch.equal(network.ln_vision.weight, torch.ones(12))
        assert torch.equal(network.ln_vision.bias, torch.zeros(12))

    def test_nothing_learns_and_nothing_drops_out(self, network):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())

    def test_half_precision_is_kept(self, files, config):
        network = assemble(config, files.released, dtype=torch.float16)
        wide = {name for name, p in network.named_parameters() if p.dtype != torch.float16}
        assert wide == {"ln_vision.weight", "ln_vision.bias"}
        assert self.answers(network).shape == (3, 9)

    def test_a_missing_modality_is_what_the_projections_make_of_zeros(self, network):
        torch.testing.assert_close(network.absent.audio[0], network.feats_llama_proj3(torch.zeros(8)))
        torch.testing.assert_close(network.absent.vision[1], network.feats_llama_proj1(torch.zeros(8)))

    def test_encoders_that_are_not_needed_are_left_out(self, files, config):
        given = {part: files.parts[part] for part in ("llama_model", "visual_encoder")}
        lean = with_sources(load_config(files.config), given)
        network = assemble(lean, files.released, encoders=("visual_encoder",))
        assert network.audio_encoder is None
        assert network.face_encoder is None


class TestTheCommand:
    def check(self, merbench, files, *words):
        return merbench("model", "check", "emollama", "--size", files.config, *words)

    def test_finds_everything_as_it_ought_to_be(self, merbench, files):
        parts = [w for part, path in files.parts.items() for w in (f"--{SOURCES[part]}", path)]
        outcome = self.check(merbench, files, "--checkpoint", files.released, *parts)
        assert outcome.code == 0
        assert "138 of 138 tensors, as it ought to be" in outcome.out
        assert outcome.out.count("as it ought to be") == 6
        assert "left aside, as nothing uses it: attention.in_proj_weight" in outcome.out

    def test_ends_with_1_and_names_every_finding(self, merbench, files, spoiled):
        def spoil(tensors):
            tensors.pop("llama_proj.weight")
            tensors["feats_llama_proj2.weight"] = torch.ones(16, 9)
            tensors["cls_tk_llama_proj.bias"][0] = float("nan")
            tensors["surprise"] = torch.ones(1)

        outcome = self.check(merbench, files, "--checkpoint", spoil and spoiled(spoil), "--json")
        assert outcome.code == 1
        (held,) = json.loads(outcome.out)["files"]
        assert held["found"] == 137
        assert {(f["kind"], f["tensor"]) for f in held["findings"]} == {
            ("missing", "llama_proj.weight"),
            ("shape", "feats_llama_proj2.weight"),
            ("not finite", "cls_tk_llama_proj.bias"),
            ("unknown", "surprise"),
        }

    def test_finds_what_is_wrong_with_a_part(self, merbench, files, tmp_path):
        shutil.copytree(files.parts["audio_encoder"], tmp_path / "hubert")
        from safetensors.torch import load_file, save_file

        weights = tmp_path / "hubert" / "model.safetensors"
        tensors = load_file(weights)
        tensors["encoder.layer_norm.bias"][2] = float("nan")
        del tensors["feature_projection.projection.bias"]
        save_file(tensors, weights, metadata={"format": "pt"})
        outcome = self.check(merbench, files, "--hubert", tmp_path / "hubert", "--json")
        assert outcome.code == 1
        assert {(f["kind"], f["tensor"]) for f in json.loads(outcome.out)["files"][0]["findings"]} == {
            ("missing", "feature_projection.projection.bias"),
            ("not finite", "encoder.layer_norm.bias"),
        }

    def test_refuses_bad_input(self, merbench, files, tmp_path):
        self.check(merbench, files).refused("nothing to check", "--checkpoint")
        self.check(merbench, files, "--checkpoint", tmp_path / "no.pth").refused("no.pth", "cannot be read")
        merbench("model", "check", "late-fusion").refused("late-fusion", "emollama")
        merbench("model", "check", "emollama", "--size", "9b", "--checkpoint", files.released).refused("9b")


class TestATrainedCheckpoint:
    """What merbench trains on pretrained parts holds what learned, and is put together when it is read."""

    @pytest.fixture
    def folder(self, network, tmp_path):
        from merbench.models._emotion_llama import checkpoint

        record = {"labels": ["happy", "sad"], "prompt": "mer2023", "trained_on": []}
        checkpoint.save(tmp_path / "trained", network, record, half=False)
        return tmp_path / "trained"

    def test_holds_no_pretrained_tensor(self, folder, shapes):
        from safetensors.torch import load_file

        names = set(load_file(folder / "model.safetensors"))
        assert {name.partition(".")[0] for name in names if ".lora_" not in name} == {
            *(name.partition(".")[0] for name in shapes if ".lora_" not in name),
            "absent",
            "ln_vision",
        }

    def test_answers_as_before_with_its_parts_wherever_they_lie(self, folder, files, network, tmp_path):
        moved = shutil.copytree(files.parts["llama_model"], tmp_path / "moved")
        media = batch(2)
        here = load_model(f"emollama:folder={folder}")
        there = load_model(f"emollama:folder={folder},llama={moved}")
        with torch.inference_mode():
            waves = [torch.from_numpy(row.astype("float32")) for row in media.audio]
            expected = network.encode_audio(waves).numpy()
        assert (here.encode("audio", media.only("audio")) == expected).all()
        assert (here.predict(media) == there.predict(media)).all()

    def test_without_one_of_its_parts_is_refused(self, folder):
        model = load_model(f"emollama:folder={folder},llama=nobody/has-this-llama")
        with pytest.raises(MerbenchError, match="nobody/has-this-llama"):
            model.fingerprint()
