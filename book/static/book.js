// What scrolls can be reached by keyboard, and only then: formulas, code, tables, figures.
(() => {
  const BOXES = [
    [".math-body", () => "Formula, scrolls sideways"],
    [".plot-box", (box) => box.dataset.label],
    [".pst-scrollable-table-container", () => "Table, scrolls sideways"],
    ["div.highlight pre", () => "Code, scrolls sideways"],
  ];

  function reach(box, label) {
    const overflows = box.scrollWidth > box.clientWidth + 1;
    if (overflows && !box.hasAttribute("data-reach")) {
      const names = { tabindex: "0", role: "group", "aria-label": label(box), "data-reach": "" };
      for (const [name, value] of Object.entries(names)) box.setAttribute(name, value);
    } else if (!overflows && box.hasAttribute("data-reach")) {
      for (const name of ["tabindex", "role", "aria-label", "data-reach"]) box.removeAttribute(name);
    }
  }

  function reachAll() {
    for (const [selector, label] of BOXES) {
      document.querySelectorAll(selector).forEach((box) => reach(box, label));
    }
  }

  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(reachAll, 120);
  });
  document.addEventListener("DOMContentLoaded", reachAll);
  document.fonts?.ready.then(reachAll);
})();
