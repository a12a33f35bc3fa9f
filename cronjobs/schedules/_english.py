"""Cron expressions in plain English: CronSim's explanation, with its grammar mended."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial

from cronsim import CronSim

from cronjobs.schedules import _fields as fields

_ORDINALS = {
    word: number
    for number, word in enumerate(["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"], 2)
}
_STEP = re.compile(rf"\bevery ({'|'.join(_ORDINALS)}|\d+th) (?=(?:second|minute|hour|day|month)\b)", re.IGNORECASE)

# Steps that are even intervals if they divide the unit that follows: in sixtieths, or in a day's hours.
_EVEN_STEPS = (
    (re.compile(r"every (\d+)\w\w (second) of every minute", re.IGNORECASE), 60),
    (re.compile(r"every (\d+)\w\w (minute) of every hour", re.IGNORECASE), 60),
    (re.compile(r"every (\d+)\w\w (minute)(?= from \d\d:)", re.IGNORECASE), 60),
    (re.compile(r"at minute 0 past every (\d+)\w\w (hour)(?! from)", re.IGNORECASE), 24),
)


def cron_in_english(expression: str) -> str:
    """Return what a valid `expression` means, without its zone: "At 07:00 on Monday through Friday"."""
    texts = fields.split_fields(expression)
    plain = " ".join(_plain(spec, text) for spec, text in zip(fields.FIELDS, texts, strict=True))
    text = CronSim(plain, datetime(2000, 1, 1)).explain()  # noqa: DTZ001  # any will do
    text = _mend_steps(text)
    text = re.sub(r"(\d+)th\b", lambda found: ordinal(int(found[1])), text)
    text = text.replace("day of month", "day of the month").replace("second every minute", "second of every minute")
    both = texts[3].startswith("*") or texts[5].startswith("*")
    text = re.sub(r" (?:and|if it's) on ", " if it is also " if both else " or on ", text)
    return text[0].upper() + text[1:]


def ordinal(number: int) -> str:
    """Return 1st for 1, 22nd for 22, 13th for 13."""
    suffix = "th" if number // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _plain(spec: fields.Field, text: str) -> str:
    return ",".join(_plain_term(spec, term) for term in text.split(","))


def _plain_term(spec: fields.Field, term: str) -> str:
    """Return a term of the same meaning that CronSim explains better."""
    body, _, step = term.partition("/")
    if spec is fields.DAY_OF_WEEK and step:
        return ",".join(str(number) for number in sorted({number % 7 for number in fields.expand(spec, term)}))
    if spec is fields.DAY_OF_WEEK and term[-1] in "lL":
        return f"{fields.number_in(spec, term[:-1])}L"
    if body == "*" and step and int(step) > spec.high - spec.low:
        return str(spec.low)
    return term


def _mend_steps(text: str) -> str:
    text = _STEP.sub(lambda found: f"every {ordinal(_number(found[1]))} ", text)
    for pattern, size in _EVEN_STEPS:
        text = pattern.sub(partial(_even_step, size), text)
    return text


def _number(word: str) -> int:
    return _ORDINALS.get(word) or int(word.removesuffix("th"))


def _even_step(size: int, found: re.Match[str]) -> str:
    step = int(found[1])
    return found[0] if size % step else f"every {step} {found[2]}s"
