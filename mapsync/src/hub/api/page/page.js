// The page of the fleet: what the hub says as it changes, and nothing that it does not say.
"use strict";

const environment = document.documentElement.dataset.environment;
const place = (id) => document.getElementById(id);
const hosts = new Map();
/** Hosts that are listed at once. */
const MOST = 500;
/** Seconds after which a host counts as silent. */
const SILENT = 90;
let news = null;

/** An element with a class and a text; what hosts say is never markup. */
function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function time(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  return milliseconds < 100000 ? `${(milliseconds / 1000).toPrecision(2)} s` : `${Math.round(milliseconds / 60000)} min`;
}

function ago(seconds) {
  if (seconds < 100) return `${seconds} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

const age = (host) => host.age + Math.round((Date.now() - host.came) / 1000);

/** What a host is to the release: its class, and the word for it. */
function standing(host) {
  const { active, staged, state } = host.progress;
  const wanted = news.release && news.release.generation;
  if (age(host) > SILENT) return "silent";
  if (state === "refused" || state === "returned") return "bad";
  if (active && active.generation === wanted) return "good";
  return staged && news.newest && staged.generation === news.newest.generation ? "ready" : "old";
}

const WORDS = {
  good: "with what is released", ready: "with the newest ready", old: "not that far yet",
  bad: "refused it or went back", silent: "silent",
};

/** One that should use what is released and does not, or is not heard. */
const drifts = (host, kind) => kind === "silent" || kind === "bad" || (host.meant && kind !== "good");

function showCards(counts, odd) {
  const { newest, release } = news;
  place("newest").textContent = newest ? newest.generation : "–";
  const seconds = newest ? Math.max(0, news.now - newest.created) : 0;
  place("note").textContent = newest ? `${newest.author}, ${ago(seconds)} ago. ${newest.note}` : "nothing was pushed yet";
  place("released").textContent = release ? release.generation : "–";
  let meant = "to nobody yet";
  if (release) {
    const named = release.canaries ? `${release.canaries} by name, ` : "";
    meant = release.permille === 1000 ? "to all hosts" : `to ${named}${release.permille / 10} %`;
    if (release.halted) meant = release.undo ? "undone: hosts go back" : "halted: nobody moves";
  }
  place("meant").textContent = meant;
  place("inuse").textContent = `${counts.good} of ${hosts.size}`;
  place("trouble").textContent = odd ? `${odd} drift or are silent` : "none drifts";
  place("trouble").className = odd ? "bad" : "good";
  document.title = `${course()}${counts.good} of ${hosts.size} use ${release ? release.generation : "nothing"} – ${environment}`;
}

/** What the title begins with: a step that is under way, or that hosts are held or sent back. */
function course() {
  const { release, rollout } = news;
  if (release && release.halted) return release.undo ? "undone, " : "halted, ";
  return rollout && rollout.state === "goes" ? `step ${rollout.step} of ${rollout.steps}, ` : "";
}

function showRollout() {
  const { rollout } = news;
  const line = place("rollout");
  if (!rollout) {
    line.textContent = "none yet";
    line.className = "hint";
    place("steps").replaceChildren();
    return;
  }
  const { generation, step, steps, state, held, why, since } = rollout;
  const kind = { goes: held ? "silent" : "ready", complete: "good", halted: "bad", undone: "bad", overtaken: "" }[state];
  const lasted = since ? ago(Math.max(0, news.now - since)) : "";
  let stands = `${state}${lasted && ` ${lasted} ago`}`;
  if (state === "goes") stands = `step ${step} of ${steps}${held ? ", held" : ""}${lasted && ` for ${lasted}`}`;
  line.textContent = `Generation ${generation}: ${stands}: ${why}`;
  line.className = kind;
  const box = (at) => {
    const made = element("li", at < step ? "good" : at === step ? kind : "", at);
    made.setAttribute("aria-label", `step ${at} of ${steps}`);
    if (at === step && state === "goes") made.setAttribute("aria-current", "step");
    return made;
  };
  place("steps").replaceChildren(...Array.from({ length: steps }, (_, index) => box(index + 1)));
}

function showBar(counts) {
  const kinds = Object.keys(WORDS).filter((kind) => counts[kind]);
  const part = (kind) => {
    const made = element("span", kind);
    made.style.flexGrow = counts[kind];
    return made;
  };
  place("bar").replaceChildren(...kinds.map(part));
  place("legend").replaceChildren(...kinds.map((kind) => element("li", kind, `${counts[kind]} ${WORDS[kind]}`)));
}

function showPlot() {
  const plot = place("plot"), { paces } = news;
  if (!paces.length) {
    plot.replaceChildren(drawn("text", { x: 8, y: 24 }, "no host has moved since this hub started"));
    return;
  }
  const [left, right, top, bottom] = [90, 632, 12, 168];
  const low = Math.floor(Math.log10(Math.max(1, Math.min(...paces.map((pace) => pace.first)))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(2, ...paces.map((pace) => pace.most)))));
  const y = (value) => bottom - (bottom - top) * (Math.log10(Math.max(1, value)) - low) / (high - low);
  const shapes = [];
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power);
    shapes.push(drawn("line", { class: "axis", x1: left, x2: right, y1: at, y2: at }));
    shapes.push(drawn("text", { x: 0, y: at + 4 }, time(10 ** power)));
  }
  const step = (right - left) / paces.length;
  paces.forEach((pace, index) => {
    const x = left + step * (index + 0.5);
    shapes.push(drawn("line", { class: "range", x1: x, x2: x, y1: y(pace.first), y2: y(pace.most) }));
    const dot = drawn("circle", { class: "dot", cx: x, cy: y(pace.median), r: 5 });
    const told = `generation ${pace.generation}: ${pace.hosts} hosts, median ${time(pace.median)}, 95 % ${time(pace.most)}`;
    dot.append(drawn("title", {}, told));
    shapes.push(dot);
    if (step > 24 || index === paces.length - 1) {
      shapes.push(drawn("text", { x, y: bottom + 24, "text-anchor": "middle" }, pace.generation));
    }
  });
  plot.replaceChildren(...shapes);
}

function row(host, kind) {
  const { active, state, reason } = host.progress;
  const made = element("tr");
  const name = element("td", "", host.host);
  if (reason) name.append(element("small", "", reason));
  made.append(name, element("td", "", host.role), element("td", "", host.site));
  made.append(element("td", kind, active ? active.generation : "nothing"));
  made.append(element("td", kind, kind === "silent" ? "silent" : state), element("td", "", ago(age(host))));
  return made;
}

function show() {
  if (!news) return;
  const counts = { good: 0, ready: 0, old: 0, bad: 0, silent: 0 };
  const all = [...hosts.values()].sort((a, b) => (a.host < b.host ? -1 : 1)).map((host) => [host, standing(host)]);
  all.forEach(([, kind]) => counts[kind]++);
  const odd = all.filter(([host, kind]) => drifts(host, kind));
  showCards(counts, odd.length);
  showRollout();
  showBar(counts);
  showPlot();
  const listed = place("which").value === "odd" ? odd : all;
  place("hosts").replaceChildren(...listed.slice(0, MOST).map(([host, kind]) => row(host, kind)));
  place("more").textContent = listed.length > MOST ? `and ${listed.length - MOST} more` : "";
}

function say(text, waits) {
  place("line").textContent = text;
  place("line").className = waits ? "waits" : "";
}

const source = new EventSource(`/v1/fleet/${environment}/live`);
source.addEventListener("open", () => hosts.clear());
source.addEventListener("fleet", (event) => {
  news = JSON.parse(event.data);
  for (const host of news.hosts) hosts.set(host.host, { ...host, came: Date.now() });
  say("live", false);
  show();
});
source.addEventListener("error", () => say("the hub is away; trying again", true));
place("which").addEventListener("change", show);
setInterval(show, 5000);
