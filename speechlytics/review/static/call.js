// The page of a call: one audio element is the clock; waveform, words and screen follow it.

import WaveSurfer from "./vendor/wavesurfer-8.0.1.esm.js";
import Regions from "./vendor/wavesurfer-regions-8.0.1.esm.js";
import Timeline from "./vendor/wavesurfer-timeline-8.0.1.esm.js";

const page = document.getElementById("call");
const audio = document.getElementById("audio");
const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clock = (s) => {
  const t = Math.max(0, Math.floor(s)), h = Math.floor(t / 3600);
  const rest = String(t % 60).padStart(2, "0"), m = Math.floor(t / 60) % 60;
  return h ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
};

// --- moving -----------------------------------------------------------------------------------

let silent = 0; // where a call without a recording was clicked, ms
const position = () => (audio ? audio.currentTime * 1000 : silent);

function whenSeekable(then) {
  if (audio.readyState >= HTMLMediaElement.HAVE_METADATA) then();
  else audio.addEventListener("loadedmetadata", then, { once: true });
}

function jump(ms, play = true) {
  if (!audio) {
    silent = ms;
    return follow(true);
  }
  whenSeekable(() => {
    audio.currentTime = Math.min(ms / 1000, audio.duration || Infinity);
    if (play) audio.play().catch(() => {});
    follow(true);
  });
}

document.addEventListener("click", (event) => {
  const word = event.target.closest(".w");
  if (word) return jump(Number(word.dataset.start));
  const target = event.target.closest("[data-jump]");
  if (target) return jump(Number(target.dataset.jump));
  const seek = event.target.closest("[data-seek]");
  if (seek && audio) jump(Math.max(0, (audio.currentTime + Number(seek.dataset.seek)) * 1000), !audio.paused);
});

function toggle() {
  if (audio.paused) audio.play().catch(() => {});
  else audio.pause();
}

// --- words that are being said ------------------------------------------------------------------

const words = [...document.querySelectorAll(".w")]
  .map((node) => ({ node, start: Number(node.dataset.start), end: Number(node.dataset.end) }))
  .sort((a, b) => a.start - b.start);
const items = [...document.querySelectorAll("#turns > li")]
  .map((node) => ({ node, start: Number(node.dataset.start), end: Number(node.dataset.end) }));
let lit = [], here = null;

function saying(ms) {
  let low = 0, high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= ms) low = middle + 1; else high = middle;
  }
  const found = [];
  // Both may speak: look a few words back.
  for (let i = low - 1; i >= Math.max(0, low - 12); i--) if (words[i].end > ms) found.push(words[i].node);
  return found;
}

function follow(force = false) {
  const ms = position();
  if (audio) $("now").textContent = clock(ms / 1000);
  const now = saying(ms);
  if (now.length !== lit.length || now.some((node, i) => node !== lit[i])) {
    lit.forEach((node) => node.classList.remove("lit"));
    now.forEach((node) => node.classList.add("lit"));
    lit = now;
  }
  let current = null;
  for (const item of items) if (item.start <= ms + 1) current = item; else break;
  if (current && current !== here) {
    here?.node.classList.remove("now");
    current.node.classList.add("now");
    here = current;
    if ($("follow").checked || force) current.node.scrollIntoView({ block: "nearest", behavior: "instant" });
  }
  showScreen(ms);
}

// --- the agent's screen -------------------------------------------------------------------------

let shots = [], shown = -1;

function showScreen(ms) {
  if (!shots.length) return;
  let at = -1;
  shots.forEach((shot, i) => {
    if (shot.start_ms <= ms && ms < (shot.end_ms ?? Infinity)) at = i;
  });
  const image = $("screen-image"), video = $("screen-video");
  const shot = shots[at];
  if (at !== shown) {
    shown = at;
    $("screen-none").hidden = Boolean(shot);
    $("screen-at").hidden = !shot;
    image.hidden = shot?.kind !== "image";
    video.hidden = shot?.kind !== "video";
    if (video.hidden) video.pause();
    page.dataset.shown = shot ? shot.n : "";
    if (!shot) return;
    const source = `${page.dataset.screen}&n=${shot.n}`;
    if (shot.kind === "image") image.src = source;
    else if (video.getAttribute("src") !== source) video.src = source;
    $("screen-at").textContent = clock(Math.max(0, shot.start_ms) / 1000);
  }
  if (shot?.kind === "video") inStep(video, (ms - shot.start_ms) / 1000);
}

// A video runs by itself while it keeps the pace; only what is out of step is put right.
function inStep(video, wanted) {
  $("screen-at").textContent = clock(position() / 1000);
  if (video.readyState < HTMLMediaElement.HAVE_METADATA) return;
  const away = Math.abs(video.currentTime - wanted);
  const still = !audio || audio.paused;
  if (away > (still ? 0.05 : 0.3) && !video.seeking) video.currentTime = wanted;
  video.playbackRate = audio?.playbackRate ?? 1;
  if (still !== video.paused) still ? video.pause() : video.play().catch(() => {});
}

$("screen")?.addEventListener("click", () => {
  const large = document.querySelector(".player").classList.toggle("large");
  $("screen").setAttribute("aria-pressed", String(large));
});

// --- the waveform -------------------------------------------------------------------------------

function colours() {
  return {
    waveColor: colour("--wave-rest"),
    progressColor: colour("--wave-played"),
    cursorColor: colour("--ink"),
  };
}

function channels(count) {
  const names = ["--agent", "--customer"];
  return Array.from({ length: count }, (_, i) => ({
    ...colours(),
    progressColor: colour(names[i] ?? "--wave-played"),
    height: count > 1 ? 56 : 88,
  }));
}

async function draw() {
  const answer = await fetch(page.dataset.wave);
  if (!answer.ok) throw new Error(String(answer.status));
  const { outline, regions, screens, problem } = await answer.json();
  shots = screens;
  $("screen-video")?.addEventListener("loadedmetadata", () => follow());
  $("screen-video")?.addEventListener("seeked", () => follow());
  if (!audio) return;
  if (problem || !outline) {
    const line = $("problem");
    line.textContent = line.dataset.text.replace("{why}", problem ?? "");
    line.hidden = false;
    if (audio.error) document.querySelector(".sound").classList.add("unheard");
    return;
  }
  if (outline.peaks.length !== 2) $("lane-names").hidden = true;
  const marks = Regions.create();
  const wave = WaveSurfer.create({
    container: "#wave",
    media: audio,
    peaks: outline.peaks.map((row) => row.map((v) => v / 100)),
    duration: outline.duration_ms / 1000,
    ...(outline.peaks.length > 1 ? { splitChannels: channels(outline.peaks.length) } : { ...colours(), height: 88 }),
    barWidth: 2, barGap: 1, barRadius: 1, cursorWidth: 2, hideScrollbar: false,
    cspNonce: page.dataset.nonce,
    plugins: [marks, Timeline.create({ container: "#wave-time", height: 16, secondaryLabelOpacity: 1, style: { fontSize: "10px", color: "var(--soft)" } })],
  });
  wave.once("redrawcomplete", () => { page.dataset.drawn = "true"; });
  const put = () => {
    marks.clearRegions();
    for (const mark of regions) {
      const region = marks.addRegion({
        start: mark.start_ms / 1000, end: mark.end_ms / 1000, drag: false, resize: false,
        color: colour(`--mark-${mark.kind}`) || "transparent",
        channelIdx: mark.kind.startsWith("hit") && outline.peaks.length > 1 ? mark.channel ?? -1 : -1,
      });
      if (region.element) region.element.title = `${mark.label} ${clock(mark.start_ms / 1000)}`;
    }
  };
  // Paper is narrower than the window, and a drawing keeps its pixels: let it shrink.
  const fit = (width) => wave.getWrapper().querySelectorAll("canvas").forEach((canvas) => {
    canvas.dataset.width ??= canvas.style.width;
    canvas.style.width = width ?? canvas.dataset.width;
  });
  addEventListener("beforeprint", () => { wave.zoom(0); fit("100%"); });
  addEventListener("afterprint", () => { fit(null); wave.zoom(Number($("zoom").value)); });
  wave.on("ready", () => { put(); wave.setTime(audio.currentTime); });
  marks.on("region-clicked", (region, event) => { event.stopPropagation(); jump(region.start * 1000); });
  $("zoom").addEventListener("input", (event) => wave.zoom(Number(event.target.value)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    wave.setOptions(outline.peaks.length > 1 ? { splitChannels: channels(outline.peaks.length) } : colours());
    put();
  });
  const quiet = regions.filter((mark) => mark.kind === "silence" || mark.kind === "hold");
  audio.addEventListener("timeupdate", () => {
    if (!$("skip-silence").checked || audio.paused) return;
    const ms = audio.currentTime * 1000;
    const inside = quiet.find((mark) => ms > mark.start_ms + 800 && ms < mark.end_ms - 800);
    if (inside) audio.currentTime = (inside.end_ms - 500) / 1000;
  });
}

// --- keys ---------------------------------------------------------------------------------------

const reasons = [...document.querySelectorAll(".reason[data-jump]")];
let reason = -1;

function step(by) {
  if (!reasons.length) return;
  reason = (reason + by + reasons.length) % reasons.length;
  reasons[reason].focus();
  reasons[reason].click();
}

const form = $("verdict");
function choose(index) {
  const radio = form.querySelectorAll("input[type=radio]")[index];
  radio.checked = true;
  radio.focus();
}

const keys = {
  " ": toggle,
  ArrowLeft: () => jump(Math.max(0, (audio.currentTime - 5) * 1000), !audio.paused),
  ArrowRight: () => jump((audio.currentTime + 5) * 1000, !audio.paused),
  j: () => step(1),
  k: () => step(-1),
  1: () => choose(0), 2: () => choose(1), 3: () => choose(2),
  n: () => form.elements.note.focus(),
  Enter: () => form.requestSubmit(),
  Escape: () => document.querySelector("[data-key=Escape]").click(),
};
const inRussian = { "о": "j", "л": "k", "т": "n" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  if (event.key === "Escape" && target !== document.body) return target.blur();
  const writes = target.closest("textarea, select, input[type=range], summary");
  if (writes) {
    if (target.tagName === "TEXTAREA" && event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  const presses = target.closest("a, button, input[type=checkbox]");
  if (presses && (event.key === "Enter" || event.key === " ")) return;
  const action = keys[inRussian[event.key.toLowerCase()] ?? (event.key.length === 1 ? event.key.toLowerCase() : event.key)];
  if (!action || (!audio && action !== keys.Enter)) return;
  event.preventDefault();
  action();
});

// --- start --------------------------------------------------------------------------------------

if (audio) {
  $("play").addEventListener("click", toggle);
  $("speed").addEventListener("change", (event) => { audio.playbackRate = Number(event.target.value); });
  for (const name of ["play", "pause"]) {
    audio.addEventListener(name, () => {
      $("play").textContent = audio.paused ? $("play").dataset.play : $("play").dataset.pause;
      if (name === "play") tick();
      else follow();
    });
  }
  audio.addEventListener("error", () => document.querySelector(".sound").classList.add("unheard"));
  audio.addEventListener("seeked", () => follow());
  audio.addEventListener("timeupdate", () => follow());
  const tick = () => { if (!audio.paused) { follow(); requestAnimationFrame(tick); } };
}
if (page.dataset.start) jump(Number(page.dataset.start), false);
if (audio || $("screen")) {
  draw().then(() => follow(), (error) => {
    const line = $("problem");
    if (!line) return;
    line.textContent = line.dataset.text.replace("{why}", error.message);
    line.hidden = false;
  });
}
