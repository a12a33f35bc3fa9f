"""Whether a job can run and will run, as the admin shows and says it."""

from __future__ import annotations

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job


def condition(job: Job, now: datetime) -> SafeString:
    """Return labels for all that keeps the job from running by itself, or one that says it is all right."""
    labels = [] if job.enabled else [badge(_("Disabled"), Tone.QUIET)]
    labels += hindrances(job, now)
    return rendering.lines(*labels) if labels else badge(_("Enabled"), Tone.GOOD)


def hindrances(job: Job, now: datetime) -> list[SafeString]:
    """Return labels for what keeps the job from running by itself, beside being disabled."""
    labels = []
    reason = job.why_broken()
    if reason:
        labels.append(rendering.lines(badge(_("Broken"), Tone.BAD), rendering.quiet(reason)))
    if job.is_paused_at(now):
        until = job.paused_until
        labels.append(badge(_("Paused"), Tone.ODD))
        if until is not None:
            labels.append(rendering.sentence(_("until {moment}"), moment=rendering.moment(until)))
    return labels + _window(job, now)


def switch(job: Job, *, url: str, name: str) -> SafeString:
    """Return the button that enables or disables the job, of the form with the id `cron-switches`."""
    return format_html(
        '<button type="submit" form="cron-switches" formaction="{}" id="cron-switch-{}" class="cron-switch" role="switch" '
        'aria-checked="{}" aria-label="{}">{}</button>',
        url,
        str(job.pk),
        "true" if job.enabled else "false",
        name,
        _("Enabled") if job.enabled else _("Disabled"),
    )


def _window(job: Job, now: datetime) -> list[SafeString]:
    if job.ends_at is not None and job.ends_at < now:
        return [badge(_("Ended"), Tone.QUIET)]
    if job.starts_at is not None and job.starts_at > now:
        begins = rendering.sentence(_("on {moment}"), moment=rendering.moment(job.starts_at))
        return [badge(_("Not begun"), Tone.QUIET), begins]
    return []


def schedule_in_words(job: Job) -> SafeString:
    """Return the effective schedule in English and as it is written; of a broken job only the latter."""
    text = job.schedule_text()
    try:
        schedule = job.resolve().schedule
    except CronJobsError:
        return rendering.lines(rendering.code(text))
    if schedule is None:
        return rendering.lines(_("On demand"))
    return rendering.lines(schedule.describe(), rendering.code(text))
