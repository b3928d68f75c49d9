"""The documentation as a site: what MkDocs has to be told beyond `mkdocs.yml`.

The pages are written for a Git host and must read well there. So their order is that of the lists in `docs/index.md`,
links lead to files of the repository, and headings have the anchors that such a host gives them. This module brings
the same to the site: the navigation, the pages of the repository's root, the anchors. At last it takes the addresses
of other servers out of the theme's scripts.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[1]
OF_THE_ROOT = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "licence.md",
}
"""Files beside `docs` that pages link to, and what they are called on the site."""

_SECTION = re.compile(r"^\*\*(?P<title>[^*]+)\*\*|^- \[(?P<name>[^\]]+)\]\((?P<page>[^)#]+\.md)\)", re.MULTILINE)
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_BELOW_TEXT = re.compile(r"^((?!(?:[-*+]|\d+\.) |[|#\s]).+\n)(?=- |\|)", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s:#]+)(?P<anchor>#[^)\s]*)?(?=\))")
_ADDRESS_IN_SCRIPT = re.compile(r"(?<=[\"'`])https?://(?!www\.w3\.org/)[^\"'`\s]*")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Anchors as a Git host makes them, and the navigation."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    config.nav = navigation(Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside `docs`."""
    for name, page in OF_THE_ROOT.items():
        text = (ROOT / name).read_text("utf8")
        files.append(File.generated(config, page, content=text if name.endswith(".md") else f"# License\n\n{text}"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are on the site, and lists and tables that begin below text without a blank line between."""
    return "".join(
        part if part.startswith("```") else _BELOW_TEXT.sub(r"\1\n", links_of_the_site(part, page.file.src_uri))
        for part in _FENCED.split(markdown)
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Take addresses of other servers out of the theme's scripts, which ask them about diagrams and repositories."""
    for script in Path(config.site_dir).rglob("*.js"):
        text = script.read_text("utf8")
        script.write_text(_ADDRESS_IN_SCRIPT.sub("about:blank", text), "utf8")


def navigation(docs: Path) -> list[dict[str, Any]]:
    """Sections with their pages, as `index.md` lists them; a page that it does not name comes last in its folder's."""
    sections: dict[str, list[dict[str, str]]] = {}
    for found in _SECTION.finditer((docs / "index.md").read_text("utf8")):
        if found["title"]:
            current = sections.setdefault(found["title"], [])
        else:
            current.append({found["name"]: found["page"]})
    listed = {page: title for title, entries in sections.items() for entry in entries for page in entry.values()}
    by_folder = {posixpath.dirname(page): title for page, title in listed.items() if "/" in page}
    for path in sorted(docs.rglob("*.md")):
        page = path.relative_to(docs).as_posix()
        if page not in listed and page != "index.md":
            sections[by_folder.get(posixpath.dirname(page), next(reversed(sections)))].append({title_of(path): page})
    project = [{title_of(ROOT / name): page} for name, page in OF_THE_ROOT.items()]
    return [{"Start": "index.md"}, *({title: entries} for title, entries in sections.items()), {"Project": project}]


def title_of(path: Path) -> str:
    """The first heading of a page, else the name of the file."""
    found = re.search(r"^# (.*)$", path.read_text("utf8"), re.MULTILINE)
    return found.group(1) if found else path.stem.capitalize()


def links_of_the_site(markdown: str, page: str) -> str:
    """The text of a page with its links to files of the repository turned into links to pages of the site."""
    names = {on_site: name for name, on_site in OF_THE_ROOT.items()}
    place = names.get(page, f"docs/{page}")

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(place), link["target"]))
        on_site = OF_THE_ROOT.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(on_site, posixpath.dirname(page) or ".") + (link["anchor"] or "")

    return _LINK.sub(turned, markdown)
