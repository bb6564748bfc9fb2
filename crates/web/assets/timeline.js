// The picture of a timeline: what it says at the pointer, and the ways to other stretches of time.
// The server draws each stretch anew; while fingers move, what is there is only shifted and stretched.
// @ts-check

/** A stretch shorter than this is a click. */
const DRAG_PX_MIN = 8;
/** Zoom of a step of the wheel, of a key, of a double click. */
const WHEEL_ZOOM = 1.25, KEY_ZOOM = 2, CLICK_ZOOM = 4;
/** Moves that follow each other faster than this are drawn together. */
const DRAW_AFTER_MS = 80;
/** The parts of the page that belong to a stretch of time. */
const PARTS = ["timeline", "timeline-form", "timeline-left-out", "timeline-happened", "timeline-table"];

/** @typedef {{from: number, to: number}} Stretch in milliseconds since 1970 */

const root = /** @type {HTMLElement} */ (document.getElementById("timeline"));
/** The stretch that is wanted; what is shown follows it. @type {Stretch} */
let wanted = shown();
/** @type {AbortController | undefined} */
let asking;
/** @type {number | undefined} */
let waiting;
/** The column that is read. @type {number | undefined} */
let column;

/** @returns {Stretch} */
function shown() {
  return { from: Number(root.dataset.from), to: Number(root.dataset.to) };
}

/** Where the picture lies on the page. */
function box() {
  return root.querySelector(".tl-plot")?.getBoundingClientRect() ?? new DOMRect(0, 0, 1, 1);
}

/** Where in the picture a place of the page lies, 0 to 1. @param {number} x */
function share(x) {
  const { left, width } = box();
  return Math.min(1, Math.max(0, (x - left) / width));
}

/** Draws another stretch soon; none later than now. @param {Stretch} stretch */
function go({ from, to }) {
  const length = Math.max(10_000, Math.round(to - from));
  const begin = Math.min(Math.round(from), Number(root.dataset.now) - length);
  wanted = { from: begin, to: begin + length };
  clearTimeout(waiting);
  waiting = setTimeout(() => void draw(), DRAW_AFTER_MS);
}

/** Closer or wider around a place of the picture. @param {number} times @param {number} at */
function zoom(times, at) {
  const middle = wanted.from + (wanted.to - wanted.from) * at;
  go({ from: middle - (middle - wanted.from) * times, to: middle + (wanted.to - middle) * times });
}

/** @param {number} by share of the length */
function move(by) {
  const length = (wanted.to - wanted.from) * by;
  go({ from: wanted.from + length, to: wanted.to + length });
}

async function draw() {
  asking?.abort();
  asking = new AbortController();
  const url = new URL(location.href);
  url.searchParams.set("from", String(wanted.from));
  url.searchParams.set("to", String(wanted.to));
  root.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { signal: asking.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    exchange(page);
    history.replaceState(null, "", url);
    // The server has the last word on how long a stretch may be.
    wanted = shown();
  } catch (problem) {
    if (problem instanceof DOMException && problem.name === "AbortError") return;
    location.assign(url);
  }
  root.removeAttribute("aria-busy");
}

/** Takes over what another page shows; the focus stays where it was. @param {Document} page */
function exchange(page) {
  const focused = document.activeElement?.closest("[data-to-span]")?.getAttribute("aria-label");
  for (const id of PARTS) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (!old || !fresh) continue;
    for (const { name, value } of fresh.attributes) if (name.startsWith("data-")) old.setAttribute(name, value);
    old.replaceChildren(...fresh.childNodes);
  }
  if (focused) {
    const again = [...root.querySelectorAll("[data-to-span]")].find((way) => way.getAttribute("aria-label") === focused);
    if (again instanceof HTMLElement) again.focus();
  }
  column = undefined;
}

/** The words of the states by their letters. */
function words() {
  const pairs = (root.dataset.words ?? "").split("|").map((pair) => pair.split("="));
  return new Map(/** @type {[string, string][]} */ (pairs));
}

/** Says what is at a column: of one row, or of all. @param {number} n @param {Element | null} row */
function read(n, row) {
  const columns = count();
  column = Math.min(columns - 1, Math.max(0, n));
  const { from, to } = shown();
  const ms = from + (to - from) * (column + 0.5) / columns;
  const local = new Date(ms + Number(root.dataset.offset) * 60_000).toISOString();
  const said = [`${local.slice(5, 10).replace("-", "/")} ${local.slice(11, 19)}`];
  const rows = root.querySelectorAll(".tl-row");
  const many = root.querySelectorAll("[data-states]").length > 2;
  for (const each of rows) {
    const states = each.querySelector("[data-states]"), values = each.querySelector("[data-values]");
    if (states instanceof HTMLElement && (!many || each === row)) {
      const word = words().get(states.dataset.states?.[column] ?? "");
      if (word) said.push(`${each.querySelector(".tl-name")?.textContent?.trim()} ${word}`);
    }
    if (values instanceof HTMLElement) {
      const value = values.dataset.values?.split(" ")[column];
      if (value && value !== "-") said.push(`${values.dataset.name} ${value}${values.dataset.unit ?? ""}`);
    }
  }
  const output = root.querySelector(".tl-read");
  if (output) output.textContent = said.join("　");
  place("tl-cross", (column + 0.5) / columns, 0);
}

/** Columns of the picture. */
function count() {
  const states = root.querySelector("[data-states]");
  return states instanceof HTMLElement ? states.dataset.states?.length || 1 : 1;
}

/** Puts a mark over all rows. @param {string} name @param {number} at @param {number} wide shares */
function place(name, at, wide) {
  const rows = root.querySelector(".tl-rows");
  if (!(rows instanceof HTMLElement)) return;
  let mark = rows.querySelector(`.${name}`);
  if (!mark) {
    mark = document.createElement("div");
    mark.className = name;
    rows.append(mark);
  }
  const { left, width } = box(), own = rows.getBoundingClientRect();
  if (!(mark instanceof HTMLElement)) return;
  mark.style.left = `${left - own.left + at * width}px`;
  mark.style.width = wide > 0 ? `${wide * width}px` : "";
}

/** Shows at once what will be drawn soon. @param {Stretch} to */
function preview(to) {
  const now = shown(), length = to.to - to.from;
  const scale = (now.to - now.from) / length, shift = (now.from - to.from) / length * 100;
  for (const picture of root.querySelectorAll(".tl-plot > .strip, .tl-plot > .tl-picture")) {
    if (picture instanceof SVGElement) picture.style.transform = `translateX(${shift}%) scaleX(${scale})`;
  }
}

/** The pointers that are down, where they began and where they are. @type {Map<number, {began: number, x: number}>} */
const down = new Map();
let isMouse = false;

/** What fingers have made of the stretch so far. @returns {Stretch} */
function gesture() {
  const now = shown(), length = now.to - now.from;
  const [one, two] = [...down.values()];
  if (!two) {
    const by = (share(one.began) - share(one.x)) * length;
    return { from: now.from + by, to: now.to + by };
  }
  // What was under the fingers stays under them.
  const [a, b] = [one, two].map((finger) => now.from + length * share(finger.began));
  const [x, y] = [one, two].map((finger) => share(finger.x));
  if (Math.abs(x - y) < 0.02) return now;
  const scaled = (b - a) / (y - x), from = a - x * scaled;
  return scaled > 0 ? { from, to: from + scaled } : now;
}

root.addEventListener("pointerdown", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest(".tl-plot") || event.button !== 0) return;
  isMouse = event.pointerType === "mouse";
  down.set(event.pointerId, { began: event.clientX, x: event.clientX });
  // Pointers of before count from where they are now.
  for (const finger of down.values()) finger.began = finger.x;
});

addEventListener("pointermove", (event) => {
  const finger = down.get(event.pointerId);
  if (finger) {
    finger.x = event.clientX;
    const [from, to] = [share(finger.began), share(finger.x)];
    if (isMouse) place("tl-select", Math.min(from, to), Math.abs(to - from));
    else preview(gesture());
  }
  const row = event.target instanceof Element ? event.target.closest("#timeline .tl-row") : null;
  if (row?.querySelector(".tl-plot")) read(Math.floor(share(event.clientX) * count()), row);
});

/** @param {PointerEvent} event */
function lift(event) {
  const finger = down.get(event.pointerId);
  if (!finger) return;
  const to = isMouse ? undefined : gesture();
  const moved = Math.abs(finger.x - finger.began) >= DRAG_PX_MIN;
  const isPinch = down.size > 1;
  down.delete(event.pointerId);
  // The finger that stays begins anew.
  for (const other of down.values()) other.began = other.x;
  root.querySelector(".tl-select")?.remove();
  if (event.type === "pointercancel") return preview(shown());
  if (to && (moved || isPinch)) go(to);
  if (isMouse && moved) {
    const { from, to: end } = wanted, [a, b] = [share(finger.began), share(finger.x)].sort((one, two) => one - two);
    go({ from: from + (end - from) * a, to: from + (end - from) * b });
  }
}
addEventListener("pointerup", lift);
addEventListener("pointercancel", lift);

root.addEventListener("dblclick", (event) => zoom(CLICK_ZOOM, share(event.clientX)));

// With the wheel alone a page is scrolled; a pad that is pinched says that Ctrl is held.
root.addEventListener("wheel", (event) => {
  if (event.ctrlKey) {
    event.preventDefault();
    zoom(event.deltaY > 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM, share(event.clientX));
  } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    move(event.deltaX / box().width);
  }
}, { passive: false });

root.addEventListener("keydown", (event) => {
  if (event.target !== root) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const at = column === undefined ? 0.5 : (column + 0.5) / count();
  if (step && event.shiftKey) move(step / 2);
  else if (step) read((column ?? count() / 2) + step, root.querySelector(".tl-row"));
  else if (event.key === "+" || event.key === ";") zoom(1 / KEY_ZOOM, at);
  else if (event.key === "-") zoom(KEY_ZOOM, at);
  else return;
  event.preventDefault();
});

root.addEventListener("click", (event) => {
  const way = event.target instanceof Element ? event.target.closest("a[data-to-span]") : null;
  if (!(way instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const asked = new URL(way.href).searchParams;
  go({ from: Number(asked.get("from")), to: Number(asked.get("to")) });
});

export {};
