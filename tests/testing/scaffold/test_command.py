from __future__ import annotations

import pytest

KINDS = ["backend", "serializer", "workers", "feature", "hooks"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_distribution_is_written_and_the_next_steps_are_shown(command_line, tmp_path, kind):
    result = command_line.run("new-plugin", "kite", "--kind", kind, str(tmp_path / "src"))

    folder = tmp_path / "src" / "huey-kite"
    assert (result.exit_code, (folder / "src" / "huey_kite" / "py.typed").exists()) == (0, True)
    for step in (f"cd {folder}", "pip install --group test -e .", "pytest", "huey doctor", "LICENSE"):
        assert step in result.output


def test_it_is_written_into_the_current_directory_when_none_is_named(command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert command_line.run("new-plugin", "kite", "--kind", "hooks").exit_code == 0
    assert (tmp_path / "huey-kite" / "pyproject.toml").exists()


def test_nothing_is_overwritten(command_line, tmp_path):
    (tmp_path / "huey-kite").mkdir()
    (tmp_path / "huey-kite" / "notes").write_text("mine")

    result = command_line.run("new-plugin", "kite", "--kind", "hooks", str(tmp_path))

    assert result.exit_code == 1
    assert f"{tmp_path / 'huey-kite'} is there already" in result.stderr
    assert [path.name for path in (tmp_path / "huey-kite").iterdir()] == ["notes"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Kite", "'kite' would do"),
        ("kite_mail", "'kite-mail' would do"),
        ("kite+tls", "'kite-tls' would do"),
        ("-kite", "'kite' would do"),
        ("2kites", "a lower-case letter"),
        ("", "a lower-case letter"),
        ("kite\n", "'kite' would do"),
        ("k" * 31, "at most 30 characters"),
        ("huey-kite", "write 'kite'"),
        ("core", "huey-core is there already"),
        ("sqlite", "huey-sqlite is there already"),
        ("msgpack", "huey-msgpack is there already"),
        ("django", "huey-django is there already"),
        ("testing", "huey-testing is there already"),
        ("leased", "LeasedQueue"),
        ("base", "BaseQueue"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_a_better_one(command_line, tmp_path, name, hint):
    result = command_line.run("new-plugin", "--kind", "backend", "--", name, str(tmp_path))

    assert (result.exit_code, hint in result.stderr, list(tmp_path.iterdir())) == (1, True, [])


@pytest.mark.parametrize(("name", "kind"), [("json", "serializer"), ("rediss", "backend"), ("thread", "workers")])
def test_a_name_that_an_installed_plugin_has_is_refused(command_line, tmp_path, name, kind):
    result = command_line.run("new-plugin", name, "--kind", kind, str(tmp_path))

    assert (result.exit_code, "choose another name" in result.stderr) == (1, True)


@pytest.mark.parametrize(("scheme", "entry"), [("kite", "kite"), ("kite+tls", "kite.tls")])
def test_a_backend_may_have_a_scheme_that_is_not_its_name(command_line, tmp_path, scheme, entry):
    result = command_line.run("new-plugin", "kite-listen", "--kind", "backend", "--scheme", scheme, str(tmp_path))

    folder = tmp_path / "huey-kite-listen"
    assert result.exit_code == 0
    assert f'{entry} = "huey_kite_listen:KiteListenBackend"' in (folder / "pyproject.toml").read_text()
    assert f'("{scheme}",)' in (folder / "src" / "huey_kite_listen" / "backend.py").read_text()
    assert "kite-listen://" not in "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())


@pytest.mark.parametrize(
    ("kind", "scheme", "hint"),
    [
        ("backend", "Kite", "cannot be the scheme of a URL"),
        ("backend", "kite_mail", "cannot be the scheme of a URL"),
        ("backend", "kite:", "cannot be the scheme of a URL"),
        ("backend", "redis+unix", "choose another scheme"),
        ("hooks", "kite", "leave --scheme out"),
    ],
)
def test_a_scheme_that_cannot_be_used_is_refused(command_line, tmp_path, kind, scheme, hint):
    result = command_line.run("new-plugin", "kite", "--kind", kind, "--scheme", scheme, str(tmp_path))

    assert (result.exit_code, hint in result.stderr, list(tmp_path.iterdir())) == (1, True, [])


def test_a_folder_that_cannot_be_made_is_one_line(command_line, tmp_path):
    (tmp_path / "file").write_text("")

    result = command_line.run("new-plugin", "kite", "--kind", "hooks", str(tmp_path / "file" / "below"))

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "cannot be written" in result.stderr


def test_help_explains_the_kinds(command_line):
    text = command_line.run("new-plugin", "--help").output

    assert "conformance kit" in text
    assert all(f"  {kind}  " in text for kind in KINDS)
