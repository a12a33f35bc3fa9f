"""What is wrong with a declaration is found, with the name of the job, and can be mended."""

from __future__ import annotations

import pytest
from django import forms

from cronjobs.checks import check_definitions_strictly, check_options, check_parameters
from tests.integration.checks.conftest import found, ids, only
from tests.integration.checks.table import DEFINITIONS, Days, with_days, with_weeks


@pytest.mark.parametrize(("identity", "func", "options", "said"), DEFINITIONS)
def test_a_mistake_in_a_definition_is_found_and_nothing_else_is(declare, identity, func, options, said):
    declare("mistaken", func, **options)

    messages = found()

    assert ids(messages) == {identity}
    assert said in only(identity, messages).msg
    assert only(identity, messages).hint


def test_a_build_can_fail_on_a_definition_that_cannot_be_used(declare):
    declare("mistaken", shedule="@daily")

    (message,) = check_definitions_strictly()

    assert message.id == "cronjobs.E003"
    assert message.is_serious()
    assert message.hint


def test_a_form_and_a_function_that_agree_are_fine(declare):
    declare("asks", with_days, params_form=Days, params={"days": 2})
    declare("takes-anything", lambda context, **anything: None, params_form=Days, params={"days": 2})
    declare("takes-anything-too", lambda context, **anything: None, params={"weeks": 2})

    assert check_parameters() == []


def test_a_field_that_is_nearly_called_so_is_named(declare):
    class Day(forms.Form):
        day = forms.IntegerField()

    declare("asks", lambda context, *, days=1: None, params_form=Day)

    (message,) = check_parameters()

    assert message.hint == "Did you mean 'days'?"


def test_what_the_app_s_own_jobs_say_of_losses_is_nobody_s_mistake(settings, declare):
    settings.CRONJOBS = {"MAX_LOST": 0}
    assert check_options() == []

    declare("mine", with_weeks, rerun_lost=True)

    (message,) = check_options()
    assert (message.id, message.obj) == ("cronjobs.W027", "mine")
    assert "MAX_LOST" in message.msg


def test_limits_of_alerts_may_be_those_of_the_settings(settings, declare):
    from cronjobs import AlertPolicy

    declare("mine", with_weeks, alerts=AlertPolicy(on=["late", "no_success"], no_success_after=3600))
    settings.CRONJOBS = {"ALERTS": {"LATE_AFTER": 60}}

    assert check_options() == []
