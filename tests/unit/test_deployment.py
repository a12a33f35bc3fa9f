"""What docs/deploy.md and the files beside it tell people to run can be run, and leaves everybody the time he needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from functools import cache
from pathlib import PurePosixPath

import pytest
import yaml
from celery.bin.worker import worker as celery_worker
from django.core.management import get_commands, load_command_class
from django.utils.module_loading import import_string

from cronjobs.conf import Settings
from tests.servers import ROOT

DEPLOY = ROOT / "docs/deploy"
TEXT = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
UNITS = re.findall(r"```ini\n(.*?)```", TEXT, re.DOTALL)
_SECONDS = {"": 1, "s": 1, "min": 60, "m": 60}


def run_by_containers():
    for name, service in OURS.items():
        yield pytest.param(service["command"], id=name)
        kind, *test = service.get("healthcheck", {}).get("test", [""])
        if kind:
            assert kind == "CMD"
            yield pytest.param(test, id=f"health of {name}")


def run_by_units():
    for unit in UNITS:
        # systemd's own placeholders.
        command = parsed(unit)["Service"]["ExecStart"].replace("%%", "%").split()
        yield pytest.param([PurePosixPath(command[0]).name, *command[1:]], id=parsed(unit)["Unit"]["Description"])


def run_in_text():
    lines = "\n".join(re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)).splitlines()
    for line in lines:
        yield pytest.param(line.removeprefix("$ ").split(), id=line)
    for words in re.findall(r"CMD (\[.*\])", TEXT):
        yield pytest.param(yaml.safe_load(words), id=words)


@cache
def parsed(unit):
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(unit)
    return {name: dict(section) for name, section in parser.items()}


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()
    return int(number) * _SECONDS[unit]


@pytest.mark.parametrize("command", [*run_by_containers(), *run_by_units(), *run_in_text()])
def test_a_command_exists_and_takes_what_it_is_given(command):
    program, *arguments = command
    match program:
        case "python" if arguments[0] == "-c":
            compile(arguments[1], "healthcheck", "exec")
        case "python":
            assert PurePosixPath(arguments[0]).name == "manage.py"
            name, *options = arguments[1:]
            load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(options)
        case "celery":
            assert arguments[0] == "--app"
            assert arguments[2] == "worker"
            context = celery_worker.context_class(celery_worker)
            _, left, _ = celery_worker.make_parser(context).parse_args(arguments[3:])
            assert left == []
        case "gunicorn":
            assert f'"{program}>=' in DOCKERFILE
            assert callable(import_string(f"{arguments[0]}.application"))
        case _:
            pytest.fail(f"nobody has {program}")


def test_the_celery_app_of_the_project_is_where_the_commands_look_for_it(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")

    assert import_string("project.celery.app").main == "project"


def test_the_parts_are_all_there():
    assert set(SERVICES) == {"migrate", "web", "node", "worker", "postgres", "redis", "mongo"}
    assert SERVICES["node"]["deploy"]["replicas"] == SERVICES["worker"]["deploy"]["replicas"] == 2
    # All of ours run the same code with the same settings.
    assert len({service["image"] for service in OURS.values()}) == 1
    assert all(service["environment"] == SERVICES["web"]["environment"] for service in OURS.values())


def test_what_services_wait_for_says_when_it_is_ready():
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            is_done = how["condition"] == "service_completed_successfully"
            assert is_done or "test" in SERVICES[name]["healthcheck"]


def test_volumes_are_declared_and_images_have_versions():
    used = {each.partition(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])}

    assert used == set(COMPOSE["volumes"])
    assert all(re.search(r":\d+", service["image"]) for service in SERVICES.values() if "build" not in service)


def test_the_project_reads_the_variables_that_it_is_given():
    read = (ROOT / "project/settings.py").read_text(encoding="utf-8")

    assert [name for name in SERVICES["web"]["environment"] if f'"{name}"' not in read] == []


def test_the_image_has_what_it_copies():
    copied = re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE)

    assert [name for names in copied for name in names.split() if not (ROOT / name).exists()] == []
    assert (DEPLOY / OURS["web"]["build"]["context"]).resolve() == ROOT
    assert ROOT / OURS["web"]["build"]["dockerfile"] == DEPLOY / "Dockerfile"


def test_whoever_is_stopped_has_time_to_end():
    grace = Settings().shutdown_grace.total_seconds()

    assert seconds(SERVICES["node"]["stop_grace_period"]) > grace
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > grace
    assert [unit for unit in UNITS if seconds(parsed(unit)["Service"]["TimeoutStopSec"]) <= grace] == []
    # A group that is killed takes the processes of jobs with it before they could end.
    assert {parsed(unit)["Service"]["KillMode"] for unit in UNITS} == {"mixed"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_against_the_units(tmp_path, unit):
    path = tmp_path / "cronjobs@1.service"
    path.write_text(unit, encoding="utf-8")

    said = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False).stderr  # noqa: S603, S607

    # But that there is no such site on this machine.
    assert [line for line in said.splitlines() if "is not executable" not in line] == []
