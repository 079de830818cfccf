"""The pages, built once."""

import pytest

from minirnn.pages.reading.outline import Outline
from minirnn.pages.reading.site import build
from minirnn.pages.reading.sources import sources


@pytest.fixture(scope="session")
def site():
    return build()


@pytest.fixture(scope="session")
def outlines():
    return [Outline(source) for source in sources()]
