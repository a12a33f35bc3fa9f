// Adds what a running execution logs to the table of its page, as it comes.
//
// Asked for is only what comes after the last line that was read. The end is followed unless somebody has
// scrolled up. Nothing is fetched while the page is hidden, while [data-live-switch] is pressed, or after the
// execution has ended. What goes on is said in #cron-tail-state, in the words that its attributes have.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const PERIOD = 1000;
    const TIME_LIMIT = 15000;
    // Older rows are dropped, so that a page can stay open for days; they are on the pages before.
    const MOST_ROWS = 5000;
    const box = document.getElementById("cron-tail");
    const state = document.getElementById("cron-tail-state");
    if (!box || !state) {
        return;
    }
    const rows = box.querySelector("tbody");
    let after = box.dataset.after;
    let timer = null;
    let isAsking = false;
    let isOver = false;
    let isFollowing = true;

    const say = (text) => {
        if (state.textContent.trim() !== text) {
            state.textContent = text;
        }
    };
    const sayWhatGoesOn = () => {
        if (isOver) {
            say(state.dataset.over);
        } else if (rows.rows.length) {
            say(isFollowing ? state.dataset.following : state.dataset.scrolled);
        }
    };
    const isPaused = () => document.querySelector('[data-live-switch][aria-pressed="true"]') !== null;
    const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 8;
    const goToEnd = () => {
        box.scrollTop = box.scrollHeight;
    };

    const add = (html) => {
        const anew = document.createElement("tbody");
        anew.innerHTML = html;
        // A line that was written while the page was made may come twice.
        const lines = [...anew.rows].filter((row) => !document.getElementById(row.id));
        if (!lines.length) {
            return;
        }
        rows.append(...lines);
        if (isFollowing) {
            while (rows.rows.length > MOST_ROWS) {
                rows.rows[0].remove();
            }
            goToEnd();
        }
    };

    const take = async (answer) => {
        if (answer.redirected) {
            say(state.dataset.signedOut);
            isOver = true;
            return 0;
        }
        if (!answer.ok) {
            say(state.dataset.failed);
            return PERIOD;
        }
        const body = await answer.json();
        add(body.html);
        after = body.after;
        isOver = body.isFinal;
        sayWhatGoesOn();
        return body.isMore ? 0 : PERIOD;
    };

    const ask = async () => {
        clearTimeout(timer);
        if (isAsking || isOver || isPaused() || document.hidden) {
            return;
        }
        isAsking = true;
        let pause = PERIOD;
        try {
            const query = new URLSearchParams({after, level: box.dataset.level});
            pause = await take(await fetch(`${box.dataset.tail}?${query}`, {signal: AbortSignal.timeout(TIME_LIMIT)}));
        } catch {
            say(state.dataset.failed);
        }
        isAsking = false;
        timer = setTimeout(ask, pause);
    };

    box.addEventListener("scroll", () => {
        isFollowing = isAtEnd();
        sayWhatGoesOn();
    });
    document.addEventListener("visibilitychange", ask);
    // Its own listener has turned it by then.
    document.addEventListener("click", (event) => event.target.closest("[data-live-switch]") && setTimeout(ask, 0));
    goToEnd();
    ask();
});
