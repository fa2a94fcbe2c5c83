"""The pages in docs/ show what the commands print, and their links lead somewhere."""

import re

import pytest
from conftest import ROOT

from clashnlp.cli import main

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "training").glob("[A-Z]*.md")])


def test_the_table_of_formats_is_what_the_command_prints(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "--formats"])
    page = (ROOT / "docs" / "annotations.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_exist(page, capsys):
    """Every command and option in a code block is one that the parser knows."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            words = line.split("#")[0].split()
            if words[:1] != ["clashnlp"]:
                continue
            with pytest.raises(SystemExit):
                main([words[1], "--help"])
            said = capsys.readouterr().out
            for option in (word for word in words if re.fullmatch(r"--[a-z0-9-]+|-[a-z]", word)):
                assert re.search(rf"(?<![\w-]){option}\b", said), f"{line}: {option}"
