"""Downloads, from a server of our own."""

import contextlib
import hashlib
import io
import logging
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minirnn.cli import fetch as command
from minirnn.cli.options import Parser
from minirnn.data import fetch, fetch_dataset
from minirnn.data.fetch import BASE_URL, DATASETS
from minirnn.errors import MinirnnError, install

pooch = pytest.importorskip("pooch")

PAIRS = b"Go.\tVa !\nHi.\tSalut !\n" * 50
NOVEL = b"The Time Traveller\n" * 5000


def archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("fra-eng/_about.txt", "about")
        files.writestr("fra-eng/fra.txt", PAIRS)
    return content.getvalue()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server that has `files` and remembers what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            content = self.server.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", len(content or b"") + self.server.missing)
            self.end_headers()
            with contextlib.suppress(OSError):  # of whom has heard enough
                for piece in self.server.drip(content or b""):
                    self.wfile.write(piece)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = {"/data/fra-eng.zip": archive(), "/data/timemachine.txt": NOVEL}
    server.asked, server.missing, server.drip = [], 0, lambda content: [content]
    for name, dataset in DATASETS.items():
        content = server.files[f"/data/{dataset.file}"]
        sha256 = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(DATASETS, name, dataset._replace(sha256=sha256, size=len(content)))
    monkeypatch.setenv("MINIRNN_MIRROR", f"http://127.0.0.1:{server.server_port}/data")
    monkeypatch.setenv("MINIRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def left_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file()) if folder.exists() else []


def test_a_download_is_kept(server, cache, capfd, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(pooch.get_logger(), "handlers", [logging.StreamHandler(log)])
    for _ in range(2):
        assert fetch_dataset("fra-eng") == cache / "fra-eng" / "fra.txt"
        assert fetch_dataset("time-machine") == cache / "timemachine.txt"
    assert (cache / "fra-eng" / "fra.txt").read_bytes() == PAIRS
    assert (cache / "timemachine.txt").read_bytes() == NOVEL
    assert server.asked == ["/data/fra-eng.zip", "/data/timemachine.txt"]
    assert left_in(cache) == ["fra-eng.zip", "fra.txt", "timemachine.txt"]
    assert capfd.readouterr() == ("", "")  # no bar where there is no terminal
    assert log.getvalue() == ""


def test_a_damaged_file_is_mended(server, cache):
    fetch_dataset("fra-eng")
    (cache / "fra-eng" / "fra.txt").write_bytes(PAIRS[:-1])
    assert fetch_dataset("fra-eng").read_bytes() == PAIRS
    assert len(server.asked) == 1
    (cache / "fra-eng.zip").write_bytes(b"damaged")
    assert fetch_dataset("fra-eng").read_bytes() == PAIRS
    assert len(server.asked) == 2
    assert fetch_dataset("fra-eng").read_bytes() == PAIRS
    assert len(server.asked) == 2


def test_another_folder(server, cache, tmp_path):
    assert fetch_dataset("fra-eng", tmp_path / "here" / "there") == tmp_path / "here" / "there" / "fra-eng" / "fra.txt"
    assert not cache.exists()


def test_what_is_there_is_not_written_again(server, cache):
    """A cache that may only be read is enough."""

    def times():
        return {path: path.stat().st_mtime_ns for path in [cache, *cache.rglob("*")]}

    fetch_dataset("fra-eng")
    before = times()
    fetch_dataset("fra-eng")
    assert times() == before


def failure(name="fra-eng"):
    with pytest.raises(MinirnnError) as error:
        fetch_dataset(name)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_wrong_checksum_leaves_nothing(server, cache):
    server.files["/data/fra-eng.zip"] = server.files["/data/fra-eng.zip"][:-1] + b"x"
    message = failure()
    assert message.startswith("cannot download http://127.0.0.1:")
    assert "hash" in message
    assert left_in(cache) == []


def test_a_wrong_checksum_does_not_replace_what_was_unpacked(server, cache):
    fetch_dataset("fra-eng")
    (cache / "fra-eng.zip").write_bytes(b"damaged")
    server.files["/data/fra-eng.zip"] += b"x"
    failure()
    assert (cache / "fra-eng" / "fra.txt").read_bytes() == PAIRS


def test_a_broken_connection_leaves_nothing(server, cache):
    server.drip = lambda content: [content[:-1000]]  # less than it has promised
    assert "cannot download" in failure()
    assert left_in(cache) == []


def test_more_than_the_file_is_not_taken(server, cache):
    """600 MB would otherwise be stored before the checksum refused them."""
    sent = []

    def without_end(content):
        yield content
        while True:
            sent.append(len(content))
            yield content

    server.missing, server.drip = 10**9, without_end
    assert "the server sends more than its" in failure("time-machine")
    assert len(sent) < 1000
    assert left_in(cache) == []


@pytest.mark.parametrize("where", ["the text", "the head"])
def test_a_byte_now_and_then_is_given_up(server, cache, monkeypatch, where):
    monkeypatch.setattr(fetch, "PATIENCE", 0.3)
    monkeypatch.setattr(fetch, "LEAST_SPEED", 10**9)

    def slowly(content):
        for byte in content:
            time.sleep(0.01)
            yield bytes([byte])

    if where == "the text":
        server.drip = slowly
    else:
        monkeypatch.setattr(server.RequestHandlerClass, "end_headers", lambda handler: time.sleep(1))
    started = time.monotonic()
    assert "no answer (it takes longer than 0 s)" in failure("time-machine")
    assert time.monotonic() - started < 0.9
    assert left_in(cache) == []


def test_a_missing_file(server, cache):
    server.files.clear()
    assert failure("time-machine").endswith("/data/timemachine.txt: the server says 404 Not Found")
    assert left_in(cache) == []


def test_no_server(server, monkeypatch):
    monkeypatch.setenv("MINIRNN_MIRROR", "http://127.0.0.1:9/")
    assert failure() == "cannot download http://127.0.0.1:9/fra-eng.zip: no answer (Connection refused)"
    monkeypatch.setenv("MINIRNN_MIRROR", "nowhere")
    assert "cannot download nowhere/fra-eng.zip: " in failure()
    monkeypatch.setenv("MINIRNN_MIRROR", "file:///etc/")
    assert failure().endswith("expected an address that begins with https:// or http://")


def test_without_pooch_and_without_such_a_data_set(server, monkeypatch):
    assert failure("fra") == "unknown data set 'fra': expected one of fra-eng, time-machine"
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert failure() == f"downloads need pooch: {install('data')}"


def test_the_command(server, tmp_path, capsys):
    parser = Parser(prog="minirnn")
    command.add_parser(parser.add_subparsers(parser_class=Parser))
    for name, last in (
        ("fra-eng", "use it: minirnn train translate --data '{}'"),
        ("time-machine", "use it: minirnn train lm --data '{}'"),
    ):
        options = parser.parse_args(["fetch", name, "--to", str(tmp_path / "a folder")])
        assert options.run(options) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[1] == last.format(lines[0])
    with pytest.raises(SystemExit):
        parser.parse_args(["fetch", "fra"])
    assert "fra-eng" in capsys.readouterr().err


def test_the_checksums_are_those_of_the_real_files(data_folder):
    assert BASE_URL.startswith("https://")
    for dataset in DATASETS.values():
        if not (data_folder / dataset.file).exists():
            pytest.skip(f"no {dataset.file} in the data folder")
        content = (data_folder / dataset.file).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (dataset.sha256, dataset.size)


def test_a_home_that_nobody_has_is_said(server):
    with pytest.raises(MinirnnError, match=r"^~nobody-of-this-name/x: there is no such home directory$"):
        fetch_dataset("time-machine", "~nobody-of-this-name/x")
    assert server.asked == []
