// Moves, selects and crops in the grid of photos, and tells the page what is picked (ui/photo_grid.py, ui/photo_editor.py).
(() => {
  const STEP = 0.02; // of the photo: a key's move of the frame
  const LEAST = 0.05;
  const selected = new Set();
  let current = null;
  let anchor = null;
  let isInGrid = false;
  let frame = null;
  let drag = null;
  let told = 0; // makes each telling another value, so that the page hears it
  const element = (id) => document.getElementById(id);
  const items = () => [...document.querySelectorAll("#photos [data-name]")];
  const nameOf = (item) => item.dataset.name;
  const press = (id) => document.querySelector(`button#${id}, #${id} button`)?.click();

  function write(id, text) {
    const field = document.querySelector(`#${id} textarea, #${id} input`);
    if (!field) return;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const tell = () => write("picked", JSON.stringify({ current, selected: [...selected], told: (told += 1) }));

  // The page is told whose caption was typed into, and again after an answer came between two keys.
  let typedFor = null;
  function markTyped(isTyping) {
    const field = document.querySelector("#edited textarea, #edited input");
    if (!field?.value) return;
    const edited = JSON.parse(field.value);
    if (isTyping) typedFor = edited.name;
    else if (typedFor !== edited.name) typedFor = null;
    if (typedFor && !edited.typed) write("edited", JSON.stringify({ ...edited, typed: true }));
  }
  document.addEventListener("input", (event) => event.target.closest?.("#caption") && markTyped(true));
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => markTyped(false), { capture: true });

  function draw() {
    for (const item of items()) {
      const isCurrent = nameOf(item) === current;
      item.setAttribute("aria-selected", String(selected.has(nameOf(item))));
      item.classList.toggle("current", isCurrent);
      item.tabIndex = isCurrent ? 0 : -1;
    }
    const count = element("pick-count");
    if (count) count.textContent = selected.size ? worded("selected", { count: selected.size }) : "";
  }

  // After the grid was drawn anew: what is gone is picked no more.
  function reconcile() {
    const names = items().map(nameOf);
    for (const name of [...selected]) if (!names.includes(name)) selected.delete(name);
    if (!names.includes(current)) current = names[0] ?? null;
    draw();
    if (isInGrid) focusCurrent();
    tell();
  }

  const itemOf = (name) => items().find((item) => nameOf(item) === name);

  function focusCurrent() {
    itemOf(current)?.focus({ preventScroll: true });
  }

  function go(item, extend) {
    if (!item) return;
    if (extend) selectRange(anchor ?? current, nameOf(item));
    else anchor = nameOf(item);
    current = nameOf(item);
    draw();
    item.focus();
    tell();
  }

  function toggle(name) {
    if (!selected.delete(name)) selected.add(name);
    anchor = name;
    draw();
    tell();
  }

  function selectRange(from, to) {
    const names = items().map(nameOf);
    const [first, last] = [names.indexOf(from), names.indexOf(to)].sort((a, b) => a - b);
    for (const name of names.slice(Math.max(0, first), last + 1)) selected.add(name);
  }

  function selectAll(isWanted) {
    selected.clear();
    if (isWanted) for (const item of items()) selected.add(nameOf(item));
    draw();
    tell();
  }

  // The item nearest below or above, in the same column as the eye sees it.
  function vertical(all, at, step) {
    const here = all[at].getBoundingClientRect();
    const others = all.filter((item) => Math.sign(Math.round(item.getBoundingClientRect().top - here.top)) === step);
    if (!others.length) return null;
    const rows = others.map((item) => Math.abs(item.getBoundingClientRect().top - here.top));
    const row = Math.min(...rows);
    const inRow = others.filter((_, number) => Math.abs(rows[number] - row) < 4);
    return inRow.reduce((best, item) => (Math.abs(item.getBoundingClientRect().left - here.left) < Math.abs(best.getBoundingClientRect().left - here.left) ? item : best));
  }

  function target(key) {
    const all = items();
    const at = all.findIndex((item) => nameOf(item) === current);
    switch (key) {
      case "ArrowRight": return all[at + 1];
      case "ArrowLeft": return all[at - 1];
      case "ArrowDown": return vertical(all, at, 1);
      case "ArrowUp": return vertical(all, at, -1);
      case "Home": return all[0];
      case "End": return all.at(-1);
      default: return undefined;
    }
  }

  function keyInGrid(event) {
    const withControl = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (/^(Arrow|Home|End)/.test(key)) go(target(key), event.shiftKey);
    else if (key === " ") toggle(current);
    else if (key === "a" && withControl) selectAll(true);
    else if (key === "z" && withControl) press(event.shiftKey ? "redo" : "undo");
    else if (key === "y" && withControl) press("redo");
    else if (withControl || event.altKey) return;
    else if (key === "Escape") selectAll(false);
    else if (key === "Enter") document.querySelector("#caption textarea")?.focus();
    else if (key === "x") press(itemOf(current)?.classList.contains("aside") ? "take-back" : "exclude");
    else if (key === "r") press(event.shiftKey ? "turn-left" : "turn-right");
    else if (key === "Delete") press("delete-photos");
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.("#photos [data-name]")) keyInGrid(event);
    else if (event.target.id === "crop-frame") keyInFrame(event);
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest?.("#caption")) press("save-caption");
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (button?.id === "pick-all") return selectAll(true);
    if (button?.id === "pick-none") return selectAll(false);
    if (button?.id === "crop-start") return startCrop();
    if (button?.id === "crop-apply") return applyCrop();
    if (button?.id === "crop-cancel") return endCrop();
    if (button?.dataset.remedy !== undefined) return write("remedy", JSON.stringify({ finding: Number(button.dataset.remedy), photos: JSON.parse(button.dataset.photos), told: (told += 1) }));
    if (button?.dataset.captionAgain !== undefined) {
      window.scrollTo({ top: 0 });
      return write("caption-again", JSON.stringify({ finding: Number(button.dataset.captionAgain), photos: JSON.parse(button.dataset.photos), captioner: button.dataset.captioner, told: (told += 1) }));
    }
    if (button?.dataset.answer !== undefined) return write("proposal-answer", JSON.stringify({ photo: button.dataset.photo, answer: button.dataset.answer, told: (told += 1) }));
    const item = event.target.closest?.("#photos [data-name]");
    if (!item) return;
    if (event.target.classList.contains("pick") || event.ctrlKey || event.metaKey) toggle(nameOf(item));
    else go(item, event.shiftKey);
  });

  document.addEventListener("focusin", (event) => (isInGrid = Boolean(event.target.closest?.("#photos [data-name]"))));

  // The frame: left, top, right, bottom in shares of the photo.
  function startCrop() {
    frame = [0.1, 0.1, 0.9, 0.9];
    showFrame(true);
    element("crop-frame").focus();
  }

  function endCrop() {
    frame = null;
    showFrame(false);
    element("crop-start")?.focus();
  }

  function applyCrop() {
    if (frame) write("crop-box", frame.map((share) => share.toFixed(4)).join(","));
    endCrop();
  }

  function showFrame(isShown) {
    for (const [id, hidden] of [["crop-frame", !isShown], ["crop-apply", !isShown], ["crop-cancel", !isShown], ["crop-start", isShown]]) if (element(id)) element(id).hidden = hidden;
    placeFrame();
  }

  function placeFrame() {
    const shown = element("crop-frame");
    if (!shown || !frame) return;
    const [left, top, right, bottom] = frame.map((share) => `${share * 100}%`);
    Object.assign(shown.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
  }

  // Moved, or drawn at an edge; never out of the photo, never to nothing.
  function changed(from, edge, x, y) {
    let [left, top, right, bottom] = from;
    if (!edge) {
      const dx = Math.min(Math.max(x, -left), 1 - right);
      const dy = Math.min(Math.max(y, -top), 1 - bottom);
      return [left + dx, top + dy, right + dx, bottom + dy];
    }
    if (edge.includes("w")) left = Math.min(Math.max(0, left + x), right - LEAST);
    if (edge.includes("e")) right = Math.max(Math.min(1, right + x), left + LEAST);
    if (edge.includes("n")) top = Math.min(Math.max(0, top + y), bottom - LEAST);
    if (edge.includes("s")) bottom = Math.max(Math.min(1, bottom + y), top + LEAST);
    return [left, top, right, bottom];
  }

  function keyInFrame(event) {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === "Enter") applyCrop();
    else if (event.key === "Escape") endCrop();
    else if (moves[event.key]) frame = changed(frame, event.shiftKey ? "se" : "", ...moves[event.key]);
    else return;
    event.preventDefault();
    placeFrame();
  }

  document.addEventListener("pointerdown", (event) => {
    const shown = event.target.closest?.("#crop-frame");
    if (!shown || !frame) return;
    event.preventDefault();
    shown.setPointerCapture(event.pointerId);
    drag = { edge: event.target.dataset.edge ?? "", from: frame, x: event.clientX, y: event.clientY };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const { width, height } = element("large-photo").getBoundingClientRect();
    frame = changed(drag.from, drag.edge, (event.clientX - drag.x) / width, (event.clientY - drag.y) / height);
    placeFrame();
  });
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, () => (drag = null));

  // Gradio changes the page in place: the mark of the drawing tells that the grid is another one.
  let drawn = null;
  new MutationObserver(() => {
    const grid = document.querySelector("#photos .photos, #photos .empty");
    const mark = grid?.dataset.drawn ?? "";
    if (grid && mark !== drawn) {
      drawn = mark;
      reconcile();
    }
    if (frame && !document.querySelector("#crop-frame:not([hidden])")) frame = null;
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-drawn"] });
})();
