"""The pages: nothing on them can be made up by a stranger, and a thousand models are no burden."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from merbench.errors import MerbenchError
from merbench.leaderboard.board import SETTINGS, find_boards, row_name
from merbench.leaderboard.row import Row, Statement
from merbench.leaderboard.site import build_site
from merbench.record.reading import read_record
from merbench.record.store import write_record
from tests.browser import open_page
from tests.leaderboard.conftest import edit

HOME = Path(__file__).parents[2] / "leaderboards"
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&"


def rows_on(dom: str, board: str) -> list[str]:
    """The models of a board in the order in which the page shows them."""
    section = dom.split(f'data-board="{board}"')[1].split("</section>")[0]
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', section)


def add_variants(board: Path, row: Path, count: int) -> None:
    """Fill a board with rows that differ in name, recipe and scores; they need not be true to be shown."""
    first = read_record(row, Row)
    for i in range(count):
        score = {
            name: score.model_copy(update={"noisy": (i * 37 % count) / count, "drop": i / count})
            for name, score in first.figures.overall.items()
        }
        model = first.model.model_copy(update={"name": f"model {i:04d}", "fingerprint": f"{i:064x}"[::-1]})
        path = board / f"{row_name(model)}.json"
        file = first.predictions.model_copy(update={"file": f"{path.stem}.parquet"})
        new = first.model_copy(
            update={
                "model": model,
                "marks": [],
                "predictions": file,
                "statement": Statement(recipe=("clean", "noise")[i % 2]),
                "figures": first.figures.model_copy(update={"overall": score}),
            }
        )
        path.write_text(new.model_dump_json(), encoding="utf-8")


@pytest.fixture
def evil(board, row) -> Path:
    """A board whose every text is hostile."""
    found = read_record(row, Row)
    spoilt = found.model_copy(
        update={
            "model": found.model.model_copy(update={"name": EVIL, "labels": [EVIL]}),
            "marks": [mark.model_copy(update={"why": EVIL}) for mark in found.marks],
            "statement": Statement(
                about=EVIL, licence=EVIL, submitter=EVIL, bibtex=EVIL, url="https://example.org/?a='b&c"
            ),
        }
    )
    row.unlink()
    write_record(board / f"{row_name(spoilt.model)}.json", spoilt)
    settings = json.loads((board / SETTINGS).read_text())
    settings |= {"title": EVIL, "about": EVIL, "evaluate": EVIL}
    (board / SETTINGS).write_text(json.dumps(settings))
    return board


def test_every_text_is_escaped(evil, tmp_path):
    build_site([evil], tmp_path / "site")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) == 2
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<img" not in text
        assert "owned'</script>" not in text
        assert text.count("<script") == (2 if page.name == "index.html" else 0)


def test_hostile_texts_do_nothing_in_the_browser(evil, tmp_path):
    build_site([evil], tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        shown = open_page(page, tmp_path)
        title = re.search(r"<title>(.*?)</title>", shown.dom, re.DOTALL)
        assert title is not None
        assert title[1] != "owned"
        assert shown.console == ()
        assert "<img" not in shown.dom


def test_the_shipped_boards_show_in_both_themes_and_on_a_phone(tmp_path):
    entries = build_site(find_boards(HOME), tmp_path / "site")
    pages = list((tmp_path / "site").glob("*/*.html"))
    assert len(pages) == entries
    for page, dark, width in ((tmp_path / "site" / "index.html", False, 1280), (pages[0], True, 500)):
        probe = "document.title = document.documentElement.scrollWidth <= innerWidth ? 'fits' : 'overflows'"
        shown = open_page(page, tmp_path, dark=dark, width=width, probe=probe)
        assert shown.console == ()
        assert "<title>fits</title>" in shown.dom
        assert "<path" in shown.dom
    index = open_page(tmp_path / "site" / "index.html", tmp_path)
    assert rows_on(index.dom, "synthetic")[-1] == "majority"


def test_an_address_chooses_what_is_shown(board, row, tmp_path):
    add_variants(board, row, 20)
    build_site([board], tmp_path / "site")
    page = tmp_path / "site" / "index.html"
    ranked = rows_on(open_page(page, tmp_path).dom, "typos")
    scores = {f"model {i:04d}": (i * 37 % 20) / 20 for i in range(20)}
    ours = [name for name in ranked if name in scores]
    assert len(ranked) == 21
    assert ours == sorted(scores, key=lambda name: -scores[name])
    view = open_page(page, tmp_path, address="recipe=noise&find=000&sort=drop&down=0")
    assert rows_on(view.dom, "typos") == [f"model {i:04d}" for i in range(1, 10, 2)]
    assert view.console == ()


@pytest.mark.slow
def test_a_thousand_rows_render_and_sort_at_once(board, row, tmp_path):
    add_variants(board, row, 1000)
    started = time.process_time()  # a busy machine is no defect
    assert build_site([board], tmp_path / "site") == 1001
    assert time.process_time() - started < 5
    probe = """
        const body = document.querySelector("tbody"), spent = [];
        const timed = (act) => { const t = performance.now(); act(); body.offsetHeight;
                                 spent.push(performance.now() - t); };
        for (const key of ["drop", "clean", "name"])
            timed(() => document.querySelector(`th[data-key="${key}"] button`).click());
        timed(() => { form.elements.metric.value = "accuracy";
                      form.dispatchEvent(new Event("input", { bubbles: true })); });
        timed(() => { form.elements.find.value = "99";
                      form.dispatchEvent(new Event("input", { bubbles: true })); });
        document.title = "slowest " + Math.max(...spent) + " rows " + body.rows.length;
    """
    shown = open_page(tmp_path / "site" / "index.html", tmp_path, probe=probe)
    title = re.search(r"<title>slowest ([\d.]+) rows (\d+)</title>", shown.dom)
    assert title is not None, shown.console
    assert int(title[2]) == sum("99" in f"model {i:04d}" for i in range(1000))
    assert float(title[1]) < 1000  # ms; a glance


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda r: r["suite"].update(content_root="f" * 64), "another suite"),
        (lambda r: r.update(board="../../elsewhere"), "board"),
        (lambda r: r.update(board="elsewhere"), "belongs to elsewhere"),
        (lambda r: r["model"].update(name="../../x"), "row of"),
        (lambda r: r["predictions"].update(file="../x.parquet"), "predictions.file"),
        (lambda r: r["figures"]["overall"].pop("uar"), "figures.overall"),
    ],
)
def test_a_row_that_does_not_belong_here_is_not_shown(board, row, tmp_path, change, expected):
    edit(row, change)
    with pytest.raises(MerbenchError, match=expected):
        build_site([board], tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_data_are_there_for_machines(merbench, board, tmp_path):
    outcome = merbench("leaderboard", "render", board, "--out", tmp_path / "site", "--json")
    assert json.loads(outcome.out)["entries"] == 1
    (found,) = json.loads((tmp_path / "site" / "data.json").read_text())
    whole = {**found["rows"][0], "suite": found["board"]["suite"]}
    assert Row.model_validate_json(json.dumps(whole)).board == "typos"


def test_boards_without_rows_or_intervals_show_too(board, row, tmp_path):
    empty = tmp_path / "boards" / "empty"
    empty.mkdir(parents=True)
    (empty / SETTINGS).write_bytes((board / SETTINGS).read_bytes())
    assert build_site([empty], tmp_path / "empty") == 0
    found = read_record(row, Row).model_dump(mode="json")
    nothing = {"low": None, "high": None}
    spread = dict.fromkeys(("clean", "noisy", "drop"), nothing)
    found["figures"]["overall_spread"] = spread
    for family in found["figures"]["families"]:
        family["spread"] = spread
    row.write_text(json.dumps(found))
    build_site([board], tmp_path / "site")
    (page,) = (tmp_path / "site" / "typos").glob("*.html")
    assert "no interval" in page.read_text(encoding="utf-8")
