"""What the README shows must work."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_examples_run(small_runs, tmp_path, monkeypatch, capsys):
    shutil.copytree(small_runs / "translate", tmp_path / "runs" / "translate-1")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    assert len(examples) == 3
    for example in examples:
        exec(example, {})
    loss, _, error = capsys.readouterr().out.splitlines()
    assert float(loss.split()[-1]) < 0.1
    assert float(error.split()[-1]) < 1e-6


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(targets) > 8
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_the_first_two_commands_are_the_main_job_and_the_tests():
    commands = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)[:2]
    assert [len(command.strip().splitlines()) for command in commands] == [1, 1]
    assert "minirnn train translate" in commands[0]
    assert "pytest" in commands[1]
