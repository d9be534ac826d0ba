// What the page does: it hands keys and cards to its reader on the server, and shows its face.
// The reader decides everything, also what is said aloud; only the code is wiped here too, the
// moment its time is over, and with it what is being said of it.

const find = (id) => document.getElementById(id);
const device = find("device");
const notice = find("notice");

const WARNED = 5; // seconds before the reader switches off by itself
const LOOK_WHEN_ON = 1000; // milliseconds between two looks at the reader
const LOOK_WHEN_OFF = 20_000; // the server puts away a reader that nobody looks at for longer
const HELD = 800; // milliseconds after which a key counts as kept down
const NAME_WIDTH = 180; // of the card's 216: a longer name is pressed together
const GONE = 410; // the server has put the reader away

let reader = recall("sessionStorage", "reader"); // its id; a page loaded again keeps its reader
let announced = 0; // the last announcement that was read aloud
let announcement = ""; // and its words
let turnSeen = 0; // of the face that is seen: a key pressed before a later one is void
let endsAt = null; // when the code goes, as Date.now() counts; null where a key ends it
let lasts; // seconds that it stays in all
let nextLook;
let counting;

// ── What the browser keeps, where it lets a page keep anything ───────────────────────────────────

function recall(storage, name) {
  try {
    return window[storage].getItem(name);
  } catch {
    return null;
  }
}

function remember(storage, name, value) {
  try {
    window[storage].setItem(name, value);
  } catch {
    // Then it holds for this page only.
  }
}

// ── With the server, one thing after the other ───────────────────────────────────────────────────

let line = Promise.resolve();

function inTurn(task) {
  line = line.then(task).catch((error) => complain(error, device));
}

async function ask(method, address, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const response = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.title), { status: response.status });
}

async function askReader(method, tail, body) {
  if (reader) {
    try {
      return await ask(method, `/readers/${reader}${tail}`, body);
    } catch (error) {
      if (error.status !== GONE) throw error;
    }
  }
  const opened = await ask("POST", "/readers", {});
  reader = opened.id;
  announced = opened.face.announced;
  announcement = opened.face.announce;
  remember("sessionStorage", "reader", reader);
  const time = recall("localStorage", "reader-time");
  if (times.some((radio) => radio.value === time)) {
    opened.face = await ask("POST", `/readers/${reader}/events`, { event: "display-time", time });
  }
  return body ? ask(method, `/readers/${reader}${tail}`, body) : opened.face;
}

function look() {
  inTurn(async () => {
    show(await askReader("GET", ""));
    if (notice.dataset.kind === "lost") notice.hidden = true;
  });
}

function happen(event, place = device) {
  takeTheFloor();
  inTurn(async () => {
    try {
      show(await askReader("POST", "/events", event));
      notice.hidden = true;
      if (event.card) takeInHand();
    } catch (error) {
      complain(error, place);
      if (error.status) show(await askReader("GET", ""));
    }
  });
}

function complain(error, place) {
  notice.dataset.kind = error.status ? "refused" : "lost";
  notice.textContent = error.status ? error.message : notice.dataset.lost;
  notice.hidden = false;
  if (place === device) device.after(notice);
  else place.append(notice);
  if (!error.status) {
    wipe(); // the reader may be off by now
    lookIn(LOOK_WHEN_OFF / 4);
  }
}

function lookIn(milliseconds) {
  clearTimeout(nextLook);
  nextLook = setTimeout(look, milliseconds);
}

// ── What the reader shows ────────────────────────────────────────────────────────────────────────

function show(face) {
  turnSeen = face.turn;
  lookIn(face.state === "off" ? LOOK_WHEN_OFF : LOOK_WHEN_ON);
  device.dataset.state = face.state;
  if (face.large !== device.classList.contains("enlarged")) {
    device.classList.toggle("enlarged", face.large);
    bringInSight();
  }
  for (const radio of times) radio.checked = radio.value === face.display_time;
  if (face.code) showCode(face);
  else wipe();
  if (!face.code) showEnd(face.seconds_left);
  find("lines").textContent = face.lines.join("\n");
  showCard(face.card);
  if (face.announced !== announced) {
    announced = face.announced;
    announcement = face.announce;
    say(announcement);
  }
}

// A reader that switches off soon says so without a voice too.
function showEnd(left) {
  find("countdown").hidden = left === null;
  if (left !== null) showSeconds(Math.max(0, Math.ceil(left)), WARNED);
}

function showCode({ code, seconds_left: left, display_time: time, ending }) {
  const spoken = document.createElement("span");
  spoken.className = "visually-hidden";
  spoken.textContent = code;
  find("digits").replaceChildren(spoken, ...[...code].map(drawDigit));
  find("digits").hidden = false;
  find("copy-code").hidden = !navigator.clipboard;
  if (!device.classList.contains("has-code") && document.hasFocus()) {
    find("display").scrollIntoView({ block: "nearest" });
  }
  device.classList.add("has-code");
  find("countdown").hidden = left === null;
  find("until-key").hidden = left !== null;
  find("until-key").textContent = ending;
  clearInterval(counting);
  endsAt = left === null ? null : Date.now() + 1000 * left;
  lasts = Number(time);
  if (endsAt === null) return;
  counting = setInterval(count, 200);
  count();
}

function drawDigit(digit) {
  if (digit === " ") return Object.assign(document.createElement("span"), { className: "gap" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#digit-${digit}`);
  svg.append(use);
  return svg;
}

function count() {
  const left = endsAt - Date.now();
  if (left <= 0) {
    wipe();
    look();
    return;
  }
  showSeconds(Math.ceil(left / 1000), lasts);
}

function showSeconds(seconds, all) {
  find("seconds").textContent = `${seconds} s`;
  find("rest").style.transform = `scaleX(${Math.min(1, seconds / all)})`;
}

function wipe() {
  const code = shownCode();
  if (!code) return;
  hush();
  clearInterval(counting);
  endsAt = null;
  announcement = "";
  if (copied) emptyClipboard(code);
  if (document.activeElement === find("copy-code")) device.focus({ preventScroll: true });
  for (const part of ["digits", "countdown", "until-key", "copy-code"]) find(part).hidden = true;
  find("digits").replaceChildren();
  find("lines").textContent = "";
  find("announce").textContent = "";
  device.classList.remove("has-code");
}

function shownCode() {
  return find("digits").textContent.replace(" ", "");
}

function showCard(seen) {
  const card = find("card");
  const tile = seen && document.querySelector(`[data-card="${CSS.escape(seen.name)}"]`);
  if (tile) {
    find("card-sort").textContent = tile.querySelector(".sort").textContent;
    card.setAttribute("class", `card ${tile.dataset.look}${seen.wrongly ? " wrongly" : ""}`);
  }
  if (card.hasAttribute("hidden") === Boolean(tile)) hush(); // what was said is the old card's
  card.toggleAttribute("hidden", !tile);
  if (tile) emboss(tile.querySelector("h3").textContent);
  if (!tile && document.activeElement === find("pull")) device.focus();
  find("pull").hidden = !tile;
  find("jump").hidden = Boolean(tile);
  for (const other of document.querySelectorAll("[data-card]")) {
    const inside = other === tile;
    other.classList.toggle("inside", inside);
    const [put, turn] = other.querySelectorAll("[data-event]");
    put.dataset.event = inside ? "remove" : "insert";
    put.textContent = inside ? put.dataset.remove : put.dataset.insert;
    turn.hidden = inside;
  }
}

function emboss(name) {
  const holder = find("card-holder");
  holder.textContent = name;
  holder.removeAttribute("textLength");
  if (holder.getComputedTextLength() > NAME_WIDTH) holder.setAttribute("textLength", NAME_WIDTH);
}

// ── What is said ─────────────────────────────────────────────────────────────────────────────────

// The words go to screen readers by #announce, and to the page's own voice where it is on. Only one
// of the two speaks: two voices at once cannot be understood, and silence must hold for both.
const BREATH = 60; // milliseconds: Chromium swallows what is said right after a cancel()
const speech = window.speechSynthesis;
const windows = new BroadcastChannel("voice");
let aloud = recall("localStorage", "reader-voice") === "on";
let floor = true; // of several windows, the one in which something was last done speaks
let utterance; // kept: browsers forget one that nobody holds, in the middle of a word
let aboutToSpeak;

function say(words) {
  find("announce").textContent = words;
  hush();
  if (!aloud || !floor || document.hidden || !words || !ownVoice()) return;
  const sentence = new SpeechSynthesisUtterance(words);
  sentence.lang = document.documentElement.lang;
  sentence.voice = ownVoice();
  sentence.onend = () => {
    if (utterance === sentence) utterance = undefined;
  };
  utterance = sentence;
  aboutToSpeak = setTimeout(() => speech.speak(sentence), BREATH);
}

function hush() {
  if (!utterance) return;
  clearTimeout(aboutToSpeak);
  utterance = undefined;
  speech.cancel();
}

// A voice that works on this device: others would send the code to somebody's server.
function ownVoice() {
  const { lang } = document.documentElement;
  const fit = (speech?.getVoices() ?? []).filter(
    (voice) => voice.localService && voice.lang.toLowerCase().startsWith(lang)
  );
  return fit.find((voice) => voice.default) ?? fit[0];
}

function takeTheFloor() {
  floor = true;
  windows.postMessage("voice");
}

windows.addEventListener("message", () => {
  floor = false;
  hush();
});

function showVoice() {
  const able = Boolean(ownVoice());
  const on = aloud && able;
  find("aloud").checked = on;
  find("aloud").disabled = !able;
  find("no-voice").hidden = able;
  find("voice-on").hidden = !on;
  find("announce").setAttribute("aria-live", on ? "off" : "polite");
}

function setVoice(on) {
  hush();
  aloud = on;
  remember("localStorage", "reader-voice", on ? "on" : "off");
  showVoice();
  takeTheFloor();
  if (on) say(announcement);
}

function toggleVoice() {
  if (ownVoice()) setVoice(!aloud);
  else say(find("no-voice").textContent); // to a screen reader, if there is one
}

speech?.addEventListener("voiceschanged", showVoice); // Chromium finds its voices late
document.addEventListener("keydown", hush, { capture: true }); // any key, as screen readers do
find("silence").addEventListener("click", hush);
find("aloud").addEventListener("change", () => setVoice(find("aloud").checked));

// ── The settings ─────────────────────────────────────────────────────────────────────────────────

const sizes = [...document.querySelectorAll('[name="size"]')];
const times = [...document.querySelectorAll('[name="time"]')]; // its reader has the last word

for (const radio of times) {
  radio.addEventListener("change", () => {
    remember("localStorage", "reader-time", radio.value);
    happen({ event: "display-time", time: radio.value });
  });
}

function showSize(size) {
  const chosen = sizes.find((radio) => radio.value === size) ?? sizes[0];
  chosen.checked = true;
  device.dataset.size = chosen.value;
}

for (const radio of sizes) {
  radio.addEventListener("change", () => {
    remember("localStorage", "reader-size", radio.value);
    showSize(radio.value);
  });
}

// Another window with a reader of the same holder.
addEventListener("storage", ({ key, newValue }) => {
  if (key === "reader-size") showSize(newValue);
  if (key === "reader-voice") {
    hush();
    aloud = newValue === "on";
    showVoice();
  }
});

find("settings").addEventListener("toggle", () => {
  find("settings").scrollIntoView({ block: "nearest" });
});

showSize(recall("localStorage", "reader-size"));
showVoice();
find("settings").hidden = false;

// ── What people do ───────────────────────────────────────────────────────────────────────────────

function takeInHand() {
  device.focus({ preventScroll: true });
  bringInSight();
}

// All of it, or, where the window is too low for that, the display.
function bringInSight() {
  device.scrollIntoView({ block: "nearest" });
  find("display").scrollIntoView({ block: "nearest" });
}

const KEYS = {
  enter: "ok",
  backspace: "c",
  escape: "on",
  c: "code",
  r: "respond",
  s: "sign",
  ",": ",",
  ".": ",",
};

// Shortcuts hold only while the reader has the focus (WCAG 2.1.4).
device.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target !== device && ["Enter", " "].includes(event.key)) return; // the button's own
  // By place too: the digits of a French keyboard need Shift.
  const digit = /^(?:Digit)?(\d)$/;
  const name = event.key.toLowerCase();
  const key = KEYS[name] ?? (digit.exec(event.code) ?? digit.exec(event.key))?.[1];
  if (name === "delete") happen({ event: "hold", key: "c", turn: turnSeen });
  else if (name === "v") toggleVoice();
  else if (key) press(key);
  else return;
  event.preventDefault();
});

function press(key) {
  hush();
  if (!/\d/.test(key)) light(device.querySelector(`[data-key="${key}"]`)); // digits are PINs
  happen({ event: "key", key, turn: turnSeen });
}

function light(button) {
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 120);
}

// A finger leaves the focus on the reader, so that Enter goes on meaning OK.
for (const button of [...device.querySelectorAll("[data-key], .copy"), find("silence")]) {
  button.addEventListener("mousedown", (event) => {
    event.preventDefault();
    device.focus({ preventScroll: true });
  });
}

for (const button of device.querySelectorAll("[data-key]")) {
  let holding;
  let held = false;
  button.addEventListener("pointerdown", () => {
    held = false;
    holding = setTimeout(() => {
      held = true;
      press(button.dataset.key);
      happen({ event: "hold", key: button.dataset.key, turn: turnSeen });
    }, HELD);
  });
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
    button.addEventListener(end, () => clearTimeout(holding));
  }
  button.addEventListener("click", () => {
    if (!held) press(button.dataset.key);
    held = false;
  });
}

find("pull").addEventListener("click", () => {
  hush(); // nothing is said of a card that is pulled
  happen({ event: "remove" });
});

for (const tile of document.querySelectorAll("[data-card]")) {
  for (const button of tile.querySelectorAll("[data-event]")) {
    button.addEventListener("click", (click) => {
      if (click.detail > 1) return; // the second half of a double click would undo the first
      const { event } = button.dataset;
      happen(event === "remove" ? { event } : { event, card: tile.dataset.card }, tile);
    });
  }
  tile.querySelector(".choices").hidden = false;
}

// ── Copying ──────────────────────────────────────────────────────────────────────────────────────

let copied = false; // the code that is shown

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return false; // the browser does not let us
  }
  button.dataset.label ??= button.textContent;
  button.textContent = button.dataset.copied;
  button.classList.add("done");
  say(button.textContent);
  setTimeout(() => {
    button.textContent = button.dataset.label;
    button.classList.remove("done");
  }, 2000);
  return true;
}

// Only if it is still there, and where we may look without a question to whoever sits there.
async function emptyClipboard(code) {
  copied = false;
  try {
    const permission = await navigator.permissions.query({ name: "clipboard-read" });
    if (permission.state !== "granted") return;
    if ((await navigator.clipboard.readText()) === code) await navigator.clipboard.writeText("");
  } catch {
    // The page is not in front, or no page may ask: the clipboard is left as it is.
  }
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button.dataset.copy, button));
  }
}

find("copy-code").addEventListener("click", async () => {
  copied = await copy(shownCode(), find("copy-code"));
});

// ── Windows ──────────────────────────────────────────────────────────────────────────────────────

const apart = find("apart");
apart.hidden = window.opener !== null;
apart.addEventListener("click", () => {
  // The window takes this one's sessionStorage along, and with it the reader.
  window.open("/", "sesame-reader", "popup,width=400,height=840");
});

// No code in a page that is kept aside; the first look when somebody is back.
addEventListener("pagehide", () => {
  hush();
  wipe();
});
addEventListener("pageshow", () => {
  if (window.opener) takeInHand(); // the small window is there for the reader
  takeTheFloor();
  look();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hush();
  else look();
});
