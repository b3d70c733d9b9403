/** What a test sees of a live figure, and how it turns every control to its ends. Loaded into the page before it. */

globalThis.eyes = (() => {
  const BAD = /NaN|Infinity|undefined|\bnull\b|\[object|not a number|∞/;
  const stage = (i = 0) => document.querySelectorAll(".live-stage")[i];
  const settle = () => new Promise((done) => requestAnimationFrame(done)); // the figure's own frame was asked for before

  /** 53 bits that tell two drawings apart, so that they need not travel. */
  function digest(text) {
    let [a, b] = [0xdeadbeef, 0x41c6ce57];
    for (let i = 0; i < text.length; i++) {
      a = Math.imul(a ^ text.charCodeAt(i), 2654435761);
      b = Math.imul(b ^ text.charCodeAt(i), 1597334677);
    }
    return 4294967296 * (2097151 & (b ^ (a >>> 13))) + ((a ^ (b >>> 16)) >>> 0);
  }

  /** All that is drawn: SVG as text, without the mark that the focus leaves, and the pixels of a canvas. */
  function drawing(stage) {
    const panels = [...stage.querySelectorAll(".live-canvas")].map((box) => {
      const svg = box.querySelector("svg").cloneNode(true);
      svg.querySelectorAll("*").forEach((node) => node.removeAttribute("data-lm-suppress-shortcuts"));
      const canvas = box.querySelector("canvas");
      return svg.outerHTML + (canvas && !canvas.hidden ? canvas.toDataURL() : "");
    });
    return panels.join("\n");
  }

  /** The text alternative: sentences and formula below the drawings, their names, what the handles say. */
  function words(stage) {
    const label = (node) => `${node.getAttribute("aria-label")}: ${node.getAttribute("aria-valuetext") ?? ""}`;
    const said = [...stage.querySelectorAll(".live-words, .live-equation")].map((node) => node.textContent);
    return [...said, ...[...stage.querySelectorAll("svg, .live-handle")].map(label)].join("\n");
  }

  const state = (stage) =>
    [...stage.querySelectorAll("input, select, output")].map((node) => (/radio|checkbox/.test(node.type) ? node.checked : node.value));

  /** What no drawing may show at any state. */
  function wrong(stage) {
    const found = [];
    for (const node of stage.querySelectorAll("*")) {
      for (const { name, value } of node.attributes) if (BAD.test(value)) found.push(`${node.tagName} ${name}=${value}`);
      if (!node.children.length && BAD.test(node.textContent)) found.push(`${node.tagName}: ${node.textContent}`);
    }
    const said = stage.textContent.match(BAD);
    if (said) found.push(`${said[0]} in the words`);
    const width = document.documentElement.clientWidth;
    const needed = document.documentElement.scrollWidth;
    if (needed > width) found.push(`${needed} px wide on a page of ${width}`);
    for (const text of stage.querySelectorAll("svg text")) {
      const { left, right } = text.getBoundingClientRect();
      if (left < 0 || right > width) found.push(`“${text.textContent}” leaves the page`);
    }
    return [...new Set(found)].slice(0, 5);
  }

  async function look(i = 0) {
    await settle();
    const at = stage(i);
    return { drawing: digest(drawing(at)), words: words(at), said: at.querySelector(".live-words").textContent, state: state(at), wrong: wrong(at) };
  }

  /** For each control a list of acts that take it to an end: ranges, lists, switches to both, choices and text to each. */
  function waysToEnds(stage) {
    const fire = (node, type) => node.dispatchEvent(new Event(type, { bubbles: true }));
    const set = (node, type, values) => values.map((value) => () => ((node.value = value), fire(node, type)));
    const ways = [];
    for (const node of stage.querySelectorAll("input[type=range]")) ways.push(set(node, "input", [node.min, node.max]));
    for (const node of stage.querySelectorAll("select")) {
      ways.push(set(node, "change", [node.options[0].value, node.options[node.options.length - 1].value]));
    }
    for (const group of stage.querySelectorAll("fieldset")) {
      ways.push([...group.querySelectorAll("input")].map((node) => () => ((node.checked = true), fire(node, "change"))));
    }
    for (const node of stage.querySelectorAll("input[type=checkbox]")) {
      ways.push([false, true].map((on) => () => ((node.checked = on), fire(node, "change"))));
    }
    for (const node of stage.querySelectorAll("input[type=text]")) {
      ways.push(set(node, "input", ["]", "[".repeat(longest(node)), "é]".repeat(Math.floor(longest(node) / 3))]));
    }
    return ways;
  }

  /** How many letters a text may have at most, asked of the control itself. */
  function longest(node) {
    const before = node.value;
    const takes = (value) => {
      node.value = value;
      node.dispatchEvent(new Event("input", { bubbles: true }));
      return node.getAttribute("aria-invalid") === "false";
    };
    let most = 257;
    while (!takes("[".repeat(most))) most--;
    takes(before);
    return most;
  }

  /** Every combination of ends, or `most` of them drawn by chance: how many were tried, and what was wrong where. */
  async function ends(most) {
    const at = stage();
    const ways = waysToEnds(at);
    const total = ways.reduce((product, way) => product * way.length, 1);
    const found = [];
    let draw = 1;
    for (let k = 0; k < Math.min(total, most); k++) {
      draw = (draw * 48271) % 2147483647;
      let left = total <= most ? k : Math.floor((draw / 2147483647) * total);
      for (const way of ways) {
        way[left % way.length]();
        left = Math.floor(left / way.length);
      }
      await settle();
      const bad = wrong(at);
      if (bad.length) found.push([state(at).join(" | "), ...bad]);
    }
    return { tried: Math.min(total, most), found: found.slice(0, 5) };
  }

  /** The number of a trait's control: a slider's or a list's value, the index of a choice. */
  function number(trait) {
    const nodes = [...stage().querySelectorAll(`:is(input, select)[data-trait="${trait}"]`)];
    return nodes[0].type === "radio" ? nodes.findIndex((node) => node.checked) : Number(nodes[0].value);
  }

  return { stage, settle, look, longest, ends, number, drawing };
})();
