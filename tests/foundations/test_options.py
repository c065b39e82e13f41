"""Options are declared once, read from one line, and refused in words that help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from merbench.errors import MerbenchError
from merbench.options import build, canonical, describe, has_option, located, option, resource, split_spec


@dataclass(frozen=True)
class Base:
    plain: int = 7  # a field that is no option
    fold: tuple[int, ...] = option((10,), "which folds", changes_draw=True)


@dataclass(frozen=True)
class Plugin(Base):
    kind: str | None = option(None, "which kind", changes_draw=True)
    mode: Literal["fast", "slow"] = option("fast", "how")
    strict: bool = option(False, "whether")
    share: float = option(0.5, "how much")
    root: Path | None = resource("where it lies", env="plugin-data")


def made(**values) -> Plugin:
    return build(Plugin, "plug", values)


class TestReading:
    def test_nothing_said_gives_the_defaults(self):
        assert made() == Plugin()

    def test_strings_become_what_the_option_is(self):
        plugin = made(fold="1+3+5", kind="rain", mode="slow", strict="true", share="0.25", root="/data")
        assert plugin == Plugin(
            fold=(1, 3, 5), kind="rain", mode="slow", strict=True, share=0.25, root=Path("/data")
        )

    def test_python_values_are_taken_as_they_are(self):
        assert made(fold=[1, 3], strict=True) == Plugin(fold=(1, 3), strict=True)

    @pytest.mark.parametrize("word", ["none", "None", "", None])
    def test_an_optional_one_can_be_taken_back(self, word):
        assert made(kind=word).kind is None

    def test_fixed_fields_are_handed_through(self):
        assert build(Plugin, "plug", {"share": 1}, plain=3) == Plugin(plain=3, share=1.0)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"colour": "red"}, ["'plug' has no option 'colour'", "fold, kind, mode, strict, share, root"]),
            ({"plain": "3"}, ["no option 'plain'"]),
            ({"fold": "one"}, ["'fold' of 'plug' cannot be 'one'", "list of a whole number (a+b+c)"]),
            ({"mode": "medium"}, ["'mode' of 'plug' cannot be 'medium'", "fast | slow: how"]),
            ({"strict": "perhaps"}, ["'strict'", "true | false"]),
            ({"share": "half"}, ["'share'", "a number"]),
            ({"share": "none"}, ["'share'"]),
        ],
    )
    def test_a_wrong_one_is_refused_with_what_is_right(self, values, words):
        with pytest.raises(MerbenchError) as caught:
            build(Plugin, "plug", values)
        for word in words:
            assert word in str(caught.value)

    def test_a_spec_is_a_name_and_pairs(self):
        assert split_spec("a/b") == ("a/b", {})
        assert split_spec("a/b:x=1, y=2+3,z=a=b") == ("a/b", {"x": "1", "y": "2+3", "z": "a=b"})

    @pytest.mark.parametrize("spec", ["a:x", "a:=1", "a:x=1,y"])
    def test_a_pair_without_its_halves_is_refused(self, spec):
        with pytest.raises(MerbenchError, match="is not key=value; write name:key=value,key=value"):
            split_spec(spec)


class TestIdentity:
    def test_defaults_count_and_places_on_this_machine_do_not(self):
        assert canonical(made(root="/data")) == {
            "fold": [10], "kind": None, "mode": "fast", "strict": False, "share": 0.5,
        }  # fmt: skip

    def test_only_what_changes_the_draw_enters_the_random_key(self):
        assert canonical(made(kind="rain"), draw_only=True) == {"fold": [10], "kind": "rain"}

    def test_how_a_value_was_written_does_not_matter(self):
        assert canonical(made(fold="1+3")) == canonical(made(fold=[1, 3])) == canonical(Plugin(fold=(1, 3)))

    def test_the_card_lists_type_default_and_help(self):
        assert describe(Plugin)[0] == ("fold", "list of a whole number (a+b+c)", "[10]", "which folds")
        assert ("mode", "fast | slow", "fast", "how") in describe(Plugin)
        assert ("root", "a path", "None", "where it lies") in describe(Plugin)
        assert has_option(Plugin, "fold")
        assert not has_option(Plugin, "plain")


class TestResources:
    def test_the_folder_that_was_given_wins(self, tmp_path, monkeypatch):
        (tmp_path / "plugin-data").mkdir()
        monkeypatch.setenv("MERBENCH_DATA", str(tmp_path))
        assert located(made(root="/given"), "root") == Path("/given")

    def test_otherwise_the_one_below_merbench_data(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MERBENCH_DATA", str(tmp_path))
        assert located(made(), "root") is None
        (tmp_path / "plugin-data").mkdir()
        assert located(made(), "root") == tmp_path / "plugin-data"

    def test_without_either_there_is_none(self, monkeypatch):
        monkeypatch.delenv("MERBENCH_DATA", raising=False)
        assert located(made(), "root") is None
