"""The codes that docs/api.md promises are those that the API has."""

from __future__ import annotations

import re

from cronjobs.api.errors import ErrorCode
from tests.documentation import README

TEXT = (README.parent / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_code_but_that_of_rows_that_never_run_is_documented():
    documented = set(re.findall(r"`([a-z_]+)`", TEXT))

    assert set(ErrorCode) - documented == {ErrorCode.JOB_MISSED}
