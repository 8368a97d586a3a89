// Charts of the last minutes: lines drawn by hand, with the same said in words.

import { element, latency, memory, rate, setText } from "./showing.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360; // seconds that a chart is wide
const HEIGHT = 60;
const GAP_S = 30; // between two looks that no line joins

const SERIES = [
  { name: "per_s", title: "Requests a second", write: rate, least: 1 },
  { name: "p99_s", title: "99 of 100 within", write: latency, least: 0.01 },
  { name: "queued", title: "Waiting in the queue", write: (value) => (value === null ? "–" : String(value)), least: 1 },
  { name: "memory_bytes", title: "Memory", write: memory, least: 2 ** 20 },
];

const shape = (name, className) => {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", className);
  return made;
};

class Chart {
  constructor(series) {
    this.series = series;
    this.root = element("figure");
    const caption = element("figcaption");
    this.now = element("strong");
    caption.append(element("span", "", series.title), this.now);
    this.svg = shape("svg", "plot");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.area = shape("path", "area");
    this.line = shape("path", "line");
    const base = shape("line", "base");
    for (const [name, value] of [["x1", 0], ["x2", WIDTH], ["y1", HEIGHT - 1], ["y2", HEIGHT - 1]]) {
      base.setAttribute(name, value);
    }
    this.svg.append(base, this.area, this.line);
    const below = element("div", "most");
    this.most = element("span");
    below.append(element("span", "", "6 min ago"), this.most, element("span", "", "now"));
    this.root.append(caption, this.svg, below);
  }

  draw(points) {
    const { name, title, write, least } = this.series;
    const now = points.at(-1)?.at ?? 0;
    const known = points.filter((point) => point[name] !== null).map((point) => point[name]);
    const most = known.reduce((one, other) => Math.max(one, other), 0);
    const scale = (HEIGHT - 4) / Math.max(most, least);
    const place = (point) => [
      (WIDTH - (now - point.at)).toFixed(1),
      (HEIGHT - 2 - point[name] * scale).toFixed(1),
    ];
    let line = "";
    let area = "";
    for (const run of runs(points, name)) {
      const places = run.map(place);
      const joined = places.map(([x, y]) => `${x} ${y}`).join("L");
      line += `M${joined}${places.length === 1 ? "h0.1" : ""}`;
      area += `M${places[0][0]} ${HEIGHT}L${joined}L${places.at(-1)[0]} ${HEIGHT}Z`;
    }
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
    const last = points.at(-1)?.[name] ?? null;
    setText(this.now, write(last));
    setText(this.most, `most ${known.length ? write(most) : "–"}`);
    const words = `${title}: now ${write(last)}, at most ${known.length ? write(most) : "–"} in the last 6 minutes`;
    if (this.svg.getAttribute("aria-label") !== words) this.svg.setAttribute("aria-label", words);
  }
}

// The points with a number that follow each other without a gap.
function* runs(points, name) {
  let run = [];
  for (const point of points) {
    const broken = point[name] === null || (run.length && point.at - run.at(-1).at > GAP_S);
    if (broken && run.length) {
      yield run;
      run = [];
    }
    if (point[name] !== null) run.push(point);
  }
  if (run.length) yield run;
}

export class Charts {
  constructor(root) {
    this.points = [];
    this.charts = SERIES.map((series) => new Chart(series));
    root.append(...this.charts.map((chart) => chart.root));
  }

  // What the server has kept; now: seconds of this page's clock.
  begin(history, now) {
    this.points = history.ages_s.map((age, number) => {
      const point = { at: now - age };
      for (const { name } of SERIES) point[name] = history[name][number];
      return point;
    });
    this.draw();
  }

  add(values, now) {
    const point = { at: now };
    for (const { name } of SERIES) point[name] = values[name] ?? null;
    this.points.push(point);
    this.draw();
  }

  draw() {
    const end = this.points.at(-1)?.at ?? 0;
    this.points = this.points.filter((point) => end - point.at <= WIDTH);
    for (const chart of this.charts) chart.draw(this.points);
  }
}

// The numbers of all groups. The gateway has requests that are those of others.
export function together(rows) {
  const groups = rows.filter((row) => !row.name.startsWith("@"));
  const rates = groups.map((row) => row.per_s).filter((value) => value !== null);
  const slow = groups.map((row) => row.p99_s).filter((value) => value !== null);
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  return {
    per_s: rates.length ? sum(rates) : null,
    p99_s: slow.length ? slow.reduce((one, other) => Math.max(one, other)) : null,
    queued: sum(groups.map((row) => row.queued)),
    memory_bytes: sum(rows.map((row) => row.memory_bytes)),
  };
}
