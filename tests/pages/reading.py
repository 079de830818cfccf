"""What a browser would find on a page, and what a page and its source may not have."""

import posixpath
import re
from html.parser import HTMLParser

from minirnn.pages.equations import REFERENCE, expanded

VOID = {"meta", "link", "br"}


class Found(HTMLParser):
    """The ids, links and texts of a page; what is wrong with its tags is in `troubles`."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.troubles, self.ids, self.links = [], [], [], []
        self.code, self.docs, self.row = [], [], None
        self.feed(text)
        self.close()
        self.troubles += [f"never closed: {tag}" for tag, _ in self.open]
        self.troubles += [f"given twice: {one}" for one in {*self.ids} if self.ids.count(one) > 1]

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if len(given) < len(attributes):
            self.troubles.append(f"an attribute given twice: {attributes}")
        self.ids += [given["id"]] if "id" in given else []
        self.links += [(given["href"], given)] if "href" in given else []
        if tag in VOID:
            return
        kind = given.get("class", "")
        self.open.append((tag, kind))
        if kind == "line":
            self.code.append([0, ""])
        if kind.split()[:1] == ["doc"]:
            self.docs.append("")
        if kind == "no":
            self.code[-1][0] = int(given["id"][1:])

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.troubles.append(f"closed, but not open: {tag} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data):
        kinds = [kind for _, kind in self.open]
        if "line" in kinds and "no" not in kinds:
            self.code[-1][1] += data
        if {"doc", "doc stays"} & {*kinds} and "at" not in kinds:
            self.docs[-1] += data


def dead_links(site):
    """The links of all pages that lead nowhere, with their page."""
    ids = {name: {*Found(text).ids} for name, text in site.items() if name.endswith(".html")}
    dead = []
    for name in ids:
        for link, _ in Found(site[name]).links:
            path, _, anchor = link.partition("#")
            there = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            if there not in site or (anchor and anchor not in ids[there]):
                dead.append((name, link))
    return dead


def disagreements(outline):
    """Equations that no line of code names, and lines that name one that is not in their docstring."""
    path, owned = outline.source.path, outline.lines_of
    for one in outline.definitions.values():
        for number in one.equations:
            if (one.name, number) not in owned:
                yield f"{path}: no line names ({number}) of {one.name or 'the module'}"
    for line, text in outline.comments.items():
        owner = outline.owner(line)
        for found in REFERENCE.finditer(text):
            for number in expanded(found[1]) if found[0] == found[1] else ():
                if owner is None or number not in owner.equations:
                    yield f"{path}, line {line}: there is no ({number}) in its docstring"


def told(text):
    """A docstring, or what a page shows of it, without marks, spaces, and the signs of sub- and superscripts."""
    raised = str.maketrans(dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ", "0123456789T", strict=True)))
    headings = re.sub(r"^ *(Args|Returns|Raises|Attributes):$", r"\1", text, flags=re.M)
    return re.sub(r"[_^{}`*\s:]", "", headings).translate(raised)
