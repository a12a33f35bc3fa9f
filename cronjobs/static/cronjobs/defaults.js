// Restores a default in the form itself, where without scripts a page asks: it empties the field, and saving does the rest.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("job_form");
    if (!form) {
        return;
    }
    const empty = (field) => {
        if (field.type === "checkbox") {
            field.checked = false;
        } else {
            // The choice that means NULL of a yes or no is called otherwise.
            field.value = field.querySelector("option[value=unknown]") ? "unknown" : field.dataset.unset ?? "";
        }
        field.dispatchEvent(new Event("input", {bubbles: true}));
    };

    form.addEventListener("click", (event) => {
        const link = event.target.closest('a[data-restore]:not([data-restore=""])');
        if (!link) {
            return;
        }
        event.preventDefault();
        const [first, ...others] = link.dataset.restore.split(" ").map((name) => form.elements[name]);
        others.forEach(empty);
        empty(first);
        const said = document.createElement("span");
        said.setAttribute("role", "status");
        link.replaceWith(said);
        said.textContent = link.dataset.restored;
        first.focus();
    });
});
