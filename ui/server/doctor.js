// Tells the page which button of the doctor was pressed (ui/doctor_view.py); `told` makes the same button a new message.
(() => {
  let told = 0;
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-opens]");
    const box = button && document.querySelector("#doctor-pressed textarea, #doctor-pressed input");
    if (!box) return;
    box.value = JSON.stringify({ run: button.dataset.run, symptom: button.dataset.symptom, opens: button.dataset.opens, told: (told += 1) });
    box.dispatchEvent(new Event("input", { bubbles: true }));
    window.scrollTo({ top: 0 });
  });
})();
