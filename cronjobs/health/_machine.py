"""What this process uses of its machine, and what the machine knows about time zones."""

from __future__ import annotations

import zoneinfo
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from cronjobs.conf import get_settings
from cronjobs.exceptions import InvalidSchedule
from cronjobs.health._probes import Probe, count, fail, fine, probe
from cronjobs.models import Job
from cronjobs.processes import resident_bytes
from cronjobs.registry import registry
from cronjobs.schedules import parse_time_zone


@probe("memory")
def check_memory() -> Probe:
    """Say how much memory this process occupies; how much is too much, only the operator knows."""
    occupied = resident_bytes()
    return fine(f"This process occupies {occupied / 2**20:.0f} MiB.", rssBytes=occupied)


@probe("zones")
def check_zones() -> Probe:
    """Look for the zone data of every time zone that a job uses."""
    zones, version = sorted(_zones_in_use()), zone_data_version()
    missing = [name for name in zones if not _is_known(name)]
    details = {"version": version, "zones": zones, "missing": missing}
    if missing:
        return fail(f"There is no zone data for {', '.join(missing)} on this machine.", **details)
    sentence = f"Zone data {version or 'of unknown version'} is there for the {count(len(zones), 'time zone')} in use."
    return fine(sentence, **details)


def zone_data_version() -> str:
    """Return the version of the IANA data that Python's zones come from, such as 2026a; "" if it does not say."""
    for directory in map(Path, zoneinfo.TZPATH):
        # Python takes the first directory that has the zone.
        if (directory / "UTC").exists():
            return _version_in(directory)
    if find_spec("tzdata") is None:
        return ""
    return str(import_module("tzdata").IANA_VERSION)


def _version_in(directory: Path) -> str:
    for name, prefix in (("tzdata.zi", "# version "), ("+VERSION", "")):
        try:
            with (directory / name).open(encoding="ascii", errors="replace") as file:
                return file.readline().removeprefix(prefix).strip()
        except OSError:
            continue
    return ""


def _zones_in_use() -> set[str]:
    own = Job.objects.order_by().exclude(time_zone=None).exclude(time_zone="").values_list("time_zone", flat=True)
    declared = {each.time_zone for each in registry if each.time_zone}
    return {get_settings().time_zone, *declared, *(name for name in own.distinct() if name)}


def _is_known(name: str) -> bool:
    try:
        parse_time_zone(name)
    except InvalidSchedule:
        return False
    return True
