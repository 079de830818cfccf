"""The pages of the documentation: built without a warning, complete, with equations as equations."""

import importlib.util
import pkgutil
import re
from html import unescape
from pathlib import Path

import pytest

import minirnn

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
ROOMS = [name for _, name, is_room in pkgutil.iter_modules(minirnn.__path__, "minirnn.") if is_room]
WITHOUT_PAGES = {"minirnn.cli", "minirnn.pages"}


@pytest.fixture(scope="module")
def make():
    pytest.importorskip("pdoc", reason="the documentation needs pdoc: pip install -e '.[docs]'")
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(make, tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    assert make.main(folder) == folder / "index.html"
    return folder


@pytest.fixture(scope="module")
def site(folder):
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in folder.rglob("*.html")}


def test_every_public_name_is_there(site):
    for module in ("minirnn", *ROOMS):
        page = site.get(module.replace(".", "/") + ".html")
        assert (page is None) == (module in WITHOUT_PAGES), module
        if page is not None:
            names = getattr(importlib.import_module(module), "__all__", ())
            assert not [name for name in names if f'id="{name}"' not in page], module


def test_what_is_passed_on_is_documented_where_its_link_leads(site):
    [place] = re.findall(r'<tr id="Tensor">\s*<td><a href="([^"]+)"', site["minirnn.html"])
    page, _, anchor = place.partition("#")
    assert (page, anchor) == ("minirnn/autograd/tensor.html", "Tensor")
    assert "An array that remembers how it was computed." in site[page]


def test_every_link_leads_somewhere(site):
    ids = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in site.items()}
    lost = []
    for name, text in site.items():
        for link in re.findall(r'<a [^>]*?href="([^"]+)"', re.sub("<script>.*?</script>", "", text, flags=re.DOTALL)):
            if not re.match(r"https?:", link):
                page, _, anchor = unescape(link).partition("#")
                target = str((Path("/", name).parent / page).resolve().relative_to("/")) if page else name
                if target not in site or (anchor and anchor not in ids[target]):
                    lost.append((name, link))
    assert not lost


def test_equations_have_subscripts_and_numbers(site):
    page = site["minirnn/cells/lstm.html"]
    assert "<i>c</i><sub><i>t</i></sub> = <i>f</i> * <i>c</i><sub><i>t</i>-1</sub> + <i>i</i> * <i>g</i>" in page
    assert re.findall(r'<td class="number">\((\d+)\)</td>', page) == [str(n) for n in range(1, 14)]
    # A script in words, or a line of a table that became a paragraph, would have been left as it was typed.
    code = re.compile(r"<(code|pre)\b.*?</\1>", re.DOTALL)
    assert not [name for name, text in site.items() if "_{" in code.sub("", text)]
    assert '<td class="formula" colspan="2"><i>h</i><sub><i>t</i></sub> = (1-<i>f</i>) * ' in site["your-own-cell.html"]


def test_arguments_are_lists_and_examples_code(site):
    page = site["minirnn/autograd/gradcheck.html"]
    for name in ("function", "tolerance", "GradcheckError"):
        assert re.search(rf"<dt><code>(<a [^>]*>)?{name}(</a>)?</code></dt> <dd>", page)
    assert re.search(r'<pre class="example"><span class="prompt">&gt;&gt;&gt;</span> x = np\.array', page)
    assert "<li>&quot;none&quot;:" in page or '<li>"none":' in site["minirnn/metrics/bleu.html"]


def test_a_warning_is_an_error(make, monkeypatch, tmp_path):
    monkeypatch.setattr(make, "pages", lambda: make.warnings.warn("an annotation nobody knows", stacklevel=1))
    with pytest.raises(UserWarning, match="nobody knows"):
        make.main(tmp_path)
