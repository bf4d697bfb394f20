// Sends what is dropped in pieces, goes on where a proxy cut, hands the batch in and shows what became of each file (ui/server/uploads.py).
(() => {
  const AT_ONCE = 3;
  const TRIES = 8;
  const FIRST_PIECE = 1 << 20;
  const SMALLEST_PIECE = 1 << 16;
  const QUICK = 2000; // ms: pieces that take less are doubled, so that progress moves and no proxy's clock runs out
  const PATIENCE = 95000; // ms: RunPod's proxy gives up after 100 s
  const LITTER = /^(\..*|thumbs\.db|desktop\.ini)$/i;
  const TOLD = "upload-receipts";
  const WORTH_TELLING = 60000; // ms
  const element = (id) => document.getElementById(id);
  let line = Promise.resolve();
  let cancel = new AbortController();
  let isBusy = false;

  // An answer in words: trying again would not change it.
  class Said extends Error {}

  async function answer(address, options = {}) {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), PATIENCE);
    cancel.signal.addEventListener("abort", () => limit.abort(), { once: true });
    try {
      const reply = await fetch(address, { ...options, signal: limit.signal, cache: "no-store" });
      if (reply.status === 401) throw new Said(worded("logged_out"));
      const body = await reply.json();
      if (reply.ok || reply.status === 409) return body;
      if (body.what) throw new Said(`${body.what} ${body.fix}`.trim());
      throw new Error(reply.status);
    } finally {
      clearTimeout(timer);
    }
  }

  const post = (address, value) => answer(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

  async function patiently(action, waiting) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await action(tries);
      } catch (error) {
        if (cancel.signal.aborted) throw new Said(worded("cancelled"));
        if (error instanceof Said) throw error;
        if (tries === TRIES) throw new Said(worded("lost"));
        waiting();
        await new Promise((done) => setTimeout(done, Math.min(250 * 2 ** tries, 15000)));
      }
    }
  }

  async function send(row, folder) {
    const { file, name } = row;
    const announced = { folder, name, size: file.size, modified: file.lastModified };
    const waiting = () => row.say(worded("file_again"));
    const { identity, chunk, offset: known } = await patiently(() => post("uploads", announced), waiting);
    let offset = known;
    let piece = Math.min(FIRST_PIECE, chunk);
    while (offset < file.size) {
      row.sent(offset);
      const start = offset;
      const began = performance.now();
      offset = await patiently(async (tries) => {
        if (tries > 1) {
          piece = Math.max(SMALLEST_PIECE, Math.floor(piece / 2));
          const arrived = (await post("uploads", announced)).offset;
          if (arrived !== start) return arrived;
        }
        const query = new URLSearchParams({ folder, offset: start });
        return (await answer(`uploads/${identity}?${query}`, { method: "PUT", body: file.slice(start, start + piece) })).offset;
      }, waiting);
      if (performance.now() - began < QUICK) piece = Math.min(chunk, piece * 2);
    }
    row.sent(file.size);
    return identity;
  }

  async function handIn(folder, files, moved) {
    const identity = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const address = `uploads/batches/${identity}`;
    const waiting = () => say(worded("batch_again"));
    let progress = await patiently(() => post(address, { folder, files }), waiting);
    while (!progress.done) {
      moved(progress.receipts.length);
      await new Promise((done) => setTimeout(done, 400));
      progress = await patiently(() => answer(address), waiting);
    }
    if (progress.failed) throw new Said(worded("intake_failed"));
    return progress;
  }

  async function take(entries, folder) {
    cancel = new AbortController();
    isBusy = true;
    const rows = entries.map(makeRow);
    element("upload-files").replaceChildren(...rows.map((row) => row.line));
    element("upload-cancel").hidden = false;
    const bytes = entries.reduce((sum, entry) => sum + entry.file.size, 0);
    const numbers = () => count(worded("sent", { files: rows.filter((row) => row.identity).length, all: rows.length, done: megabytes(rows.reduce((sum, row) => sum + row.done, 0)), size: megabytes(bytes) }));
    const waitingRows = [...rows];
    say(worded("sending"));
    numbers();
    const sender = async () => {
      for (let row = waitingRows.shift(); row; row = waitingRows.shift()) {
        row.moved = numbers;
        try {
          row.identity = await send(row, folder);
        } catch (error) {
          if (!(error instanceof Said)) throw error;
          row.refused = error.message;
          row.say(error.message);
        }
        numbers();
      }
    };
    const receipts = [];
    let fault = "";
    let server = "";
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, sender));
      const files = rows.filter((row) => row.identity).map((row) => ({ identity: row.identity, name: row.name }));
      element("upload-cancel").hidden = true;
      if (files.length && !cancel.signal.aborted) {
        say(worded("checking"));
        count(worded("to_check", { files: files.length }));
        const taken = await handIn(folder, files, (done) => count(worded("checked", { done })));
        receipts.push(...taken.receipts);
        server = taken.server;
      }
    } catch (error) {
      fault = error instanceof Said ? error.message : worded("browser_failed", { error: error.message });
    }
    const refused = rows.filter((row) => row.refused).map((row) => ({ name: row.name, outcome: "refused", saved: "", what: row.refused }));
    tell([...refused, ...receipts], fault);
    element("upload-cancel").hidden = true;
    isBusy = false;
    // A studio that was started after this page was loaded knows nothing of it: only a new page shows the photos.
    if (server && server !== element("upload-target").dataset.server) return location.reload();
    document.querySelector("button#upload-done, #upload-done button")?.click();
  }

  // For the page that comes after this one: after a restart of the studio, it is loaded anew.
  function tell(receipts, fault) {
    sessionStorage.setItem(TOLD, JSON.stringify({ receipts, fault, at: Date.now() }));
    showReceipts(receipts, fault);
  }

  function tellAgain() {
    const told = JSON.parse(sessionStorage.getItem(TOLD) ?? "null");
    if (!told || Date.now() - told.at > WORTH_TELLING) return;
    if (!element("upload-files")) return setTimeout(tellAgain, 200);
    showReceipts(told.receipts, told.fault);
  }

  function makeRow({ file, name }) {
    const line = document.createElement("li");
    const title = document.createElement("bdi");
    const bar = document.createElement("progress");
    const words = document.createElement("small");
    title.textContent = name;
    bar.max = Math.max(1, file.size);
    bar.value = 0;
    bar.setAttribute("aria-label", name);
    line.append(title, bar, words);
    const row = { file, name, line, done: 0, moved: () => {}, say: (text) => (words.textContent = text) };
    row.sent = (offset) => {
      row.done = bar.value = offset;
      words.textContent = worded("file_sent", { done: megabytes(offset), size: megabytes(file.size) });
      row.moved();
    };
    return row;
  }

  function showReceipts(receipts, fault) {
    const of = (...outcomes) => receipts.filter((receipt) => outcomes.includes(receipt.outcome));
    const added = of("added", "renamed").length;
    const parts = [worded("added", { count: added })];
    if (of("already there").length) parts.push(worded("already_there", { count: of("already there").length }));
    if (of("refused").length) parts.push(worded("not_added", { count: of("refused").length }));
    say(fault || `${parts.join(", ")}.`);
    count(fault && receipts.length ? `${parts.join(", ")}.` : "");
    const worth = [...of("refused"), ...of("renamed"), ...of("already there"), ...of("added")];
    element("upload-files").replaceChildren(...worth.map(receiptLine));
  }

  function receiptLine(receipt) {
    const line = document.createElement("li");
    const title = document.createElement("bdi");
    const mark = document.createElement("b");
    const words = document.createElement("small");
    line.className = receipt.outcome.replace(" ", "-");
    title.textContent = receipt.name;
    mark.textContent = receipt.outcome === "refused" ? worded("mark_not_added") : receipt.outcome;
    words.textContent = [receipt.outcome === "renamed" ? worded("renamed", { name: receipt.saved }) : "", receipt.what].filter(Boolean).join("; ");
    line.append(title, mark, words);
    return line;
  }

  async function filesOf(transfer) {
    const roots = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
    const found = [];
    const walk = async (entry, path) => {
      if (entry instanceof File || entry.isFile) {
        const file = entry instanceof File ? entry : await new Promise((done, failed) => entry.file(done, failed));
        found.push({ file, name: path + file.name });
        return;
      }
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (!some.length) return;
        for (const inner of some) await walk(inner, `${path}${entry.name}/`);
      }
    };
    for (const root of roots) if (root) await walk(root, "");
    return found;
  }

  function queue(entries) {
    const wanted = entries.filter(({ file }) => !LITTER.test(file.name));
    const folder = element("upload-target").dataset.folder;
    if (wanted.length) line = line.then(() => take(wanted, folder));
  }

  const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
  const say = (text) => (element("upload-status").textContent = text);
  const count = (text) => (element("upload-numbers").textContent = text);
  // Photos dropped on the photos that are there are meant to be added too.
  const zoneOf = (event) => event.target.closest?.("#drop-zone, #photos");

  document.addEventListener("change", (event) => {
    if (event.target.id !== "upload-input") return;
    queue([...event.target.files].map((file) => ({ file, name: file.name })));
    event.target.value = "";
  });
  tellAgain();
  // Asks before the page is left; Gradio reloads it by itself when the server was restarted.
  window.addEventListener("beforeunload", (event) => isBusy && event.preventDefault());
  document.addEventListener("click", (event) => {
    if (event.target.id === "upload-cancel") cancel.abort();
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // elsewhere the browser would leave the page to show the photo
      const zone = zoneOf(event);
      element("drop-zone")?.classList.toggle("over", Boolean(zone) && (kind === "dragenter" || kind === "dragover"));
      if (kind === "drop" && zone) filesOf(event.dataTransfer).then(queue);
    });
  }
})();
