"""The model has permissions and no table, and troubles nobody who looks for one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from huey_django.models import Command


def test_no_migration_is_missing(db):
    call_command("makemigrations", "huey_django", check=True, dry_run=True, stdout=io.StringIO())


def test_there_is_no_table(db):
    assert not [name for name in connection.introspection.table_names() if name.startswith("huey")]


def test_the_permissions_say_what_they_permit(db):
    found = Permission.objects.filter(content_type__app_label="huey_django").order_by("codename")
    assert list(found.values_list("codename", "name")) == [
        ("change_command", "Can retry commands, and pause and resume queues"),
        ("delete_command", "Can delete commands"),
        ("view_command", "Can view queues and the commands in them"),
        ("view_command_arguments", "Can view the arguments of commands"),
    ]


@pytest.mark.parametrize("options", [{}, {"use_base_manager": True}])
def test_data_can_be_dumped(db, tmp_path: Path, options):
    call_command("dumpdata", "huey_django", output=str(tmp_path / "dump.json"), verbosity=0, **options)
    assert (tmp_path / "dump.json").read_text().strip() == "[]"


def test_there_are_no_rows_and_nothing_is_asked_for_them(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not Command.objects.exists()
        assert list(Command._base_manager.all()) == []


@given(st.text(), st.text())
def test_an_address_leads_back(queue, message_id):
    assert Command.parse_address(Command.address_of(queue, message_id)) == (queue, message_id)
