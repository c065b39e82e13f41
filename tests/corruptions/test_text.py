"""What the text corruptions do to a sentence, beyond what all corruptions owe."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corruptions.text._edits import _WORD, count_words, words
from corruptions.text._graphemes import compiled, count_graphemes, graphemes
from corruptions.text._selection import select
from corruptions.text.case_punctuation import _ASCII_MARKS
from corruptions.text.chinese import confusable
from merbench.compiled import halves
from merbench.corruption import corruptions
from merbench.options import build
from merbench.rng import Stream
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


SCRIPTS = {
    "Latin": ("happy", "don't", "Café", "naïve", "gęślą", "Ångström", "q\u0307uiet", "I'm", "are"),
    "Cyrillic": ("сегодня", "ёлка", "її", "очень", "м\u0301ир"),  # noqa: RUF001 (not a Latin p)
    "Chinese": ("我今天", "真的很高兴", "在家", "己", "𠮷野"),
    "Arabic": ("أنا", "سعيدٌ", "شُكْرًا", "مرحبا"),
    "Hindi": ("मैं", "ख़ुश", "क्या"),
    "emoji": ("😀", "❤️", "👍🏽", "👨‍👩‍👧‍👦", "🇵🇱", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🙇🏿‍♀️", ":-)"),
}
MIXED = st.lists(
    st.tuples(
        st.sampled_from([piece for pieces in SCRIPTS.values() for piece in pieces]),
        st.sampled_from([" ", " ", " ", "", ", ", "! ", "\u00a0"]),
    ),
    min_size=1,
    max_size=12,
).map(lambda pairs: unicodedata.normalize("NFC", "".join(piece + gap for piece, gap in pairs)))
HANGING = regex.compile("^[\\p{M}\\p{Emoji_Modifier}\u200d]|\u200d$")
"""What only makes sense behind, or before, something else."""


def require_whole(edited, text):
    """Check that a text is canonical, can be encoded, and holds no piece of what a reader sees as one."""
    edited.encode("utf-8")
    assert edited == unicodedata.normalize("NFC", edited)
    before, after = set(regex.findall(r"\X", text)), regex.findall(r"\X", edited)
    assert not [g for g in after if HANGING.search(g) and g not in before]
    pictures = [
        g for g in after if regex.search("[\\p{Extended_Pictographic}\\p{Regional_Indicator}\u20e3]", g)
    ]
    assert set(pictures) <= before


@example(name="text/ocr", text="1️⃣ 1️⃣ 1️⃣ 1️⃣", severity=5, draw=0)  # once read as the letter i on a key
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EDITING), MIXED, st.integers(1, 5), st.integers(0, 9))
def test_no_character_is_broken_where_scripts_meet(name, text, severity, draw):
    edited, report = edit(name, text, severity, key=str(draw))
    require_whole(edited, text)
    assert report["applied"] or (edited == text and report["reason"])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([n for n in EDITING if n != "text/typo"]), st.text(max_size=60), st.integers(1, 5))
def test_any_text_whatever_is_edited_or_passed_on(name, text, severity):
    text = unicodedata.normalize("NFC", text)
    edited, report = edit(name, text, severity)
    assert report["applied"] or (edited == text and report["reason"])
    if report["applied"] and not report["edits"]:
        assert edited == text


SITE = st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(0, 2), st.integers(1, 3))


class TestSelection:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.lists(SITE, min_size=1, max_size=30), min_size=1, max_size=3), st.floats(0, 1))
    def test_the_kernel_takes_what_the_streams_say(self, texts, rate):
        """As written down site by site, without a kernel."""
        tables = [[(start, start + size, rank, n) for start, size, rank, n in sites] for sites in texts]
        keys = [Stream.of("selection", str(t)).key for t in range(len(tables))]
        sizes = [len(sites) for sites in tables]
        first = np.cumsum([0, *sizes])
        found, ends, wanted = select(
            np.array([site for table in tables for site in table]),
            first,
            np.array(sizes),
            np.array(sizes),
            halves(keys),
            rate,
        )
        expected = []
        for table, key, begin, wants, end in zip(tables, keys, first[:-1], wanted, ends, strict=True):
            chance = Stream(key)
            assert wants == int(rate * len(table) + chance.one_uniform())
            order = sorted(chance.permutation(len(table)).tolist(), key=lambda s: table[s][2])
            picks = chance.uniform(len(table))
            taken, covered = [], set()
            for s in order:
                places = set(range(*table[s][:2]))
                if len(taken) < wants and not places & covered:
                    covered |= places
                    taken.append((table[s][0], begin + s, int(picks[s] * table[s][3])))
            expected += [[site, choice] for _, site, choice in sorted(taken)]
            assert len(expected) == end
        assert found.tolist() == expected

    def test_what_was_known_of_a_batch_does_not_leak_into_another(self):
        one, other = (edit("text/word_delete", text, 5)[0] for text in SENTENCES[:2])
        assert edit("text/word_delete", SENTENCES[0], 5)[0] == one != other
        assert edit("text/word_swap", SENTENCES[0], 5)[0] != one


class TestWords:
    def test_they_are_what_a_reader_sees(self):
        found = [w.text for w in words("He\u2019s well-known \u2764\ufe0f 42nd 我们 ok?")]
        assert found == ["He\u2019s", "well-known", "42nd", "我", "们", "ok"]

    @given(st.text(st.characters(max_codepoint=127)))
    def test_ascii_has_the_words_that_any_text_has(self, text):
        found = [(m[0], *m.span()) for m in compiled(_WORD).finditer(text)]
        assert words(text) == found
        assert count_words(text) == len(found)

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


class TestShortCuts:
    @given(st.text())
    def test_graphemes_are_unicodes(self, text):
        found = [match.span() for match in compiled(r"\X").finditer(text)]
        assert list(graphemes(text)) == found
        assert count_graphemes(text) == len(found)

    def test_ascii_has_the_marks_that_any_text_has(self):
        text = "".join(f"a{chr(code)}" for code in range(128))
        assert [m.span() for m in _ASCII_MARKS.finditer(text)] == [
            m.span() for m in compiled(r"\p{P}+").finditer(text)
        ]


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
