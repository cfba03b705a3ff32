"""The whole site on one's own machine, in one command: `make run`.

Starts the web server, the scheduler, the sandbox where there is no Stripe key, and a mail catcher
where there is no mail server; ends them all together. What the settings don't say it decides
itself and keeps in the instance folder, so that other commands can be given the same:
`flask -e instance/development.env --app app …`.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from dotenv import dotenv_values

from core.settings import INSTANCE_PATH, Settings, load_settings
from ops.children import ChildFailed, Children

DEFAULT_PORT = 8000
ENVIRONMENT_FILE = "development.env"
MOST_PORT = 65_532  # the sandbox listens on the next one, the mail catcher on the two after
_ARTICLE, _CAMPAIGN = "/demo/article", "/c/support-us"


class Stopped(Exception):
    """Somebody asked us to stop."""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, MOST_PORT),
    default=DEFAULT_PORT,
    show_default=True,
    help="Where the site listens; the sandbox and the mail catcher take the next three.",
)
@click.option(
    "--instance",
    type=click.Path(file_okay=False, path_type=Path),
    default=INSTANCE_PATH,
    help="The folder that keeps the database and the secrets.",
)
def main(port: int, instance: Path) -> None:
    """Run Goalpost for development: web server, scheduler, stand-ins for Stripe and for mail."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with _only_one(instance):
            _run(port, instance)
    except Stopped:
        click.echo("Stopped.")
    except ChildFailed as error:
        raise click.ClickException(str(error)) from None


def _stop(number: int, _frame: FrameType | None) -> None:
    # A second Ctrl-C while we end the children must not leave some of them behind.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(signal.Signals(number).name)


@contextmanager
def _only_one(instance: Path) -> Iterator[None]:
    """Keep a second run off the same database, whose sandbox would deliver to the first."""
    instance.mkdir(parents=True, exist_ok=True)
    with (instance / "development.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(
                f"Goalpost runs already, with its books in {instance}. Stop it first."
            ) from None
        yield


def _run(port: int, instance: Path) -> None:
    given = {**_text_only(dotenv_values(".env")), **os.environ}
    added = complete_environment(given, port=port, instance=instance)
    os.environ.update(added)
    settings = load_settings()
    uses_sandbox, catches_mail = "STRIPE_API_BASE" in added, "MAIL_URL" in added
    _refuse_taken_ports(port, uses_sandbox=uses_sandbox, catches_mail=catches_mail)
    _keep(instance / ENVIRONMENT_FILE, added)
    with Children() as children:
        if uses_sandbox:
            _start_sandbox(children, port + 1, instance, added)
        if catches_mail:
            command = [sys.executable, "-m", "sandbox.mail", "--port", str(port + 2)]
            command += ["--smtp-port", str(port + 3)]
            children.start("mail", command, ready=f"http://localhost:{port + 2}/health")
        children.do("database", _flask("db", "upgrade"))
        if settings.demo:
            children.do("demo campaign", _flask("demo"))
        said = children.do("first owner", _flask("users", "first-link"))
        link = next((line for line in said if line.startswith(settings.base_url)), None)
        local = f"http://localhost:{port}"
        children.start("web", _web(port, settings), ready=f"{local}/readyz")
        children.start(
            "scheduler", _flask("scheduler", "run"), ready=f"{local}/readyz", check="job roll"
        )
        mail = f"http://localhost:{port + 2}" if catches_mail else None
        _say_where(settings, sandbox=added.get("STRIPE_API_BASE"), mail=mail, first_link=link)
        children.wait()


def complete_environment(given: Mapping[str, str], *, port: int, instance: Path) -> dict[str, str]:
    """Return what is missing in `given` for a site on this machine; nothing given is changed.

    Secrets are those of the last time, so that sessions and forms outlive a restart.
    """
    kept = _text_only(dotenv_values(instance / ENVIRONMENT_FILE))
    wanted = {
        "SECRET_KEY": kept.get("SECRET_KEY") or secrets.token_urlsafe(32),
        "DATABASE_URL": f"sqlite:///{(instance / 'goalpost.sqlite').resolve()}",
        "BASE_URL": f"http://localhost:{port}",
    }
    key = given.get("STRIPE_SECRET_KEY", "")
    if not key:
        wanted |= {
            "STRIPE_SECRET_KEY": "sk_test_sandbox",
            "STRIPE_WEBHOOK_SECRET": (
                kept.get("STRIPE_WEBHOOK_SECRET") or f"whsec_{secrets.token_urlsafe(24)}"
            ),
            "STRIPE_API_BASE": f"http://localhost:{port + 1}",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_sandbox",
            "CLOCK_FILE": str((instance / "clock").resolve()),
        }
    if not given.get("MAIL_URL"):
        wanted |= {
            "MAIL_URL": f"smtp://localhost:{port + 3}",
            "MAIL_FROM": "The Harrow Bay Courier <support@courier.example>",
        }
    if "_live_" not in key:
        wanted["DEMO"] = "true"
    return {name: value for name, value in wanted.items() if not given.get(name)}


def _text_only(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _keep(path: Path, environment: Mapping[str, str]) -> None:
    """Write the file of secrets so that nobody else can ever read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("# Written by `make run`. Your own settings belong into .env.\n")
        file.writelines(f"{name}={value}\n" for name, value in environment.items())


def _refuse_taken_ports(port: int, *, uses_sandbox: bool, catches_mail: bool) -> None:
    wanted = {port: "the site"}
    if uses_sandbox:
        wanted[port + 1] = "the sandbox"
    if catches_mail:
        wanted |= dict.fromkeys((port + 2, port + 3), "the mail catcher")
    for number, whose in wanted.items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers do: connections that have just been closed don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as error:
                other = 8010 if port != 8010 else DEFAULT_PORT  # noqa: PLR2004 - any other one
                raise click.ClickException(
                    f"Port {number}, which {whose} needs, can't be had: {error.strerror}."
                    f" Take others: make run PORT={other}"
                ) from None


def _flask(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "app", *arguments]


def _web(port: int, settings: Settings) -> list[str]:
    # On SQLite one process with threads: two that write would wait for each other.
    processes = 1 if settings.sqlite else 2
    listen = ("--host", "127.0.0.1", "--port", str(port))
    return _flask("serve", *listen, "--processes", str(processes))


def _start_sandbox(
    children: Children, port: int, instance: Path, environment: Mapping[str, str]
) -> None:
    address = environment["STRIPE_API_BASE"]
    command = [
        *(sys.executable, "-m", "sandbox", "--port", str(port), "--public-url", address),
        *("--state", str(instance / "sandbox.sqlite")),
        *("--webhook-url", f"http://127.0.0.1:{port - 1}/webhooks/stripe"),
        *("--webhook-secret", environment["STRIPE_WEBHOOK_SECRET"]),
        *("--clock-file", str(instance / "clock")),
    ]
    children.start("sandbox", command, ready=f"{address}/health")


def _say_where(
    settings: Settings, *, sandbox: str | None, mail: str | None, first_link: str | None
) -> None:
    places = []
    if settings.demo:
        places.append(("An article with the widget", settings.base_url + _ARTICLE))
        places.append(("The campaign and its form", settings.base_url + _CAMPAIGN))
    else:
        places.append(("The campaigns", settings.base_url))
    places.append(("The admin", f"{settings.base_url}/admin/"))
    if first_link:
        places.append(("Its first owner, by this link, once", first_link))
    if sandbox:
        places.append(("The sandbox in Stripe's place", sandbox))
    if mail:
        places.append(("Mail that would have been sent", mail))
    width = max(len(name) for name, _ in places)
    click.echo()
    for name, address in places:
        click.echo(f"  {name.ljust(width)}  {click.style(address, bold=True)}")
    if sandbox:
        click.echo("\n  Pay with the card 4242 4242 4242 4242, any later date, any CVC.")
        click.echo("  The sandbox's page moves the clock, of the site too: watch a month turn.")
    click.echo("  Ctrl-C stops everything.\n")


if __name__ == "__main__":
    main()
