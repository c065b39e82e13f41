"""Several models as one: how that is written, whose labels they speak, and how their answers are joined."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merbench.errors import MerbenchError
from merbench.models import UNRECORDED, SplitAdapter
from merbench.models._ensemble.grammar import read_call
from merbench.models._ensemble.rules import Mean, Router, Vote, Weighted, pool
from merbench.models._load import load_model
from merbench.training.ensemble import mixture_weights
from merbench.types import MODALITIES
from tests.models.media import batch, without

ADAPTERS = Path(__file__).parents[1] / "adapters.py"

HEAD = """
from dataclasses import dataclass
import numpy as np
from merbench.models import Adapter, Answered, SplitAdapter, TrainingRecord, Wants
"""

MEMBERS = '''
class Fixed(Adapter):
    """Says the same of every row that has its modality, and nonsense of the others."""
    trained_on = ()
    def predict(self, batch):
        out = np.tile(np.log(self.says), (len(batch), 1))
        out[~batch.present(self.uses[0])] = [99.0] + [0.0] * (len(self.says) - 1)
        return out
    def fingerprint(self):
        return str(self.says)

class Ear(Fixed):
    labels, uses, says = ("happy", "sad", "angry"), ("audio",), (0.6, 0.3, 0.1)
    trained_on = (TrainingRecord(dataset="meld", samples=frozenset({"m1"})),)

class Eye(Fixed):
    labels, uses, says = ("sadness", "joy", "anger", "fear"), ("vision",), (0.4, 0.2, 0.2, 0.2)
    wants = Wants(frame_size=4)
    def predict(self, batch):
        assert all(shape is None or shape[1] == 4 for shape in batch.frames.shapes)
        return super().predict(batch)

class Reader(Fixed):
    labels, uses, says = ("sad", "happy", "angry"), ("text",), (0.2, 0.1, 0.7)

class Blank(Fixed):
    labels, uses, says = ("curious", "sad"), ("audio",), (0.5, 0.5)

class Talker(Reader):
    trained_on = None
    def predict(self, batch):
        words = ["Happy.", "furious", "sad"]
        return [words[len(text or "") % 3] for text in batch.text]

class Both(Reader):
    def predict(self, batch):
        return Answered(super().predict(batch), ["happy"] * len(batch))

class Broken(Reader):
    def predict(self, batch):
        return {}["logits"]

class Hungry(Reader):
    def predict(self, batch):
        if len(batch) > 2:
            raise MemoryError("no room")
        return super().predict(batch)

class Nameless(Reader):
    def fingerprint(self):
        return None
'''


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Return the spec of a class in a file of small models."""
    path = tmp_path_factory.mktemp("models") / "small.py"
    path.write_text(HEAD + textwrap.dedent(MEMBERS), encoding="utf-8")
    return lambda name: f"{path}:{name}"


@pytest.fixture(scope="module")
def media():
    return batch(6, frame_size=8)


def said(text: str, media) -> np.ndarray:
    return np.exp(load_model(text).predict(media))


def refused(text: str, *words: str) -> None:
    with pytest.raises(MerbenchError) as error:
        load_model(text)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


# What is written


def test_a_call_names_a_rule_members_and_options():
    call = read_call(" weighted( a.py:B:x=1 ; late-fusion; weights=0.5+0.5 ) ")
    assert call is not None
    assert (call.rule, call.members) == ("weighted", ("a.py:B:x=1", "late-fusion"))
    assert call.options == {"weights": "0.5+0.5"}


def test_a_name_is_no_call():
    assert read_call("late-fusion:folder=x") is None


def test_calls_nest():
    call = read_call("mean(router(a; b; fit=f.json); c)")
    assert call is not None
    assert call.members == ("router(a; b; fit=f.json)", "c")


def test_what_would_be_misread_is_quoted():
    call = read_call("""mean("odd;name(.py:A"; 'it "says"'; mean("a;b"; "c)"); fit="a;b=c.json")""")
    assert call is not None
    assert call.members == ("odd;name(.py:A", 'it "says"', 'mean("a;b"; "c)")')
    assert call.options == {"fit": "a;b=c.json"}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("mean(a; b", "parentheses"),
        ("mean((a; b)", "parentheses"),
        ("mean(a; b); c)", "parentheses"),
        ('mean("a; b)', "quotes"),
        ('mean("a "b" c"; d)', "is not one quoted text"),
        ("mean('a' b; c)", "is not one quoted text"),
        ("mean(a;; b)", "empty place"),
        ("mean(a; b;)", "empty place"),
        ("mean(a; b; labels=all; labels=shared)", "gives labels twice"),
    ],
)
def test_what_is_not_in_pairs_is_refused(text, match):
    with pytest.raises(MerbenchError, match=match):
        read_call(text)


members = st.text(alphabet="abc;()'\"= ./:", min_size=1).map(str.strip).filter(bool)


@given(st.lists(members.filter(lambda m: '"' not in m), min_size=1, max_size=4))
def test_a_quoted_member_is_read_as_it_is(texts):
    call = read_call(f"vote({'; '.join(f'{chr(34)}{text}{chr(34)}' for text in texts)})")
    assert call is not None
    assert list(call.members) == texts


# Labels


def test_members_speak_the_labels_that_all_share_in_the_words_of_the_first(spec, media):
    model = load_model(f"mean({spec('Ear')}; {spec('Eye')})")
    assert model.labels == ("happy", "sad", "angry")
    ear, eye = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.4, 0.2]) / 0.8
    assert np.exp(model.predict(media)) == pytest.approx(np.tile((ear + eye) / 2, (6, 1)))


def test_or_all_labels_of_any(spec, media):
    model = load_model(f"mean({spec('Ear')}; {spec('Eye')}; labels=all)")
    assert model.labels == ("happy", "sad", "angry", "fear")
    assert said(f"mean({spec('Ear')}; {spec('Eye')}; labels=all)", media)[0] == pytest.approx(
        [0.4, 0.35, 0.15, 0.1]
    )


def test_too_few_shared_labels_are_refused(spec):
    refused(
        f"mean({spec('Ear')}; {spec('Blank')})",
        "share only 'sad'",
        "small.py:Blank: curious, sad",
        "labels=all",
    )
    refused(f"mean({spec('Ear')}; {ADAPTERS}:TextOnly)", "share no label")


def test_a_text_is_a_certain_answer_and_one_outside_the_labels_abstains(spec, media):
    texts = media.replace(text=("three.", "seven..", "eight..."))
    three = media.take([0, 1, 2]).replace(text=texts.text)
    happy, silent, sad = said(f"mean({spec('Ear')}; {spec('Talker')})", three)
    assert happy == pytest.approx([0.8, 0.15, 0.05])
    assert silent == pytest.approx([0.6, 0.3, 0.1])
    assert sad == pytest.approx([0.3, 0.65, 0.05])


# Rules


def test_weights_count_in_ratio(spec, media):
    spec_of = f"weighted({spec('Ear')}; {spec('Reader')}; weights={{}})"
    expected = 0.75 * np.array([0.6, 0.3, 0.1]) + 0.25 * np.array([0.1, 0.2, 0.7])
    for weights in ("3+1", "0.75+0.25"):
        assert said(spec_of.format(weights), media)[0] == pytest.approx(expected)


def test_the_most_named_label_wins_a_vote_and_the_mean_decides_a_tie(spec, media):
    two = said(f"vote({spec('Ear')}; {spec('Reader')})", media)[0]
    assert two.argmax() == 2  # one vote each; .7 beats .6
    three = said(f"vote({spec('Ear')}; {spec('Ear')}; {spec('Reader')})", media)[0]
    assert three.argmax() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", ("either weights=a+b or fit=FILE",)),
        ("; weights=1", ("weights= gives 1 numbers for 2 models",)),
        ("; weights=1+2+3", ("weights= gives 3 numbers for 2 models",)),
        ("; weights=0+0", ("cannot weigh models",)),
        ("; weights=1+-1", ("cannot weigh models",)),
        ("; weights=1+nan", ("cannot weigh models",)),
        ("; weights=a+b", ("option 'weights' of 'weighted' cannot be 'a+b'",)),
        ("; fit=nowhere.json", ("does not hold fitted weights", "merbench model fit")),
        ("; colour=red", ("'weighted' has no option 'colour'",)),
    ],
)
def test_weights_that_are_not_one_number_per_model_are_refused(spec, options, words):
    refused(f"weighted({spec('Ear')}; {spec('Reader')}{options})", *words)


def test_a_router_that_would_trust_the_worse_is_refused(spec):
    for sharpness in ("-1", "nan", "inf"):
        refused(f"router({spec('Ear')}; {spec('Reader')}; sharpness={sharpness})", "sharpness cannot be")
    refused(f"router({spec('Ear')}; majority)", "'majority' has no labels")
    with pytest.raises(MerbenchError, match="cannot judge what 'majority' reads: nothing"):
        load_model(f"router({spec('Ear')}; majority)", label_counts={"train": {"sad": 1, "happy": 1}})


def test_unknown_rules_and_single_members_are_refused(spec):
    refused(
        f"median({spec('Ear')}; {spec('Reader')})",
        "there is no rule 'median'",
        "mean, weighted, vote, router",
    )
    refused(f"mean({spec('Ear')})", "joins 1 models")
    refused(f"mean({spec('Ear')}; nowhere.py:Model)", "there is no file nowhere.py")


distributions = st.lists(
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda p: sum(p) > 1e-3), min_size=2, max_size=4
).map(lambda rows: np.array([np.array(row) / sum(row) for row in rows])[:, None, :])


@given(distributions, st.integers(0, 3))
def test_every_rule_makes_a_distribution_and_does_not_care_who_comes_first(said, silent):
    said = said.copy()
    said[silent % len(said)] = 0
    trust = np.linspace(0.1, 1, len(said))[:, None]
    for rule in (Mean(), Vote(), Router(), Weighted(weights=tuple(trust[:, 0]))):
        joined = rule.combine(said, trust, None)
        assert joined.sum() == pytest.approx(1)
        if not isinstance(rule, Weighted):
            assert rule.combine(said[::-1], trust[::-1], None) == pytest.approx(joined)


@given(distributions)
def test_who_abstains_has_no_weight(said):
    silent = np.concatenate([said, np.zeros_like(said[:1])])
    assert pool(silent, np.ones(silent.shape[:2])) == pytest.approx(pool(said, np.ones(said.shape[:2])))
    assert pool(np.zeros_like(said), np.ones(said.shape[:2])) == pytest.approx(np.full((1, 3), 1 / 3))


# Missing modalities, splitting, what is passed on


@pytest.mark.parametrize("rule", ["mean({})", "vote({})", "weighted({}; weights=1+2)", "router({})"])
def test_a_model_without_its_modality_drops_out(spec, media, rule):
    both = rule.format(f"{spec('Ear')}; {spec('Reader')}")
    deaf = said(both, without(media, "audio"))
    assert deaf.argmax(axis=1).tolist() == [2] * 6
    if "vote" not in rule:
        assert deaf == pytest.approx(np.tile([0.1, 0.2, 0.7], (6, 1)), abs=1e-6)
    assert said(both, without(media, "audio", "text")) == pytest.approx(np.full((6, 3), 1 / 3))


def test_each_modality_is_encoded_apart_where_every_member_allows_it(spec, media):
    model = load_model(
        f"mean(late-fusion; {spec('Ear')}; {spec('Eye')}; majority)",
        label_counts={"train": {"sad": 1, "happy": 2, "angry": 1}},
    )
    assert isinstance(model, SplitAdapter)
    assert model.uses == MODALITIES
    big = batch(4)
    whole = model.predict(big)
    encodings = {m: model.encode(m, big.only(m)) for m in MODALITIES}
    assert model.fuse(encodings, {m: big.present(m) for m in MODALITIES}) == pytest.approx(whole)


def test_a_model_of_one_piece_makes_the_ensemble_one(media):
    split, whole = (load_model(f"mean(late-fusion; {ADAPTERS}:{name})") for name in ("Statistics", "Whole"))
    assert isinstance(split, SplitAdapter)
    assert not isinstance(whole, SplitAdapter)
    big = batch(4)
    assert whole.predict(big) == pytest.approx(split.predict(big), abs=1e-5)


def test_models_that_read_nothing_can_be_joined(media):
    counts = {"train": {"sad": 1, "happy": 2}}
    model = load_model("mean(majority; majority)", label_counts=counts)
    assert model.uses == ()
    assert model.predict(media) == pytest.approx(load_model("majority", label_counts=counts).predict(media))


def test_scores_count_where_a_model_both_scores_and_speaks(spec, media):
    both = said(f"mean({spec('Ear')}; {spec('Both')})", media)
    assert both == pytest.approx(said(f"mean({spec('Ear')}; {spec('Reader')})", media))


def test_only_some_modalities_can_be_given_to_a_model():
    model = load_model("only(late-fusion; modalities=audio)")
    assert model.uses == ("audio",)
    big = batch(4)
    expected = load_model("late-fusion").predict(without(big, "vision", "text"))
    assert model.predict(big) == pytest.approx(expected)
    assert model.fingerprint() != load_model("only(late-fusion; modalities=text)").fingerprint()
    refused("only(late-fusion; modalities=smell)", "'modalities' of 'only' cannot be 'smell'")
    heard = "only(only(late-fusion; modalities=audio); modalities=text)"
    refused(heard, "'only(late-fusion; audio)' does not read text", "some of audio")
    refused("only(late-fusion)", "names no modality")
    refused("only(late-fusion; majority; modalities=audio)", "takes one model, not 2")


def test_training_records_are_joined_and_what_is_unknown_stays_known_as_such(spec):
    ear = load_model(f"mean({spec('Ear')}; {spec('Reader')})").trained_on
    assert [record.dataset for record in ear] == ["meld"]
    partly = load_model(f"mean({spec('Ear')}; {spec('Talker')})").trained_on
    assert partly[0].samples == {"m1"}
    assert partly[1] is UNRECORDED
    assert load_model(f"mean({spec('Reader')}; {spec('Reader')})").trained_on == ()
    assert load_model(f"mean({spec('Talker')}; {spec('Talker')})").trained_on is None


def test_the_fingerprint_covers_rule_options_and_members(spec):
    ear, reader = spec("Ear"), spec("Reader")
    specs = [
        f"mean({ear}; {reader})", f"vote({ear}; {reader})", f"mean({reader}; {ear})",
        f"weighted({ear}; {reader}; weights=1+2)", f"weighted({ear}; {reader}; weights=2+1)",
        f"router({ear}; {reader})", f"router({ear}; {reader}; sharpness=2)",
    ]  # fmt: skip
    prints = [load_model(one).fingerprint() for one in specs]
    assert len(set(prints)) == len(specs)
    assert None not in prints
    assert load_model(specs[0]).fingerprint() == prints[0]
    assert load_model(f"mean({ear}; {spec('Nameless')})").fingerprint() is None


def test_device_and_precision_reach_every_member():
    model = load_model("mean(late-fusion; late-fusion)", precision="bfloat16")
    assert {member.adapter.precision for member in model.combination.members} == {"bfloat16"}


def test_one_model_in_several_places_is_in_memory_once():
    ear, eye = (f"only(late-fusion; modalities={m})" for m in ("audio", "vision"))
    model = load_model(f"mean({ear}; mean({eye}; late-fusion))")
    ear, rest = (member.adapter for member in model.combination.members)
    eye, whole = (member.adapter for member in rest.combination.members)
    assert ear._inner is eye._inner is whole


def test_a_member_that_fails_is_blamed_by_name(spec, media):
    with pytest.raises(MerbenchError, match=r"small.py:Broken failed: KeyError"):
        load_model(f"mean({spec('Ear')}; {spec('Broken')})").predict(media)


def test_a_member_that_runs_out_of_memory_is_not_blamed_for_it(spec, media):
    with pytest.raises(MemoryError):
        load_model(f"mean({spec('Ear')}; {spec('Hungry')})").predict(media)


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(0.01, 1), min_size=10, max_size=10), min_size=2, max_size=4).map(np.array))
def test_fitted_weights_are_the_most_likely_ones(likelihoods):
    best = mixture_weights(likelihoods)
    assert best.sum() == pytest.approx(1)
    top = np.log(best @ likelihoods).mean()
    for other in (*np.eye(len(best)), np.full(len(best), 1 / len(best))):
        for share in (0.05, 0.5, 1.0):
            mixed = (1 - share) * best + share * other
            assert np.log(mixed @ likelihoods).mean() <= top + 1.01e-4


def test_who_is_always_right_gets_all_the_weight():
    assert mixture_weights(np.array([[0.9] * 8, [0.1] * 8])) == pytest.approx([1, 0], abs=1e-3)


# From the command line


@pytest.fixture
def unimodal():
    return "; ".join(f"only(late-fusion; modalities={m})" for m in MODALITIES)


DATA = "synthetic:train=2,validation=16,test=8"


def test_weights_are_fitted_on_a_split_which_then_counts_as_training_data(merbench, tmp_path, unimodal):
    file = tmp_path / "weights.json"
    done = merbench("model", "fit", f"router({unimodal})", "--dataset", DATA, "--out", file, "--json")
    assert done.code == 0, done
    fitted = json.loads(done.out)
    assert fitted == json.loads(file.read_text())
    assert sum(fitted["weights"]) == pytest.approx(1, abs=1e-5)
    assert set(fitted["quality"]) == set(MODALITIES)
    for rule in ("router", "weighted"):
        model = load_model(f"{rule}({unimodal}; fit={file})")
        assert model.trained_on[-1].samples == {f"validation-{i:05d}" for i in range(16)}
    refused(f"router({unimodal.replace('audio', 'vision')}; fit={file})", "was fitted for other models")
    file.write_text("{}")
    refused(f"router({unimodal}; fit={file})", "does not hold fitted weights (KeyError)")


@pytest.mark.parametrize(
    "text", ["late-fusion", "mean({})", "weighted({}; weights=1+2+3)", "router(late-fusion)"]
)
def test_what_has_no_weights_to_fit_is_refused(merbench, tmp_path, unimodal, text):
    asked = merbench("model", "fit", text.format(unimodal), "--dataset", DATA, "--out", tmp_path / "w.json")
    asked.refused("leaves nothing to fit", "weighted(A; B; ...) or router(A; B; ...)")


def test_an_ensemble_is_one_line_and_an_audio_cell_runs_only_what_hears(merbench, tmp_path):
    model = f"mean(late-fusion; {ADAPTERS}:Statistics; only(late-fusion; modalities=text))"
    words = ["--dataset", DATA, "--corruption", "audio/white", "--severity", "3", "--allow-contaminated"]
    done = merbench("eval", "--model", model, *words, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done
    passes = json.loads(done.out)["cost"]["passes"]
    assert passes["vision"] == {"run": 8, "reused": 8}
    assert passes["audio"] == {"run": 16, "reused": 0}


def test_a_model_can_be_looked_at(merbench):
    done = merbench("model", "show", "mean(late-fusion; late-fusion)", "--dataset", "synthetic", "--json")
    facts = json.loads(done.out)
    assert facts["uses"] == list(MODALITIES)
    assert facts["parameters"] == 2 * 311_922
    assert facts["trained_on"][0] == {
        "dataset": "synthetic",
        "options": {"seed": 0},
        "samples": 2640,
        "speakers": 40,
        "noise": [],
    }
    assert facts["marks"] == []
    assert len(facts["fingerprint"]) == 64
    assert "2640 samples, 40 speakers" in merbench("model", "show", "late-fusion").out


def shown(done):
    rows = (line.strip().split("  ") for line in done.out.splitlines())
    return {row[0]: row[-1].strip() for row in rows}


def test_what_a_model_takes_from_the_data_is_told_with_and_without_data(merbench):
    without = shown(merbench("model", "show", "majority"))
    assert without["labels"] == "the data's own"
    assert "targets" not in without
    assert shown(merbench("model", "show", "target-mean"))["targets"] == "the data's own"
    data = merbench("model", "show", "majority", "--dataset", "synthetic", "--json")
    assert len(json.loads(data.out)["labels"]) > 1
    assert json.loads(merbench("model", "show", "majority", "--json").out)["labels"] is None


def test_a_model_that_answers_values_shows_what_they_are_of(merbench):
    facts = json.loads(merbench("model", "show", f"{ADAPTERS}:Feeling", "--json").out)
    assert facts["labels"] == []
    assert facts["targets"] == list(load_model(f"{ADAPTERS}:Feeling").targets)


def test_values_alone_are_nothing_to_an_ensemble():
    with pytest.raises(MerbenchError, match=r"adapters.py:Feeling answers values and no labels"):
        load_model(f"mean({ADAPTERS}:Statistics; {ADAPTERS}:Feeling)")


def test_of_a_member_that_answers_both_the_labels_count():
    both = load_model(f"mean({ADAPTERS}:Affect; {ADAPTERS}:Affect)")
    one, media = load_model(f"{ADAPTERS}:Affect"), batch(4, frame_size=8)
    assert both.labels == one.labels
    assert both.targets == ()
    assert (both.predict(media).argmax(1) == one.predict(media).logits.argmax(1)).all()
