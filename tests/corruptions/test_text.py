"""What the text corruptions do to a sentence, beyond what all corruptions owe."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corruptions.text._edits import _WORD, words
from corruptions.text._graphemes import compiled
from corruptions.text.chinese import confusable
from merbench.corruption import corruptions
from merbench.options import build
from merbench.types import SEVERITIES, Batch, Sample, Utterance
from tests.corruptions.samples import pool

SENTENCES = (
    "Oh my God, he\u2019s lost it. He\u2019s totally lost it.",
    "I really didn't think that you're coming to their house, but here we are!",
    "lol \U0001f602 that's great :) I \u2764\ufe0f it \U0001f468\u200d\U0001f469\u200d\U0001f467 :-(",
    "Zażółć gęślą jaźń, proszę Państwa!",
    "Я сегодня очень рад тебя видеть, правда.",
    "我今天真的很高兴见到你，他们在家里做事。",  # noqa: RUF001 (a Chinese comma)
    "أنا سعيد جدا اليوم، شكرا",
    "a",
    "?!",
)
EDITING = [n for n in corruptions.names() if n.startswith("text/") and n != "text/learned"]


def edit(name, text, severity, key="t", **options):
    corruption = build(corruptions[name], name, options)
    sample = Sample(utterance=Utterance(id=key, label="?", split="test"), text=text)
    params = corruption.draw_all([sample], pool([sample]), "texts")
    batch, (report,) = corruption.apply(
        Batch.of([sample]), params, pool([sample]), **corruption.strength(severity)
    )
    return batch.text[0], report


@pytest.mark.parametrize("name", EDITING)
@pytest.mark.parametrize("text", SENTENCES)
def test_text_stays_valid_and_normalised_in_every_script(name, text):
    for severity in SEVERITIES:
        edited, report = edit(name, text, severity)
        edited.encode("utf-8")
        assert edited == unicodedata.normalize("NFC", edited)
        assert edited.strip() or name in ("text/emoji_strip", "text/typo")
        assert report["applied"] or edited == text


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([n for n in EDITING if n != "text/typo"]), st.text(max_size=60), st.integers(1, 5))
def test_any_text_whatever_is_edited_or_passed_on(name, text, severity):
    text = unicodedata.normalize("NFC", text)
    edited, report = edit(name, text, severity)
    assert report["applied"] or (edited == text and report["reason"])
    if report["applied"] and not report["edits"]:
        assert edited == text


class TestWords:
    def test_they_are_what_a_reader_sees(self):
        found = [w.text for w in words("He\u2019s well-known \u2764\ufe0f 42nd 我们 ok?")]
        assert found == ["He\u2019s", "well-known", "42nd", "我", "们", "ok"]

    @given(st.text(st.characters(max_codepoint=127)))
    def test_ascii_has_the_words_that_any_text_has(self, text):
        found = [(m[0], *m.span()) for m in compiled(_WORD).finditer(text)]
        assert words(text) == found

    @pytest.mark.parametrize("severity", SEVERITIES)
    def test_deleting_leaves_a_subsequence_and_no_double_blanks(self, severity):
        for text in SENTENCES[:2]:
            edited, _ = edit("text/word_delete", text, severity)
            before, after = [w.text for w in words(text)], [w.text for w in words(edited)]
            rest = iter(before)
            assert all(word in rest for word in after)
            assert "  " not in edited
            assert " ." not in edited

    def test_a_higher_severity_deletes_a_superset(self):
        kept = [
            {w.text for w in words(edit("text/word_delete", SENTENCES[1], severity)[0])}
            for severity in SEVERITIES
        ]
        assert all(more >= less for more, less in pairwise(kept))

    def test_swapping_keeps_every_word(self):
        for severity in SEVERITIES:
            edited, _ = edit("text/word_swap", SENTENCES[1], severity)
            assert sorted(w.text for w in words(edited)) == sorted(w.text for w in words(SENTENCES[1]))

    def test_the_last_word_and_the_last_letter_stay(self):
        for name in ("text/word_delete", "text/char_delete"):
            assert edit(name, "no", 5)[0].strip()


class TestEnglish:
    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("is", {"are"}),
            ("The", {"A", ""}),
            ("I", {"me"}),
            ("went", {"go"}),
            ("stories", {"storie"}),
        ],
    )
    def test_grammar_takes_the_forms_that_learners_take(self, right, wrong):
        found = set()
        for key in range(30):
            edited, _ = edit("text/grammar", f"{right} zzz qqq", 5, str(key))
            found.add(edited.removesuffix("zzz qqq").strip())
        assert wrong & found, found

    def test_homophones_keep_their_capitals(self):
        heard = {edit("text/asr", "Their zzz", 5, str(key))[0].split()[0] for key in range(40)}
        assert {"There", "They're"} & heard
        assert "there" not in heard

    def test_other_scripts_are_refused_by_what_is_made_for_english(self):
        for name in ("text/grammar", "text/asr", "text/ocr"):
            assert edit(name, SENTENCES[5], 3)[1]["reason"] == "it is not written in a Latin script"


class TestEmoji:
    def test_everything_goes_at_the_highest_severity_and_nothing_else(self):
        edited, report = edit("text/emoji_strip", SENTENCES[2], 5)
        assert edited == "lol that's great I it"
        assert report["edits"] == 5

    def test_a_family_is_one_emoji(self):
        _, report = edit("text/emoji_strip", "\U0001f468\u200d\U0001f469\u200d\U0001f467 ok", 5)
        assert report["edits"] == 1


class TestChinese:
    def test_the_tables_hold_single_characters_that_differ(self):
        for kind in ("sound", "shape", "both"):
            for character, others in confusable(kind).items():
                assert len(character) == 1
                assert character not in others
                assert all(len(other) == 1 for other in others)
        assert len(confusable("sound")) > 400
        assert len(confusable("shape")) > 150

    def test_only_chinese_characters_change(self):
        for severity in SEVERITIES:
            edited, _ = edit("text/chinese", "我 think 你好, ok", severity)
            assert "think" in edited
            assert edited.endswith(", ok")


def test_case_loses_no_letter():
    for severity in SEVERITIES:
        edited, _ = edit("text/case_punctuation", SENTENCES[1], severity)
        assert [w.text.lower() for w in words(edited)] == [w.text.lower() for w in words(SENTENCES[1])]
