// Shows, beside a job's form, what the schedule that is being typed would do.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const preview = document.getElementById("cron-preview");
    const form = document.getElementById("job_form");
    if (!preview || !form) {
        return;
    }
    // Where the eyes are while somebody types; the section it came in is of no more use.
    const section = preview.closest("section");
    form.querySelector(".field-schedule")?.after(preview);
    if (!section.contains(preview)) {
        section.remove();
    }
    let timer = null;
    let asked = null;

    const show = async () => {
        // An answer that comes after a later question is of no use.
        asked?.abort();
        asked = new AbortController();
        const fields = new URLSearchParams(new FormData(form));
        // What decides no due time, and what should not stand in a server's log.
        ["csrfmiddlewaretoken", "params", "description", "owner"].forEach((name) => fields.delete(name));
        fields.set("job", preview.dataset.job);
        try {
            const answer = await fetch(`${preview.dataset.url}?${fields}`, {signal: asked.signal});
            if (answer.ok) {
                preview.innerHTML = await answer.text();
            }
        } catch (error) {
            if (error.name !== "AbortError") {
                preview.textContent = "";
            }
        }
    };
    const later = () => {
        clearTimeout(timer);
        timer = setTimeout(show, 250);
    };

    form.addEventListener("input", later);
    form.addEventListener("change", later);
    show();
});
