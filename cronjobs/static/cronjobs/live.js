// Brings the parts of a page that are marked `data-live`, each with an id, up to date every few seconds.
//
// The page is fetched anew, and a part is replaced only if it has changed, so nothing flickers. Nothing is
// fetched while the page is hidden, nor after somebody has pressed the button [data-live-switch]. What goes wrong
// is said in [data-live-state], in the words that its attributes have.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const state = document.querySelector("[data-live-state]");
    const toggle = document.querySelector("[data-live-switch]");
    if (!state) {
        return;
    }
    const period = Number(state.dataset.liveSeconds) * 1000;
    // A server that does not answer at all must not keep the page from asking again.
    const patience = Math.max(period * 5, 20000);
    let timer = null;
    let isPaused = false;
    let isAsking = false;

    const say = (text) => {
        if (state.textContent !== text) {
            state.textContent = text;
        }
    };

    // What somebody is using must not be taken from under their hands.
    const isInUse = (part) => {
        const focused = document.activeElement;
        const selection = document.getSelection();
        return (part.contains(focused) && focused.matches("input, select, textarea"))
            || (!selection.isCollapsed && selection.containsNode(part, true));
    };

    // By what to find an element again that has been replaced: its id, or where it leads to.
    const placeOf = (element) => {
        const href = element.getAttribute("href");
        return element.id ? `#${CSS.escape(element.id)}` : href ? `[href="${CSS.escape(href)}"]` : "";
    };

    const replace = (part, anew) => {
        const focused = part.contains(document.activeElement) ? placeOf(document.activeElement) : "";
        const scrolled = [...part.querySelectorAll("[id]")].filter((each) => each.scrollLeft || each.scrollTop);
        const toggled = new Map([...part.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
        part.replaceWith(anew);
        scrolled.forEach((each) => document.getElementById(each.id)?.scrollTo(each.scrollLeft, each.scrollTop));
        toggled.forEach((isOpen, id) => {
            const details = document.getElementById(id);
            if (details) {
                details.open = isOpen;
            }
        });
        if (focused) {
            anew.querySelector(focused)?.focus({preventScroll: true});
        }
    };

    const update = (source) => {
        const page = new DOMParser().parseFromString(source, "text/html");
        document.querySelectorAll("[data-live]").forEach((part) => {
            const anew = page.getElementById(part.id);
            // Compared as they came, since scripts and people change what is shown.
            part.source ??= part.outerHTML;
            if (anew && anew.outerHTML !== part.source && !isInUse(part)) {
                const next = document.importNode(anew, true);
                next.source = anew.outerHTML;
                replace(part, next);
                next.dispatchEvent(new CustomEvent("cron:live", {bubbles: true}));
            }
        });
        // Nothing will change any more.
        return !page.querySelector("[data-live-state]");
    };

    const ask = async () => {
        clearTimeout(timer);
        if (isAsking || isPaused || document.hidden) {
            return;
        }
        isAsking = true;
        let isOver = false;
        try {
            const answer = await fetch(location.href, {
                headers: {"X-Requested-With": "XMLHttpRequest"},
                signal: AbortSignal.timeout(patience),
            });
            if (answer.redirected) {
                const isLogin = new URL(answer.url).searchParams.has("next");
                say(isLogin ? state.dataset.liveSignedOut : state.dataset.liveGone);
                isOver = true;
            } else if (answer.ok) {
                isOver = update(await answer.text());
                say("");
            } else {
                say(state.dataset.liveFailed);
            }
        } catch {
            say(state.dataset.liveFailed);
        }
        isAsking = false;
        if (isOver) {
            toggle?.remove();
        } else {
            timer = setTimeout(ask, period);
        }
    };

    toggle?.addEventListener("click", () => {
        isPaused = !isPaused;
        toggle.setAttribute("aria-pressed", String(isPaused));
        ask();
    });
    document.addEventListener("visibilitychange", ask);
    timer = setTimeout(ask, period);
});
