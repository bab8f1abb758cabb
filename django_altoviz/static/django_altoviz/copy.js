"use strict";

// The button is hidden until it is known that the browser can copy: only over HTTPS, or locally.
document.addEventListener("DOMContentLoaded", () => {
    if (!navigator.clipboard) {
        return;
    }
    for (const button of document.querySelectorAll(".altoviz-copy")) {
        const status = button.nextElementSibling;
        button.hidden = false;
        button.addEventListener("click", async () => {
            try {
                // The page may show a part only; the download is the whole.
                const answer = await fetch(button.dataset.from);
                if (!answer.ok) {
                    throw new Error(answer.statusText);
                }
                await navigator.clipboard.writeText(await answer.text());
                status.textContent = status.dataset.done;
            } catch {
                status.textContent = status.dataset.failed;
            }
        });
    }
});
