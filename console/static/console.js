// All that needs a script: a verification that runs is looked at again, and a choice of product or language is sent at
// once. Without it the page has a button and a link for the same.
"use strict";

for (const select of document.querySelectorAll("select[data-sends]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

const running = document.querySelector("[data-progress]");
if (running) {
  const bar = running.querySelector("progress");
  const told = running.querySelector("[data-told]");
  const look = async () => {
    try {
      const answer = await fetch(running.dataset.progress, { credentials: "same-origin" });
      const now = answer.ok ? await answer.json() : { state: "unknown" };
      if (now.state !== "running") {
        location.reload();
        return;
      }
      bar.max = Math.max(now.of, 1);
      bar.value = now.done;
      told.textContent = `${now.done.toLocaleString("en")} / ${now.of.toLocaleString("en")}`;
    } catch {
      // The service may be starting anew: look again.
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 500);
}
