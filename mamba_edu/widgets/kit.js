/**
 * What every live figure has, once: its frame, its controls, its guess, presets and reset, its words, its redraw.
 *
 * A figure says what it is, `liveFigure({...})`, and nothing of how pages work:
 *
 *   name, traits      its `data-figure` name; the names of the state that Python and the page share
 *   controls          text, choice, switches, slider, player; each is tied to its trait, switches to one each
 *   compute(s)        the numbers to draw, from the state s; pure, and called only where the state has changed
 *   panels            drawings: { name, span (of 12 columns), rows, late (last where there is one column),
 *                     height(width, s, d, view), title(s, d, view), draw(p, s, d, view) }
 *   describe(s, d, view)  one or two sentences that say what is seen now: the text alternative, and read by everybody
 *   equation(s, d, view)  optional: the formula with the numbers of the marked step, as [words, colour] pairs
 *   presets           [{ label, state }]
 *   guess             optional: { trait, prompt, options(d), verdict(guess, d) }; `view.revealed` tells panels when to answer
 *                     and a panel may draw a handle on its trait
 *   file              optional: { name, read(data) }, data of its own, `data/NAME.json`; read before anything is drawn
 *
 * `view` is what only this copy of the figure knows: `hover` (what is under the pointer, as `probe` gave it), `revealed`,
 * `narrow`, `width`. A panel may set `p.probe = (x, y) => ({ words, ... })`, shown beside the pointer and kept in
 * `view.hover`, and `p.pick = (x, y) => patch`, for a click.
 */

import { Panel, element } from "./marks.js";
import { makeControl } from "./controls.js";
import { whenRead } from "./wake.js";

const NARROW = 560; // CSS pixels of the figure's own width

/** A figure for anywidget and for the page: an object with `render({ model, el })`. */
export function liveFigure(spec) {
  const begin = (model, el) => new View(spec, model, el).stop;
  const render = ({ model, el }) => (spec.file ? whenRead(spec.file, model, el, () => begin(model, el)) : begin(model, el));
  return { name: spec.name, spec, render };
}

/** One live copy of a figure in a page. */
class View {
  constructor(spec, model, el) {
    Object.assign(this, { spec, model, view: { hover: null, revealed: false }, cache: {}, frame: 0, controls: [] });
    this.opening = this.#read();
    this.root = el.closest("figure.live-figure") ?? el.appendChild(element("figure", { class: "live-figure" }));
    this.root.dataset.figure = spec.name;
    this.#build();
    this.redraw = () => {
      if (!this.frame) this.frame = requestAnimationFrame(() => this.#draw());
    };
    spec.traits.forEach((name) => model.on(`change:${name}`, this.redraw));
    this.#watch();
    this.#draw();
    this.root.dataset.ready = "true";
  }

  /**
   * Change traits. `act.turn(trait, steps)` moves a control, `act.range(trait)` knows its ends. More than one key or move may
   * come within a frame: `act.now()` draws what is owed, so that the next begins where the last one ended; `act.state()`
   * is [s, d] as they are.
   */
  #makeAct() {
    const act = (patch) => {
      const before = JSON.stringify(this.#read());
      for (const [name, value] of Object.entries(patch)) this.model.set(name, value);
      if (JSON.stringify(this.#read()) !== before) this.model.save_changes();
      this.redraw();
    };
    const control = (trait) => [...this.controls, this.twin].find((one) => one?.trait === trait);
    act.now = () => {
      if (!this.frame) return;
      cancelAnimationFrame(this.frame);
      this.#draw();
    };
    act.state = () => [this.#read(), this.#numbers(this.#read())];
    act.turn = (trait, steps) => {
      act.now();
      control(trait).turn(steps);
    };
    act.range = (trait) => control(trait).range();
    return act;
  }

  #read() {
    return Object.fromEntries(this.spec.traits.map((name) => [name, this.model.get(name)]));
  }

  #build() {
    const { spec } = this;
    this.act = this.#makeAct();
    this.stage = element("div", { class: "live-stage" });
    const question = this.model.get("question");
    if (!this.root.querySelector(".live-question") && question) {
      this.root.append(element("figcaption", { class: "live-question" }, question));
    }
    this.words = element("p", { class: "live-words", "aria-live": "polite" });
    this.equation = element("p", { class: "live-equation", hidden: !spec.equation });
    this.readout = element("div", { class: "live-readout", "aria-hidden": "true", hidden: true });
    const grid = element("div", { class: "live-panels" });
    this.panels = spec.panels.map((panel) => this.#panel(panel, grid));
    this.controls = spec.controls.map((control) => makeControl(control, this.act));
    const controls = element("div", { class: "live-controls" }, ...this.controls.map((control) => control.node));
    this.stage.append(...this.#guess(), grid, this.equation, this.words, controls, this.#presets(), this.readout);
    this.root.append(this.stage);
    // JupyterLab takes arrows and letters for its own, unless the very element that has the focus says no
    this.stage.addEventListener("focusin", ({ target }) => target.setAttribute("data-lm-suppress-shortcuts", "true"));
  }

  #panel(spec, grid) {
    const panel = new Panel(spec, this.act);
    grid.append(panel.node);
    panel.svg.addEventListener("pointermove", (event) => this.#hover(panel, event));
    panel.svg.addEventListener("pointerleave", () => this.#leave());
    panel.svg.addEventListener("click", (event) => {
      if (!panel.pick || event.target.closest(".live-handle")) return;
      this.act.now();
      const patch = panel.pick(...place(panel, event));
      if (patch) this.act(patch);
    });
    return panel;
  }

  #hover(panel, event) {
    if (!panel.probe || event.pointerType === "touch" || event.target.closest(".live-handle")) return this.#leave();
    const found = panel.probe(...place(panel, event));
    if (!found) return this.#leave();
    const changed = JSON.stringify(found) !== JSON.stringify(this.view.hover);
    this.view.hover = found;
    this.readout.textContent = found.words;
    this.readout.hidden = false;
    const box = this.stage.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const left = x + this.readout.offsetWidth + 24 > box.width ? x - this.readout.offsetWidth - 12 : x + 14;
    this.readout.style.transform = `translate(${Math.max(0, left)}px, ${y - 34}px)`;
    if (changed) this.redraw();
  }

  #leave() {
    this.readout.hidden = true;
    if (!this.view.hover) return;
    this.view.hover = null;
    this.redraw();
  }

  #guess() {
    const { guess } = this.spec;
    if (!guess) {
      this.view.revealed = true;
      return [];
    }
    const id = unique("guess");
    this.select = element("select", { id, "data-trait": guess.trait });
    this.select.addEventListener("change", () => this.act({ [guess.trait]: Number(this.select.value) }));
    this.twin = { trait: guess.trait, range: () => this.#places(), turn: (steps) => this.#turnGuess(steps) };
    this.show = element("button", { type: "button", class: "live-button live-show" }, "Show the answer");
    this.show.addEventListener("click", () => {
      this.view.revealed = !this.view.revealed;
      if (!this.view.revealed) this.act({ [guess.trait]: -1 });
      this.redraw();
    });
    this.verdict = element("output", { class: "live-verdict", for: id });
    const ask = element("label", { for: id }, guess.prompt);
    return [element("div", { class: "live-guess" }, ask, element("div", { class: "live-row" }, this.select, this.show), this.verdict)];
  }

  /** The guess as a handle on the drawing knows it: before the first one it waits at the low end. */
  #places() {
    const s = this.#read();
    const last = this.spec.guess.options(this.#numbers(s)).length - 1;
    return { min: 0, max: last, now: Math.min(last, Math.max(0, s[this.spec.guess.trait])) };
  }

  #turnGuess(steps) {
    const { max, now } = this.#places();
    this.act({ [this.spec.guess.trait]: Math.min(max, Math.max(0, now + steps)) });
  }

  #presets() {
    this.presets = (this.spec.presets ?? []).map(({ label, state }) => {
      const button = element("button", { type: "button", class: "live-button" }, label);
      button.addEventListener("click", () => this.act(state));
      return { button, state };
    });
    const reset = element("button", { type: "button", class: "live-button live-reset" }, "Reset");
    reset.addEventListener("click", () => {
      this.controls.forEach((control) => control.pause?.());
      this.view.revealed = !this.spec.guess;
      this.act(this.opening);
    });
    const buttons = this.presets.map(({ button }) => button);
    return element("div", { class: "live-presets", role: "group", "aria-label": "Presets" }, ...buttons, reset);
  }

  /** Redraw when the figure's width or the theme changes; `stop` ends all of it, for anywidget. */
  #watch() {
    const sizes = new ResizeObserver(() => this.stage.clientWidth !== this.view.width && this.redraw());
    sizes.observe(this.stage);
    const theme = new MutationObserver(this.redraw);
    const attributes = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "theme", "class"] };
    for (const node of [document.documentElement, document.body]) theme.observe(node, attributes);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", this.redraw);
    this.stop = () => {
      sizes.disconnect();
      theme.disconnect();
      system.removeEventListener("change", this.redraw);
      this.spec.traits.forEach((name) => this.model.off(`change:${name}`, this.redraw));
      this.controls.forEach((control) => control.pause?.());
      cancelAnimationFrame(this.frame);
    };
  }

  #numbers(s) {
    const key = JSON.stringify(s);
    if (this.cache.key !== key) this.cache = { key, d: this.spec.compute(s) };
    return this.cache.d;
  }

  #draw() {
    const began = performance.now();
    this.frame = 0;
    const { spec, view } = this;
    const s = this.#read();
    const d = this.#numbers(s);
    view.width = this.stage.clientWidth;
    view.narrow = view.width < NARROW;
    this.stage.classList.toggle("live-narrow", view.narrow);
    this.controls.forEach((control) => control.sync(s, d));
    const widths = this.panels.map((panel) => panel.box.clientWidth); // all read before any is written: one layout
    this.panels.forEach((panel, i) => {
      const { height, title, draw } = panel.spec;
      const width = Math.max(240, widths[i]);
      panel.begin(width, typeof height === "function" ? height(width, s, d, view) : height, title?.(s, d, view) ?? "");
      draw(panel, s, d, view);
      panel.end();
    });
    this.#say(s, d);
    this.root.dataset.redraw = (performance.now() - began).toFixed(1); // milliseconds
  }

  #say(s, d) {
    const { spec, view } = this;
    const playing = this.controls.some((control) => control.timer);
    this.words.setAttribute("aria-live", playing ? "off" : "polite"); // a film is not to be read aloud
    write(this.words, spec.describe(s, d, view));
    if (spec.equation) {
      const parts = spec.equation(s, d, view).map(([words, color]) => element("span", { class: color && `live-${color}` }, words));
      this.equation.replaceChildren(...parts);
    }
    this.presets.forEach(({ button, state }) => {
      button.setAttribute("aria-pressed", Object.entries(state).every(([name, value]) => String(s[name]) === String(value)));
    });
    if (!spec.guess) return;
    const guess = s[spec.guess.trait];
    const options = [[-1, "choose"], ...spec.guess.options(d).map((label, i) => [i, label])];
    const nodes = options.map(([i, label]) => element("option", { value: i, selected: i === guess }, label));
    if (nodes.map((n) => n.textContent).join("\n") !== this.listed) {
      this.listed = nodes.map((n) => n.textContent).join("\n");
      this.select.replaceChildren(...nodes);
    }
    this.select.value = String(guess < options.length - 1 ? guess : -1);
    this.show.textContent = view.revealed ? "Guess again" : guess < 0 ? "Show without a guess" : "Show the answer";
    write(this.verdict, view.revealed ? spec.guess.verdict(guess, d) : "");
  }
}

let made = 0;
const unique = (what) => `live-${what}-${++made}`;

/** The pointer's place in a panel, in its pixels. */
function place(panel, event) {
  const box = panel.svg.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/** Text that a screen reader hears only where it has changed. */
function write(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

// ---- the page: no kernel, the state in the figure's own attribute ---------------------------------------------------

/** A model like anywidget's, without a kernel behind it. */
export function staticModel(state) {
  const values = { ...state };
  const heard = {};
  return {
    get: (name) => values[name],
    set(name, value) {
      if (values[name] === value) return;
      values[name] = value;
      for (const listener of heard[`change:${name}`] ?? []) listener();
    },
    on: (event, listener) => (heard[event] ??= new Set()).add(listener),
    off: (event, listener) => heard[event]?.delete(listener),
    save_changes() {},
  };
}

/** Bring the figures under `page` to life; their scripts have registered themselves in `SelectiveState.figures`. */
export function mount(page) {
  const { figures } = globalThis.SelectiveState;
  for (const root of page.querySelectorAll("figure.live-figure:not([data-ready], [data-mounted])")) {
    const figure = figures[root.dataset.figure];
    if (!figure) continue;
    root.dataset.mounted = "true"; // and not yet ready, where it waits for its data
    figure.render({ model: staticModel(JSON.parse(root.dataset.state)), el: root });
  }
}
