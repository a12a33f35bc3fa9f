"""How long a job's last runs took and how they ended, as a small picture and in words."""

from __future__ import annotations

from statistics import median_high

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cronjobs.admin import rendering
from cronjobs.admin.badges import STATUS_TONES
from cronjobs.admin.pictures import sparkline
from cronjobs.models.recent import RecentExecutions

SHOWN = 30


def durations(runs: RecentExecutions | None) -> SafeString:
    """Return the runs as bars, with the success rate; nothing if there are none."""
    if runs is None or not runs.ended:
        return rendering.nothing()
    bars = [(float(each.duration_ms), STATUS_TONES[each.status]) for each in runs.ended]
    return rendering.lines(sparkline(bars, label=_in_words(runs)), _rate(runs))


def _in_words(runs: RecentExecutions) -> str:
    values = [each.duration_ms for each in runs.ended]
    facts = {
        "count": len(values),
        "least": rendering.duration(rendering.milliseconds(min(values))),
        "median": rendering.duration(rendering.milliseconds(median_high(values))),
        "most": rendering.duration(rendering.milliseconds(max(values))),
    }
    return (
        ngettext(
            "Duration of the last run: %(most)s.",
            "Durations of the last %(count)d runs, oldest first: %(least)s to %(most)s, half of them up to %(median)s.",
            len(values),
        )
        % facts
    )


def _rate(runs: RecentExecutions) -> SafeString:
    if not runs.counted:
        return SafeString("")
    facts = {"succeeded": runs.succeeded, "count": runs.counted}
    title = (
        ngettext(
            "%(succeeded)d of the last %(count)d run succeeded.",
            "%(succeeded)d of the last %(count)d runs succeeded.",
            runs.counted,
        )
        % facts
    )
    # Cut, not rounded: it is 100 % only if nothing failed.
    percent = _("%(percent)d %%") % {"percent": 100 * runs.succeeded // runs.counted}
    few = "" if runs.counted >= SHOWN else _(" of %(count)d") % facts
    return format_html(
        '<span class="cron-rate" title="{}">{}<span class="cron-quiet">{}</span></span>', title, percent, few
    )
