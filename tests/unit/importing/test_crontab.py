"""Crontabs, as cron reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronjobs.importing import read_crontab
from cronjobs.importing.commands import read_command

SAMPLE = b"""\
# Jobs of the shop.
SHELL=/bin/bash
MAILTO="ops@example.com"
TZ=Asia/Tokyo

*/5 * * * *   cd /srv/shop && ./manage.py send_digest --days 2 >> /var/log/digest.log 2>&1
@daily /srv/venv/bin/python manage.py clearsessions
CRON_TZ = 'Europe/Berlin'
-0 7 * * mon-fri manage.py report --title="Sum \\% of all" --dry-run
@reboot /usr/local/bin/warm-up.sh
30 2 1 * * mail -s news all%Dear all,%news follow.
15 3 * * * /usr/local/bin/backup.sh --full"""


def read(text, **options):
    return read_crontab(text if isinstance(text, bytes) else text.encode(), **options).entries


def one(text, **options):
    [entry] = read(text, **options)
    return entry


def test_a_crontab_becomes_entries():
    found = read_crontab(SAMPLE, time_zone="UTC")

    assert [(each.place, each.runs, dict(each.columns)) for each in found.entries] == [
        (
            "line 6",
            "send_digest",
            {"schedule": "*/5 * * * *", "time_zone": "UTC", "params": {"days": 2}},
        ),
        ("line 7", "clearsessions", {"schedule": "@daily", "time_zone": "UTC", "params": {}}),
        (
            "line 9",
            "report",
            {
                "schedule": "0 7 * * mon-fri",
                "time_zone": "Europe/Berlin",
                "params": {"title": "Sum % of all", "dry_run": True},
            },
        ),
        ("line 10", "warm-up", {}),
        ("line 11", "mail", {"schedule": "30 2 1 * *", "time_zone": "Europe/Berlin"}),
        ("line 12", "backup", {"schedule": "15 3 * * *", "time_zone": "Europe/Berlin"}),
    ]
    problems = [each.problem for each in found.entries]
    assert [bool(each) for each in problems] == [False, False, False, True, True, False]
    assert "when the machine starts" in problems[3]
    assert "as its input" in problems[4]
    assert found.entries[5].notes == ("What follows backup is left out: 1 of its words.",)
    assert not any(each.is_unreadable for each in found.entries)


def test_what_variables_are_for_is_said_once():
    mail, zone, others = read_crontab(SAMPLE + b"\nSHELL=/bin/sh\nPATH=/bin\n", time_zone="UTC").remarks

    assert mail.startswith("MAILTO is left out")
    assert zone.startswith("TZ is left out")
    assert others.endswith(": SHELL, PATH.")


def test_a_crontab_of_the_system_names_a_user():
    entry = one("17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n", is_system=True)

    assert entry.columns["schedule"] == "17 * * * *"
    assert entry.handles == ("cd / && run-parts --report /etc/cron.hourly",)
    assert entry.notes[0].startswith("It ran as root;")
    assert one("@daily www-data manage.py clearsessions", is_system=True).runs == "clearsessions"


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_lines_end_in_any_way(end):
    assert [each.runs for each in read(f"0 1 * * * manage.py a{end or chr(10)}0 2 * * * manage.py b{end}")] == [
        "a",
        "b",
    ]


def test_bytes_that_are_no_utf_8_are_read_all_the_same():
    entry = one(b"\xef\xbb\xbf0 1 * * * manage.py greet --name J\xf6rg\n")

    assert entry.columns == {"schedule": "0 1 * * *", "params": {"name": "J\ufffdrg"}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello world", "neither a variable nor a schedule"),
        ("* * * * *", "neither a variable nor a schedule"),
        ("@daily", "neither a variable nor a schedule"),
        ("61 * * * * true", "minute"),
        ("@never true", "is not a schedule"),
        ("CRON_TZ=Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_what_is_not_understood_is_said(line, said):
    entry = one(line)

    assert entry.is_unreadable
    assert said in entry.problem


def test_a_line_for_the_system_without_a_command_is_not_understood():
    assert one("0 1 * * * backup.sh", is_system=True).is_unreadable


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd(content):
    for is_system in (False, True):
        for entry in read_crontab(content, is_system=is_system, time_zone="UTC").entries:
            assert entry.problem or "schedule" in entry.columns


@pytest.mark.parametrize(
    ("line", "runs", "params"),
    [
        ("manage.py send_digest", "send_digest", {}),
        ("/srv/venv/bin/python3.11 -u /srv/shop/manage.py send_digest --days=2", "send_digest", {"days": 2}),
        ("python -m django send_digest --settings=shop.settings -v 2 --no-color", "send_digest", {}),
        ("django-admin send_digest --traceback --days 2", "send_digest", {"days": 2}),
        ("docker compose exec -T web python manage.py send_digest", "send_digest", {}),
        ("flock -n /tmp/lock -c 'cd /srv && python manage.py send_digest --days 2'", "send_digest", {"days": 2}),
        ("bash -lc 'source venv/bin/activate; ./manage.py send_digest' > /dev/null", "send_digest", {}),
        (
            "DAYS=2 nice -n 10 ./manage.py send_digest --to '[\"a\", 1]' --name x",
            "send_digest",
            {"to": ["a", 1], "name": "x"},
        ),
        ("manage.py send_digest --ratio NaN --deep -v3", "send_digest", {"ratio": "NaN", "deep": True}),
        ("manage.py send_digest --days 2 2>&1 | logger -t cron", "send_digest", {"days": 2}),
        ("/usr/local/bin/backup.sh --full", "backup", None),
        ("cd /srv; env LANG=C timeout 10m node sync-quotes.js", "sync-quotes", None),
        ("python -m shop.jobs.send_digest", "send_digest", None),
        ("pg_dump shop > /backup/shop.sql", "pg_dump", None),
        ("pg_dump shop | gzip > /backup/shop.gz", "", None),
        ("su - www -s /bin/sh -c 'manage.py send_digest --days 2'", "send_digest", {"days": 2}),
        ("sudo -u www bash -lc \"su shop -c 'manage.py send_digest'\"", "send_digest", {}),
        ("flock -w 10 /tmp/lock manage.py send_digest", "send_digest", {}),
        ("flock -n /tmp/lock /opt/backup.sh", "backup", None),
        ("sudo -u www-data -n /opt/backup.sh", "backup", None),
        ("doas -u www /opt/backup.sh", "backup", None),
        ("runuser -u www -- /opt/backup.sh", "backup", None),
        ("chrt -i 0 /opt/backup.sh", "backup", None),
        ("ping -c 3 host", "ping", None),
        ("python -c 'import shop; shop.run()'", "", None),
        ("if [ -x /opt/backup.sh ]; then /opt/backup.sh; fi", "backup", None),
        ("test -f manage.py && { echo start; ./manage.py send_digest; }", "send_digest", {}),
        ("manage.py send_digest --days 2 # nightly", "send_digest", {"days": 2}),
        ("manage.py send_digest --at '#1' --to a#b", "send_digest", {"at": "#1", "to": "a#b"}),
        ("manage.py send_digest 2>&1 | grep -v noise | logger", "send_digest", {}),
        ("one.sh && two.sh", "", None),
        ("", "", None),
    ],
)
def test_what_a_line_runs_is_found(line, runs, params):
    found = read_command(line)

    assert (found.runs, found.params, found.problem, found.only_by_rule) == (runs, params, "", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("manage.py send_digest 'oops", "quotes"),
        ("manage.py one && manage.py two", "several management commands"),
        ("test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )", "run-parts runs each file"),
        ("manage.py", "names no management command"),
        ("manage.py --settings=a", "names no management command"),
    ],
)
def test_what_cannot_be_one_job_is_refused(line, said):
    assert said in read_command(line).problem


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("manage.py dump && aws s3 cp /x s3://y", "It runs more than one job does: aws."),
        ("bash -c 'manage.py dump' ; /opt/upload.sh x", "It runs more than one job does: upload."),
        ("manage.py dump | gzip > /x", "It runs more than one job does: gzip."),
        ("cat /x | manage.py dump", "It runs more than one job does: cat."),
        ("echo yes | manage.py dump", "It reads what another command prints."),
        ("manage.py dump -c prod.cfg", "names, which 2 of its arguments have not"),
        ("flock /tmp/lock manage.py dump -c prod.cfg", "names, which 2 of its arguments have not"),
        ("bash run.sh -c 'x' && manage.py dump", "It runs more than one job does: run."),
        ("manage.py dump --only a --only b", "names, which 1 of its arguments have not"),
    ],
)
def test_what_is_more_than_a_job_does_needs_a_rule(line, said):
    found = read_command(line)

    assert (found.runs, found.problem) == ("dump", "")
    assert said in found.only_by_rule


@pytest.mark.parametrize("line", ["mysql -psecret db", "manage.py load -psecret db", "one.sh -psecret && two.sh"])
def test_arguments_without_a_name_may_be_secrets_and_are_not_shown(line):
    entry = one(f"0 1 * * * {line}")

    assert "secret" not in " ".join([entry.name, entry.runs, *entry.notes, entry.problem, entry.only_by_rule])


@pytest.mark.parametrize("given", ["7", "-d", "--day `date`", "--day $(date +%F)", "--day=$DAY", "-"])
def test_arguments_without_a_name_or_that_the_shell_fills_in_are_no_parameters(given):
    found = read_command(f"manage.py send_digest {given}")

    assert found.runs == "send_digest"
    assert "A job's parameters have names" in found.only_by_rule
    assert "day" not in (found.params or {})
