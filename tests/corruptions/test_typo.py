"""Typing errors: on the keys they should be on, as many as asked for, nested, and never half a grapheme."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corruptions.text import _typos
from corruptions.text._graphemes import _SINGLE, Graphemes
from corruptions.text._keyboard import is_latin, keys, neighbours
from merbench.corruption import corruptions
from merbench.rng import Stream
from merbench.types import SEVERITIES, Batch, Sample, Utterance
from tests.corruptions.samples import ordinary, pool

RATES = (0.02, 0.05, 0.10, 0.15, 0.25)
SENTENCE = "the quick brown fox jumps over the lazy dog while seven tired children sleep at home"
JOINERS = "aé\r\n👨\u200d👩\u0301क्षि🇵🇱ᄀ각\u00ad"  # code points that combine with each other
NFC = st.text().map(lambda text: unicodedata.normalize("NFC", text))


@pytest.fixture(scope="module")
def typo():
    return corruptions["text/typo"]()


def spoken(texts):
    return [
        Sample(utterance=Utterance(id=f"t{i}", label="?", split="test"), text=text)
        for i, text in enumerate(texts)
    ]


def typed(typo, texts, rate):
    samples = spoken(texts)
    params = typo.draw_all(samples, pool(samples), "tests")
    batch, reports = typo.apply(Batch.of(samples), params, pool(samples), rate=rate)
    return batch.text, reports


def plan(text, rate, seed=0):
    """What happens to each grapheme of a text: its edit, and the letter typed instead."""
    graphemes = Graphemes.of([text])
    letters = graphemes.code[graphemes.starts[:-1]]
    key = np.where(letters < len(keys()), keys()[np.minimum(letters, len(keys()) - 1)], 0).astype(np.uint8)
    length = len(key)
    number = int(Stream.of("typo", text, str(seed)).key, 16)
    stream = np.array([number >> 64, number & (2**64 - 1)], dtype=np.uint64)
    order, edit, letter = (
        np.arange(length),
        np.zeros(length, dtype=np.int64),
        np.zeros(length, dtype=np.uint8),
    )
    wanted, made = _typos._plan(
        graphemes.code, graphemes.starts, stream, rate, key, *neighbours(), order, edit, letter
    )
    return edit, letter, wanted, made


class TestKeyboard:
    def test_keys_lie_around_each_other(self):
        around, count = neighbours()
        near = {chr(c): bytes(around[c, : count[c]]).decode() for c in range(128) if count[c]}
        assert near["s"] == "adewxz"
        assert near["q"] == "aw"
        assert near["p"] == "lo"
        assert near["G"] == "BFHTVY"
        assert len(near) == 52
        for letter, others in near.items():
            assert all(letter in near[other] for other in others)

    def test_letters_with_diacritics_are_on_their_base_letters_key(self):
        table = keys()
        pairs = {"ą": "a", "Ł": "L", "ø": "o", "ñ": "n", "ế": "e", "Ž": "Z", "x": "x", "Q": "Q"}
        assert {letter: chr(table[ord(letter)]) for letter in pairs} == pairs
        assert not any(table[ord(c)] for c in "1 .,!?-_'\"@#\u00bf\u00d7\u00f7ßæ")

    @pytest.mark.parametrize(
        ("text", "latin"),
        [("hello", True), ("Zażółć", True), ("123 !", True), ("", True), ("我爱你", False), ("привет", False),
         ("ok привет", False), ("hello мир", True), ("안녕", False)],
    )  # fmt: skip
    def test_which_texts_have_a_latin_keyboard(self, text, latin):
        assert is_latin(text) is latin


class TestGraphemes:
    @settings(max_examples=300, deadline=None)
    @example(["a\r\nb", "\r\n"])
    @given(
        st.lists(NFC | st.text("aé\r\n👨\u200d👩\u0301क्षि🇵🇱ᄀ각\u00ad", max_size=8), min_size=1, max_size=4)
    )
    def test_they_are_unicodes_extended_clusters(self, texts):
        found = Graphemes.of(texts)
        points = found.code.tobytes().decode("utf-32-le", "surrogatepass")
        for t, text in enumerate(texts):
            borders = found.starts[found.first[t] : found.first[t + 1] + 1]
            split = [points[a:b] for a, b in pairwise(borders)]
            assert split == regex.findall(r"\X", text)

    def test_the_short_cut_holds_for_every_pair_of_its_code_points(self):
        single = [chr(c) for c in range(0x2100) if _SINGLE.fullmatch(chr(c))]
        assert len(single) > 900
        for step in (1, 7, 311):  # every code point, next to three others
            text = "".join(single[i * step % len(single)] + c for i, c in enumerate(single))
            assert len(regex.findall(r"\X", text)) == len(text)


class TestEdits:
    def test_a_higher_rate_keeps_every_edit_of_a_lower_one(self):
        for seed in range(50):
            plans = [plan(SENTENCE, rate, seed) for rate in RATES]
            for (lower, letters, *_), (higher, others, *_) in pairwise(plans):
                done = lower != 0
                assert (higher[done] == lower[done]).all()
                assert (others[done] == letters[done]).all()

    def test_the_number_of_edits_is_unbiased_and_off_by_less_than_one(self):
        for rate in RATES:
            made = np.array([plan(SENTENCE, rate, seed)[3] for seed in range(800)])
            assert np.abs(made - rate * len(SENTENCE)).max() < 1
            assert made.mean() == pytest.approx(rate * len(SENTENCE), abs=0.06)

    def test_every_letter_has_the_same_chance(self):
        hits = sum((plan("abcdefghij", 0.1, seed)[0] != 0).astype(int) for seed in range(4_000))
        chances = hits[:-1] / 4_000  # a swap also moves the letter after the one it fell on
        assert np.abs(chances - chances.mean()).max() < 0.035

    def test_the_four_kinds_are_equally_likely(self):
        kinds = Counter(int(kind) for seed in range(4_000) for kind in plan("abcdefghij" * 3, 0.03, seed)[0])
        shares = np.array([kinds[k] for k in (1, 2, 3, 4)]) / sum(kinds[k] for k in (1, 2, 3, 4))
        assert np.abs(shares - 0.25).max() < 0.03  # a swap at the end becomes a wrong key

    def test_edits_never_overlap(self):
        for seed in range(200):
            edit, *_ = plan(SENTENCE, 0.25, seed)
            assert (edit[1:][edit[:-1] == 2] == 5).all()  # who is swapped forward has a partner
            assert (edit[:-1][edit[1:] == 5] == 2).all()
            assert edit[0] != 5 and edit[-1] != 2

    def test_only_letters_are_touched(self):
        text = "a-b 12 c! 👍 “d” ... e?"
        for seed in range(200):
            edit, *_ = plan(text, 0.25, seed)
            touched = [g for g, e in zip(regex.findall(r"\X", text), edit, strict=True) if e]
            assert set(touched) <= set("abcde")

    def test_a_wrong_key_is_a_neighbour_in_the_same_case(self):
        around, count = neighbours()
        for seed in range(300):
            edit, letter, *_ = plan("HELLO world", 0.25, seed)
            for i in np.flatnonzero(edit == 1):
                base = ord("HELLO world"[i])
                assert letter[i] in around[base, : count[base]]

    def test_a_swap_changes_something(self):
        for seed in range(200):
            edit, *_ = plan("aaaa bbbb", 0.25, seed)
            assert not (edit == 2).any()

    @pytest.mark.parametrize("text", ["a", "é", "Z"])
    def test_a_single_letter_is_never_lost(self, text):
        edits = {int(plan(text, 1.0, seed)[0][0]) for seed in range(100)}
        assert edits == {1, 4}  # another key, or twice

    def test_the_kernel_writes_what_was_planned(self, typo):
        """Each edit in turn, on a text in which nothing else can happen."""
        seen = set()
        for i in range(200):
            samples = spoken(["12 ab 34"])
            params = [{"stream": Stream.of("kind", str(i)).key}]
            batch, _ = typo.apply(Batch.of(samples), params, pool(samples), rate=0.125)
            seen.add(batch.text[0])
        swapped = {"12 ba 34"}
        left_out = {"12 b 34", "12 a 34"}
        doubled = {"12 aab 34", "12 abb 34"}
        wrong = {f"12 {x}b 34" for x in "qwsz"} | {f"12 a{x} 34" for x in "vghn"}
        assert seen == swapped | left_out | doubled | wrong


class TestRows:
    def test_what_was_done_is_reported(self, typo):
        texts, reports = typed(typo, [SENTENCE] * 20, 0.10)
        for text, report in zip(texts, reports, strict=True):
            assert report["applied"] and not report["saturated"]
            assert report["edits"] in (8, 9)
            assert report["rate"] == pytest.approx(report["edits"] / len(SENTENCE), abs=1e-6)
            assert text != SENTENCE

    def test_a_text_with_too_few_letters_says_that_it_is_exhausted(self, typo):
        (_,), (report,) = typed(typo, ["a 1234567890 1234567890"], 0.25)
        assert report["saturated"]
        assert report["edits"] == 1
        _, reports = typed(typo, ["Oh my God"] * 20, 0.9)
        assert all(r["saturated"] and r["edits"] <= 7 for r in reports)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (None, "there is no text"),
            ("", "the text is empty"),
            ("我今天很高兴", "it is not written on a Latin keyboard"),
            ("Я очень рад", "it is not written on a Latin keyboard"),
            ("🎉🎉 12!", "there are no letters"),
        ],
    )
    def test_why_a_text_is_left_alone(self, typo, text, reason):
        (out,), (report,) = typed(typo, [text], 0.25)
        assert out == text
        assert report == {"applied": False, "rate": None, "reason": reason}

    def test_emoji_and_combined_characters_stay_whole(self, typo):
        family = "👨‍👩‍👧‍👦"
        for text in typed(typo, [f"so happy {family} today ❤️ okay"] * 100, 0.25)[0]:
            assert family in text
            assert "❤️" in text

    def test_diacritics_move_with_their_letter(self, typo):
        text = unicodedata.normalize("NFC", "x\u0304y x\u0304y x\u0304y")  # has no composed form
        for out in typed(typo, [text] * 100, 0.25)[0]:
            for g in regex.findall(r"\X", out):
                assert g == "x\u0304" or len(g) == 1, out

    def test_what_an_omission_brings_together_is_composed(self, typo):
        apart = "\u1100x\u1161 said the old man"  # without the x, Unicode writes one Korean syllable
        found = typed(typo, [apart] * 400, 0.25)[0]
        assert any("\uac00" in text for text in found)
        assert all(unicodedata.is_normalized("NFC", text) for text in found)

    @settings(max_examples=300, deadline=None)
    @given(NFC, st.sampled_from(RATES))
    def test_any_text_gives_canonical_text_with_at_most_one_grapheme_more_or_less_per_edit(self, text, rate):
        (out,), (report,) = typed(corruptions["text/typo"](), [text], rate)
        assert unicodedata.is_normalized("NFC", out)
        if report["applied"]:
            lengths = [len(regex.findall(r"\X", t)) for t in (text, out)]
            assert abs(lengths[1] - lengths[0]) <= report["edits"]
        else:
            assert out == text

    def test_every_severity_is_on_average_what_it_says(self, typo):
        samples = ordinary(2_000, seconds=0.01, frames=1, size=1)
        params = typo.draw_all(samples, pool(samples), "tests")
        for severity, rate in zip(SEVERITIES, RATES, strict=True):
            _, reports = typo.apply(Batch.of(samples), params, pool(samples), **typo.strength(severity))
            assert np.mean([r["rate"] for r in reports]) == pytest.approx(rate, rel=0.01)

    def test_real_transcripts(self, typo, real_data):
        """Emotional English as people write it, with curly quotes and emoji."""
        lines = (
            (real_data / "text" / "goemotions" / "ekman" / "dev.tsv").read_text(encoding="utf-8").splitlines()
        )
        texts = [unicodedata.normalize("NFC", line.split("\t")[0]) for line in lines]
        for rate in (0.02, 0.25):
            out, reports = typed(typo, texts, rate)
            there = [r for r in reports if r["applied"]]
            assert len(there) > 0.99 * len(texts)
            assert np.mean([r["rate"] for r in there]) == pytest.approx(rate, rel=0.02)
            assert sum(r["saturated"] for r in there) < 0.005 * len(there)
            assert all(unicodedata.is_normalized("NFC", text) for text in out)
