// Lets the keyboard reach what scrolls by itself, .cron-scroll: tables and texts that are wider than the page.
//
// Only while there is something to scroll, so that nobody has to tab through what is seen as a whole.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const adjust = (region) => {
        if (region.scrollWidth > region.clientWidth || region.scrollHeight > region.clientHeight) {
            const heading = region.closest("section")?.querySelector("h2");
            region.tabIndex = 0;
            region.role = "group";
            region.ariaLabel = heading ? heading.textContent.trim() : null;
        } else if (region !== document.activeElement) {
            ["tabindex", "role", "aria-label"].forEach((name) => region.removeAttribute(name));
        }
    };
    const watcher = new ResizeObserver((entries) => {
        const regions = new Set(entries.map((entry) => entry.target.closest(".cron-scroll")));
        regions.forEach((region) => region && adjust(region));
    });
    // Also what is in it, which may grow while its own size stays.
    const watch = () => document.querySelectorAll(".cron-scroll, .cron-scroll > *").forEach((each) => watcher.observe(each));

    watch();
    // A part of the page has been brought up to date.
    document.addEventListener("cron:live", watch);
});
