"""The list of system checks in the documentation is that of the code."""

from __future__ import annotations

import re

from tests.servers import ROOT


def test_every_check_is_documented_and_no_other():
    files = [*ROOT.glob("cronjobs/checks/*.py"), *ROOT.glob("cronjobs/executors/celery/*.py")]
    known = {each for path in files for each in re.findall(r'"(cronjobs\.[EWI]\d{3})"', path.read_text())}

    documented = re.findall(r"^\| `(cronjobs\.\w+)`", (ROOT / "docs" / "checks.md").read_text(), re.MULTILINE)

    assert documented == sorted(documented, key=lambda each: ("EWI".index(each[9]), each))
    assert set(documented) == known
