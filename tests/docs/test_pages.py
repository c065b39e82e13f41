"""What the pages say is what the committed runs say."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processors import OLDER, environment

ROOT = Path(__file__).parents[2]


def load_tables():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load_tables()


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_table_follows_from_its_predictions(page):
    assert tables.filled(page) == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("processor", OLDER)
def test_the_same_tables_come_from_another_processor(processor):
    env = environment(processor)
    if env is None:
        pytest.skip("this processor has none of these instructions: it is the other processor")
    subprocess.run([sys.executable, ROOT / "docs" / "tables.py", "--check"], env=env, check=True)


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_inside_the_repository_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} is not there"


def test_the_readme_shows_a_table_of_a_committed_run():
    assert tables.TABLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_the_page_of_corruptions_is_what_the_cards_say():
    subprocess.run([sys.executable, ROOT / "docs" / "cards.py", "--check"], check=True)
