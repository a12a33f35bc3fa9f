// Lets a double click send the form of a key once: the answer to the second would stand in place of the one with the key.
"use strict";

document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id !== "apikey_form") {
        return;
    }
    // A while, not for ever: somebody may come back to the page.
    if (event.timeStamp - (form.dataset.sentAt ?? -Infinity) < 5000) {
        event.preventDefault();
    } else {
        form.dataset.sentAt = event.timeStamp;
    }
});
