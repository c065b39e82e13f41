"""The catalogue and the pages of the corruptions: complete, up to date, and all of it plays in a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs import cards
from docs.catalogue import pages
from docs.catalogue.exhibits import DOCS, exhibits
from docs.catalogue.sheet import SHEET
from docs.catalogue.texts import changes
from merbench.corruption import corruptions
from tests.corruptions import outside
from tests.devtools import opened

# A strip of sounds should be six clips that are not silent, with silence after each.
DEFECTS = """
const CLIP = Number(document.body.dataset.clip), PAUSE = Number(document.body.dataset.pause);
const defects = [];
const settled = (media) => media.error || media.readyState >= media.HAVE_CURRENT_DATA
  || new Promise((done) => (media.onloadeddata = media.onerror = done));
for (const image of document.images) {
  const name = image.closest("article").dataset.name;
  await image.decode().catch(() => defects.push(name + ": the picture does not decode"));
  if (image.complete && image.naturalWidth !== Number(image.getAttribute("width")))
    defects.push(name + ": the picture is not as wide as it should be");
}
const context = new OfflineAudioContext(1, 1, 16000);
for (const audio of document.querySelectorAll("audio")) {
  const name = audio.closest("article").dataset.name;
  const bytes = Uint8Array.from(atob(audio.src.split(",")[1]), (letter) => letter.charCodeAt(0));
  const buffer = await context.decodeAudioData(bytes.buffer).catch(() => null);
  await settled(audio);
  if (buffer === null || audio.error) {
    defects.push(name + ": the sound does not decode");
    continue;
  }
  const wanted = 6 * (CLIP + PAUSE);
  if (Math.abs(buffer.duration - wanted) > 0.1 || Math.abs(audio.duration - wanted) > 0.1)
    defects.push(name + ": the sound is not as long as it should be");
  const samples = buffer.getChannelData(0);
  const loudness = (from, to) => {
    const part = samples.subarray(from * 16000, to * 16000);
    return Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / part.length);
  };
  for (let i = 0; i < 6; i++) {
    const start = i * (CLIP + PAUSE), end = start + CLIP;
    const clip = loudness(start, end), pause = loudness(end + PAUSE / 3, end + PAUSE / 2);
    if (!(clip > 0.001 && pause < clip / 20)) defects.push(`${name}: clip ${i} is not where it should be`);
  }
}
for (const film of document.querySelectorAll("video")) {
  const name = film.closest("article").dataset.name;
  await settled(film);
  if (film.error) defects.push(name + ": the film does not decode");
  else if (film.videoWidth !== 1016 || Math.abs(film.duration - CLIP) > 0.01)
    defects.push(name + ": the film is not as wide or as long as it should be");
}
const count = (what) => document.querySelectorAll(what).length;
return {defects, images: document.images.length, sounds: count("audio"), films: count("video")};
"""


@pytest.fixture(scope="module", autouse=True)
def _nothing_on_this_machine():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MERBENCH_DATA", raising=False)
        yield


@pytest.fixture(scope="module")
def shown():
    return exhibits()


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with opened(SHEET, tmp_path_factory.mktemp("catalogue")) as tab:
        yield tab


def test_every_built_in_corruption_has_a_page_that_all_of_them_lead_to(shown):
    built_in = {name for name in corruptions.names() if corruptions.entry(name).provider == "builtin"}
    assert {exhibit.name for exhibit in shown} == built_in
    overview, sheet = pages.OVERVIEW.read_text(encoding="utf-8"), SHEET.read_text(encoding="utf-8")
    for exhibit in shown:
        assert exhibit.page.is_file()
        assert f"](corruptions/{exhibit.name}.md)" in overview
        assert f'<article id="{exhibit.slug}"' in sheet


def test_nothing_is_left_out_but_what_needs_outside_data(shown):
    assert {exhibit.name for exhibit in shown if exhibit.needs} == set(outside.WRITERS)
    for exhibit in shown:
        assert bool(exhibit.needs) != (exhibit.seen or exhibit.read)
        assert all(path.is_file() for path in exhibit.media)


def test_the_media_stay_small(shown):
    assert sum(path.stat().st_size for exhibit in shown for path in exhibit.media) < 3_000_000
    assert SHEET.stat().st_size < 4_000_000


def test_another_version_asks_for_other_pictures(monkeypatch):
    monkeypatch.setattr(corruptions["vision/fog"], "version", 99)
    changed = exhibits()
    stale = [
        exhibit.name
        for exhibit in changed
        if exhibit.media and not pages.media_are_of(exhibit, exhibit.page.read_text(encoding="utf-8"))
    ]
    assert stale == ["vision/fog"]
    texts = {exhibit.page: pages.page(exhibit) for exhibit in changed if exhibit.name == "vision/fog"}
    with pytest.raises(SystemExit, match=r"docs/corruptions/vision/fog\.md is not what the cards say"):
        cards.check(changed, texts)


def test_a_page_of_no_corruption_is_found(shown, monkeypatch, tmp_path):
    shutil.copytree(DOCS / "corruptions", tmp_path / "corruptions")
    monkeypatch.setattr(cards, "DOCS", tmp_path)
    (tmp_path / "corruptions" / "audio" / "gone.md").write_text("# audio/gone\n")
    moved = {path.relative_to(tmp_path) for path in cards.left_over(shown)}
    assert Path("corruptions/audio/gone.md") in moved


@given(st.lists(st.sampled_from(["I", "am", "glad,", "我", "很", "高兴", "😂"])), st.data())
def test_what_is_marked_as_the_same_and_new_is_the_text(words, data):
    before = " ".join(words)
    after = " ".join(data.draw(st.permutations(words))[: data.draw(st.integers(0, len(words)))])
    pieces = list(changes(before, after))
    written = "".join(piece for kind, piece in pieces if kind != "gone")
    assert written.split() == after.split() or "".join(written.split()) == "".join(after.split())
    assert all(piece.strip() == piece for kind, piece in pieces if kind != "same")


def test_every_picture_and_sound_loads_and_nothing_complains(tab, shown):
    found = tab.run(DEFECTS)
    assert found["defects"] == []
    assert found["images"] == sum(exhibit.seen for exhibit in shown) > 30
    assert found["sounds"] == sum(exhibit.heard for exhibit in shown) > 15
    assert found["films"] == sum(exhibit.moves for exhibit in shown) > 15
    assert tab.complaints == []


def test_a_broken_picture_sound_or_film_is_found(tmp_path):
    text = SHEET.read_text(encoding="utf-8")
    text = text.replace("data:image/webp;base64,UklGR", "data:image/webp;base64,AAAAA", 1)
    sound = re.search(r'data:audio/mpeg;base64,[^"]*', text)
    assert sound is not None
    text = text.replace(sound[0], sound[0][: len(sound[0]) // 2], 1)
    text = text.replace("data:video/webm;base64,GkXf", "data:video/webm;base64,AAAA", 1)
    broken = tmp_path / "broken.html"
    broken.write_text(text, encoding="utf-8")
    with opened(broken, tmp_path) as tab:
        defects = tab.run(DEFECTS)["defects"]
    assert "audio/babble: the picture does not decode" in defects
    assert any(one.startswith("audio/babble: the sound") for one in defects)
    assert [one for one in defects if not one.startswith("audio/babble")] == [
        "compound/all_at_once: the film does not decode"
    ]


def test_it_asks_for_nothing_from_outside():
    text = SHEET.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not [
        a for a in re.findall(r'(?:src|href)="([^"]{1,40})', text) if not a.startswith(("data:", "#"))
    ]


def test_a_tile_plays_and_the_next_one_goes_on_from_there(tab):
    found = tab.run(
        """
        const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
        const tiles = document.querySelector("#audio-white .buttons").children;
        const at = (tile) => Number(tile.style.getPropertyValue("--at"));
        const pressed = () => [...tiles].findIndex((tile) => tile.ariaPressed === "true");
        const told = [];
        tiles[3].click(); await sleep(.5); told.push([pressed(), at(tiles[3])]);
        tiles[5].click(); await sleep(.3); told.push([pressed(), at(tiles[5])]);
        tiles[5].click(); await sleep(.1); told.push([pressed()]);
        return told;
        """
    )
    (first, reached), (second, further), (stopped,) = found
    assert (first, second, stopped) == (3, 5, -1)
    assert 0 < reached < further < 1
    assert tab.complaints == []


def test_frames_move_with_the_sound_and_without_it(tab):
    found = tab.run(
        """
        const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
        const told = [];
        for (const id of ["compound-street", "vision-fog"]) {
          const film = document.querySelector(`#${id} video`), tile = document.querySelector(`#${id} button`);
          tile.click(); await sleep(.4);
          told.push([!film.paused, film.currentTime > .1, getComputedStyle(film).visibility]);
          tile.click(); await sleep(.1);
          told.push([!film.paused, getComputedStyle(film).visibility]);
        }
        return told;
        """
    )
    assert found == [[True, True, "visible"], [False, "hidden"]] * 2
    assert tab.complaints == []


def test_the_keyboard_reaches_every_tile(tab):
    found = tab.run(
        """
        const tiles = [...document.querySelectorAll("#audio-gain .buttons button")];
        const press = (key) => document.activeElement.dispatchEvent(
          new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
        const told = [tiles.filter((tile) => tile.tabIndex === 0).length];
        tiles[0].focus();
        for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home"]) {
          press(key);
          told.push(tiles.indexOf(document.activeElement));
        }
        press("4"); await new Promise((done) => setTimeout(done, 300));
        told.push(tiles.findIndex((tile) => tile.ariaPressed === "true"));
        press("Escape");
        told.push(tiles.findIndex((tile) => tile.ariaPressed === "true"));
        return told;
        """
    )
    assert found == [1, 1, 2, 1, 5, 5, 0, 4, -1]


def test_families_and_names_are_filtered(tab):
    found = tab.run(
        """
        const visible = () => [...document.querySelectorAll("article")]
          .filter((one) => one.offsetParent).map((one) => one.dataset.name);
        const find = document.getElementById("find");
        const look = (part) => {
          find.value = part;
          find.dispatchEvent(new Event("input"));
          return visible();
        };
        const all = visible();
        document.querySelector('[name=family][value=vision]').click();
        const told = {all, vision: visible(), noise: look("noise"), none: look("nothing")};
        told.said = !document.getElementById("none").hidden;
        location.hash = "audio-pink";
        await new Promise((done) => setTimeout(done, 50));
        told.again = visible().length;
        return told;
        """
    )
    assert found["all"] == [exhibit.name for exhibit in exhibits()]
    assert found["vision"] == [name for name in found["all"] if name.startswith("vision/")]
    assert found["noise"] == ["vision/gaussian_noise", "vision/shot_noise"]
    assert (found["none"], found["said"]) == ([], True)
    assert found["again"] == len(found["all"])


def test_light_dark_and_a_phone(tmp_path):
    look = """
    const colour = () => getComputedStyle(document.body).backgroundColor;
    const told = [colour()];
    document.getElementById("theme").click();
    told.push(colour(), document.documentElement.scrollWidth <= innerWidth);
    return told;
    """
    with opened(SHEET, tmp_path, width=500, dark=True) as tab:
        assert tab.run(look) == ["rgb(18, 23, 29)", "rgb(255, 255, 255)", True]
