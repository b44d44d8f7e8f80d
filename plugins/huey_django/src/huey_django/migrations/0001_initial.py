"""Permissions for the admin. No table is made."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """The first migration."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Command",
            fields=[
                ("address", models.CharField(max_length=500, primary_key=True, serialize=False)),
                ("label", models.CharField(max_length=200)),
            ],
            options={
                "verbose_name": "command",
                "verbose_name_plural": "queues",
                "managed": False,
                "default_permissions": (),
                "permissions": [
                    ("view_command", "Can view queues and the commands in them"),
                    ("view_command_arguments", "Can view the arguments of commands"),
                    ("change_command", "Can retry commands, and pause and resume queues"),
                    ("delete_command", "Can delete commands"),
                ],
                "base_manager_name": "objects",
            },
        ),
    ]
