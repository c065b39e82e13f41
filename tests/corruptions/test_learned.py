"""What `text/learned` owes beyond the contract: proposals of the model, chosen by the draw."""

from __future__ import annotations

import json
import shutil
import unicodedata
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise

import pytest

from corruptions._checkpoints import checkpoint_hash
from corruptions.text._edits import words
from corruptions.text._masked_lm import MaskedLM
from merbench.corruption import corruptions
from merbench.errors import MerbenchError
from merbench.options import build
from merbench.types import SEVERITIES, Batch
from tests.corruptions.samples import WORDS, ordinary, pool
from tests.corruptions.test_text import SENTENCES, require_whole
from tests.models import transformers_models

LEARNED = corruptions["text/learned"]
KNOWN = [*WORDS, "proszę", "jaźń", "我", "今", "天", "很", "高", "سعيد", "اليوم"]
TEXT = "I really did think that your friends would come back to this house"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return transformers_models.masked_lm(tmp_path_factory.mktemp("masked") / "lm", KNOWN)


@pytest.fixture(scope="module")
def model(folder):
    return MaskedLM(folder, "tiny")


def learned(folder, **options):
    return build(LEARNED, "text/learned", {"model": folder, **options})


def spoil(corruption, samples, severity):
    params = corruption.draw_all(samples, pool(samples), "tests")
    batch, achieved = corruption.apply(
        Batch.of(samples), params, pool(samples), **corruption.strength(severity)
    )
    return batch.text, achieved


def texts(*written):
    return [replace(s, text=text) for s, text in zip(ordinary(len(written)), written, strict=True)]


def all_proposals(model, text, most):
    """Every word with what the model proposes for it."""
    spans = [(span, model.choices(span.text, most)) for span in words(text)]
    return [(span, model.proposals(text, span, count) if count else ()) for span, count in spans]


class TestProposals:
    def test_they_are_those_of_the_librarys_own_pipeline(self, folder, model):
        from transformers import AutoModelForMaskedLM, AutoTokenizer, FillMaskPipeline

        tokenizer = AutoTokenizer.from_pretrained(folder)
        network = AutoModelForMaskedLM.from_pretrained(folder).eval()
        fill = FillMaskPipeline(model=network, tokenizer=tokenizer, device=-1)
        latin = {word.casefold() for word in KNOWN if unicodedata.name(word[0]).startswith("LATIN")}
        for span, others in all_proposals(model, TEXT, 5):
            masked = f"{TEXT[: span.start]}[MASK]{TEXT[span.end :]}"
            answers = [a["token_str"].casefold() for a in fill(masked, top_k=len(tokenizer))]
            ranked = [a for a in answers if a in latin and a != span.text.casefold()]
            assert [other.casefold() for other in others] == list(dict.fromkeys(ranked))[:5]

    def test_a_word_is_never_its_own_replacement(self, model):
        for span, others in all_proposals(model, "HOUSE House house stories", 8):
            assert len(others) == 8
            assert span.text.casefold() not in {other.casefold() for other in others}
            assert len({other.casefold() for other in others}) == 8

    def test_capitals_are_those_of_the_word(self, model):
        (loud, first), (name, second), _ = (others for _, others in all_proposals(model, "HOUSE House x", 2))
        assert loud.isupper() and first.isupper()
        assert name[0].isupper() and second[0].isupper()

    def test_every_script_gets_its_own_words(self, model):
        def all_others(text):
            return {other for _, others in all_proposals(model, text, 50) for other in others}

        assert all_others("天很") == {*"我今天很高"}
        assert all_others("سعيد") == {"اليوم"}
        assert "proszę" in all_others("proszę house")
        assert not all_others("आज")

    def test_the_rest_of_the_sentence_matters(self, model):
        def others(sentence):
            return dict(all_proposals(model, sentence, 30))[words(sentence)[1]]

        assert others("wonderful house mountains") != others("lost house yesterday I did come")

    def test_a_text_longer_than_the_network_keeps_what_is_near(self, model):
        long = " ".join([*["quiet"] * 60, "house", *["trains"] * 60])
        assert all(others for _, others in all_proposals(model, long, 3))

    def test_a_mask_that_somebody_wrote_is_none_of_ours(self, model):
        proposals = all_proposals(model, "friends [MASK] and [MASK] house", 3)
        assert [span.text for span, _ in proposals] == ["friends", "MASK", "and", "MASK", "house"]
        assert all(len(others) == 3 for _, others in proposals)

    def test_a_span_filler_proposes_too(self, tmp_path):
        filler = MaskedLM(transformers_models.span_filler(tmp_path / "t5", WORDS), "filler")
        for span, others in all_proposals(filler, TEXT, 4):
            assert len(others) == 4
            assert {*others} <= {*WORDS, *(w.capitalize() for w in WORDS)}
            assert span.text not in others


class TestSubstitutions:
    def test_a_higher_severity_keeps_those_of_a_lower_one(self, folder):
        samples = texts(*[TEXT] * 12)
        corruption = learned(folder)
        versions = [[t.split() for t in spoil(corruption, samples, s)[0]] for s in SEVERITIES]
        for lower, higher in pairwise(versions):
            for before, after in zip(lower, higher, strict=True):
                kept = [a == b for a, b, clean in zip(before, after, TEXT.split(), strict=True) if a != clean]
                assert all(kept)
        assert len({tuple(words) for words in versions[4]}) > 1  # each sample has its own draw

    def test_edits_are_as_many_as_it_reports(self, folder):
        spoilt, achieved = spoil(learned(folder), texts(*[TEXT] * 8), 5)
        for text, report in zip(spoilt, achieved, strict=True):
            changed = sum(a != b for a, b in zip(text.split(), TEXT.split(), strict=True))
            assert changed == report["edits"]
            assert report["rate"] == pytest.approx(changed / len(TEXT.split()), abs=1e-6)

    def test_the_model_is_asked_only_where_a_word_is_replaced(self, folder, monkeypatch):
        asked = []
        ask = MaskedLM.proposals
        monkeypatch.setattr(MaskedLM, "proposals", lambda *a: asked.append(a[2]) or ask(*a))
        _, achieved = spoil(learned(folder), ordinary(16), 2)
        assert len(asked) == sum(report["edits"] for report in achieved) > 0

    def test_a_text_alone_is_the_text_it_is_among_others(self, folder):
        corruption, samples = learned(folder), ordinary(32)
        together, reports = spoil(corruption, samples, 4)
        for i in (0, 7, 31):
            alone, report = spoil(corruption, [samples[i]], 4)
            assert (alone, report) == ((together[i],), [reports[i]])

    def test_the_words_replaced_do_not_depend_on_the_model(self, folder, tmp_path):
        other = transformers_models.masked_lm(tmp_path / "other", WORDS, hidden_size=32)
        samples = texts(*[TEXT] * 6)
        (one, _), (two, _) = (spoil(learned(place), samples, 4) for place in (folder, other))
        assert one != two

        def places(spoilt):
            return [[a != b for a, b in zip(t.split(), TEXT.split(), strict=True)] for t in spoilt]

        assert places(one) == places(two)

    def test_a_script_that_the_model_does_not_know_is_left_alone(self, folder):
        (text,), (report,) = spoil(learned(folder), texts("मैं आज बहुत खुश हूँ"), 5)
        assert text == "मैं आज बहुत खुश हूँ"
        assert report["reason"] == "the model knows no other words in this script"

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_no_character_is_broken_in_any_script(self, folder, severity):
        spoilt, _ = spoil(learned(folder), texts(*SENTENCES), severity)
        for edited, text in zip(spoilt, SENTENCES, strict=True):
            require_whole(edited, text)


class TestIdentity:
    def test_it_is_the_models_content_and_not_its_place(self, folder, tmp_path):
        moved = shutil.copytree(folder, tmp_path / "moved")
        assert learned(moved).content_hash() == learned(folder).content_hash()
        assert learned(moved).cell(3) == learned(folder).cell(3)
        other = transformers_models.masked_lm(tmp_path / "other", WORDS)
        assert learned(other).content_hash() != learned(folder).content_hash()

    def test_the_recipe_names_content_and_no_folder(self, folder, table, merbench, tmp_path):
        done = merbench(
            "corrupt", "--dataset", "table", "--root", table, "--recipe-only", "--out", tmp_path / "suite",
            "--corruption", f"text/learned:model={folder}", "--severity", "2", "--limit", 4,
        )  # fmt: skip
        assert done.code == 0, done.err
        written = (tmp_path / "suite" / "recipe.json").read_text()
        (variant,) = json.loads(written)["recipe"]["variants"]
        assert variant["content"] == checkpoint_hash(folder.as_posix())
        assert folder.name not in json.dumps(variant["options"])
        assert str(folder) not in written

    def test_the_manifest_names_the_builds_that_its_bytes_depend_on(self, folder, table, merbench, tmp_path):
        tools = {}
        for spec in ("text/typo", f"text/learned:model={folder}"):
            out = tmp_path / spec.partition(":")[0].replace("/", "-")
            done = merbench(
                "corrupt", "--dataset", "table", "--root", table, "--out", out,
                "--corruption", spec, "--severity", "2", "--limit", 4,
            )  # fmt: skip
            assert done.code == 0, done.err
            tools[spec.partition(":")[0]] = json.loads((out / "manifest.json").read_text())["tools"]
        libraries = {name: version(name) for name in ("tokenizers", "torch", "transformers")}
        assert tools["text/learned"] == {**tools["text/typo"], **libraries}
        assert not tools["text/typo"].keys() & libraries.keys()

    @pytest.fixture
    def table(self, texts):
        return texts

    def test_a_library_that_is_not_installed_is_named(self, table, merbench, tmp_path, monkeypatch):
        monkeypatch.setattr(corruptions["text/typo"], "libraries", ("no-such-library",))
        corrupt = ("corrupt", "--dataset", "table", "--root", table, "--limit", 4, "--severity", 3)
        done = merbench(*corrupt, "--corruption", "text/typo", "--out", tmp_path / "suite")
        done.refused("'no-such-library'", "pip install no-such-library")

    def test_a_suite_is_made_again_from_its_recipe(self, folder, table, merbench, tmp_path, monkeypatch):
        monkeypatch.setenv("MERBENCH_DATA", str(tmp_path))
        (tmp_path / "masked_lm").symlink_to(folder, target_is_directory=True)
        made = ("corrupt", "--dataset", "table", "--root", table, "--limit", 4, "--severity", 3)
        done = merbench(*made, "--corruption", "text/learned", "--out", tmp_path / "suite")
        assert done.code == 0, done.err
        recipe = tmp_path / "suite" / "recipe.json"
        again = merbench("suite", "rebuild", recipe, "--root", table, "--out", tmp_path / "again")
        assert again.code == 0, again.err
        first, second = (json.loads((tmp_path / s / "manifest.json").read_text()) for s in ("suite", "again"))
        assert first["content_root"] == second["content_root"]


class TestRefusals:
    def test_no_model(self, merbench, monkeypatch):
        monkeypatch.delenv("MERBENCH_DATA", raising=False)
        done = merbench("corrupt", "--corruption", "text/learned", "--recipe-only")
        done.refused("needs a masked language model", "text/learned:model=google-bert/bert-base-uncased")

    def test_no_such_folder(self, merbench, tmp_path):
        done = merbench("corrupt", "--corruption", f"text/learned:model={tmp_path}/gone", "--recipe-only")
        done.refused("there is no folder", "owner/model")

    def test_a_model_that_fills_nothing_in(self, tmp_path):
        with pytest.raises(MerbenchError, match=r"lack cls\.predictions.* not a masked language model"):
            learned(transformers_models.text(tmp_path / "classifier")).sites("house")

    def test_a_model_without_its_vocabulary(self, folder, tmp_path):
        copy = shutil.copytree(folder, tmp_path / "copy")
        for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
            (copy / name).unlink(missing_ok=True)
        with pytest.raises(MerbenchError, match=r"tokenizer\.json, vocab\.txt or tokenizer\.model"):
            learned(copy).sites("house")

    def test_a_choice_of_none(self, folder):
        with pytest.raises(MerbenchError, match="cannot choose from 0 words"):
            learned(folder, top="0")
