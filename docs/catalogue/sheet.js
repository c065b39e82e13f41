"use strict";
const root = document.documentElement;
root.classList.add("scripted");

// Light and dark.
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// What is shown: a family, and names that contain something.
const choices = document.querySelector(".choices");
const find = document.getElementById("find");
function filter() {
  const family = choices.querySelector(":checked").value;
  const part = find.value.trim().toLowerCase();
  let any = false;
  for (const section of document.querySelectorAll("section")) {
    let some = false;
    for (const article of section.querySelectorAll("article")) {
      article.hidden = !article.dataset.name.includes(part);
      some ||= !article.hidden;
    }
    section.hidden = !some || (family !== "" && family !== section.dataset.family);
    any ||= !section.hidden;
  }
  document.getElementById("none").hidden = any;
  stop();
}
choices.addEventListener("change", filter);
find.addEventListener("input", filter);
// An address leads to its corruption whatever is filtered.
addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1));
  if (!target || target.offsetParent) return;
  choices.querySelector("input").checked = true;
  find.value = "";
  filter();
  target.scrollIntoView();
});

// A strip of sounds is decoded once, and its clips are played from it to the sample. Films run along.
const CLIP = Number(document.body.dataset.clip);
const STEP = CLIP + Number(document.body.dataset.pause);
const FADE = 0.01; // seconds, so that a change of tile does not click
for (const film of document.querySelectorAll("video")) film.controls = false;
const decoded = new Map();
let context = null;
let wanted = null; // the button that was pressed last, also while its strip is being decoded
let playing = null; // {button, began, end, sound, film}: `began` is when the clip began, or would have

const now = () => performance.now() / 1000;

function bytes(media) {
  return Uint8Array.from(atob(media.src.split(",")[1]), (letter) => letter.charCodeAt(0));
}

async function strip(audio) {
  context ||= new AudioContext();
  if (!decoded.has(audio)) decoded.set(audio, context.decodeAudioData(bytes(audio).buffer));
  const buffer = await decoded.get(audio);
  await context.resume();
  return buffer;
}

async function play(button) {
  const figure = button.closest("figure");
  const audio = figure.querySelector("audio"), film = figure.querySelector("video");
  wanted = button;
  const buffer = audio && (await strip(audio));
  if (wanted !== button) return;
  const together = playing && playing.button.parentElement === button.parentElement;
  const from = together ? Math.min(now() - playing.began, CLIP) : 0;
  stop();
  wanted = button;
  const sound = buffer && start(buffer, STEP * button.dataset.severity + from, CLIP - from);
  if (film) move(film, from);
  const end = setTimeout(stop, 1000 * (CLIP - from));
  playing = { button, began: now() - from, end, sound, film };
  button.setAttribute("aria-pressed", "true");
  requestAnimationFrame(follow);
}

function start(buffer, from, length) {
  const source = new AudioBufferSourceNode(context, { buffer });
  const gain = new GainNode(context, { gain: 0 });
  source.connect(gain).connect(context.destination);
  gain.gain.setTargetAtTime(1, context.currentTime, FADE / 3);
  source.start(0, from, length);
  return { source, gain };
}

function move(film, from) {
  // Safari plays no film from a data address.
  if (film.src.startsWith("data:")) film.src = URL.createObjectURL(new Blob([bytes(film)], { type: "video/webm" }));
  film.currentTime = from;
  film.play().catch((reason) => {
    if (reason.name !== "AbortError") throw reason; // it was stopped before it began
  });
  film.classList.add("moving");
}

function stop() {
  wanted = null;
  if (!playing) return;
  const { button, end, sound, film } = playing;
  playing = null;
  clearTimeout(end);
  button.setAttribute("aria-pressed", "false");
  if (sound) {
    sound.gain.gain.setTargetAtTime(0, context.currentTime, FADE / 3);
    sound.source.stop(context.currentTime + FADE);
  }
  if (film) {
    film.pause();
    film.classList.remove("moving");
  }
}

function follow() {
  if (!playing) return;
  const at = (now() - playing.began) / CLIP;
  playing.button.style.setProperty("--at", Math.min(at, 1).toFixed(4));
  requestAnimationFrame(follow);
}

for (const group of document.querySelectorAll(".buttons")) {
  const buttons = [...group.children];
  const choose = (index) => {
    buttons.forEach((button, i) => (button.tabIndex = i === index ? 0 : -1));
    buttons[index].focus();
  };
  buttons.forEach((button, i) => (button.tabIndex = i ? -1 : 0)); // one stop per strip for the Tab key
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    choose(buttons.indexOf(button));
    if (wanted === button) stop();
    else play(button);
  });
  group.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) choose(Math.max(0, Math.min(buttons.length - 1, to)));
    else if (event.key in buttons) {
      choose(Number(event.key));
      play(buttons[event.key]);
    } else if (event.key === "Escape") stop();
    else return;
    event.preventDefault();
  });
}
