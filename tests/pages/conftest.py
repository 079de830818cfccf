"""The pages, built once."""

import pytest

from minirnn.pages.outline import Outline
from minirnn.pages.site import build
from minirnn.pages.sources import sources


@pytest.fixture(scope="session")
def site():
    return build()


@pytest.fixture(scope="session")
def outlines():
    return [Outline(source) for source in sources()]
