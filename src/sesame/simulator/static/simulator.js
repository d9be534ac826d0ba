// What the page does: it hands keys and cards to its reader on the server, and shows its face.
// The reader decides everything; only the code is wiped here too, the moment its time is over.

const find = (id) => document.getElementById(id);
const device = find("device");
const notice = find("notice");

const CODE_LIVES = 35_000; // milliseconds
const LOOK_WHEN_ON = 1000; // milliseconds between two looks at the reader
const LOOK_WHEN_OFF = 20_000; // the server puts away a reader that nobody looks at for longer
const HELD = 800; // milliseconds after which a key counts as kept down
const NAME_WIDTH = 180; // of the card's 216: a longer name is pressed together
const GONE = 410; // the server has put the reader away

let reader = sessionStorage.getItem("reader"); // its id; a page loaded again keeps its reader
let announced = 0; // the last announcement that was read aloud
let endsAt = null; // when the code goes, as Date.now() counts
let nextLook;
let counting;

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
  sessionStorage.setItem("reader", reader);
  return body ? ask(method, `/readers/${reader}${tail}`, body) : opened.face;
}

function look() {
  inTurn(async () => {
    show(await askReader("GET", ""));
    if (notice.dataset.kind === "lost") notice.hidden = true;
  });
}

function happen(event, place = device) {
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
  lookIn(face.state === "off" ? LOOK_WHEN_OFF : LOOK_WHEN_ON);
  device.dataset.state = face.state;
  if (face.code) showCode(face.code, face.seconds_left);
  else wipe();
  find("lines").textContent = face.lines.join("\n");
  showCard(face.card);
  if (face.announced !== announced) {
    announced = face.announced;
    find("announce").textContent = face.announce;
  }
}

function showCode(code, secondsLeft) {
  const spoken = document.createElement("span");
  spoken.className = "visually-hidden";
  spoken.textContent = code;
  find("digits").replaceChildren(spoken, ...[...code].map(drawDigit));
  find("digits").hidden = find("countdown").hidden = false;
  endsAt = Date.now() + 1000 * secondsLeft;
  counting ??= setInterval(count, 200);
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
  const seconds = Math.ceil(left / 1000);
  find("seconds").textContent = `${seconds} s`;
  find("rest").style.transform = `scaleX(${(1000 * seconds) / CODE_LIVES})`;
}

function wipe() {
  if (counting === undefined) return;
  clearInterval(counting);
  counting = undefined;
  endsAt = null;
  find("digits").hidden = find("countdown").hidden = true;
  find("digits").replaceChildren();
  find("lines").textContent = "";
  find("announce").textContent = "";
}

function showCard(seen) {
  const card = find("card");
  const tile = seen && document.querySelector(`[data-card="${CSS.escape(seen.name)}"]`);
  if (tile) {
    find("card-sort").textContent = tile.querySelector(".sort").textContent;
    card.setAttribute("class", `card ${tile.dataset.look}${seen.wrongly ? " wrongly" : ""}`);
  }
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

// ── What people do ───────────────────────────────────────────────────────────────────────────────

function takeInHand() {
  device.focus({ preventScroll: true });
  device.scrollIntoView({ block: "nearest" });
}

const KEYS = { Enter: "ok", Backspace: "c", Escape: "on", c: "code", C: "code" };

// Shortcuts hold only while the reader has the focus (WCAG 2.1.4).
device.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.target !== device && ["Enter", " "].includes(event.key)) return; // the button's own
  // By place too: the digits of a French keyboard need Shift.
  const digit = /^(?:Digit)?(\d)$/;
  const key = KEYS[event.key] ?? (digit.exec(event.code) ?? digit.exec(event.key))?.[1];
  if (event.key === "Delete") happen({ event: "hold", key: "c" });
  else if (key) press(key);
  else return;
  event.preventDefault();
});

function press(key) {
  const button = device.querySelector(`[data-key="${key}"]`);
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 120);
  happen({ event: "key", key });
}

for (const button of device.querySelectorAll("[data-key]")) {
  let holding;
  let held = false;
  // A finger leaves the focus on the reader, so that Enter goes on meaning OK.
  button.addEventListener("mousedown", (event) => {
    event.preventDefault();
    device.focus({ preventScroll: true });
  });
  button.addEventListener("pointerdown", () => {
    held = false;
    holding = setTimeout(() => {
      held = true;
      press(button.dataset.key);
      happen({ event: "hold", key: button.dataset.key });
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

find("pull").addEventListener("click", () => happen({ event: "remove" }));

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

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      find("announce").textContent = button.dataset.copied;
      button.classList.add("done");
      setTimeout(() => button.classList.remove("done"), 2000);
    });
  }
}

const apart = find("apart");
apart.hidden = window.opener !== null;
apart.addEventListener("click", () => {
  // The window takes this one's sessionStorage along, and with it the reader.
  window.open("/", "sesame-reader", "popup,width=400,height=840");
});

// No code in a page that is kept aside; the first look when somebody is back.
addEventListener("pagehide", wipe);
addEventListener("pageshow", () => {
  if (window.opener) takeInHand(); // the small window is there for the reader
  look();
});
document.addEventListener("visibilitychange", () => document.hidden || look());
