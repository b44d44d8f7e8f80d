from __future__ import annotations


def test_pause_and_resume(cli):
    cli.run("pause", cli.url)
    paused = cli.queue.counts().paused
    cli.run("resume", cli.url)

    assert (paused, cli.queue.counts().paused) == (True, False)
