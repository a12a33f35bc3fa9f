"""Whether a job can run and will run, as the admin shows and says it."""

from __future__ import annotations

from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from cronjobs.admin import rendering
from cronjobs.admin.badges import Tone, badge
from cronjobs.exceptions import CronJobsError
from cronjobs.models import Job


def condition(job: Job, now: datetime) -> SafeString:
    """Return labels for all that keeps the job from running by itself, or one that says it is all right."""
    labels = []
    reason = job.why_broken()
    if reason:
        labels.append(rendering.lines(badge(_("Broken"), Tone.BAD), rendering.quiet(reason)))
    if not job.enabled:
        labels.append(badge(_("Disabled"), Tone.QUIET))
    if job.is_paused_at(now):
        until = job.paused_until
        labels.append(badge(_("Paused"), Tone.ODD))
        if until is not None:
            labels.append(rendering.sentence(_("until {moment}"), moment=rendering.moment(until)))
    labels += _window(job, now)
    return rendering.lines(*labels) if labels else badge(_("Enabled"), Tone.GOOD)


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
