"""Plug-ins are found by name, loaded when first used, and never shadow each other."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod
from importlib.metadata import EntryPoint

import pytest

from merbench import registry as module
from merbench.corruption import Corruption, corruptions
from merbench.errors import MerbenchError
from merbench.registry import Registry


class Tool(ABC):
    name: str

    @abstractmethod
    def work(self) -> str: ...


HEAD = "from tests.foundations.test_registry import Tool\n"
GOOD = HEAD + "class {0}(Tool):\n    def work(self):\n        return '{0}'\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make packages importable and known as entry points; returns a fresh registry over them."""
    monkeypatch.syspath_prepend(tmp_path)
    points = []
    monkeypatch.setattr(module, "entry_points", lambda group: points)

    def add(package: str, files: dict[str, str], *, provider: str | None = None) -> Registry[Tool]:
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        points.append(EntryPoint(provider or package, package, "tools"))
        return Registry("tool", "tools", Tool)

    yield add
    for name in [n for n in sys.modules if n.split(".")[0].startswith("pack_")]:
        del sys.modules[name]


def test_a_file_is_a_plugin_and_its_path_is_its_name(install):
    tools = install("pack_a", {"saw.py": GOOD.format("Saw"), "drill/hand_drill.py": GOOD.format("Drill")})
    assert tools.names() == ["drill/hand_drill", "saw"]
    assert tools["drill/hand_drill"]().work() == "Drill"
    assert tools["saw"].name == "saw"


def test_files_with_an_underscore_are_private(install):
    tools = install("pack_b", {"saw.py": GOOD.format("Saw"), "_help.py": "", "_inner/x.py": ""})
    assert tools.names() == ["saw"]


def test_nothing_is_imported_before_it_is_asked_for(install):
    tools = install("pack_c", {"saw.py": GOOD.format("Saw"), "broken.py": "raise RuntimeError('no')"})
    assert tools.names() == ["broken", "saw"]
    assert "saw" in tools
    assert not any(name.startswith("pack_c.") for name in sys.modules)
    assert tools["saw"]
    with pytest.raises(
        MerbenchError, match=r"'broken' cannot be imported: RuntimeError: no; mend pack_c\.broken"
    ):
        _ = tools["broken"]


@pytest.mark.parametrize("spelling", ["hand_drill", "hand-drill", "Hand_Drill"])
def test_spellings_that_mean_the_same_find_the_same(install, spelling):
    tools = install("pack_d", {"hand_drill.py": GOOD.format("Drill")})
    assert tools[spelling].name == "hand_drill"
    assert spelling in tools


def test_two_of_one_name_are_an_error_that_names_both(install):
    install("pack_e", {"saw.py": GOOD.format("Saw")}, provider="one")
    tools = install("pack_f", {"saw.py": GOOD.format("Other")}, provider="two")
    with pytest.raises(MerbenchError) as caught:
        tools.names()
    for word in ("two tools are named 'saw'", "pack_e.saw (from 'one')", "pack_f.saw (from 'two')", "rename"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "hint"), [("drill/hand_dril", "did you mean drill/hand_drill"), ("saw_", "did you mean saw")]
)
def test_a_near_miss_gets_a_suggestion(install, asked, hint):
    tools = install("pack_g", {"saw.py": GOOD.format("Saw"), "drill/hand_drill.py": GOOD.format("Drill")})
    with pytest.raises(MerbenchError, match=f"there is no tool named '{asked}'; {hint}"):
        _ = tools[asked]


def test_the_last_part_of_a_name_is_enough_for_a_suggestion(install):
    tools = install("pack_h", {"drill/hand_drill.py": GOOD.format("Drill")})
    with pytest.raises(MerbenchError, match="did you mean drill/hand_drill"):
        _ = tools["hand-drill"]


def test_a_wild_guess_gets_the_list(install):
    tools = install("pack_i", {"saw.py": GOOD.format("Saw"), "file.py": GOOD.format("File")})
    with pytest.raises(MerbenchError, match="choose one of file, saw"):
        _ = tools["zzzzzzzz"]


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), (GOOD.format("A") + GOOD.format("B"), 2), (HEAD + "class A(Tool): pass\n", 0)],
)
def test_a_file_defines_exactly_one_concrete_class(install, text, count):
    tools = install("pack_j", {"saw.py": text})
    with pytest.raises(MerbenchError, match=f"defines {count} concrete Tool classes; a tool is one file"):
        _ = tools["saw"]


def test_an_imported_class_is_not_a_second_one(install):
    tools = install(
        "pack_k",
        {"saw.py": GOOD.format("Saw"), "big.py": "from pack_k.saw import Saw\n" + GOOD.format("Big")},
    )
    assert tools["big"]().work() == "Big"


def test_what_is_broken_is_named_with_the_reason_and_takes_nothing_along(install):
    install("pack_l", {"__init__.py": "raise KeyError('gone')", "tools/__init__.py": ""})
    tools = install(
        "pack_m",
        {
            "saw.py": GOOD.format("Saw"),
            "broken.py": "raise RuntimeError('no')",
            "quits.py": "raise SystemExit",
        },
    )
    module.entry_points("tools")[0] = EntryPoint("ruin", "pack_l.tools", "tools")
    assert tools["saw"]().work() == "Saw"
    broken = {name: str(error) for name, error in tools.broken().items()}
    assert broken.keys() == {"broken", "quits", "ruin"}
    assert "RuntimeError: no" in broken["broken"]
    assert "SystemExit" in broken["quits"]
    assert "'ruin'" in broken["ruin"] and "KeyError: 'gone'" in broken["ruin"]


@pytest.mark.parametrize("package", ["no_such_package", "no_such_package.plugins"])
def test_an_entry_point_to_nowhere_is_an_error_that_names_it(monkeypatch, package):
    point = EntryPoint("ghost", package, "tools")
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    tools = Registry("tool", "tools", Tool)
    with pytest.raises(MerbenchError, match=f"no tool named 'saw'.*'ghost' names '{package}', which is not"):
        _ = tools["saw"]
    assert list(tools.broken()) == ["ghost"]


def test_a_folder_of_data_that_hides_a_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "hidden_tools").mkdir()
    (tmp_path / "hidden_tools" / "page.md").write_text("no plug-in\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("ghost", "hidden_tools", "tools")
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    with pytest.raises(MerbenchError, match=r"'hidden_tools', of .*'ghost', is hidden by .*hidden_tools"):
        _ = Registry("tool", "tools", Tool)["saw"]


class TestTheBuiltInCatalogue:
    def test_it_holds_one_corruption_of_every_family(self):
        assert set(corruptions.names()) >= {
            "audio/environment",
            "audio/urban_noise",
            "modality/dropout",
            "text/typo",
            "vision/occlusion_mask",
        }

    def test_every_name_loads_a_corruption(self):
        for name in corruptions.names():
            assert issubclass(corruptions[name], Corruption)
            assert corruptions[name].name == name

    def test_listing_imports_nothing_heavy(self):
        code = (
            "import sys; from merbench.corruption import corruptions; from merbench.datasets import datasets;"
            "from merbench.models import models; corruptions.names(), datasets.names(), models.names();"
            "print([m for m in ('torch', 'scipy', 'numba', 'cv2', 'av', 'pandas', 'sklearn', 'soundfile',"
            "'pyarrow', 'corruptions.audio.urban_noise') if m in sys.modules])"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip() == "[]"

    def test_reading_every_card_does_not_compile_anything(self):
        code = (
            "import sys; from merbench.corruption import corruptions;"
            "[corruptions[name] for name in corruptions.names()];"
            "print([m for m in ('torch', 'scipy', 'numba') if m in sys.modules])"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.strip() == "[]"
