// Warns a minute before the session ends, and leaves the page once it has.
// The server alone knows how long is left: it is asked before anything is shown or hidden, so
// that all windows of a browser agree. Only where it does not answer, our own count decides.

const dialog = document.getElementById("ending");
const WARNED = 60; // seconds before the end
const ASKED_AGAIN = 5; // seconds, while the warning is open
const READ_ALOUD = [30, 10]; // seconds left
const PATIENCE = 4000; // milliseconds for an answer
const LOOKED = 15; // seconds: a computer that slept counts anew

const says = (name) => dialog.querySelector(`[data-says=${name}]`);
const prolong = document.getElementById("prolong");
const understood = document.getElementById("understood");
const windows = "BroadcastChannel" in window ? new BroadcastChannel("session") : null;

let endsAt; // as Date.now() counts
let last; // nothing prolongs the session any more
let read = false; // and the customer knows it
let unsaid; // of READ_ALOUD
let kept = false; // by the browser, for its Back button
let timer;

function learn(answer, asked = Date.now()) {
  endsAt = asked + answer.seconds * 1000;
  last = answer.last;
}

const left = () => Math.ceil((endsAt - Date.now()) / 1000);

async function ask(method = "GET") {
  const body = method === "POST" ? new URLSearchParams({ proof: dialog.dataset.proof }) : undefined;
  const asked = Date.now();
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(dialog.dataset.ask, { method, body, signal });
    if (response.ok) learn(await response.json(), asked);
    // The browser is signed in anew, in another window: this page is of another session.
    else if (response.status === 403) location.reload();
    return response.ok;
  } catch {
    return false; // no network: our own count runs on
  }
}

async function look() {
  if (kept) return;
  await ask();
  if (!kept) show();
}

function show() {
  clearTimeout(timer);
  const seconds = left();
  if (seconds <= 0) {
    leave();
  } else if (seconds > WARNED) {
    close();
    // By the clock, in short steps: a timer stands still while the computer sleeps.
    const wait = seconds - WARNED;
    timer = setTimeout(() => (left() > WARNED ? show() : look()), Math.min(wait, LOOKED) * 1000);
  } else {
    warn(seconds);
    timer = setTimeout(seconds % ASKED_AGAIN === 1 ? look : show, 1000);
  }
}

function warn(seconds) {
  if (read) return;
  says("idle").hidden = prolong.hidden = last;
  says("last").hidden = understood.hidden = !last;
  if (dialog.hidden) {
    says("failed").hidden = true;
    says("aloud").textContent = "";
    unsaid = READ_ALOUD.filter((at) => at < seconds);
    dialog.hidden = false;
    if (dialog.showModal) dialog.showModal();
    else prolong.focus();
  }
  says("seconds").textContent = seconds;
  // One second may be skipped when the server's answer sets the count right.
  if (seconds <= unsaid[0]) {
    unsaid = unsaid.filter((at) => at < seconds);
    says("aloud").textContent = says("seconds").parentNode.textContent;
  }
}

function close() {
  if (dialog.hidden) return;
  if (dialog.close) dialog.close();
  dialog.hidden = true;
}

// Nothing of the account stays, not even while the login form is on its way.
function leave() {
  document.title = "";
  document.body.replaceChildren();
  location.replace(dialog.dataset.login);
}

async function stay() {
  says("failed").hidden = true;
  if (await ask("POST")) windows?.postMessage("prolonged");
  show();
  says("failed").hidden = left() > WARNED || last;
}

function dismiss() {
  read = true;
  close();
}

prolong.addEventListener("click", stay);
understood.addEventListener("click", dismiss);
// The Escape key: who presses it is there.
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  if (last) dismiss();
  else stay();
});
windows?.addEventListener("message", look);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});
addEventListener("pagehide", (event) => {
  // Whatever came of it, a sign-out too, the other windows ask.
  windows?.postMessage("left");
  // A page that the browser keeps shows nothing, and does nothing until it is loaded anew.
  kept = document.body.hidden = event.persisted;
  if (kept) clearTimeout(timer);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

learn({ seconds: Number(dialog.dataset.left), last: dialog.dataset.last === "1" });
windows?.postMessage("opened");
show();
