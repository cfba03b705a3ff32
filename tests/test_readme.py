"""README.md says what the code does: its tables, its lines to copy, its commands are held to it."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from core import static
from core.settings import INSTANCE_PATH, Settings
from ops.demo_data import SLUG
from payments.facts import HANDLED
from payments.gateway import API_VERSION
from widget.snippet import element_snippet

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SITE = "https://goal.example.org"
# What comes with Flask and its extensions stands in their documents; this one is part of ours.
FOREIGN_GROUPS = {"db", "limiter", "routes", "run", "shell"}
FOREIGN_COMMANDS = {"db upgrade"}

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def table(heading: str) -> dict[str, tuple[str, ...]]:
    """Return the table under a heading: the first column without its marks, and the others."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split(" | "))
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return {row[0].strip("` "): row[1:] for row in rows}


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def test_every_setting_is_documented_with_its_default() -> None:
    documented = table("Settings")

    assert list(documented) == [name.upper() for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        assert documented[name.upper()] == (printed_default(field.default), field.description)


def printed_default(default: object) -> str:
    if default is PydanticUndefined:
        return "must be set"
    if default in (None, ()):
        return "none"
    assert not isinstance(default, SecretStr)
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text.replace(str(INSTANCE_PATH), 'instance')}`"


def commands(group: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that call it."""
    if not isinstance(group, click.Group):
        yield path, group
        return
    for name, command in sorted(group.commands.items()):
        if path or name not in FOREIGN_GROUPS:
            yield from commands(command, f"{path} {name}".strip())
        elif isinstance(command, click.Group):
            for words, foreign in commands(command, name):
                if words in FOREIGN_COMMANDS:
                    yield words, foreign


@only_sqlite
def test_every_command_is_documented_and_explains_itself(app: Flask) -> None:
    documented = table("Commands")
    found = dict(commands(app.cli))

    assert list(documented) == sorted(found)
    for words, command in found.items():
        assert documented[words] == (command.get_short_help_str(limit=200),)
        with app.app_context():
            result = app.test_cli_runner().invoke(args=[*words.split(), "--help"])
        assert result.exit_code == 0, result.output
        assert "Usage:" in result.output


@only_sqlite
def test_every_address_is_documented_and_none_is_made_up(app: Flask) -> None:
    served = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in static.ENDPOINTS
        # The pages of the admin are found from the first one; nobody is promised their addresses.
        and (rule.rule == "/admin/" or not rule.rule.startswith("/admin/"))
        # What programs may ask for with a token stands in docs/api.md.
        and not rule.rule.startswith("/api/v1/admin/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert set(table("Addresses")) == served


def test_the_line_to_embed_is_the_one_that_the_widget_gives() -> None:
    element, _frame = blocks("html")

    assert element.strip() == element_snippet(base_url=SITE, slug=SLUG, title="Support us")


def test_the_attributes_are_those_of_the_element() -> None:
    script = (ROOT / "static" / "widget" / "donation-goal.js").read_text(encoding="utf-8")
    observed = re.findall(r"observedAttributes = \[(.*?)\]|of \[('campaign'.*?)\]", script)
    known = {name for pair in observed for name in re.findall(r"'([a-z-]+)'", "".join(pair))}

    assert set(table("Put it into an article")) == known


def test_the_webhook_is_pinned_to_our_version_and_sends_what_we_handle() -> None:
    (events,) = blocks("text")

    assert f"API version **{API_VERSION}**" in README
    assert set(events.split()) == HANDLED


@only_sqlite
def test_the_commands_answer_as_shown(app: Flask) -> None:
    checker = doctest.OutputChecker()
    (session,) = blocks("console")
    for command, shown in re.findall(r"^\$ (.+)\n((?:[^$].*\n)*)", session, re.MULTILINE):
        words = shlex.split(command)
        assert words[:3] == ["flask", "--app", "app"]
        result = app.test_cli_runner().invoke(args=words[3:])

        assert result.exit_code == 0, result.output
        assert checker.check_output(shown, result.output, doctest.ELLIPSIS), result.output


def test_the_settings_shown_for_stripe_start_a_site() -> None:
    (lines,) = blocks("ini")
    values = dict(line.split("=", 1) for line in lines.split())

    assert values.keys() <= {name.upper() for name in Settings.model_fields}
    settings = Settings(**{name.lower(): value for name, value in values.items()})  # type: ignore[arg-type]
    assert settings.https
    assert not settings.livemode


def test_every_target_of_make_that_is_named_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    papers = [README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
    named = {
        name
        for paper in papers
        for name in re.findall(r"(?:`|^ *)make ([a-z-]+)", paper, re.MULTILINE)
    }

    assert {"run", "test", "help"} <= named
    for name in named:
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


@pytest.mark.parametrize(
    "paper",
    sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")),
    ids=lambda path: path.name,
)
def test_links_between_the_papers_lead_somewhere(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    for address in re.findall(r"\]\(([^)#]+)\)|src=\"(docs/[^\"]+)\"", text):
        target = "".join(address)
        if "://" not in target:
            assert (paper.parent / target).exists(), target
