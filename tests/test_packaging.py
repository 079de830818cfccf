"""What the package says of itself, and that nothing it needs is left out of it."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

import minirnn

ROOT = Path(__file__).parents[1]
FOR_READERS = {"exercises/README.md"}
"""What lies in the package for those who read its source."""


@pytest.fixture(scope="module")
def config():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "minirnn"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no clone, which would tell what belongs to the package")
    return [Path(line).relative_to("minirnn") for line in listed.stdout.splitlines()]


def test_every_file_beside_the_modules_is_installed(config):
    patterns = config["options.package_data"]["minirnn"].split(", ")
    files = [file for file in tracked_files() if file.suffix != ".py"]
    assert len(files) > 10
    lost = [file for file in files if not any(file.match(pattern) for pattern in patterns)]
    assert {str(file) for file in lost} == FOR_READERS


def test_every_folder_of_modules_is_a_package():
    assert not [
        f for f in tracked_files() if f.suffix == ".py" and not (ROOT / "minirnn" / f.parent / "__init__.py").exists()
    ]


def test_the_changelog_tells_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    told = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert told[0] == "Unreleased"
    assert minirnn.__version__ in told or f"To become {minirnn.__version__}" in text
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_version_can_be_read_without_importing(config):
    """As where the package is built, which has no NumPy."""
    module, _, name = config["metadata"]["version"].removeprefix("attr: ").rpartition(".")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    assert f'\n{name} = "{minirnn.__version__}"\n' in source


def test_the_metadata_are_as_an_index_expects(config):
    metadata = config["metadata"]
    assert metadata["license_expression"] == "MIT"
    classifiers = metadata["classifiers"].split("\n")[1:]
    assert classifiers == sorted(set(classifiers))
    # The expression is the standard's; beside it no classifier may say the same.
    assert not [one for one in classifiers if one.startswith("License ::")]
    assert "Typing :: Typed" in classifiers
    assert (ROOT / "minirnn" / "py.typed").exists()
    [least] = re.findall(r">=(3\.\d+)", config["options"]["python_requires"])
    assert f"Programming Language :: Python :: {least}" in classifiers
