"""A file that several write at once is one writer's, whole; one that failed leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from configs.whole import whole

SAID = {name: f"{name * 400_000}\n" for name in "abcd"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, name: str, times: int) -> None:
    for _ in range(times):
        with whole(path) as unfinished, unfinished.open("w") as file:
            for low in range(0, len(SAID[name]), 10_000):
                file.write(SAID[name][low : low + 10_000])


def test_of_several_processes_that_write_one_file_the_last_ones_is_there_whole(tmp_path: Path) -> None:
    path, spawn = tmp_path / "list.csv", multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write, args=(path, name, 30)) for name in SAID]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert not path.exists() or path.read_text() in SAID.values()
    assert [writer.exitcode for writer in writers] == [0] * len(writers)
    assert names(tmp_path) == ["list.csv"]


def test_threads_of_one_process_wait_for_each_other_too(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    writers = [threading.Thread(target=write, args=(path, name, 10)) for name in SAID]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_text() in SAID.values()


def test_who_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("before")
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"), whole(path) as unfinished:
        unfinished.write_text(str(os.write(full, b"half")))
    assert (names(tmp_path), path.read_text()) == (["list.csv"], "before")


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    (tmp_path / ".list.csv.unfinished").write_text("of one who was killed, and longer")
    with whole(path) as unfinished:
        unfinished.write_text("whole")
    assert (names(tmp_path), path.read_text()) == (["list.csv"], "whole")
