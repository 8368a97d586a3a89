// The chosen group: its state, processes with what their threads do, settings and deaths.

import { duration, element, get, keyed, memory, moment, NOTHING, percent, setText, sign, stateText } from "./showing.js";

const PROCESS = ["Process", "State", "For", "Busy", "CPU", "Memory", "Does"];

let spent = new Map(); // life → what processor time it had taken, and when

// Shows nothing, until the next group is drawn.
export function forgetGroup() {
  setText(get("state"), "");
  for (const list of [get("facts"), get("deaths"), get("process-table").tBodies[0]]) {
    list.replaceChildren();
    list.known = list.shown = undefined;
  }
  setText(get("traceback"), "");
  get("traceback").hidden = true;
  spent = new Map();
}

// now: seconds of this page's clock.
export function drawGroup(found, now) {
  get("state").className = `is-${found.state}`;
  const rolling = found.rolling ? ", its processes are being replaced" : "";
  setText(get("state"), `${sign(found.state)} ${found.state}${rolling}${found.error ? `: ${found.error}` : ""}`);
  const facts = [
    ["Application", found.application],
    ["User", found.user ?? NOTHING],
    ["Python", found.python],
    ["Address", found.addresses.join(" ") || NOTHING],
    ["Environment", found.variables.join(", ")],
    ...Object.entries(found.options),
  ].filter(([, text]) => text);
  const known = facts.map(([name, text]) => `${name}\n${text}`).join("\n");
  if (get("facts").shown !== known) {
    get("facts").shown = known;
    get("facts").replaceChildren(...facts.flatMap(([name, text]) => [element("dt", "", name), element("dd", "", text)]));
  }
  get("traceback").hidden = !found.traceback || found.state === "ready";
  setText(get("traceback"), found.traceback ?? "");
  const rows = [];
  for (const process of found.processes) {
    rows.push({ key: `p${process.life}`, process, cpu: cpuOf(process, now) });
    for (const thread of process.busy) rows.push({ key: `t${process.life}/${thread.thread}`, thread });
  }
  keyed(get("process-table").tBodies[0], rows, (row) => row.key, makeProcess, (node, row) => updateProcess(node, row, found));
  keyed(get("deaths"), found.deaths, (death) => `${death.life}`, makeDeath, () => {});
  get("no-deaths").hidden = found.deaths.length > 0;
}

// Per cent of a processor since the last look.
function cpuOf(process, at) {
  const before = spent.get(process.life);
  spent.set(process.life, { at, cpu_s: process.cpu_s });
  if (spent.size > 5000) spent = new Map(); // lives of processes that have ended
  if (!before || at - before.at < 0.2) return null;
  return Math.max(0, ((process.cpu_s - before.cpu_s) / (at - before.at)) * 100);
}

function makeProcess(row) {
  const made = element("tr");
  if (row.thread) {
    const cell = element("td", "thread");
    cell.colSpan = PROCESS.length;
    made.append(cell);
    return made;
  }
  PROCESS.forEach((_title, place) => made.append(element("td", place > 1 && place < 6 ? "number" : "")));
  made.cells[1].append(element("span"));
  return made;
}

function updateProcess(node, row, found) {
  if (row.thread) {
    const { thread, asked, age_s, place } = row.thread;
    setText(node.cells[0], `thread ${thread}, for ${duration(age_s)}: ${asked || "a request"}${place ? ` at ${place}` : ""}`);
    return;
  }
  const { process } = row;
  const up = process.pid !== null;
  let does = up ? `pid ${process.pid}, life ${process.life}` : `life ${process.life}`;
  if (process.retry_in_s !== null) does += `, next try in ${duration(process.retry_in_s)}`;
  if (process.last_exit) does += `; before it: ${process.last_exit}`;
  const threads = found.ready ? found.places / found.ready : 0;
  setText(node.cells[0], `${found.name}/${process.slot}`);
  stateText(node.cells[1].firstChild, process.state);
  const texts = [
    up ? duration(process.uptime_s) : NOTHING, up ? `${process.requests_active}/${threads}` : NOTHING,
    up ? percent(row.cpu) : NOTHING, memory(process.memory_bytes), does,
  ];
  texts.forEach((text, place) => setText(node.cells[place + 2], text));
}

function makeDeath(death) {
  const made = element("li");
  const time = element("time", "", moment(death.at));
  time.dateTime = death.at;
  const facts = [death.pid ? `pid ${death.pid}` : "", death.up_s === null ? "" : `up ${duration(death.up_s)}`];
  const where = facts.filter(Boolean).join(", ");
  const loss = death.requests_total && !death.asked ? `, with ${death.requests_total} requests under way` : "";
  const about = `${death.slot ? `slot ${death.slot}` : ""}${where ? ` (${where})` : ""}: ${death.message}${loss}`;
  made.append(time, element("span", `kind ${death.asked ? "" : "is-failed"}`, death.cause), about);
  for (const request of death.requests) {
    const place = request.place ? ` at ${request.place}` : "";
    made.append(element("div", "thread", `${request.asked || "a request"} for ${duration(request.age_s)}${place}`));
  }
  return made;
}

const processHead = get("process-table").tHead.rows[0];
PROCESS.forEach((title, place) => {
  const cell = element("th", place > 1 && place < 6 ? "number" : "", title);
  cell.scope = "col";
  processHead.append(cell);
});
