"""`minirnn read`: all pages into a folder, and the path of the one that was asked for."""

import errno
import os
from pathlib import Path

import pytest
from commands import refused, run

from minirnn.cells import CELL_NAMES
from minirnn.pages.reading import sources
from minirnn.pages.reading.sources import find


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_pages_are_written_and_the_index_named(here, site, capsys):
    assert run("read") == 0
    assert capsys.readouterr().out == f"{Path('minirnn-pages', 'index.html')}\n"
    written = {str(file.relative_to("minirnn-pages")): file for file in Path("minirnn-pages").rglob("*.*")}
    assert {name: file.read_text(encoding="utf-8") for name, file in written.items()} == site


def test_a_name_gives_its_page(here, site, capsys):
    assert run("read", "lstm-peephole", "--out", "a b/pages") == 0
    file = Path("a b", "pages", "cells", "lstm_variants.html")
    assert capsys.readouterr().out == f"{file}\n"
    assert file.read_text(encoding="utf-8") == site["cells/lstm_variants.html"]
    assert (file.parents[1] / "style.css").exists()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lstm", "cells/lstm.py"),
        ("rnn.py", "cells/rnn.py"),
        ("gru-layer-norm", "cells/layer_norm.py"),
        ("bptt", "cells/bptt.py"),
        ("tape", "autograd/tape.py"),
        ("beam", "decoding/beam.py"),
        ("attention", "layers/attention.py"),
        ("autograd/attention", "autograd/attention.py"),
        ("autograd/attention.py", "autograd/attention.py"),
        ("minirnn/cells/cell.py", "cells/cell.py"),
        ("LSTMCell", "cells/lstm.py"),
        ("beam_search", "decoding/beam.py"),
    ],
)
def test_names_of_files_cells_and_definitions(name, path):
    assert find(name).path == path


def test_every_cell_can_be_read():
    assert all(find(name).path.startswith("cells/") for name in CELL_NAMES)


@pytest.fixture
def read_anew():
    def forget():
        sources.chapters.cache_clear()
        sources._names.cache_clear()

    yield forget
    forget()


def test_a_cell_that_is_added_has_its_page(tmp_path, monkeypatch, read_anew):
    for source in sources.sources():
        (tmp_path / source.path).parent.mkdir(exist_ok=True)
        (tmp_path / source.path).write_text(source.text, encoding="utf-8")
    (tmp_path / "cells" / "added.py").write_text('"""A new cell."""\n', encoding="utf-8")
    monkeypatch.setattr(sources, "PACKAGE", tmp_path)
    read_anew()
    assert find("added").summary == "A new cell."
    added, *_, last = (source.path for source in sources.chapters()["More cells"][6:])
    assert (added, last) == ("cells/added.py", "cells/__init__.py")


def test_an_unknown_name_is_told_what_is_like_it(here, capsys):
    message = refused(capsys, "read", "lstm-peephol")
    assert "argument NAME: there is nothing called 'lstm-peephol' to read" in message
    assert "lstm-peephole" in message
    assert "such as rnn, cell, bptt, lstm" in refused(capsys, "read", "xyzzy")
    assert "there is nothing called ''" in refused(capsys, "read", "")
    assert not list(here.iterdir())


def test_what_was_written_before_is_written_anew(here, capsys):
    assert run("read", "--out", "pages") == 0
    Path("pages/cells/rnn.html").write_text("old")
    Path("pages/mine.txt").write_text("mine")
    assert run("read", "--out", "pages") == 0
    assert Path("pages/cells/rnn.html").read_text(encoding="utf-8") != "old"
    assert Path("pages/mine.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(here):
    Path("pages").mkdir()
    assert run("read", "--out", "pages") == 0
    assert Path("pages/index.html").exists()


def test_a_folder_of_other_files_is_left_alone(here, capsys):
    Path("site").mkdir()
    Path("site/index.html").write_text("my own")
    assert "site holds other files: choose a new or an empty folder with --out" in refused(
        capsys, "read", "--out", "site"
    )
    assert [file.name for file in Path("site").iterdir()] == ["index.html"]
    assert Path("site/index.html").read_text() == "my own"


def test_a_file_is_no_folder(here, capsys):
    Path("file").touch()
    assert "file is not a directory: choose another --out" in refused(capsys, "read", "--out", "file")
    assert "file/pages" in refused(capsys, "read", "--out", "file/pages")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(here, capsys):
    Path("locked").mkdir(mode=0o555)
    assert "locked/pages: Permission denied" in refused(capsys, "read", "--out", "locked/pages")


def test_a_full_disk_is_said(here, capsys, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    monkeypatch.setattr("minirnn.pages.reading.site.write_atomically", full)
    assert "pages/index.html: No space left on device" in refused(capsys, "read", "--out", "pages")
