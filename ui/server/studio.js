// What the page does in the browser by itself: tells a click to the server, filters the log, remembers what an hour costs, compares pictures, says when a run ends and when the server is away.
(() => {
  const element = (id) => document.getElementById(id);
  const saved = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const save = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private windows keep nothing */ } };
  let told = 0;

  function write(id, text) {
    const field = document.querySelector(`#${id} textarea, #${id} input`);
    if (!field) return;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const act = (wish) => write("act", JSON.stringify({ ...wish, told: (told += 1) }));

  // --- Going somewhere: data-go names a tab, data-focus what to look at there.
  function go(tab, focus) {
    const button = [...document.querySelectorAll("button[role=tab]")].find((one) => one.textContent.includes(tab));
    button?.click();
    if (focus) setTimeout(() => {
      const target = element(focus);
      const fold = target?.matches("details") ? target : target?.querySelector("details");
      if (fold) fold.open = true;
      target?.querySelector(".label-wrap:not(.open)")?.click();
      target?.scrollIntoView({ block: "center" });
      (target?.matches("button") ? target : target?.querySelector("button, input, textarea"))?.focus({ preventScroll: true });
    }, 350);
  }

  // --- The log: levels and search, kept while new lines come.
  const levels = new Set(["note", "warning", "error"]);
  function filterLog() {
    const words = (element("log-search")?.value ?? "").toLowerCase();
    let shown = 0;
    for (const line of document.querySelectorAll("#log [data-level]")) {
      line.hidden = !levels.has(line.dataset.level) || !line.textContent.toLowerCase().includes(words);
      shown += line.hidden ? 0 : 1;
    }
    const none = document.querySelector("#log .none");
    if (none) none.hidden = shown > 0;
  }

  // --- The price of an hour is remembered by this browser, unless the machine was started with one.
  const price = () => document.querySelector("#set-run-price-per-hour input");
  function fillPrice() {
    const field = price();
    if (!field || field.dataset.filled) return;
    field.dataset.filled = "yes";
    const known = saved("studio-price");
    if (known && Number(field.value || 0) === 0) write("set-run-price-per-hour", known);
  }

  // --- Full size, with the base model beside it under a slider.
  let row = [];
  let place = 0;
  let cut = 50;
  function viewer() {
    let dialog = document.querySelector("dialog.viewer");
    if (dialog) return dialog;
    dialog = document.createElement("dialog");
    dialog.className = "viewer";
    dialog.setAttribute("aria-label", worded("viewer"));
    dialog.innerHTML = `<div class="stage"><img class="under" alt=""><img class="over" alt=""></div><div class="tools"><label>${worded("viewer_left")} <span class="left"></span>, ${worded("viewer_right")} <span class="right"></span><input type="range" min="0" max="100" aria-label="${worded("viewer_cut")}"></label><div><span class="words"></span><span><button type="button" class="back" aria-label="${worded("viewer_earlier")}">&larr;</button> <button type="button" class="on" aria-label="${worded("viewer_later")}">&rarr;</button> <button type="button" class="shut">${worded("close")}</button></span></div></div>`;
    const slider = dialog.querySelector("input");
    const move = (to) => { cut = Math.max(0, Math.min(100, to)); slider.value = cut; dialog.style.setProperty("--cut", `${cut}%`); };
    slider.addEventListener("input", () => move(Number(slider.value)));
    const stage = dialog.querySelector(".stage");
    const drag = (event) => { const box = stage.getBoundingClientRect(); move((100 * (event.clientX - box.left)) / box.width); };
    stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); drag(event); });
    stage.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
    dialog.querySelector(".back").addEventListener("click", () => show(place - 1));
    dialog.querySelector(".on").addEventListener("click", () => show(place + 1));
    dialog.querySelector(".shut").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", (event) => {
      if (event.target === slider || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      event.preventDefault();
      show(place + (event.key === "ArrowLeft" ? -1 : 1));
    });
    document.body.append(dialog);
    move(50);
    return dialog;
  }

  function show(number) {
    if (number < 0 || number >= row.length) return;
    place = number;
    const dialog = viewer();
    const [base, one] = [row[0], row[place]];
    dialog.querySelector("img.over").src = base.dataset.full;
    dialog.querySelector("img.under").src = one.dataset.full;
    dialog.querySelector("img.under").alt = `${one.dataset.words}, ${one.dataset.label}`;
    dialog.querySelector(".left").textContent = base.dataset.label;
    dialog.querySelector(".right").textContent = one.dataset.label;
    dialog.querySelector(".words").textContent = place === 0 ? `${one.dataset.words} (${one.dataset.label})` : one.dataset.words;
    dialog.querySelector(".back").disabled = place === 0;
    dialog.querySelector(".on").disabled = place === row.length - 1;
    dialog.classList.toggle("alone", place === 0);
    if (!dialog.open) dialog.showModal();
  }

  // --- The end of a run: asked of the server also while this window is hidden, when the page itself rests.
  let before = null;
  let sound = null;
  const isOn = (kind) => saved(`studio-${kind}`) === "on";
  const TITLE = document.title || worded("title");

  function ring() {
    sound ??= new AudioContext();
    [[660, 0], [880, 0.18]].forEach(([pitch, after]) => {
      const tone = sound.createOscillator();
      const volume = sound.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.12, sound.currentTime + after);
      volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + after + 0.4);
      tone.connect(volume).connect(sound.destination);
      tone.start(sound.currentTime + after);
      tone.stop(sound.currentTime + after + 0.45);
    });
  }

  async function watch() {
    let now;
    try { now = await (await fetch("now", { cache: "no-store" })).json(); } catch { return; }
    const title = now.running ? worded("running", { percent: now.steps ? Math.floor((100 * now.step) / now.steps) : 0, name: now.name }) : TITLE;
    if (document.title !== title) document.title = title;
    const hasEnded = before?.running && (!now.running || now.name !== before.name);
    if (hasEnded) {
      const text = now.name === before.name && now.ended ? worded("ended_so", { name: before.name, how: now.ended }) : worded("ended", { name: before.name });
      if (isOn("sound")) try { ring(); } catch { /* a browser without sound */ }
      if (isOn("notify") && window.Notification?.permission === "granted") new Notification(worded("title"), { body: text });
    }
    before = now;
  }
  setInterval(watch, 5000);

  async function toggleNotice(box) {
    const kind = box.dataset.notice;
    if (box.checked && kind === "notify") {
      const answer = window.Notification ? await Notification.requestPermission() : "denied";
      if (answer !== "granted") { box.checked = false; element("notice-said").textContent = worded("no_notices"); return; }
    }
    if (box.checked && kind === "sound") try { ring(); } catch { /* a browser without sound */ }
    element("notice-said").textContent = "";
    save(`studio-${kind}`, box.checked ? "on" : "off");
  }

  // --- What is wrong with the page itself stands in one line; that the server is away comes before the rest.
  const troubles = new Map();
  window.sayTrouble = (cause, text) => {
    if ((troubles.get(cause) ?? "") === text) return;
    text ? troubles.set(cause, text) : troubles.delete(cause);
    let line = element("page-trouble");
    if (!line) {
      line = Object.assign(document.createElement("div"), { id: "page-trouble" });
      line.setAttribute("role", "alert");
      document.body.append(line);
    }
    line.textContent = troubles.get("away") ?? [...troubles.values()][0] ?? "";
    line.style.display = troubles.size ? "block" : "none";
  };

  const SECONDS_BETWEEN = 5;
  let missed = 0;
  async function look() {
    let isThere = false;
    try { isThere = (await fetch("healthz", { cache: "no-store" })).ok; } catch { /* as a proxy's word that nobody is there */ }
    missed = isThere ? 0 : missed + 1;
    sayTrouble("away", missed >= 2 ? worded("away", { seconds: missed * SECONDS_BETWEEN }) : "");
  }
  setInterval(look, 1000 * SECONDS_BETWEEN);

  // --- Notes that are being typed outlive a table that is drawn anew.
  const drafts = new Map();
  const open = new Set();
  function restore() {
    for (const field of document.querySelectorAll("textarea[data-note]")) {
      const draft = drafts.get(field.dataset.note);
      if (draft !== undefined && field.value !== draft) field.value = draft;
    }
    for (const fold of document.querySelectorAll("details[data-fold]")) if (open.has(fold.dataset.fold) && !fold.open) fold.open = true;
  }

  document.addEventListener("click", (event) => {
    const picture = event.target.closest("[data-full]");
    if (picture) { row = [...picture.closest("[data-row]").querySelectorAll("[data-full]")]; show(row.indexOf(picture)); return; }
    const button = event.target.closest("[data-go], [data-do], [data-level-toggle]");
    if (!button) return;
    if (button.dataset.levelToggle) {
      const level = button.dataset.levelToggle;
      if (!levels.delete(level)) levels.add(level);
      button.setAttribute("aria-pressed", String(levels.has(level)));
      return filterLog();
    }
    if (button.dataset.do) {
      const wish = { do: button.dataset.do, what: button.dataset.what ?? "" };
      if (wish.do === "note") { wish.text = document.querySelector(`textarea[data-note="${CSS.escape(wish.what)}"]`)?.value ?? ""; drafts.delete(wish.what); open.delete(`note-${wish.what}`); }
      act(wish);
    }
    if (button.dataset.go) go(button.dataset.go, button.dataset.focus);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "log-search") filterLog();
    if (event.target === price()) save("studio-price", event.target.value);
    if (event.target.matches?.("textarea[data-note]")) drafts.set(event.target.dataset.note, event.target.value);
  });
  document.addEventListener("change", (event) => { if (event.target.dataset?.notice) toggleNotice(event.target); });
  document.addEventListener("toggle", (event) => {
    const name = event.target.dataset?.fold;
    if (name) event.target.open ? open.add(name) : open.delete(name);
  }, true);

  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      filterLog();
      restore();
      fillPrice();
      for (const box of document.querySelectorAll("[data-notice]:not([data-filled])")) { box.dataset.filled = "yes"; box.checked = isOn(box.dataset.notice) && (box.dataset.notice !== "notify" || window.Notification?.permission === "granted"); }
    });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
