// The page's clocks: each asks the server what has changed, and hands the answer to Gradio as if it came from a handler of its own.
(() => {
  const SECONDS_TO_ANSWER = 20;
  const NOTHING = [];
  const asking = new Set();
  const lost = new Set();

  window.drawAgain = async (handler, load, values) => {
    if (!load || document.hidden || asking.has(handler)) return NOTHING;
    asking.add(handler);
    try {
      const answer = await fetch("gradio_api/run/predict", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ fn_index: handler, data: [lost.has(handler) ? "lost" : "", ...values], session_hash: load }),
        signal: AbortSignal.timeout(1000 * SECONDS_TO_ANSWER),
      });
      sayTrouble("drawing", answer.status === 401 ? worded("page_logged_out") : answer.status === 500 ? worded("not_drawn") : "");
      const drawn = answer.ok ? (await answer.json()).data : NOTHING;
      answer.ok ? lost.delete(handler) : lost.add(handler);
      return drawn;
    } catch {
      lost.add(handler); // that the server is away is said by what asks for its health
      return NOTHING;
    } finally {
      asking.delete(handler);
    }
  };
})();
