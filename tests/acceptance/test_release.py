"""`script/release` says what is not ready, builds what an index would take, and tags nothing but a release."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sqlite_only,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone, so there is nothing to tag"),
]

TODAY = f"{date.today()}"  # noqa: DTZ011 - as people date their changelogs


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """What is kept here, as it is now, in a repository of its own."""
    return Clone(tmp_path / "clone")


class Clone:
    """A repository in which something can be released."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in output("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines():
            if (ROOT / name).exists():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        (root / ".venv").symlink_to(ROOT / ".venv")
        output("git", "init", "--quiet", cwd=root)
        output("git", "config", "user.name", "Ann", cwd=root)
        output("git", "config", "user.email", "ann@example.org", cwd=root)

    def commit(self) -> None:
        """Keep everything as it is now."""
        output("git", "add", "--all", cwd=self.root)
        output("git", "commit", "--quiet", "--message", "A state", cwd=self.root)

    def prepare(self, version: str, heading: str) -> None:
        """Write the version where it belongs, and the changes under this heading."""
        self._replace("pyproject.toml", r'^version = ".*"$', f'version = "{version}"')
        self._replace("CHANGELOG.md", r"^## \[Unreleased\]$", f"## [Unreleased]\n\n{heading}")
        self.commit()

    def release(self, *options: str) -> tuple[int, str]:
        """Run `script/release`; return its exit code and what it says."""
        command = [str(self.root / "script/release"), "--tested", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603 - our own
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    def tags(self) -> list[str]:
        """Return the names of all tags."""
        return output("git", "tag", "--list", cwd=self.root).split()

    def _replace(self, name: str, pattern: str, text: str) -> None:
        path = self.root / name
        changed, count = re.subn(pattern, text, path.read_text("utf-8"), count=1, flags=re.MULTILINE)
        assert count == 1
        path.write_text(changed, "utf-8")


def output(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own


def test_what_is_ready_is_built_listed_and_tagged_and_a_dry_run_does_all_but_the_last(clone):
    clone.prepare("1.2.3", f"## [1.2.3] - {TODAY}")

    code, said = clone.release("--dry-run")

    assert code == 0, said
    assert "git tag --annotate v1.2.3" in said
    assert "cronjobs-1.2.3-py3-none-any.whl" in said
    assert "cronjobs/migrations" in said
    assert clone.tags() == []

    code, said = clone.release()

    assert code == 0, said
    assert clone.tags() == ["v1.2.3"]
    assert "There is a tag v1.2.3 already." in clone.release()[1]


def test_all_that_is_not_ready_is_said_at_once(clone):
    clone.prepare("1.2.3.dev0", "## [1.2.2] - 2026-01-01")
    (clone.root / "README.md").write_text("# cronjobs", "utf-8")

    code, said = clone.release()

    assert code == 1
    assert "such as README.md" in said
    assert "1.2.3.dev0, is not one to release" in said
    assert "The newest version in CHANGELOG.md is 1.2.2, and not 1.2.3.dev0." in said
    assert clone.tags() == []


@pytest.mark.parametrize(
    ("heading", "complaint"),
    [
        ("## [1.2.3]", "does not say when 1.2.3 was released"),
        ("## [1.2.3] - 2999-01-01", "does not say when 1.2.3 was released"),
        ("- Something.\n\n## [1.2.3] - 2026-01-01", "has changes under [Unreleased]"),
        ("## [1.2.3] - 2026-01-01\n\n## [1.2.2] - 2025-01-01", "does not say what changed in 1.2.3"),
    ],
)
def test_the_changelog_tells_of_the_version_and_of_its_day(clone, heading, complaint):
    clone.prepare("1.2.3", heading)

    code, said = clone.release("--dry-run")

    assert code == 1
    assert complaint in said
