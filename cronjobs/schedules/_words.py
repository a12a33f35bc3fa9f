"""Cron expressions in words: "At 07:00 on Monday through Friday", in the language of whoever reads them.

Each message is a phrase that can be translated as it stands; whichever go together are put into
another one, by name, so that a language may order them as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from cronjobs.language import gettext as _
from cronjobs.language import gettext_noop, listed, pgettext
from cronjobs.schedules import _fields as fields
from cronjobs.schedules._ordinals import day_ordinal, ordinal
from cronjobs.schedules._terms import LAST, LAST_WEEKDAY, Term, Terms, terms_of

# So many times of a day are named one by one.
_MOST_TIMES = 4

# Django's own catalogues have these.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrases:
    """What can be said about the values of a field, as messages. `even`: of steps that divide what follows."""

    every: str
    nth: str
    run: str
    nth_run: str
    one: str
    several: str = ""
    even: str = ""


_SECONDS = _Phrases(
    every=gettext_noop("every second"),
    nth=gettext_noop("every %(nth)s second"),
    run=gettext_noop("every second from %(first)s through %(last)s"),
    nth_run=gettext_noop("every %(nth)s second from %(first)s through %(last)s"),
    one=gettext_noop("second %(value)s"),
    several=gettext_noop("seconds %(values)s"),
    even=gettext_noop("every %(step)d seconds"),
)
_MINUTES = _Phrases(
    every=gettext_noop("every minute"),
    nth=gettext_noop("every %(nth)s minute"),
    run=gettext_noop("every minute from %(first)s through %(last)s"),
    nth_run=gettext_noop("every %(nth)s minute from %(first)s through %(last)s"),
    one=gettext_noop("minute %(value)s"),
    several=gettext_noop("minutes %(values)s"),
    even=gettext_noop("every %(step)d minutes"),
)
_HOURS = _Phrases(
    every=gettext_noop("every hour"),
    nth=gettext_noop("every %(nth)s hour"),
    run=gettext_noop("every hour from %(first)s through %(last)s"),
    nth_run=gettext_noop("every %(nth)s hour from %(first)s through %(last)s"),
    one=gettext_noop("hour %(value)s"),
    several=gettext_noop("hours %(values)s"),
    even=gettext_noop("every %(step)d hours"),
)
_DAYS = _Phrases(
    every=gettext_noop("every day of the month"),
    nth=gettext_noop("every %(nth)s day of the month"),
    run=gettext_noop("every day of the month from %(first)s through %(last)s"),
    nth_run=gettext_noop("every %(nth)s day of the month from %(first)s through %(last)s"),
    one=gettext_noop("the %(value)s day of the month"),
    several=gettext_noop("%(values)s day of the month"),
)
_MONTH_NAMES = _Phrases(
    every=gettext_noop("every month"),
    nth=gettext_noop("every %(nth)s month"),
    run=gettext_noop("every month from %(first)s through %(last)s"),
    nth_run=gettext_noop("every %(nth)s month from %(first)s through %(last)s"),
    one="%(value)s",
)
_WEEKDAY_NAMES = _Phrases(
    every=gettext_noop("every day of week"),
    nth=gettext_noop("every %(nth)s day of week"),
    run=gettext_noop("%(first)s through %(last)s"),
    nth_run=gettext_noop("every %(nth)s day of week from %(first)s through %(last)s"),
    one="%(value)s",
)
_NTH_WEEKDAYS = {
    1: gettext_noop("the first %(weekday)s of the month"),
    2: gettext_noop("the second %(weekday)s of the month"),
    3: gettext_noop("the third %(weekday)s of the month"),
    4: gettext_noop("the fourth %(weekday)s of the month"),
    5: gettext_noop("the fifth %(weekday)s of the month"),
    LAST: gettext_noop("the last %(weekday)s of the month"),
}


def cron_in_words(expression: str) -> str:
    """Return what a valid `expression` means, without its zone: "At 07:00 on Monday through Friday"."""
    texts = fields.split_fields(expression)
    second, minute, hour, day, month, weekday = (
        terms_of(spec, text) for spec, text in zip(fields.FIELDS, texts, strict=True)
    )
    both = texts[3].startswith("*") or texts[5].startswith("*")
    named = _named_times(second, minute, hour)
    times = named or _times(second, minute, hour)
    text = _with_days(times, _days(day, month, weekday, both=both, is_daily=bool(named)), is_daily=bool(named))
    return text[0].upper() + text[1:]


def _with_days(times: str, days: str, *, is_daily: bool) -> str:
    if days:
        return pgettext("at which times, on which days", "%(times)s %(days)s") % {"times": times, "days": days}
    return _("%(times)s every day") % {"times": times} if is_daily else times


def _named_times(second: Terms, minute: Terms, hour: Terms) -> str:
    """Return the times of day, if they are few: "at 07:00 and 19:00"."""
    if not (hour.are_values and minute.are_values and second.are_values):
        return ""
    times = list(product(*(sorted(each.values) for each in (hour, minute, second))))
    if len(times) > _MOST_TIMES:
        return ""
    shown = [f"{h:02}:{m:02}" if second.is_zero else f"{h:02}:{m:02}:{s:02}" for h, m, s in times]
    return _("at %(times)s") % {"times": listed(shown)}


def _times(second: Terms, minute: Terms, hour: Terms) -> str:
    if hour.are_all and minute.are_all:
        return _of_every_minute(second)
    if not second.is_zero:
        return _with_seconds(second, minute, hour)
    if hour.are_all:
        return _of_every_hour(minute)
    return _within_hours(minute, hour) or _past(minute, hour)


def _of_every_minute(second: Terms) -> str:
    if second.are_all:
        return _(_SECONDS.every)
    if second.is_zero:
        return _(_MINUTES.every)
    if _is_even(second[-1], 60):
        return _at(_SECONDS, second, even=second[-1])
    return _("%(seconds)s of every minute") % {"seconds": _at(_SECONDS, second)}


def _of_every_hour(minute: Terms) -> str:
    if minute.is_zero:
        return _("at the start of every hour")
    if _is_even(minute[-1], 60):
        return _at(_MINUTES, minute, even=minute[-1])
    return _("%(minutes)s of every hour") % {"minutes": _at(_MINUTES, minute)}


def _within_hours(minute: Terms, hour: Terms) -> str:
    """Return what happens from a minute of one day to another one, if that is all: "every minute from 09:00 …"."""
    if len(hour) > 1 or len(minute) > 1:
        return ""
    (minutes,), (hours,) = minute, hour
    if hour.only and minutes.is_run:
        facts = {"first": f"{hour.only:02}:{minutes.first:02}", "last": f"{hour.only:02}:{minutes.last:02}"}
        return _(_MINUTES.run) % facts
    if minutes.is_star and hours.step == 1 and not hours.is_star:
        facts = {"first": f"{hours.first:02}:00", "last": f"{hours.last:02}:59"}
        facts["minutes"] = _term(_MINUTES, minutes, is_even=_is_even(minutes, 60))
        return _("%(minutes)s from %(first)s through %(last)s") % facts
    return ""


def _past(minute: Terms, hour: Terms) -> str:
    if minute.is_zero and _is_even(hour[0], 24):
        return _all(_HOURS, hour, even=hour[0])
    facts = {"minutes": _at(_MINUTES, minute), "hours": _all(_HOURS, hour)}
    return _("%(minutes)s past %(hours)s") % facts


def _with_seconds(second: Terms, minute: Terms, hour: Terms) -> str:
    facts = {"seconds": _at(_SECONDS, second), "times": _past(minute, hour)}
    if second[-1].is_star and minute[0].step == 1 and not minute.have_values:
        # "Every second every minute" would be two things.
        return _("%(seconds)s of %(times)s") % facts
    return pgettext("at which seconds, of which minutes", "%(seconds)s %(times)s") % facts


def _days(day: Terms, month: Terms, weekday: Terms, *, both: bool, is_daily: bool) -> str:
    if weekday.are_all and day.only is not None:
        return _day_of_months(day.only, month)
    days = _days_of_month(day, weekday, both=both)
    if month.are_all:
        return days
    facts = {"days": days, "months": _all(_MONTH_NAMES, month)}
    if days:
        return _("%(days)s in %(months)s") % facts
    return (_("every day in %(months)s") if is_daily and month.are_values else _("in %(months)s")) % facts


def _day_of_months(day: int, month: Terms) -> str:
    facts = {"months": _all(_MONTH_NAMES, month), "day": day}
    if day == LAST:
        return _("on the last day of %(months)s") % facts
    if day == LAST_WEEKDAY:
        return _("on the last weekday of %(months)s") % facts
    if month.only:
        return _("on %(months)s %(day)d") % facts
    return _("on the %(nth)s day of %(months)s") % {**facts, "nth": day_ordinal(day)}


def _days_of_month(day: Terms, weekday: Terms, *, both: bool) -> str:
    facts = {"days": "" if day.are_all else _all(_DAYS, day)}
    facts["weekdays"] = "" if weekday.are_all else _all(_WEEKDAY_NAMES, weekday)
    if not facts["weekdays"]:
        return _("on %(days)s") % facts if facts["days"] else ""
    if not facts["days"]:
        return _("on %(weekdays)s") % facts
    return (_("on %(days)s if it is also %(weekdays)s") if both else _("on %(days)s or on %(weekdays)s")) % facts


def _at(phrases: _Phrases, terms: Terms, *, even: Term | None = None) -> str:
    """Return what the terms stand for; with a word before it if there are single values among them."""
    text = _all(phrases, terms, even=even)
    return _("at %(times)s") % {"times": text} if terms.have_values else text


def _all(phrases: _Phrases, terms: Terms, *, even: Term | None = None) -> str:
    """Return what the terms of a field stand for, as a list; `even` is the one that is said as an interval."""
    if phrases.several and terms.are_values and len(terms) > 1 and LAST_WEEKDAY not in terms.values:
        return _(phrases.several) % {"values": listed([_one_of_several(phrases, each) for each in terms.values])}
    return listed([_term(phrases, each, is_even=each is even) for each in terms])


def _term(phrases: _Phrases, term: Term, *, is_even: bool = False) -> str:
    if is_even:
        return _(phrases.even) % {"step": term.step}
    if term.nth is not None:
        return _nth(phrases, term.first, term.nth)
    if term.is_value:
        return _(phrases.one) % {"value": _value(phrases, term.first)}
    facts = {"nth": ordinal(term.step), "first": _end(phrases, term.first), "last": _end(phrases, term.last)}
    if term.is_star:
        return _(phrases.every if term.step == 1 else phrases.nth) % facts
    return _(phrases.run if term.step == 1 else phrases.nth_run) % facts


def _nth(phrases: _Phrases, value: int, nth: int) -> str:
    if value == LAST:
        return _("the last day of the month")
    if value == LAST_WEEKDAY:
        return _("the last weekday of the month")
    return _(_NTH_WEEKDAYS[nth]) % {"weekday": _value(phrases, value)}


def _value(phrases: _Phrases, value: int) -> str:
    if phrases is _MONTH_NAMES:
        return _(_MONTHS[value - 1])
    if phrases is _WEEKDAY_NAMES:
        return _(_WEEKDAYS[value % 7])
    return day_ordinal(value) if phrases is _DAYS else str(value)


def _end(phrases: _Phrases, value: int) -> str:
    """Return the end of a run, of which days have numbers."""
    return str(value) if phrases is _DAYS else _value(phrases, value)


def _one_of_several(phrases: _Phrases, value: int) -> str:
    text = _value(phrases, value)
    return pgettext("one day of several", "the %(nth)s") % {"nth": text} if phrases is _DAYS else text


def _is_even(term: Term, size: int) -> bool:
    """Return whether the term is a step that makes intervals of the same length: `size` of it make what follows."""
    return term.is_star and term.step > 1 and size % term.step == 0
