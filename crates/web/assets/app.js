// Exchanges the parts of the page that changed, sends the few changes a person can make, and keeps
// the choice of light or dark. The server writes all texts; nothing is judged here.
// @ts-check

const root = document.documentElement;
const body = document.body;

/** Light, dark or as the system says. */
function applyTheme() {
  const kept = localStorage.getItem("theme");
  if (kept && !body.classList.contains("wall")) root.dataset.theme = kept;
}

function toggleTheme() {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("theme", dark ? "light" : "dark");
  applyTheme();
}

/** How long what somebody waits for is not exchanged. */
const WAIT_MS = 30_000;
/** How long a picture stands still after somebody has asked it for a value. */
const READ_MS = 8_000;

/** Which entry of a list can be opened there. @param {Element} details */
function entryOf(details) {
  const time = details.closest("li, tr")?.querySelector("time");
  return `${time?.textContent}|${details.querySelector("summary")?.textContent}`;
}

/** @param {Record<string, string>} parts HTML by the identifier of the element it belongs to */
function exchange(parts) {
  for (const [id, html] of Object.entries(parts)) {
    const element = document.getElementById(id);
    if (!element) {
      // A machine that has just appeared: show the page anew rather than guess its place.
      if (id.startsWith("m-")) location.reload();
      continue;
    }
    const template = document.createElement("template");
    template.innerHTML = html;
    const only = template.content.firstElementChild;
    // What already looks so keeps what a reader has marked or stands on.
    const isSame = only?.id === id ? only.isEqualNode(element) : template.innerHTML === element.innerHTML;
    if (isSame) continue;
    // Other machines, or the same in another order.
    if (id === "order") {
      location.reload();
      return;
    }
    const focused = element.contains(document.activeElement);
    if (focused && document.activeElement?.matches("input, textarea, select")) continue;
    // Somebody reads values off a picture.
    const read = element.querySelector("svg[data-probed-at]");
    if (read instanceof SVGElement && Date.now() - Number(read.dataset.probedAt) < READ_MS) continue;
    // Somebody waits for what they have asked for here, unless it came to nothing.
    const pressed = element.querySelector("[aria-busy=true]");
    if (pressed instanceof HTMLElement && Date.now() - Number(pressed.dataset.pressed) < WAIT_MS) continue;
    // What somebody has opened stays open.
    const opened = new Set([...element.querySelectorAll("details[open]")].map(entryOf));
    const closed = template.content.querySelectorAll("details");
    for (const details of closed) {
      const isIt = closed.length === 1 ? opened.size > 0 : opened.has(entryOf(details));
      if (isIt) details.setAttribute("open", "");
    }
    if (only && only.id === id) element.replaceWith(template.content);
    else element.replaceChildren(template.content);
    if (focused && only?.id === id) document.getElementById(id)?.focus();
  }
  applyFilter();
  soundIfUnseen();
  tellIfNew();
}

/** The clock of a wall, by the computer that it hangs at. */
function tellTime() {
  const clock = document.querySelector("[data-clock]");
  if (!clock) return;
  const tell = () => { clock.textContent = new Date().toTimeString().slice(0, 5); };
  tell();
  setInterval(tell, 1_000);
}

function listen() {
  const page = body.dataset.live;
  if (!page) return;
  const word = document.querySelector("[data-live-word]");
  const live = word?.textContent ?? "";
  const query = new URLSearchParams({ page, lang: root.lang });
  const source = new EventSource(`${page === "shared" ? "/shared/live" : "/live"}?${query}`);
  source.addEventListener("parts", (event) => {
    body.classList.add("is-live");
    body.classList.remove("is-lost");
    if (word) word.textContent = live;
    exchange(JSON.parse(event.data).parts);
  });
  source.addEventListener("error", () => {
    body.classList.remove("is-live");
    body.classList.add("is-lost");
    if (word) word.textContent = body.dataset.lost ?? "";
  });
  // After a cut the server starts afresh with what changed since; take the whole page once.
  let opened = 0;
  source.addEventListener("open", () => {
    opened += 1;
    if (opened > 1) location.reload();
  });
}

/** @type {AudioContext | undefined} */
let audio;
/** How often the sound comes again until somebody has seen every alarm. */
const SOUND_AGAIN_MS = 10_000;

function wantsSound() {
  return localStorage.getItem("sound") === "on";
}

/** Three rising tones: heard through machines, and unlike a telephone. */
function sound() {
  if (audio?.state !== "running") return false;
  const context = audio;
  [660, 880, 1175].forEach((tone, n) => {
    const start = context.currentTime + n * 0.22;
    const voice = new OscillatorNode(context, { type: "square", frequency: tone });
    const loud = new GainNode(context, { gain: 0 });
    loud.gain.setValueAtTime(0.25, start);
    loud.gain.setValueAtTime(0, start + 0.18);
    voice.connect(loud).connect(context.destination);
    voice.start(start);
    voice.stop(start + 0.2);
  });
  return true;
}

/** Alarms that last and that nobody has seen. */
function unseen() {
  return Number(document.querySelector("[data-unseen]")?.getAttribute("data-unseen") ?? "0");
}

let soundedAt = 0;
function soundIfUnseen() {
  // What a page shows that has lost the program may long be over.
  if (unseen() === 0 || body.classList.contains("is-lost")) soundedAt = 0;
  else if (wantsSound() && Date.now() - soundedAt >= SOUND_AGAIN_MS && sound()) soundedAt = Date.now();
}

/** A browser lets a page sound only after somebody has touched it. */
async function prepareSound() {
  if (!document.querySelector("[data-sound]")) return;
  if (wantsSound()) {
    if (!audio) {
      audio = new AudioContext();
      // A computer that slept, a telephone that rang: the browser may have silenced the page.
      audio.addEventListener("statechange", showSound);
    }
    // Without a touch this never ends; the button then says what to do.
    await Promise.race([audio.resume(), new Promise((done) => setTimeout(done, 300))]);
  }
  showSound();
  soundIfUnseen();
}

/** What the button says. */
function showSound() {
  const button = document.querySelector("[data-sound]");
  if (!(button instanceof HTMLElement)) return;
  const state = !wantsSound() ? "off" : audio?.state === "running" ? "on" : "blocked";
  button.textContent = button.dataset[state] ?? "";
  button.setAttribute("aria-pressed", String(state === "on"));
}

async function toggleSound() {
  const isBlocked = wantsSound() && audio?.state !== "running";
  localStorage.setItem("sound", wantsSound() && !isBlocked ? "off" : "on");
  await prepareSound();
  // So that whoever turned it on knows how it sounds.
  if (wantsSound() && unseen() === 0) sound();
}

/** Whether this browser can tell of alarms while another page is in front of this one. */
function canTell() {
  return isSecureContext && "Notification" in globalThis && "serviceWorker" in navigator;
}

/** @returns {"unable" | "denied" | "on" | "off"} */
function tellState() {
  if (!canTell()) return "unable";
  if (Notification.permission === "denied") return "denied";
  return localStorage.getItem("tell") === "on" && Notification.permission === "granted" ? "on" : "off";
}

/** What the button says. */
function showTell() {
  const button = document.querySelector("[data-tell]");
  if (!(button instanceof HTMLElement)) return;
  const state = tellState();
  button.textContent = button.dataset[state] ?? "";
  button.setAttribute("aria-pressed", String(state === "on"));
  button.toggleAttribute("disabled", state === "unable");
}

async function toggleTell() {
  if (tellState() === "on") localStorage.setItem("tell", "off");
  else if (await Notification.requestPermission() === "granted") {
    localStorage.setItem("tell", "on");
    await navigator.serviceWorker.register("/sw.js");
  }
  showTell();
}

/** Numbers of alarms that are known here; a page that is loaded anew knows what it knew. @type {Set<string>} */
let known = new Set(JSON.parse(sessionStorage.getItem("known") ?? "[]"));
let telling = Promise.resolve();
/** Tells of alarms that have come since this page was looked at, one look after the other. */
function tellIfNew() {
  telling = telling.then(tellNew, tellNew);
}

async function tellNew() {
  // A page that lists none knows nothing of them.
  if (!document.querySelector("[data-unseen]")) return;
  const alarms = [...document.querySelectorAll("li[data-alarm]")].map((alarm) => /** @type {HTMLElement} */ (alarm).dataset);
  const fresh = alarms.filter(({ alarm }) => !known.has(alarm ?? ""));
  if (fresh.length > 0 && document.visibilityState !== "visible" && tellState() === "on" && unseen() > 0) {
    const worker = await navigator.serviceWorker.ready;
    for (const { alarm, to, who, what } of fresh) {
      await worker.showNotification(who ?? "", { body: what, tag: `alarm-${alarm}`, icon: "/assets/0/icon-180.png", data: { to }, lang: root.lang, requireInteraction: true });
    }
  }
  // Only now: a page that is loaded anew in between, because machines change places, tells it instead.
  known = new Set(alarms.map(({ alarm }) => alarm ?? ""));
  sessionStorage.setItem("known", JSON.stringify([...known]));
}

let filter = "";
function applyFilter() {
  let shown = 0;
  for (const tile of document.querySelectorAll(".tile")) {
    if (tile instanceof HTMLElement) {
      tile.hidden = filter !== "" && tile.dataset.state !== filter;
      if (!tile.hidden) shown += 1;
    }
  }
  document.querySelector("[data-none-of]")?.toggleAttribute("hidden", filter === "" || shown > 0);
}

/** @param {Element} from @param {string} message */
function complain(from, message) {
  const place = from.closest("section, form")?.querySelector(".problem");
  if (place instanceof HTMLElement) {
    place.textContent = message;
    place.hidden = message === "";
  }
}

/** @param {HTMLElement} from @param {string} method @param {string} path @param {unknown} [value] */
async function change(from, method, path, value) {
  const buttons = from.querySelectorAll("button");
  const button = from instanceof HTMLButtonElement ? from : buttons[0];
  button?.setAttribute("disabled", "");
  complain(from, "");
  try {
    const headers = { "content-type": "application/json", "accept-language": root.lang };
    const answer = await fetch(path, {
      method, headers, body: value === undefined ? undefined : JSON.stringify(value),
    });
    if (!answer.ok) {
      const said = await answer.json();
      complain(from, [said.message, said.hint].filter(Boolean).join(" – "));
    } else if (from.hasAttribute("data-reload")) location.reload();
  } catch {
    complain(from, body.dataset.lost ?? "");
  }
  button?.removeAttribute("disabled");
}

/** @param {string} text base64url */
const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
/** @param {ArrayBuffer} bytes */
const textOf = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** @param {string} path @param {unknown} value */
async function send(path, value) {
  const headers = { "content-type": "application/json", "accept-language": root.lang };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(value) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said;
}

/** A new passkey for this host name. @param {string} old the password */
async function makePasskey(old) {
  const asked = await send("/me/passkeys/question", { old });
  const made = /** @type {any} */ (await navigator.credentials.create({ publicKey: {
    challenge: bytesOf(asked.challenge),
    rp: { id: location.hostname, name: "Mimamori" },
    user: { id: new TextEncoder().encode(asked.person), name: asked.name, displayName: asked.name },
    // What phones and security keys have, and what Windows Hello has (COSE: ES256, EdDSA, RS256).
    pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    excludeCredentials: asked.known.map((/** @type {string} */ id) => ({ type: "public-key", id: bytesOf(id) })),
  } }));
  return send("/me/passkeys", {
    id: textOf(made.rawId),
    client_data: textOf(made.response.clientDataJSON),
    authenticator: textOf(made.response.getAuthenticatorData()),
  });
}

/** Signs in with a passkey. @param {string} next */
async function usePasskey(next) {
  const asked = await send("/sign-in/passkey/question", {});
  const given = /** @type {any} */ (await navigator.credentials.get({ publicKey: {
    challenge: bytesOf(asked.challenge), rpId: location.hostname, userVerification: "required",
  } }));
  return send("/sign-in/passkey", {
    id: textOf(given.rawId),
    client_data: textOf(given.response.clientDataJSON),
    authenticator: textOf(given.response.authenticatorData),
    signature: textOf(given.response.signature),
    next,
  });
}

/** @param {HTMLFormElement} form */
async function passkey(form) {
  const typed = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? "");
  complain(form, "");
  try {
    const said = await (form.dataset.passkey === "make" ? makePasskey(typed("old")) : usePasskey(typed("next")));
    location.assign(said.to);
  } catch (problem) {
    // What the browser itself says is in its own words and language; ours is in the page's.
    const isOurs = problem instanceof Error && !(problem instanceof DOMException);
    complain(form, isOurs ? problem.message : form.dataset.failed ?? "");
  }
}

// A browser makes passkeys for names it trusts, not for addresses.
if (window.PublicKeyCredential && isSecureContext && !/^[\d.]+$|:/.test(location.hostname)) {
  for (const can of document.querySelectorAll("[data-passkey]")) can.removeAttribute("hidden");
  for (const cannot of document.querySelectorAll("[data-passkey-cannot]")) cannot.setAttribute("hidden", "");
}

// Something is being made: look again soon how far it is.
if (document.querySelector("[data-busy]")) setTimeout(() => location.reload(), 2_000);

/** How long one look may take: an answer that never ends would be the last look. */
const LOOK_MS = 5_000;

/** Something is awaited: show the page anew once it has come, and let it stand until then. */
async function awaitIt() {
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(LOOK_MS) });
    if (answer.ok && !(await answer.text()).includes("data-waits")) return location.reload();
  } catch {
    // Cut off or not answered: the next look asks again.
  }
  setTimeout(awaitIt, 2_000);
}
if (document.querySelector("[data-waits]")) setTimeout(awaitIt, 2_000);

/** @typedef {{x: number, text: string}} Place where a chart says what */
/** What a chart says at its places. @param {Element} chart @returns {Place[]} */
function probes(chart) {
  const told = chart.getAttribute("data-probes") ?? "";
  return told.split("\n").map((line) => {
    const cut = line.indexOf("|");
    return { x: Number(line.slice(0, cut)), text: line.slice(cut + 1) };
  });
}

/** Shows what a chart says at one of its places: a line in it, words below it. @param {SVGSVGElement} chart @param {Place[]} places @param {number} n */
function probe(chart, places, n) {
  const at = Math.max(0, Math.min(n, places.length - 1));
  const { x, text } = places[at];
  let line = chart.querySelector("line.probe");
  let words = chart.nextElementSibling;
  if (!line) {
    line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "probe");
    chart.append(line);
  }
  if (!words?.classList.contains("probe")) {
    words = document.createElement("output");
    words.className = "probe";
    chart.after(words);
  }
  const { height } = chart.viewBox.baseVal;
  for (const [name, value] of Object.entries({ x1: x, x2: x, y1: 8, y2: height - 24 })) line.setAttribute(name, String(value));
  if (words.textContent !== text) words.textContent = text;
  chart.dataset.probedAt = String(Date.now());
  chart.dataset.probed = String(at);
}

/** The place of a chart that is nearest to the pointer. @param {PointerEvent} event */
function probeAt(event) {
  const chart = event.target instanceof Element ? event.target.closest("svg[data-probes]") : null;
  if (!(chart instanceof SVGSVGElement)) return;
  const box = chart.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * chart.viewBox.baseVal.width;
  const places = probes(chart);
  const far = places.map((place) => Math.abs(place.x - x));
  probe(chart, places, far.indexOf(Math.min(...far)));
}
document.addEventListener("pointermove", probeAt);
document.addEventListener("pointerdown", probeAt);

document.addEventListener("keydown", (event) => {
  const chart = event.target;
  if (!(chart instanceof SVGSVGElement) || !chart.dataset.probes) return;
  const places = probes(chart);
  const last = places.length - 1;
  const from = Number(chart.dataset.probed ?? last + 1);
  const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  probe(chart, places, to);
});

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target.closest("button") : null;
  if (!target) return;
  if (target.hasAttribute("data-theme-toggle")) toggleTheme();
  if (target.hasAttribute("data-print")) print();
  if (target.hasAttribute("data-sound")) void toggleSound();
  if (target.hasAttribute("data-tell")) void toggleTell();
  if (target.dataset.filter !== undefined) {
    filter = target.dataset.filter;
    for (const other of document.querySelectorAll("[data-filter]")) {
      other.setAttribute("aria-pressed", String(other === target));
    }
    applyFilter();
  }
  const path = target.dataset.post;
  if (path && (!target.dataset.ask || confirm(target.dataset.ask))) void change(target, "POST", path);
});

// In another language the page shows the same day, machine and stretch of time.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-lang]") : null;
  if (!(link instanceof HTMLAnchorElement)) return;
  const same = new URL(location.href);
  same.searchParams.set("lang", link.dataset.lang ?? "");
  link.href = same.href;
});

/** Longest side of a photo that is sent, in pixels; the box keeps it smaller still. */
const PHOTO_SIDE = 1600;

/** Sends a photo, upright, small and as JPEG whatever the camera made. @param {HTMLFormElement} form @param {File} file */
async function sendPhoto(form, file) {
  const data = new FormData();
  let photo = /** @type {Blob} */ (file);
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const by = Math.min(1, PHOTO_SIDE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * by));
    canvas.height = Math.max(1, Math.round(picture.height * by));
    canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
    photo = await new Promise((made) => canvas.toBlob((blob) => made(blob ?? file), "image/jpeg", 0.85));
  } catch { /* A picture that the browser cannot read: the box says what is wrong. */ }
  data.append("photo", photo, "photo.jpg");
  form.setAttribute("aria-busy", "true");
  const answer = await fetch(form.action, { method: "POST", body: data }).catch(() => undefined);
  if (answer?.ok) location.reload();
  else if (!answer) {
    form.removeAttribute("aria-busy");
    form.querySelector(".problem")?.removeAttribute("hidden");
  } else {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main")?.replaceWith(page.querySelector("main") ?? "");
  }
}

document.addEventListener("change", (event) => {
  const input = event.target;
  if (input instanceof HTMLInputElement && input.type === "file" && input.form?.hasAttribute("data-photo") && input.files?.[0]) void sendPhoto(input.form, input.files[0]);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form instanceof HTMLFormElement && form.dataset.ask && !confirm(form.dataset.ask)) {
    event.preventDefault();
    return;
  }
  const pressed = event.submitter;
  if (pressed instanceof HTMLElement && pressed.dataset.wait) {
    pressed.textContent = pressed.dataset.wait;
    pressed.setAttribute("aria-busy", "true");
    pressed.dataset.pressed = String(Date.now());
  }
  if (form instanceof HTMLFormElement && form.dataset.passkey) {
    event.preventDefault();
    void passkey(form);
    return;
  }
  if (!(form instanceof HTMLFormElement) || !form.dataset.put) return;
  event.preventDefault();
  // People write percent, the program counts in shares.
  const fields = form.querySelectorAll("input");
  const value = Array.from(fields, (field) => [field.name, Number(field.value) / (field.hasAttribute("data-percent") ? 100 : 1)]);
  void change(form, "PUT", form.dataset.put, Object.fromEntries(value));
});

// What only the timeline needs.
if (document.getElementById("timeline")) void import("./timeline.js");

applyTheme();
listen();
tellTime();
void prepareSound();
if (tellState() === "on") void navigator.serviceWorker.register("/sw.js");
showTell();
tellIfNew();
if (document.querySelector("[data-sound]")) setInterval(soundIfUnseen, 1_000);
