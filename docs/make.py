"""Write the documentation as static pages: `python docs/make.py [FOLDER]`, by default into `build/docs`.

The pages of the modules are made by pdoc, the guides beside them from the Markdown files in this folder. A docstring is
turned into HTML by what `minirnn read` uses for it, so that equations are set the same in both. A warning is an error.
"""

from __future__ import annotations

import pkgutil
import re
import sys
import types
import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pdoc.doc
import pdoc.render
import pdoc.render_helpers
import pdoc.search
from markupsafe import Markup

import minirnn
from minirnn.pages.equations import parse
from minirnn.pages.prose import Prose

Modules = dict[str, pdoc.doc.Module]
DOCS = Path(__file__).parent
LEFT_OUT = re.compile(r"minirnn\.(__main__|cli|pages|exercises\.|fast\.|runs\.)")
"""Modules without a page: the command line says itself what it does, and the others are no-one's to call."""


def main(folder: str | Path = "build/docs") -> Path:
    """Write all pages into a folder, and return the first one to read."""
    folder = Path(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, text in pages().items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return folder / "index.html"


def pages() -> dict[str, str]:
    """The text of every page, by its path below the folder."""
    _set_up()
    modules = {name: pdoc.doc.Module.from_name(name) for name in _module_names()}
    _resolve_named_tuples(modules)
    written = {f"{name.replace('.', '/')}.html": _page(one, modules) for name, one in modules.items()}
    guides = {file.stem: file.read_text(encoding="utf-8") for file in sorted(DOCS.glob("*.md"))}
    titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in guides.items()}
    for name, text in guides.items():
        written[f"{name}.html"] = _render("guide", guide=_guide(text, modules), here=name, guides=titles)
    rooms = [one for name, one in modules.items() if name.count(".") == 1]
    written["index.html"] = _render("index", guides=titles, rooms=rooms, all_modules=modules)
    written["search.js"] = pdoc.render.search_index(modules)
    return written


OF_PYTHON = re.compile(r"Alias for field number|Create new instance of")
"""How docstrings begin that Python gives to named tuples."""


def html(doc: str) -> str:
    """A docstring as HTML."""
    return "" if OF_PYTHON.match(doc) else Prose[None]().html(doc, None)


def summary(doc: str) -> Markup:
    """The first sentence of a docstring as HTML."""
    first = next((part.text for part in parse(doc) if part.kind == "prose"), "")
    sentence = re.split(r"(?<!al)\.\s|[.:]$", first)[0]
    return Markup(Prose[None]().inline(f"{sentence}." if sentence else "", None))


def _set_up() -> None:
    """Tell pdoc about the templates, and have it take docstrings for what they are instead of for Markdown."""
    pdoc.render.configure(docformat="markdown", template_directory=DOCS / "templates", show_source=False)
    as_it_is: Any = lambda doc, *_: doc  # noqa: E731
    pdoc.render.env.filters |= {"to_markdown": as_it_is, "to_html": html, "summary": summary}
    pdoc.render.env.filters |= {"listed": listed, "exported_modules": exported_modules, "place": place}
    pdoc.search.to_markdown, pdoc.search.to_html, pdoc.render.make_index = as_it_is, summary, _to_be_found  # type: ignore


def listed(one: pdoc.doc.Doc, modules: Modules) -> bool:
    """Whether a name is only listed on the page of its module, because another page documents it."""
    module, name = one.taken_from
    return module != one.modulename and module in modules and modules[module].get(name) is not None


def exported_modules(module: pdoc.doc.Module, modules: Modules) -> list[pdoc.doc.Module]:
    """The modules among the public names of a module, which pdoc takes for none."""
    exported = (vars(module.obj)[name] for name in getattr(module.obj, "__all__", ()))
    return [modules[one.__name__] for one in exported if isinstance(one, types.ModuleType)]


def place(one: pdoc.doc.Doc, module: pdoc.doc.Module) -> str:
    """Where a listed name is documented, as a link on the page of a module."""
    there, name = one.taken_from
    return pdoc.render_helpers.relative_link(module.modulename, there) + (f"#{name}" if name else "")


def _to_be_found(modules: Modules, is_public: Callable[[pdoc.doc.Doc], bool], _: str) -> list[dict]:
    """What the search finds: everything once, where it is documented, and by names and first sentences."""

    def is_told_of(one: pdoc.doc.Doc) -> bool:
        return bool(is_public(one) and html(one.docstring) and not listed(one, modules))

    found = pdoc.search.make_index(modules, is_told_of, "markdown")
    return [one | dict.fromkeys(("signature", "annotation", "default_value", "bases"), "") for one in found]


def _resolve_named_tuples(modules: Modules) -> None:
    """Put the types of the fields of named tuples in place of their names, which their constructors cannot look up."""
    for module in modules.values():
        for one in vars(module.obj).values():
            if isinstance(one, type) and issubclass(one, tuple) and hasattr(one, "_fields"):
                one.__new__.__annotations__ = typing.get_type_hints(one)


def _module_names() -> list[str]:
    found = pkgutil.walk_packages(minirnn.__path__, "minirnn.")
    return ["minirnn", *(one.name for one in found if not LEFT_OUT.match(one.name))]


def _page(module: pdoc.doc.Module, modules: Modules) -> str:
    """The page of a module. What a class has inherited from outside of minirnn has no place there to be linked to."""
    text = pdoc.render.html_module(module, modules)
    there = set(re.findall(r'\bid="([^"]+)"', text))
    return re.sub(r'<a href="#([^"]+)">(.*?)</a>', lambda link: link[0] if link[1] in there else link[2], text)


def _render(template: str, **facts: Any) -> str:
    return pdoc.render.env.get_template(f"{template}.html.jinja2").render(**facts)


def _guide(text: str, modules: Modules) -> str:
    """A guide as HTML, with its equations set, and links to the pages of the files that it names."""

    def linked(file: re.Match[str]) -> str:
        shown, path = file.groups()
        return f"{shown}({path}.html)" if path.replace("/", ".") in modules else shown[1:-1]

    def set_equations(block: re.Match[str]) -> str:
        _, *equations, _ = html(f".\n\n{block[0]}\n.").split("\n")  # without the lines it is indented against
        return "\n".join(equations) + "\n"

    text = re.sub(r"\]\(([\w-]+)\.md", r"](\1.html", text)
    text = re.sub(r"(\[[^]]+\])\(\.\./(minirnn/[\w/]+)\.py\)", linked, text)
    pieces = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
    pieces[::2] = [indented.sub(set_equations, piece) for piece in pieces[::2]]  # the others are code
    return pdoc.render_helpers.to_html("".join(pieces))


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
