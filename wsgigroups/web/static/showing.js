// Numbers and moments for people, as `wsgigroups status` writes them, and elements that hold text alone.

export const NOTHING = "–";
const SIGNS = {
  ready: "●", degraded: "◐", starting: "◌", draining: "◌", stopping: "◌", backoff: "✗", failed: "✗", stopped: "○",
};

export const get = (id) => document.getElementById(id);
export const sign = (state) => SIGNS[state] ?? "?";

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const two = (number) => String(number).padStart(2, "0");
  let minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${two(Math.floor(seconds) % 60)}s`;
  const hours = Math.floor(minutes / 60);
  minutes %= 60;
  if (hours < 48) return `${hours}h${two(minutes)}m`;
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}

export function memory(bytes) {
  if (!bytes) return NOTHING;
  const megabytes = bytes / 2 ** 20;
  if (megabytes < 999.5) return megabytes >= 9.95 ? `${megabytes.toFixed(0)}M` : `${megabytes.toFixed(1)}M`;
  return megabytes < 99.95 * 1024 ? `${(megabytes / 1024).toFixed(1)}G` : `${(megabytes / 1024).toFixed(0)}G`;
}

export function latency(seconds) {
  if (seconds === null) return NOTHING;
  if (seconds < 0.001) return "<1 ms";
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(0)} ms`;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : ">10 s";
}

export function rate(perSecond) {
  if (perSecond === null) return NOTHING;
  if (perSecond >= 9999.5) return `${(perSecond / 1000).toFixed(1)}k`;
  return perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : perSecond.toFixed(0);
}

export const percent = (value) => (value === null ? NOTHING : `${value.toFixed(0)}%`);

// The time of day where the reader is; with the date, where that is not today.
export function moment(at) {
  const then = new Date(at);
  const time = then.toLocaleTimeString([], { hour12: false });
  return then.toDateString() === new Date().toDateString() ? time : `${then.toLocaleDateString()} ${time}`;
}

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// Sets a text only where it is another one: what is selected, focused or being read stays as it is.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes the children of a parent those of the items, in their order; an item that was there keeps its element.
export function keyed(parent, items, keyOf, make, update) {
  const known = (parent.known ??= new Map());
  const wanted = new Set(items.map(keyOf));
  for (const [key, node] of known) {
    if (!wanted.has(key)) {
      node.remove();
      known.delete(key);
    }
  }
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = known.get(key);
    if (!node) {
      node = make(item);
      known.set(key, node);
    }
    update(node, item);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
}

export function stateText(node, state) {
  setText(node, `${sign(state)} ${state}`);
  const name = `state is-${state}`;
  if (node.className !== name) node.className = name;
}
