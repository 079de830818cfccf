"""Small input asks for bounded work, and what it holds is not printed without end."""

import gzip
import resource
import subprocess
import sys
import time

import pytest
from commands import refused, run

from minirnn import InputError
from minirnn.cli.train.classify import confusions
from minirnn.data.reading import read_text

SMALL = ["--hidden", "4", "--epochs", "1", "--quiet"]


def test_a_file_that_swells_is_refused_before_it_has(tmp_path):
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(2**20) * 64))  # 64 KB that hold 64 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"bomb\.gz: its [\d,]+ bytes hold more than 16,777,216: unpack it first"):
        read_text(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB
    bomb.write_bytes(gzip.compress(b"word " * 3_000_000))
    assert len(read_text(bomb)) == 15_000_000


def test_many_members_take_time_by_their_number(tmp_path):
    many = tmp_path / "many.gz"
    member = gzip.compress(b"a\n")
    many.write_bytes(member * 60_000)
    started = time.process_time()
    assert read_text(many) == "a\n" * 60_000
    assert time.process_time() - started < 5  # 90 s where all that is left is copied for each


def test_one_endless_text_among_short_ones_does_not_make_all_of_them_endless(tmp_path):
    data = tmp_path / "long.tsv"
    lines = [f"{'ab'[i % 2]}\t{'ab'[i % 2] * (3 + i % 5)}{i}" for i in range(200)]
    data.write_text("\n".join([*lines, "a\t" + "ab" * 500_000]) + "\n")
    limited = (
        "import resource, sys\n"
        "from minirnn.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))\n"
        "main(sys.argv[1:])\n"
    )
    command = ["train", "classify", "--data", str(data), "--out", str(tmp_path / "r"), *SMALL]
    done = subprocess.run([sys.executable, "-c", limited, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_texts_in_the_place_of_labels_are_named(tmp_path, capsys):
    data = tmp_path / "swapped.tsv"
    data.write_text("".join(f"the text of number {i}\t{'ab'[i % 2]}{i}\n" for i in range(2000)))
    message = refused(capsys, "train", "classify", "--data", data, "--out", tmp_path / "r", *SMALL)
    assert "1,600 different labels, such as 'the text of number 0'" in message
    assert not (tmp_path / "r").exists()


def test_the_table_of_many_labels_is_that_of_the_most_frequent():
    labels = [f"{i:03}" + "x" * 1000 for i in range(500)]
    truth = [label for i, label in enumerate(labels) for _ in range(1 + (i >= 480))]
    table = confusions(truth, truth, labels)
    assert len(table) < 30_000
    assert table.splitlines()[-1] == "… and 480 labels more"
    assert [line[:3] for line in table.splitlines()[1:-1]] == [f"{i}" for i in range(480, 500)]


def test_what_was_wrong_is_shown_in_short(tmp_path, capsys):
    data = tmp_path / "long.tsv"
    data.write_text("".join(f"{'ab'[i * 7 % 11 % 2]}\t{i}{'z' * 5000}\n" for i in range(300)))
    assert run("train", "classify", "--data", data, "--out", tmp_path / "r", *SMALL, "--max-length", 4) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 200


def test_the_length_that_is_read_is_kept_in_the_run(tmp_path, capsys):
    data = tmp_path / "data.tsv"
    data.write_text("".join(f"{'ab'[i % 2]}\t{'pq'[i % 2]}{i:03}\n" for i in range(100)))
    folder = tmp_path / "r"
    assert run("train", "classify", "--data", data, "--out", folder, *SMALL, "--max-length", 2) == 0
    capsys.readouterr()
    assert run("classify", folder, "p0", "p0999", "q0") == 0
    first, second, third = (line.split("\t")[1] for line in capsys.readouterr().out.splitlines())
    assert first == second != third
