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
    section.hidden = false;
    form.querySelector(".field-schedule")?.after(preview);
    if (!section.contains(preview)) {
        section.remove();
    }
    // Somebody who cannot see that it stands below the field is told of it there.
    const schedule = form.elements.schedule;
    schedule?.setAttribute("aria-describedby", `${schedule.getAttribute("aria-describedby") ?? ""} cron-preview`.trim());
    let timer = null;
    let asked = null;
    let complained = [];

    // What the preview complains about is wrong there and then, not only when the form is sent.
    const mark = () => {
        complained.forEach((field) => field.removeAttribute("aria-invalid"));
        const names = [...preview.querySelectorAll("[data-field]")].map((each) => each.dataset.field);
        complained = names.map((name) => form.elements[name])
            .filter((field) => field instanceof HTMLElement && field.value !== "");
        complained.forEach((field) => field.setAttribute("aria-invalid", "true"));
    };
    // What is shown belongs to what is typed, or it is not shown.
    const refuse = (text) => {
        const said = document.createElement("p");
        said.className = "cron-late";
        said.textContent = text;
        preview.replaceChildren(said);
    };

    const show = async () => {
        // An answer that comes after a later question is of no use.
        asked?.abort();
        asked = new AbortController();
        const fields = new URLSearchParams(new FormData(form));
        // What decides no due time, and what should not stand in a server's log.
        ["csrfmiddlewaretoken", "params", "description", "owner", "ping_url", "runbook_url"].forEach((name) => fields.delete(name));
        [...fields.keys()].filter((name) => name.startsWith("initial-")).forEach((name) => fields.delete(name));
        fields.set("job", preview.dataset.job);
        try {
            const answer = await fetch(`${preview.dataset.url}?${fields}`, {signal: asked.signal});
            // Whoever is signed out is sent to another page, which is no preview.
            if (answer.redirected) {
                refuse(preview.dataset.signedOut);
            } else if (answer.ok) {
                preview.innerHTML = await answer.text();
            } else {
                refuse(preview.dataset.failed);
            }
        } catch (error) {
            if (error.name === "AbortError") {
                return;
            }
            refuse(preview.dataset.failed);
        }
        mark();
    };
    const later = () => {
        clearTimeout(timer);
        timer = setTimeout(show, 400);
    };

    form.addEventListener("input", later);
    form.addEventListener("change", later);
    show();
});
