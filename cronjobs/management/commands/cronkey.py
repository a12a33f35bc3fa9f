"""`manage.py cronkey`: make, list, replace and revoke the keys with which programs use the HTTP API."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from cronjobs.journal import changed, record_addition, record_changes, tell_of_rotation
from cronjobs.management.actors import shell
from cronjobs.management.arguments import add_examples, as_json
from cronjobs.management.jobs import refusals_explained
from cronjobs.management.keys import (
    HEADER,
    ending,
    expiry,
    key_document,
    key_prefix,
    key_row,
    key_sentence,
    refused_values_explained,
    span,
)
from cronjobs.management.output import database_errors_explained, table, terminal_width
from cronjobs.management.shell import ShellCommand
from cronjobs.models import ApiKey, Job
from cronjobs.models.api_key import LIFETIME, MARK, active_user
from cronjobs.permissions import ADD_JOBS, KEY_ACTIONS, key_permission
from cronjobs.registry import is_valid_name

EXAMPLES = """\
examples:
  manage.py cronkey create deploy --user olive --action view_job --action run_job
  manage.py cronkey create backup --user olive --action run_job --job nightly-backup --expires never
  KEY=$(manage.py cronkey create deploy --user olive --action run_job)
  manage.py cronkey list
  manage.py cronkey rotate cron_0123456789 --keep 24h
  manage.py cronkey revoke cron_0123456789

A key acts for its user and does no more than that user may, as far as it names the action, and
the job if it names any. It is printed once, alone on standard output, and stored as a hash only:
one that was lost is revoked and made anew. What else there is to say goes to standard error.
A program sends it in the header "Authorization: Bearer <key>". It may be named by its first part.

exit codes:
  0  done (also if it was revoked already)
  1  the SQL database cannot be used
  2  the arguments are wrong: no such user, key, action or job; then nothing was done
"""


class Command(ShellCommand):
    """A shell around the rows of keys."""

    help = "Make, list, replace and revoke keys of the HTTP API."

    def add_arguments(self, parser: CommandParser) -> None:
        add_examples(parser, EXAMPLES)
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create | list | rotate | revoke")

        create = verbs.add_parser("create", help="Make a key, and print it.")
        create.add_argument("name", metavar="NAME", help="Who or what uses it, for people.")
        create.add_argument(
            "--user", required=True, metavar="USER", help="Whom it acts for, by the name to log in with."
        )
        create.add_argument(
            "--action", dest="actions", action="append", required=True, choices=KEY_ACTIONS, metavar="ACTION",
            help=f"What it may be used for; may be repeated. One of {', '.join(KEY_ACTIONS)}.",
        )  # fmt: skip
        create.add_argument(
            "--job", dest="jobs", action="append", default=[], metavar="JOB",
            help="The only job that it reaches; may be repeated. Without it: all jobs, and queues too.",
        )  # fmt: skip
        create.add_argument(
            "--expires", type=expiry, default=f"{LIFETIME.days}d", metavar="WHEN",
            help=f"90d, 12h, 2027-01-01, a time with its zone, or never; by default {LIFETIME.days}d.",
        )  # fmt: skip

        shown = verbs.add_parser("list", help="Show the keys.")
        shown.add_argument("--all", action="store_true", dest="every", help="Those that were revoked, too.")

        rotate = verbs.add_parser("rotate", help="Make a key like another one, and revoke that.")
        rotate.add_argument("prefix", type=key_prefix, metavar="KEY", help="The key to replace, by its first part.")
        rotate.add_argument(
            "--keep", type=span, default=timedelta(0), metavar="SPAN",
            help="Let the old one be good for so long, such as 24h, instead of revoking it.",
        )  # fmt: skip
        rotate.add_argument(
            "--expires", type=expiry, default=SUPPRESS, metavar="WHEN",
            help="As for create; by default the new key lasts as long as the old one was made for.",
        )  # fmt: skip

        revoke = verbs.add_parser("revoke", help="Let keys be used no more, from now on.")
        revoke.add_argument("prefixes", nargs="+", type=key_prefix, metavar="KEY", help="A key, by its first part.")

        for each in (create, shown, rotate, revoke):
            each.add_argument("--json", action="store_true", help="Print what there is to say of each as JSON.")

    def handle(self, *, verb: str, **options: Any) -> None:
        perform: Mapping[str, Callable[..., None]] = {
            "create": self._create,
            "list": self._list,
            "rotate": self._rotate,
            "revoke": self._revoke,
        }
        with database_errors_explained(), refused_values_explained():
            perform[verb](**options)

    def _create(
        self,
        *,
        name: str,
        user: str,
        actions: list[str],
        jobs: list[str],
        expires: datetime | None,
        json: bool,
        **_: Any,
    ) -> None:
        _check_known(jobs, actions)
        key, text = ApiKey.objects.issue(
            user=active_user(user), name=name, actions=actions, jobs=jobs, expires_at=expires
        )
        record_addition(shell("cronkey"), key)
        self._hand_out(key, text, json=json)

    def _list(self, *, every: bool, json: bool, **_: Any) -> None:
        keys, now = ApiKey.objects.select_related("user").order_by("pk"), timezone.now()
        shown = list(keys if every else keys.unrevoked())
        if json:
            self.stdout.write(as_json({"keys": [key_document(each, now) for each in shown]}))
            return
        first, *others = table(HEADER, [key_row(each, now) for each in shown], width=terminal_width())
        self.stdout.write(self.style.MIGRATE_HEADING(first))
        for line in others:
            self.stdout.write(line)
        if not shown:
            self.stdout.write("There is no key." if every else "There is no key that was not revoked.")

    def _rotate(self, *, prefix: str, keep: timedelta, json: bool, **options: Any) -> None:
        try:
            old = ApiKey.objects.unrevoked().get(prefix=prefix)
            expires = options["expires"] if "expires" in options else _as_long_as(old)
            key, text = ApiKey.objects.replace(prefix, expires_at=expires, keep=keep)
        except ApiKey.DoesNotExist:
            raise _unknown(prefix, "There is no key {} that was not revoked; cronkey list shows them.") from None
        old.refresh_from_db()
        tell_of_rotation(shell("cronkey"), old, key)
        self._hand_out(key, text, json=json)
        self._say(f"{old} {ending(old)}.")

    def _revoke(self, *, prefixes: list[str], json: bool, **_: Any) -> None:
        keys = {each.prefix: each for each in ApiKey.objects.filter(prefix__in=prefixes)}
        for each in prefixes:
            if each not in keys:
                raise _unknown(each, "There is no key {}; cronkey list --all shows them. Nothing was done.")
        for key in keys.values():
            is_new = bool(ApiKey.objects.filter(pk=key.pk).revoke())
            if is_new:
                key.revoked_at = timezone.now()
                record_changes(shell("cronkey"), [changed(key, {"revoked_at": None})])
            if not json:
                self.stdout.write(f"{key} is revoked." if is_new else f"{key} was revoked already.")
        if json:
            now = timezone.now()
            self.stdout.write(as_json({"keys": [key_document(each, now) for each in keys.values()]}))

    def _hand_out(self, key: ApiKey, text: str, *, json: bool) -> None:
        """Print the key alone on standard output, so that a shell can take it from there."""
        self._say(key_sentence(key))
        if lacking := key.lacking():
            self._say(f"{key.user.get_username()} has no permission for {', '.join(lacking)}, so neither has the key.")
        self._say("It is shown only now:")
        self.stdout.write(as_json({**key_document(key, timezone.now()), "token": text}) if json else text)

    def _say(self, text: str) -> None:
        # Standard error is where it has to go, and it is no error.
        self.stderr.write(text, str)


def _check_known(jobs: list[str], actions: list[str]) -> None:
    """Refuse jobs that are not there, unless the key may make them."""
    if ADD_JOBS in map(key_permission, actions):
        return
    for name in filter(is_valid_name, jobs):
        with refusals_explained(name):
            Job.objects.named(name)


def _as_long_as(old: ApiKey) -> datetime | None:
    return None if old.lifetime is None else timezone.now() + old.lifetime


def _unknown(prefix: str, sentence: str) -> CommandError:
    return CommandError(sentence.format(f"{MARK}_{prefix}"), returncode=2)
