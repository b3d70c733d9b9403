/**
 * The native inputs of a figure, each tied to its trait: slider, choice, switches, text, player.
 *
 * A control has `node`, `trait`, `sync(s, d)` (show the state), `turn(steps)` (what an arrow key does; ±Infinity goes to an
 * end) and `range()` for the handle that is its twin. What it is given comes from the figure's `controls`:
 *
 *   { kind: "slider", trait, label, color, min, max, step, format, when(s), log }    log: evenly in log10, as is `step`
 *                               log: 2 for whole numbers, evenly in log2, as is `step`
 *                               read(s, d), write(value, s, d) -> patch: where the trait is a list, and this one entry of it
 *   { kind: "choice", trait, label, options: [[value, words], ...] }
 *   { kind: "switches", label, options: [[trait, words, color], ...] }    checkboxes, each with a trait that is true or false
 *   { kind: "text", trait, label, wide, check(value) -> "" or what is wrong, cut(value) -> the part that is shown all the same }
 *   { kind: "player", trait, label, last(d), says(t, d), loop, opening }    steps 0 .. last(d); the trait's -1 means the last
 *                               one; Play begins at 0 where the last step, or `opening`, is on the screen
 */

import { element, number } from "./marks.js";

let made = 0;

/** The control that `spec` describes; act: changes traits. */
export function makeControl(spec, act) {
  const kinds = { slider: Slider, choice: Choice, switches: Switches, text: Text, player: Player };
  if (!Object.hasOwn(kinds, spec.kind)) {
    throw new TypeError(`kind must be one of ${Object.keys(kinds).join(", ")}, got ${JSON.stringify(spec.kind)}`);
  }
  return new kinds[spec.kind](spec, act);
}

class Control {
  constructor(spec, act) {
    Object.assign(this, { spec, act, trait: spec.trait, id: `live-control-${++made}` });
    this.name = element("label", { for: this.id, class: spec.color ? `live-${spec.color}` : null }, spec.label);
    this.node = element("div", { class: `live-control live-${spec.kind}` });
  }

  enable(input, s) {
    const on = this.spec.when?.(s) ?? true;
    input.disabled = !on;
    this.node.classList.toggle("live-off", !on);
  }
}

class Slider extends Control {
  constructor(spec, act) {
    super(spec, act);
    this.place = spec.log === 2 ? Math.log2 : spec.log ? Math.log10 : (value) => value;
    this.at = spec.log ? (place) => Number((10 ** place).toPrecision(3)) : (place) => Number(place.toPrecision(12));
    if (spec.log === 2) this.at = (place) => Math.round(2 ** (Math.round(place / spec.step) * spec.step));
    [this.min, this.max] = [spec.min, spec.max].map(this.place);
    const ends = { min: this.min, max: this.max, step: spec.step };
    this.input = element("input", { type: "range", id: this.id, ...ends, "data-trait": spec.trait });
    this.value = element("output", { for: this.id });
    this.input.addEventListener("input", () => this.put(Number(this.input.value)));
    this.node.append(element("div", { class: "live-row" }, this.name, this.value), this.input);
  }

  put(place) {
    const { trait, write } = this.spec;
    this.act(write ? write(this.at(place), ...this.act.state()) : { [trait]: this.at(place) });
  }

  sync(s, d) {
    const { trait, read = () => s[trait], format = (value) => number(value) } = this.spec;
    const value = read(s, d);
    this.now = this.place(value);
    if (Number(this.input.value) !== this.now) this.input.value = this.now;
    const words = format(value, s);
    this.value.textContent = words;
    this.input.setAttribute("aria-valuetext", words);
    this.enable(this.input, s);
  }

  turn(steps) {
    this.put(Math.min(this.max, Math.max(this.min, this.now + steps * this.spec.step)));
  }

  range() {
    return { min: this.min, max: this.max, now: this.now };
  }
}

class Choice extends Control {
  constructor(spec, act) {
    super(spec, act);
    const { options, trait } = spec;
    this.name = element("legend", {}, spec.label);
    this.inputs = options.map(([value], i) => {
      const input = element("input", { type: "radio", name: this.id, id: `${this.id}-${i}`, "data-trait": trait });
      input.addEventListener("change", () => act({ [trait]: value }));
      return input;
    });
    const labels = options.map(([, words], i) => element("label", { for: `${this.id}-${i}` }, words));
    const pairs = this.inputs.flatMap((input, i) => [input, labels[i]]);
    this.node.append(element("fieldset", {}, this.name, element("div", { class: "live-segments" }, ...pairs)));
  }

  sync(s) {
    this.index = this.spec.options.findIndex(([value]) => value === s[this.trait]);
    this.inputs.forEach((input, i) => {
      input.checked = i === this.index;
      this.enable(input, s);
    });
  }

  turn(steps) {
    const { options, trait } = this.spec;
    this.act({ [trait]: options[Math.min(options.length - 1, Math.max(0, this.index + steps))][0] });
  }

  range() {
    return { min: 0, max: this.spec.options.length - 1, now: this.index };
  }
}

/** Checkboxes side by side: what each of them turns on does not turn another off. No handle is their twin. */
class Switches extends Control {
  constructor(spec, act) {
    super(spec, act);
    this.name = element("p", { class: "live-name", id: this.id }, spec.label);
    this.inputs = spec.options.map(([trait]) => {
      const input = element("input", { type: "checkbox", "data-trait": trait });
      input.addEventListener("change", () => act({ [trait]: input.checked }));
      return input;
    });
    const labels = spec.options.map(([, words, color], i) => {
      return element("label", { class: color ? `live-switch live-${color}` : "live-switch" }, this.inputs[i], words);
    });
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-labelledby", this.id);
    this.node.append(this.name, element("div", { class: "live-row" }, ...labels));
  }

  sync(s) {
    this.inputs.forEach((input, i) => (input.checked = s[this.spec.options[i][0]]));
  }
}

class Text extends Control {
  constructor(spec, act) {
    super(spec, act);
    const plain = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
    this.input = element("input", { type: "text", id: this.id, "data-trait": spec.trait, ...plain });
    this.error = element("p", { class: "live-error", id: `${this.id}-error`, role: "alert" });
    this.input.setAttribute("aria-describedby", `${this.id}-error`);
    if (spec.wide) this.node.classList.add("live-wide");
    this.input.addEventListener("input", () => {
      const wrong = spec.check(this.input.value);
      this.error.textContent = wrong;
      this.input.setAttribute("aria-invalid", Boolean(wrong));
      const taken = wrong ? spec.cut?.(this.input.value) : this.input.value;
      if (!taken) return;
      this.shown = taken; // what is too long stays as it was written, with what is wrong about it
      act({ [spec.trait]: taken });
    });
    this.node.append(this.name, this.input, this.error);
  }

  sync(s) {
    // what a reader is writing stays, right or wrong, until the state itself changes
    if (s[this.trait] !== this.shown) {
      if (this.input.value !== s[this.trait]) this.input.value = s[this.trait];
      this.error.textContent = "";
      this.input.setAttribute("aria-invalid", "false");
    }
    this.shown = s[this.trait];
  }
}

class Player extends Control {
  constructor(spec, act) {
    super(spec, act);
    this.input = element("input", { type: "range", id: this.id, min: 0, step: 1, "data-trait": spec.trait });
    this.value = element("output", { for: this.id });
    const button = (words, label) => element("button", { type: "button", class: "live-button", "aria-label": label }, words);
    this.play = button("Play", null);
    const [back, on] = [button("‹", "One step back"), button("›", "One step on")];
    this.input.addEventListener("input", () => this.go(Number(this.input.value)));
    back.addEventListener("click", () => this.turn(-1));
    on.addEventListener("click", () => this.turn(1));
    this.play.addEventListener("click", () => (this.timer ? this.pause() : this.start()));
    const line = element("div", { class: "live-row" }, this.name, this.value);
    this.node.append(line, element("div", { class: "live-row live-transport" }, this.play, back, on, this.input));
  }

  sync(s, d) {
    this.last = this.spec.last(d);
    this.now = s[this.trait] < 0 || s[this.trait] > this.last ? this.last : s[this.trait];
    this.input.max = this.last;
    this.input.value = this.now;
    const words = this.spec.says(this.now, d);
    this.value.textContent = words;
    this.input.setAttribute("aria-valuetext", words);
    if (this.timer && this.now >= this.last && !this.spec.loop) this.pause();
  }

  go(step) {
    this.pause();
    this.now = step; // two clicks may come within one frame
    this.act({ [this.trait]: step });
  }

  turn(steps) {
    this.go(Math.min(this.last, Math.max(0, this.now + steps)));
  }

  range() {
    return { min: 0, max: this.last, now: this.now, page: Math.min(10, Math.ceil(this.last / 4)) };
  }

  start() {
    if (this.now >= this.last || this.now === this.spec.opening) this.act({ [this.trait]: 0 });
    this.timer = setInterval(() => {
      const next = this.now >= this.last ? 0 : this.now + 1;
      this.act({ [this.trait]: next });
    }, this.spec.pace ?? 450);
    this.play.textContent = "Pause";
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "Play";
  }
}
