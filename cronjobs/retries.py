"""Whether, and how soon, a failed attempt is tried again: pure decisions and one helper that acts."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from cronjobs.exceptions import Retry
from cronjobs.language import gettext as _
from cronjobs.parsing import as_delay

P = ParamSpec("P")
R = TypeVar("R")

# Trying again cannot mend these: the input or the code is wrong. Matched by qualified
# name along the class's ancestry, so that no optional package has to be importable.
NEVER_RETRIED = (
    # Somebody pressed Ctrl-C.
    "builtins.KeyboardInterrupt",
    "builtins.SyntaxError",
    "builtins.TypeError",
    "django.core.exceptions.ValidationError",
    "mongoengine.errors.ValidationError",
    "bson.errors.InvalidDocument",
    "bson.errors.InvalidId",
    "cronjobs.exceptions.DefinitionNotFound",
    "cronjobs.exceptions.InvalidParameters",
)

# 2.0 ** 64 seconds is beyond any cap in use; a larger exponent would only overflow.
_LARGEST_DELAY = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with a cap and jitter.

    `max_attempts` counts the first attempt; delays are a ``timedelta`` or seconds; `jitter` is
    the fraction by which a delay is spread to both sides; `never_retry` names exception classes
    ("package.module.Class") beside those that no policy tries again, such as ``TypeError``.
    """

    max_attempts: int = 3
    initial_delay: timedelta = timedelta(seconds=1)
    max_delay: timedelta | None = timedelta(seconds=30)
    backoff_multiplier: float = 2.0
    jitter: float = 0.1
    never_retry: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make durations of seconds, and refuse a policy that could never have been meant."""
        _check_kinds(self)
        object.__setattr__(self, "initial_delay", as_delay(self.initial_delay, "initial_delay"))
        if self.max_delay is not None:
            object.__setattr__(self, "max_delay", as_delay(self.max_delay, "max_delay"))
        if self.max_attempts < 1:
            raise ValueError(_("max_attempts must be at least 1, not %(value)s.") % {"value": self.max_attempts})
        if self.initial_delay < timedelta(0) or (self.max_delay or timedelta(0)) < timedelta(0):
            raise ValueError(_("Delays must not be negative."))
        # Not the other way round: what is no number at all is in no order.
        if not self.backoff_multiplier >= 1:
            text = _("backoff_multiplier must be at least 1, not %(value)s.")
            raise ValueError(text % {"value": self.backoff_multiplier})
        if not 0 <= self.jitter <= 1:
            raise ValueError(_("jitter must be between 0 and 1, not %(value)s.") % {"value": self.jitter})

    def delay_after(
        self, attempt: int, error: BaseException, *, rand: Callable[[], float] = random.random
    ) -> timedelta | None:
        """Return how long to wait after the failed `attempt` (1-based), or None to give up.

        The wait never exceeds `max_delay` (a year, if that is None), jitter included.
        """
        if attempt >= self.max_attempts or self.is_never_retried(error):
            return None
        if isinstance(error, Retry) and error.after is not None:
            return max(error.after, timedelta(0))
        return self._backoff(attempt, rand)

    def is_never_retried(self, error: BaseException) -> bool:
        """Return whether another attempt cannot mend `error`."""
        names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__}
        return not (names.isdisjoint(NEVER_RETRIED) and names.isdisjoint(self.never_retry))

    def _backoff(self, attempt: int, rand: Callable[[], float]) -> timedelta:
        cap = min(self.max_delay or _LARGEST_DELAY, _LARGEST_DELAY).total_seconds()
        try:
            seconds = self.initial_delay.total_seconds() * self.backoff_multiplier ** (attempt - 1)
        except OverflowError:
            seconds = cap
        spread = 1 + self.jitter * (2 * rand() - 1)
        return timedelta(seconds=min(min(seconds, cap) * spread, cap))


def _check_kinds(policy: RetryPolicy) -> None:
    """Raise `TypeError` for what is not of its kind. bool is a number to Python, not to the person who wrote the policy."""
    if isinstance(policy.max_attempts, bool) or not isinstance(policy.max_attempts, int):
        text = _("max_attempts must be a whole number, not %(value)r.")
        raise TypeError(text % {"value": policy.max_attempts})
    for name in ("backoff_multiplier", "jitter"):
        value = getattr(policy, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(_("%(name)s must be a number, not %(value)r.") % {"name": name, "value": value})
    names: Any = policy.never_retry
    if not isinstance(names, tuple | list | set | frozenset) or not all(isinstance(each, str) for each in names):
        text = _("never_retry must be a list of qualified class names, such as 'builtins.ValueError', not %(value)r.")
        raise TypeError(text % {"value": names})


def with_retry(
    func: Callable[P, R],
    max_attempts: int = 3,
    initial_delay: float = 1.0,
    max_delay: float = 30.0,
    backoff_multiplier: float = 2.0,
    *,
    sleep: Callable[[float], Any] | None = None,
) -> Callable[P, R]:
    """Return a callable that calls `func` until it succeeds, at most `max_attempts` times.

    For use outside the engine, where an execution's attempts are rows instead. Delays are in
    seconds. A coroutine function gives a coroutine function. The last error is raised as it
    was. `sleep` replaces `time.sleep` (or `asyncio.sleep`) for tests.
    """
    policy = RetryPolicy(
        max_attempts=max_attempts,
        initial_delay=timedelta(seconds=initial_delay),
        max_delay=timedelta(seconds=max_delay),
        backoff_multiplier=backoff_multiplier,
    )
    if inspect.iscoroutinefunction(func):
        return _retrying_coroutine(func, policy, sleep or asyncio.sleep)
    return _retrying(func, policy, sleep or time.sleep)


def _retrying(func: Callable[P, R], policy: RetryPolicy, sleep: Callable[[float], Any]) -> Callable[P, R]:
    @functools.wraps(func)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        attempt = 1
        while True:
            try:
                return func(*args, **kwargs)
            except Exception as error:
                delay = policy.delay_after(attempt, error)
                if delay is None:
                    raise
            sleep(delay.total_seconds())
            attempt += 1

    return call


def _retrying_coroutine(
    func: Callable[..., Any], policy: RetryPolicy, sleep: Callable[[float], Any]
) -> Callable[..., Any]:
    @functools.wraps(func)
    async def call(*args: Any, **kwargs: Any) -> Any:
        attempt = 1
        while True:
            try:
                return await func(*args, **kwargs)
            except Exception as error:
                delay = policy.delay_after(attempt, error)
                if delay is None:
                    raise
            await sleep(delay.total_seconds())
            attempt += 1

    return call
