// Opens a cell of the strength grid in full size, moves on by key, and lays two cells over one another with a slider (ui/pictures.py).
(() => {
  let first = null; // the cell that waits for another to be compared with
  let shown = null;
  const cells = () => [...document.querySelectorAll("#cells a.cell")];
  const make = (tag, attributes = {}) => Object.assign(document.createElement(tag), attributes);

  function dialog() {
    let box = document.getElementById("cell-view");
    if (box) return box;
    box = make("dialog", { id: "cell-view" });
    const stage = make("div", { className: "stage" });
    stage.append(make("img", { className: "under", alt: "" }), make("img", { className: "over", alt: "" }), make("i", { className: "edge" }));
    const slider = make("input", { type: "range", min: 0, max: 100, value: 50, ariaLabel: worded("cell_share") });
    slider.addEventListener("input", slide);
    const bar = make("div", { className: "cell-bar" });
    for (const [name, text, act] of [["previous", "\u2190", () => move(-1)], ["next", "\u2192", () => move(1)], ["compare", worded("cell_compare"), choose], ["close", worded("close"), () => box.close()]]) {
      const button = make("button", { type: "button", className: name, textContent: text });
      button.addEventListener("click", act);
      bar.append(button);
    }
    bar.querySelector(".previous").ariaLabel = worded("cell_previous");
    bar.querySelector(".next").ariaLabel = worded("cell_next");
    box.append(stage, slider, make("p", { className: "words" }), bar);
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    document.body.append(box);
    return box;
  }

  function slide() {
    const box = dialog();
    const share = box.querySelector("input").value;
    box.querySelector(".over").style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    box.querySelector(".edge").style.left = `${share}%`;
  }

  // `over` is the left picture of a comparison, or null for one picture alone.
  function show(cell, over) {
    const box = dialog();
    shown = cell;
    box.classList.toggle("pair", Boolean(over));
    box.querySelector(".under").src = cell.href;
    if (over) box.querySelector(".over").src = over.href;
    box.querySelector(".words").textContent = over ? worded("cell_pair", { left: over.dataset.label, right: cell.dataset.label }) : cell.dataset.label;
    box.querySelector("input").value = 50;
    slide();
    if (!box.open) box.showModal();
  }

  function move(by) {
    const all = cells();
    const at = all.findIndex((cell) => cell.href === shown?.href);
    if (all[at + by]) show(all[at + by], null);
  }

  function choose() {
    first = shown;
    dialog().close();
    note(worded("cell_choose", { label: first.dataset.label }));
  }

  function note(text) {
    let line = document.getElementById("cell-note");
    if (!line) document.querySelector("#cells")?.prepend((line = make("div", { id: "cell-note" })));
    line.setAttribute("role", "status");
    line.textContent = text;
    line.hidden = !text;
  }

  document.addEventListener("click", (event) => {
    const cell = event.target.closest?.("#cells a.cell");
    if (!cell || event.ctrlKey || event.metaKey || event.button) return;
    event.preventDefault();
    const over = first && first.href !== cell.href ? first : null;
    first = null;
    note("");
    show(cell, over);
  });

  document.addEventListener("keydown", (event) => {
    if (!document.getElementById("cell-view")?.open || event.target.type === "range") return;
    if (event.key === "ArrowRight") move(1);
    if (event.key === "ArrowLeft") move(-1);
  });
})();
