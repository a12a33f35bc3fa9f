"""The description in projects that have not installed what it takes, or that have a description of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.contract import description
from tests.servers import ROOT, command_environment

pytestmark = pytest.mark.sqlite_only

WITHOUT = {
    "project_settings.py": """
from tests.settings import *
INSTALLED_APPS = [each for each in INSTALLED_APPS if each != "drf_spectacular_sidecar"]
""",
    "ask.py": """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("drf_spectacular", "drf_spectacular_sidecar"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import django
django.setup()
from django.contrib.auth.models import User
from rest_framework.test import APIRequestFactory, force_authenticate
from cronjobs.api.urls import urlpatterns
found = {}
for name in ("definitions", "schema", "docs"):
    request = APIRequestFactory().get(f"/cron/{name}")
    force_authenticate(request, User(is_superuser=True))
    answer = next(each.callback for each in urlpatterns if each.name == name)(request)
    found[name] = [answer.status_code, json.loads(answer.render().content)]
print(json.dumps(found))
""",
}
WITH_ITS_OWN = {
    "project_settings.py": """
from tests.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "drf_spectacular"]
ROOT_URLCONF = "project_urls"
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Theirs",
    "OAS_VERSION": "3.0.3",
    "COMPONENT_SPLIT_REQUEST": True,
    "CAMELIZE_NAMES": True,
    "SCHEMA_PATH_PREFIX_INSERT": "/theirs",
    "SECURITY": [{"theirs": []}],
    "SERVERS": [{"url": "https://example.org"}],
    "GENERIC_ADDITIONAL_PROPERTIES": None,
    "DISABLE_ERRORS_AND_WARNINGS": True,
    "PREPROCESSING_HOOKS": ["project_urls.preprocess"],
    "POSTPROCESSING_HOOKS": ["project_urls.postprocess"],
}
""",
    "project_urls.py": """
from django.urls import include, path
from rest_framework import serializers, views
from drf_spectacular.utils import extend_schema

class Theirs(serializers.Serializer):
    name = serializers.CharField(allow_null=True)

class TheirView(views.APIView):
    versioning_class = None
    @extend_schema(request=Theirs, responses=Theirs)
    def post(self, request):
        raise NotImplementedError

def preprocess(endpoints):
    return endpoints[:1]

def postprocess(result, **kwargs):
    return {**result, "x-theirs": True}

urlpatterns = [path("cron/", include("cronjobs.api.urls")), path("their/", TheirView.as_view())]
""",
    "ask.py": """
import json
import django
django.setup()
from drf_spectacular.generators import SchemaGenerator
from cronjobs.api.openapi.generating import api_document

theirs = lambda: SchemaGenerator().get_schema(public=True)
print(json.dumps({"before": theirs(), "ours": api_document("/cron/"), "after": theirs()}))
""",
}


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Write the files of a project, run its `ask.py`, and return the JSON that it prints."""

    def run(files: dict[str, str]) -> Any:
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        environment = command_environment(
            DJANGO_SETTINGS_MODULE="project_settings", PYTHONPATH=f"{tmp_path}:{ROOT}", PYTHONWARNINGS="error"
        )
        command = [sys.executable, str(tmp_path / "ask.py")]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603 - our own
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


def test_without_drf_spectacular_everything_else_is_served(ask):
    found = ask(WITHOUT)

    status, definitions = found.pop("definitions")
    assert (status, definitions["success"]) == (200, True)
    for status, error in found.values():
        assert (status, error["code"], error["success"]) == (501, "not_installed", False)
        assert "pip install 'cronjobs[openapi]'" in error["error"]


def test_the_description_and_that_of_the_project_know_nothing_of_each_other(ask):
    found = ask(WITH_ITS_OWN)

    assert found["ours"] == description()
    assert found["before"] == found["after"]
    assert (found["before"]["info"]["title"], list(found["before"]["paths"])) == ("Theirs", ["/theirs/their/"])
