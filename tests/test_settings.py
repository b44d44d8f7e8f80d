"""The consumer's settings are checked."""

from __future__ import annotations

import threading

import pytest

from huey_core.consumer import ConsumerConfig
from huey_core.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("workers", 0),
        ("workers", 1.5),
        ("threads", 0),
        ("threads", 1.5),
        ("threads", True),
        ("prefetch", -1),
        ("lease", 0.5),
        ("lease", "long"),
        ("lease", float("nan")),
        ("lease", float("inf")),
        ("lease", 10**12),
        ("shutdown_timeout", -1),
        ("shutdown_timeout", float("inf")),
        ("shutdown_timeout", float("nan")),
        ("max_delay", float("inf")),
        ("backoff", 0.9),
        ("initial_delay", "soon"),
        ("loglevel", "LOUD"),
        ("loglevel", ["INFO"]),
        ("logfile", 3),
        ("worker_type", ""),
        ("worker_type", None),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(setting, value):
    with pytest.raises(ConfigurationError, match=setting.upper()):
        ConsumerConfig(**{setting: value})


@pytest.mark.parametrize("setting", ["lease", "shutdown_timeout", "unreadable_delay", "initial_delay", "max_delay"])
def test_the_longest_time_is_what_a_thread_can_wait(setting):
    config = ConsumerConfig(**{setting: threading.TIMEOUT_MAX})

    assert getattr(config, setting) == threading.TIMEOUT_MAX
    with pytest.raises(ConfigurationError, match=f"at most {threading.TIMEOUT_MAX:.0f}"):
        ConsumerConfig(**{setting: threading.TIMEOUT_MAX * 1.01})


def test_a_log_file_that_is_rotated_must_keep_one_old_file():
    with pytest.raises(ConfigurationError, match="LOG_BACKUPS must be at least 1"):
        ConsumerConfig(log_max_bytes=1000, log_backups=0)


def test_a_log_file_that_is_not_rotated_needs_no_old_file():
    assert ConsumerConfig(log_max_bytes=0, log_backups=0).log_backups == 0


def test_threads_are_refused_for_a_pool_that_has_none():
    with pytest.raises(ConfigurationError, match="WORKER_TYPE is 'process': set WORKERS instead"):
        ConsumerConfig(worker_type="process", threads=2)


def test_threads_are_no_other_number_than_workers():
    with pytest.raises(ConfigurationError, match="WORKERS is 3 and THREADS, which is its older name, is 2"):
        ConsumerConfig(workers=3, threads=2)


@pytest.mark.parametrize("settings", [{"workers": 3}, {"threads": 3}, {"workers": 3, "threads": 3}])
@pytest.mark.parametrize("override", ["workers", "threads"])
def test_either_name_of_the_number_of_workers_goes_before_both(settings, override):
    config = ConsumerConfig.of(settings, {override: 2})

    assert [one for one in (config.workers, config.threads) if one is not None] == [2]
