/**
 * What a live figure draws with: scales, and a panel that knows axes, lines, stems, cells, labels and handles.
 *
 * A panel is drawn in CSS pixels at the width it has on the page, so that 12 px of text are 12 px everywhere. Each
 * drawing replaces the last one; only handles stay, because a finger may be on one. Colours are names of the book's
 * palette: "u", "h", "y", "delta", "ink", "muted", "hairline", "panel", "paper", "warn"; the theme decides what they are.
 */

const SVG = "http://www.w3.org/2000/svg";
const CANVAS_FROM = 2000; // cells; fewer are SVG, which a reader can enlarge
const NAMES = ["u", "h", "y", "delta", "ink", "muted", "hairline", "panel", "paper", "warn"];

/** An element with attributes (null leaves one out) and children, which may be strings. */
export function element(tag, attributes = {}, ...children) {
  const svg = /^(svg|g|path|rect|circle|line|text|tspan|clipPath)$/.test(tag);
  const node = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// ---- colours --------------------------------------------------------------------------------------------------------

/** The CSS colour of a palette name; any other text stays as it is. */
export const colour = (name) => (NAMES.includes(name) ? `var(--ss-${name})` : name);

/** `share` of the palette colour `over`, the rest `under`: share 0 to 1. */
export function mix(over, under, share) {
  const percent = (100 * Math.min(1, Math.max(0, share))).toFixed(1);
  return `color-mix(in oklab, ${colour(over)} ${percent}%, ${colour(under)})`;
}

/** A signed value on the book's diverging map, centred on zero: the input's colour below, the state's above. */
export const signed = (value, largest) => mix(value < 0 ? "u" : "h", "panel", largest > 0 ? Math.abs(value) / largest : 0);

/** A magnitude on the book's sequential map, 0 to `largest`. */
export function magnitude(value, largest) {
  const share = largest > 0 ? value / largest : 0;
  return share < 0.5 ? mix("delta", "panel", 2 * share) : mix("ink", "delta", 2 * share - 1);
}

// ---- numbers --------------------------------------------------------------------------------------------------------

/** A number as a reader wants it: three significant digits, no exponent between 0.001 and 99,999, a true minus sign. */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let words;
  if (size >= 99999.5) words = value.toExponential(digits - 1).replace("e+", "e");
  else if (size < 0.001) words = value.toExponential(Math.max(0, digits - 2));
  else words = size >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(digits)));
  return words.replaceAll("-", "−");
}

// ---- scales ---------------------------------------------------------------------------------------------------------

function niceTicks([low, high], count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const ticks = [];
  for (let k = first; k * step <= high + 1e-9 * step; k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

/** From numbers to pixels, evenly. domain, range: [low, high]. Has `invert(px)`, `ticks(count)`, `domain`, `range`. */
export function linear(domain, range) {
  const span = domain[1] - domain[0] || 1;
  const scale = (value) => range[0] + ((value - domain[0]) / span) * (range[1] - range[0]);
  scale.invert = (px) => domain[0] + ((px - range[0]) / (range[1] - range[0] || 1)) * span;
  scale.ticks = (count = 5) => niceTicks(domain, count);
  return Object.assign(scale, { domain, range });
}

/** From positive numbers to pixels by their logarithm; what lies outside the domain is held at its ends. */
export function logarithmic(domain, range) {
  const inner = linear(domain.map(Math.log10), range);
  const scale = (value) => inner(Math.log10(Math.min(domain[1], Math.max(domain[0], value))));
  scale.invert = (px) => 10 ** inner.invert(px);
  scale.ticks = (count = 5) => {
    const [low, high] = [Math.ceil(inner.domain[0] - 1e-9), Math.floor(inner.domain[1] + 1e-9)];
    const stride = Math.max(1, Math.ceil((high - low) / count));
    return Array.from({ length: Math.floor((high - low) / stride) + 1 }, (_, i) => 10 ** (low + i * stride));
  };
  return Object.assign(scale, { domain, range });
}

/** `count` equal places between two pixels: `at(i)` the left edge, `centre(i)`, `size`, and `index(px)`, null outside. */
export function band(count, [from, to]) {
  const size = (to - from) / Math.max(1, count);
  const index = (px) => {
    const i = Math.floor((px - from) / size);
    return i >= 0 && i < count ? i : null;
  };
  return { count, size, from, to, index, at: (i) => from + i * size, centre: (i) => from + (i + 0.5) * size };
}

// ---- the panel ------------------------------------------------------------------------------------------------------

/** One drawing of a figure, with its title. Figures get it ready made; `draw` calls what they need. */
export class Panel {
  constructor(spec, act) {
    this.spec = spec;
    this.act = act;
    // the svg itself hears the pointer: a mark may be gone before the button is let go, and the click with it
    this.marks = element("g", { "pointer-events": "none" });
    this.handles = element("g");
    this.svg = element("svg", {}, this.marks, this.handles);
    this.canvas = null;
    this.box = element("div", { class: "live-canvas" }, this.svg);
    this.title = element("p", { class: "live-title" });
    this.node = element("div", { class: "live-panel", "data-panel": spec.name }, this.title, this.box);
    this.node.style.setProperty("--span", spec.span ?? 12);
    this.node.style.setProperty("--rows", spec.rows ?? 1);
    this.node.style.setProperty("--order", spec.late ? 1 : 0);
    this.known = new Map();
  }

  /** Clear what was drawn. */
  begin(width, height, title) {
    Object.assign(this, { width, height, probe: null, pick: null, seen: new Set(), cellsOnCanvas: false });
    this.title.textContent = title;
    this.title.hidden = !title;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.marks.replaceChildren();
  }

  /** Drop the handles that this drawing does not have, say what the drawing is. */
  end() {
    for (const [name, handle] of this.known) {
      if (!this.seen.has(name)) {
        handle.node.remove();
        this.known.delete(name);
      }
    }
    if (this.canvas && !this.cellsOnCanvas) this.canvas.hidden = true;
    this.svg.setAttribute("role", this.known.size ? "group" : "img");
    this.svg.setAttribute("aria-label", this.title.textContent || this.spec.label || this.spec.name);
    this.svg.setAttribute("class", this.pick ? "live-pick" : "");
  }

  add(tag, attributes, ...children) {
    const node = element(tag, attributes, ...children);
    this.marks.append(node);
    return node;
  }

  rect(x, y, width, height, { fill = "none", stroke = null, line = 1, round = 0, opacity = null } = {}) {
    const size = { x, y, width: Math.max(0, width), height: Math.max(0, height), rx: round || null };
    return this.add("rect", { ...size, style: paint(fill, stroke, line), opacity });
  }

  /** Words at a place. anchor: start, middle, end; `halo` keeps them readable on a drawing. */
  text(x, y, words, { color = "ink", anchor = "start", size = 12, weight = null, mono = false, halo = false } = {}) {
    const style = `fill:${colour(color)};font-size:${size}px${weight ? `;font-weight:${weight}` : ""}`;
    const kind = [mono && "live-mono", halo && "live-halo"].filter(Boolean).join(" ") || null;
    return this.add("text", { x, y, "text-anchor": anchor, style, class: kind }, words);
  }

  /** One straight line. */
  rule(x1, y1, x2, y2, { color = "hairline", line = 1, dash = null } = {}) {
    return this.add("line", { x1, y1, x2, y2, style: paint("none", color, line), "stroke-dasharray": dash });
  }

  /** A hairline axis. side: "bottom" or "left"; at: its y or x; label: in words; grid: how far its lines reach. */
  axis(scale, { side = "bottom", at, label = "", ticks = null, format = number, grid = null } = {}) {
    const flat = side === "bottom";
    const [from, to] = scale.range;
    if (flat) this.rule(from, at, to, at);
    else this.rule(at, from, at, to);
    for (const value of ticks ?? scale.ticks(flat ? (to - from) / 70 : Math.abs(to - from) / 34)) {
      const px = scale(value);
      if (grid !== null) flat ? this.rule(px, at, px, grid) : this.rule(at, px, grid, px);
      if (flat) this.text(px, at + 15, format(value), { color: "muted", anchor: "middle", size: 11.5 });
      else this.text(at - 6, px + 4, format(value), { color: "muted", anchor: "end", size: 11.5 });
    }
    if (label && flat) this.text(to, at + 30, label, { color: "muted", anchor: "end" });
    else if (label) this.text(Math.max(0, at - 34), Math.min(from, to) - 8, label, { color: "muted" });
  }

  /** A line through points [[x, y], ...] in pixels; a null y is a gap. */
  line(points, { color = "ink", line = 2, dash = null } = {}) {
    let pen = "M";
    let path = "";
    for (const [x, y] of points) {
      if (y === null || !Number.isFinite(y)) pen = "M";
      else {
        path += `${pen}${round(x)} ${round(y)}`;
        pen = "L";
      }
    }
    return this.add("path", { d: path || "M0 0", style: paint("none", color, line), "stroke-dasharray": dash });
  }

  dot(x, y, { color = "ink", radius = 4, hollow = false } = {}) {
    return this.add("circle", { cx: x, cy: y, r: radius, style: paint(hollow ? "paper" : color, color, 1.5) });
  }

  /** A stem with a dot from `base` to each point; color may be a function of the index. */
  stems(points, base, { color = "ink", radius = 3.5 } = {}) {
    points.forEach(([x, y], i) => {
      const own = typeof color === "function" ? color(i) : color;
      this.rule(x, base, x, y, { color: own, line: 2 });
      this.dot(x, y, { color: own, radius });
    });
  }

  /** A bar from `base` to y on each place of the band. */
  bars(values, x, y, { color = "ink", base = y(0), gap = 2 } = {}) {
    values.forEach((value, i) => {
      const [top, end] = [Math.min(y(value), base), Math.max(y(value), base)];
      const own = typeof color === "function" ? color(i) : color;
      this.rect(x.at(i) + gap / 2, top, x.size - gap, Math.max(end - top, 0.75), { fill: own });
    });
  }

  /**
   * A heat map or a matrix: values[row][column] as cells, x and y bands of columns and rows. `fill(value, row, column)`
   * gives the colour, null leaves the cell empty. Above 2,000 cells on a canvas.
   */
  cells(values, { x, y, fill, gap = 1 }) {
    const many = values.length * (values[0]?.length ?? 0) > CANVAS_FROM;
    const paintCell = many ? this.#canvasPainter() : (...cell) => this.rect(...cell.slice(0, 4), { fill: cell[4] });
    values.forEach((row, i) => {
      row.forEach((value, j) => {
        const own = fill(value, i, j);
        if (own === null) return;
        const space = Math.min(gap, 0.2 * Math.min(x.size, y.size));
        paintCell(x.at(j), y.at(i), x.size - space, y.size - space, own);
      });
    });
  }

  #canvasPainter() {
    if (!this.canvas) {
      this.canvas = element("canvas", { "aria-hidden": "true" });
      this.box.prepend(this.canvas);
    }
    const dense = window.devicePixelRatio || 1;
    const pen = this.canvas.getContext("2d");
    this.canvas.hidden = false;
    this.cellsOnCanvas = true;
    this.canvas.width = Math.round(this.width * dense);
    this.canvas.height = Math.round(this.height * dense);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    pen.scale(dense, dense);
    const theme = getComputedStyle(this.box);
    const solid = new Map(); // a canvas knows no CSS variables
    return (left, top, width, height, css) => {
      if (!solid.has(css)) solid.set(css, css.replace(/var\((--[\w-]+)\)/g, (_, name) => theme.getPropertyValue(name)));
      pen.fillStyle = solid.get(css);
      pen.fillRect(left, top, width + 0.3, height + 0.3);
    };
  }

  /** An outline around one place: the step, the row, the cell that is meant. */
  outline(x, y, width, height, { color = "ink", line = 1.5 } = {}) {
    this.rect(x - 0.5, y - 0.5, width, height, { stroke: color, line, round: 2 });
  }

  /**
   * Something to take hold of. It moves by pointer (`move(x, y)` gives what changes, as an object of traits) and by arrow
   * keys, which turn `trait`'s own control; that control is its twin. `value` is what a screen reader says. `flip`: more
   * of the trait lies to the left and below, or, as "down", below alone; the arrow keys still push it where they point.
   * `rise`: a second trait, for what moves in a plane; the keys that point up and down turn it, the others the first.
   */
  handle(name, { x, y, trait, move, label, value, color = "ink", shape = "round", flip = false, rise = null }) {
    this.seen.add(name);
    if (!this.known.has(name)) this.known.set(name, new Handle(this, name));
    this.known.get(name).place({ x, y, trait, move, label, value, color, shape, flip, rise });
  }
}

const round = (px) => Math.round(px * 100) / 100;

function paint(fill, stroke, line) {
  const edge = stroke ? `stroke:${colour(stroke)};stroke-width:${line}` : "stroke:none";
  return `fill:${colour(fill)};${edge}`;
}

/** A round or flat knob in a panel; it outlives the drawings. */
class Handle {
  constructor(panel, name) {
    this.panel = panel;
    this.reach = element("circle", { class: "live-reach" });
    this.knob = element("path", { class: "live-knob" });
    this.node = element("g", { class: "live-handle", tabindex: 0, role: "slider", "data-handle": name }, this.reach, this.knob);
    panel.handles.append(this.node);
    this.node.addEventListener("pointerdown", (event) => this.#take(event));
    this.node.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.node.addEventListener(end, () => (this.held = null));
    this.node.addEventListener("keydown", (event) => this.#key(event));
  }

  place(state) {
    Object.assign(this, state);
    const { min, max, now, page = 10 } = this.panel.act.range(this.trait);
    this.page = page; // steps
    const says = { "aria-label": this.label, "aria-valuetext": this.value, "aria-valuemin": min, "aria-valuemax": max };
    const values = { ...says, "aria-valuenow": this.flip === true ? min + max - now : now, "data-trait": this.trait };
    for (const [key, value] of Object.entries(values)) this.node.setAttribute(key, value);
    if (this.rise) this.node.setAttribute("data-rise", this.rise);
    this.reach.setAttribute("cx", this.x);
    this.reach.setAttribute("cy", this.y);
    this.reach.setAttribute("r", 22); // 44 px for a finger
    const [w, h] = { round: [7, 7], flat: [11, 5], tall: [5, 11] }[this.shape];
    const corner = Math.min(w, h);
    const box = `M${-w + corner} ${-h}h${2 * (w - corner)}a${corner} ${corner} 0 0 1 ${corner} ${corner}v${2 * (h - corner)}`;
    const rest = `a${corner} ${corner} 0 0 1 ${-corner} ${corner}h${-2 * (w - corner)}a${corner} ${corner} 0 0 1 ${-corner} ${-corner}`;
    this.knob.setAttribute("d", `${box}${rest}v${-2 * (h - corner)}a${corner} ${corner} 0 0 1 ${corner} ${-corner}z`);
    this.knob.setAttribute("transform", `translate(${round(this.x)} ${round(this.y)})`);
    this.knob.setAttribute("style", `fill:${colour(this.color)}`);
  }

  #take(event) {
    if (event.button) return;
    event.preventDefault();
    this.node.focus({ preventScroll: true });
    this.node.setPointerCapture(event.pointerId);
    const box = this.panel.svg.getBoundingClientRect();
    this.held = { dx: this.x - (event.clientX - box.left), dy: this.y - (event.clientY - box.top) }; // no jump on touch
  }

  #drag(event) {
    if (!this.held) return;
    this.panel.act.now();
    const box = this.panel.svg.getBoundingClientRect();
    const patch = this.move(event.clientX - box.left + this.held.dx, event.clientY - box.top + this.held.dy);
    if (patch) this.panel.act(patch);
  }

  #key(event) {
    const turns = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -this.page, PageUp: this.page };
    const ends = { Home: -Infinity, End: Infinity };
    const by = turns[event.key] ?? ends[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const upright = /Up|Down/.test(event.key);
    const against = this.flip === "down" ? upright : this.flip;
    this.panel.act.turn(this.rise && upright ? this.rise : this.trait, against ? -by : by);
  }
}
