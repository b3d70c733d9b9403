/**
 * A figure with data of its own begins when they are there. In a notebook the model brings them along; a page fetches
 * them once the figure comes near the screen, and until then its still picture stands. A classic script carries them,
 * because a page opened from the disk may not fetch a file.
 */

import { element } from "./marks.js";

const NEAR = "1200px"; // the picture gives way to the figure before a reader is there
const HOME = globalThis.document?.currentScript?.src || globalThis.document?.baseURI; // of this script, else of the page
const coming = {}; // name: a promise of the data

/** One script for all figures that want it; SelectiveState.data[name] is what it has left. */
function fetchData(name) {
  coming[name] ??= new Promise((done, fail) => {
    const script = element("script", { src: new URL(`${name}.js`, HOME).href });
    const { data } = globalThis.SelectiveState;
    script.addEventListener("load", () => (name in data ? done(data[name]) : fail(new Error(`${name}.js holds no data`))));
    script.addEventListener("error", () => fail(new Error(`${name}.js did not come`)));
    document.head.append(script);
  });
  return coming[name];
}

/** Resolves when the element is on the screen or near it. */
function near(el, stopped) {
  return new Promise((done) => {
    const sight = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        sight.disconnect();
        done();
      },
      { rootMargin: NEAR },
    );
    sight.observe(el);
    stopped.push(() => sight.disconnect());
  });
}

/**
 * Call `begin`, which gives a function that ends the figure, as soon as `file` has been read: at once where it has been,
 * or where the model has it. file: { name, there, read(data) }. Returns the function that ends all of it.
 */
export function whenRead(file, model, el, begin) {
  const take = (data) => {
    if (!file.there) file.read(data);
    file.there = true;
  };
  const text = model.get("_file");
  if (text) take(JSON.parse(text));
  if (file.there) return begin();
  const stops = [];
  let over = false;
  near(el, stops)
    .then(() => fetchData(file.name))
    .then(take)
    .then(() => over || stops.push(begin()))
    .catch((problem) => say(el, problem));
  return () => {
    over = true;
    stops.forEach((stop) => stop());
  };
}

/** One sentence where the picture's own line stands. */
function say(el, { message }) {
  const words = `The data of this figure are missing, so it stays a picture: ${message}. Reload the page to try again.`;
  const note = el.querySelector(".live-note") ?? el.appendChild(element("p", { class: "live-note" }));
  note.setAttribute("role", "status");
  note.textContent = words;
}
