// The dashboard: one stream of looks and events, and of the chosen group what its processes do.
// Whatever tenants wrote arrives as text and is put into elements as text (Trusted Types allow nothing else).

import { ask, forgetKey, hasKey, keepKey, listen, pause } from "./asking.js";
import { Charts, together } from "./charts.js";
import { drawGroup, forgetGroup } from "./closer.js";
import { duration, element, get, keyed, latency, memory, moment, rate, setText, stateText } from "./showing.js";

const EVENTS = 200;
const LOG_LINES = 1000;
const CLOSER_S = 1; // between two questions about a group, at least
const ORDER = ["failed", "degraded", "starting", "ready", "stopped"]; // the worst first
const COLUMNS = [
  { title: "Group", key: (row) => row.name },
  { title: "Ready", key: (row) => row.ready, number: true },
  { title: "State", key: (row) => ORDER.indexOf(row.state) },
  { title: "Restarts", key: (row) => -row.restarts, number: true },
  { title: "Busy", key: (row) => -row.busy, number: true },
  { title: "Queued", key: (row) => -row.queued, number: true },
  { title: "Req/s", key: (row) => -(row.per_s ?? -1), number: true },
  { title: "P99", key: (row) => -(row.p99_s ?? -1), number: true },
  { title: "Memory", key: (row) => -row.memory_bytes, number: true },
  { title: "Address", key: (row) => row.addresses.join(" ") },
];

const now = () => performance.now() / 1000;
const charts = new Charts(get("charts"));

let look = null; // the last one
let chosen = ""; // name of a group, "": none
let acts = false;
let sorting = { column: 2, reverse: false };
let events = [];
let session = null; // aborts all that goes on
let group = null; // likewise, of the chosen group

function say(trouble) {
  get("trouble").hidden = !trouble;
  setText(get("trouble"), trouble);
}

// Sessions

async function begin() {
  const token = /^#token=(.+)$/.exec(location.hash);
  if (token) {
    history.replaceState(null, "", "/");
    try {
      const answer = await (await ask("/session", { method: "POST", body: { token: token[1] } })).json();
      keepKey(answer.key);
    } catch (error) {
      outside(error.message);
      return;
    }
  }
  if (!hasKey()) {
    outside("This tab has none.");
    return;
  }
  session?.abort();
  session = new AbortController();
  get("inside").hidden = get("leave").hidden = false;
  get("outside").hidden = true;
  follow(session.signal);
  choose(named(), false);
}

// The group that the address names, "": none.
function named() {
  const found = /^#group=(.+)$/.exec(location.hash);
  try {
    return found ? decodeURIComponent(found[1]) : "";
  } catch {
    return ""; // somebody has typed it
  }
}

function outside(why) {
  session?.abort();
  group?.abort();
  forgetKey();
  say("");
  setText(get("outside-why"), why);
  setText(get("summary"), "");
  setText(get("about"), "");
  get("inside").hidden = get("leave").hidden = true;
  get("outside").hidden = false;
}

async function leave() {
  await ask("/session", { method: "DELETE" }).catch(() => {});
  outside("The session has ended.");
}

async function follow(signal) {
  while (!signal.aborted) {
    try {
      for await (const { kind, data } of listen("/v1/stream", signal)) {
        if (kind === "hello") {
          acts = data.acts;
          get("acts").hidden = !acts;
          forget();
        } else if (kind === "forget") forget();
        else if (kind === "look") seen(data);
        else if (kind === "events") heard(data);
      }
      if (!signal.aborted) await pause(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401) {
        outside(error.message);
        return;
      }
      say("The dashboard does not answer; what is shown is from before.");
      await pause(signal);
    }
  }
}

// All groups

function seen(data) {
  say(data.stale ? `${data.stale}; what is shown is from before` : "");
  if (!data.groups) return;
  look = data;
  if (!data.stale) charts.add(chosen ? (rowOf(chosen) ?? {}) : together(look.groups), now());
  const states = ORDER.map((state) => [look.groups.filter((row) => row.state === state).length, state]);
  const counted = states.filter(([count]) => count).map(([count, state]) => `${count} ${state}`);
  setText(get("summary"), `${look.groups.length} groups: ${counted.join(", ") || "none"}`);
  const back = look.rolled_back ? ` (${look.rolled_back} was rolled back)` : "";
  const { pid, version, uptime_s } = look.manager;
  setText(get("about"), `revision ${look.revision}${back} · manager ${pid}, ${version}, up ${duration(uptime_s)}`);
  drawGroups();
  if (chosen) closer();
}

const rowOf = (name) => look?.groups.find((row) => row.name === name);

function drawHead() {
  const head = get("group-table").tHead.rows[0];
  COLUMNS.forEach((column, place) => {
    let cell = head.cells[place];
    if (!cell) {
      cell = element("th", column.number ? "number" : "");
      cell.scope = "col";
      const button = element("button", "", column.title);
      button.type = "button";
      button.addEventListener("click", () => {
        sorting = { column: place, reverse: sorting.column === place && !sorting.reverse };
        drawHead();
        drawGroups();
      });
      cell.append(button);
      head.append(cell);
    }
    if (place === sorting.column) cell.setAttribute("aria-sort", sorting.reverse ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
}

function drawGroups() {
  if (!look) return;
  const wanted = get("filter").value.trim().toLowerCase();
  const { key } = COLUMNS[sorting.column];
  const rows = look.groups.filter((row) => row.name.toLowerCase().includes(wanted));
  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  rows.sort((one, other) =>
    (sorting.reverse ? -1 : 1) * compare(key(one), key(other)) || compare(one.name, other.name));
  const shown = rows.flatMap((row) => (row.error ? [{ row }, { row, why: true }] : [{ row }]));
  keyed(get("group-table").tBodies[0], shown, ({ row, why }) => `${why ? "why" : "row"}-${row.name}`, makeRow, updateRow);
  get("no-groups").hidden = rows.length > 0;
}

function makeRow({ row, why }) {
  const made = element("tr", why ? "why" : "");
  if (why) {
    const cell = element("td");
    cell.colSpan = COLUMNS.length;
    cell.append(element("div"));
    cell.id = `why-${row.name}`;
    made.append(cell);
    return made;
  }
  for (const column of COLUMNS) made.append(element("td", column.number ? "number" : ""));
  const button = element("button", "name", row.name);
  button.type = "button";
  button.addEventListener("click", () => go(row.name));
  made.cells[0].append(button);
  made.cells[2].append(element("span"));
  made.cells[COLUMNS.length - 1].className = "address";
  return made;
}

function updateRow(node, { row, why }) {
  if (why) {
    setText(node.cells[0].firstChild, row.error);
    return;
  }
  node.classList.toggle("has-why", Boolean(row.error));
  if (row.error) node.cells[0].firstChild.setAttribute("aria-describedby", `why-${row.name}`);
  else node.cells[0].firstChild.removeAttribute("aria-describedby");
  stateText(node.cells[2].firstChild, row.state);
  const texts = [
    null, `${row.ready}/${row.wanted}`, null, String(row.restarts), `${row.busy}/${row.places}`, String(row.queued),
    rate(row.per_s), latency(row.p99_s), memory(row.memory_bytes), row.addresses.join("\n"),
  ];
  texts.forEach((text, place) => {
    if (text !== null) setText(node.cells[place], text);
  });
}

// The chosen group

// The browser's button leads back from there.
function go(name) {
  history.pushState(null, "", name ? `#group=${encodeURIComponent(name)}` : "/");
  choose(name);
}

async function choose(name, moves = true) {
  group?.abort();
  group = new AbortController();
  const { signal } = group;
  chosen = name;
  get("group").hidden = !name;
  get("groups").hidden = get("together").hidden = Boolean(name);
  get(name ? "group-charts" : "together").append(get("charts"));
  setText(get("group-title"), name);
  setText(get("events-title"), name ? `Events of ${name}` : "Events");
  setText(get("outcome"), "");
  get("log").replaceChildren();
  forgetGroup();
  get("acts").hidden = !acts;
  drawGroups();
  drawEvents();
  if (name) {
    askedAt = -CLOSER_S;
    followLog(name, signal);
    closer();
    if (moves) get("group").focus();
  }
  try {
    const kept = await (await ask(`/v1/charts?group=${encodeURIComponent(name)}`, { signal })).json();
    charts.begin(kept, now());
  } catch (error) {
    if (!signal.aborted) charts.begin({ ages_s: [] }, now());
  }
}

let closing = null; // the group that is asked about: one question at a time
let askedAt = 0; // when the last question began

async function closer() {
  const asked = group;
  if (closing === asked || now() - askedAt < CLOSER_S) return;
  closing = asked;
  askedAt = now();
  const name = chosen;
  try {
    const found = await (await ask(`/v1/groups/${encodeURIComponent(name)}`, { signal: asked.signal })).json();
    if (group === asked) drawGroup(found, now());
  } catch (error) {
    if (group === asked && error.status === 404) setText(get("outcome"), "There is no such group any more.");
  } finally {
    if (closing === asked) closing = null;
  }
}

async function followLog(name, signal) {
  const log = get("log");
  while (!signal.aborted) {
    try {
      for await (const { kind, data } of listen(`/v1/logs/${encodeURIComponent(name)}`, signal)) {
        if (signal.aborted) return;
        if (kind === "trouble") {
          setText(log, data.error);
          return;
        }
        if (kind === "lines") addLines(log, data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status) {
        if (error.status !== 401) setText(log, error.message);
        return;
      }
    }
    await pause(signal);
    if (!signal.aborted) log.replaceChildren(); // else it is another group's by now
  }
}

function addLines(log, { lines, left_out: leftOut }) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
  if (leftOut) lines.unshift(`… ${leftOut} lines more`);
  for (const line of lines) log.append(element("div", "", line || " "));
  while (log.childElementCount > LOG_LINES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// Changes, where they are allowed

function question(text, number = null) {
  const dialog = get("question");
  setText(get("question-text"), text);
  get("question-number").hidden = number === null;
  get("number").value = number ?? "";
  dialog.returnValue = "no";
  dialog.showModal();
  if (number !== null) get("number").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") resolve(null);
      else resolve(number === null ? true : Math.trunc(Number(get("number").value)));
    }, { once: true });
  });
}

async function restart() {
  const name = chosen;
  const wanted = rowOf(name)?.wanted ?? 0;
  if (await question(`Restart ${name}? Its ${wanted} processes are replaced, each by one that is ready first.`)) {
    carryOut(name, { action: "restart", group: name });
  }
}

async function scale() {
  const name = chosen;
  const sentence = `How many processes is ${name} to have? An apply returns to what the file says.`;
  const processes = await question(sentence, rowOf(name)?.wanted || 1);
  if (processes !== null) carryOut(name, { action: "scale", group: name, processes });
}

async function carryOut(name, order) {
  const tell = (text) => setText(get("outcome"), `${order.action} ${name}: ${text}`);
  const { signal } = session;
  tell("…");
  try {
    const { change } = await (await ask("/v1/actions", { method: "POST", body: order, signal })).json();
    if (change === null) {
      tell("there was nothing to do");
      return;
    }
    for (;;) {
      const found = await (await ask(`/v1/changes/${change}`, { signal })).json();
      if (found.finished) {
        tell([found.outcome, ...found.errors].join(", "));
        return;
      }
      await pause(signal);
      if (signal.aborted) return;
    }
  } catch (error) {
    if (!signal.aborted) tell(error.message);
  }
}

// Events

function forget() {
  events = [];
  get("events").replaceChildren();
  get("events").known = undefined;
}

function heard(more) {
  events = [...more.reverse(), ...events].slice(0, EVENTS);
  drawEvents();
}

function drawEvents() {
  const shown = chosen ? events.filter((event) => event.group === chosen) : events;
  keyed(get("events"), shown, (event) => event.number, makeEvent, () => {});
  get("no-events").hidden = shown.length > 0;
}

function makeEvent(event) {
  const made = element("li");
  const time = element("time", "", moment(event.at));
  time.dateTime = event.at;
  let who = event.group ?? "";
  if (event.slot !== null) who += `/${event.slot} life ${event.life}`;
  if (event.pid !== null) who += ` pid ${event.pid}`;
  if (event.change !== null) who += ` change ${event.change}`;
  const bad = ["died", "refused", "judged", "failed", "rolled-back", "certificate-failed"].includes(event.kind);
  made.append(time, element("span", `kind ${bad ? "is-failed" : ""}`, event.kind), `${who.trim()}${event.text ? `: ${event.text}` : ""}`);
  return made;
}

// Keys

function typed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || get("question").open || get("inside").hidden) return;
  const names = [...document.querySelectorAll("#group-table .name")];
  const at = names.indexOf(document.activeElement);
  if (event.key === "/" && document.activeElement.tagName !== "INPUT") {
    event.preventDefault();
    if (chosen) go("");
    get("filter").focus();
  } else if (event.key === "Escape" && chosen) {
    close();
  } else if (at >= 0 && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    names[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }
}

// Back to all groups; who came by the keyboard is where he was.
function close() {
  const name = chosen;
  go("");
  const names = [...document.querySelectorAll("#group-table .name")];
  (names.find((button) => button.textContent === name) ?? get("groups")).focus();
}

drawHead();
document.addEventListener("keydown", typed);
window.addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) begin();
  else if (/^(#group=|$)/.test(location.hash) && !get("inside").hidden && named() !== chosen) choose(named());
});
get("filter").addEventListener("input", drawGroups);
get("leave").addEventListener("click", leave);
get("close").addEventListener("click", close);
get("restart").addEventListener("click", restart);
get("scale").addEventListener("click", scale);
begin();
