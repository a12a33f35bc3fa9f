// Names the browser's time zone in a cookie, for the pages to show their times in.
"use strict";

{
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) {
        document.cookie = `cronjobs_time_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
    }
}
