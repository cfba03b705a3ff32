"""Settings: environment variables (and `.env`), checked as a whole before anything starts."""

from __future__ import annotations

import os
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from click import ClickException
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

INSTANCE_PATH = Path(__file__).resolve().parent.parent / "instance"

# What may stand in a file instead, which the variable with `_FILE` behind its name names: a secret
# that is mounted into a container is in no environment, and so in no list of processes.
FROM_FILES = (
    "database_url",
    "secret_key",
    "stripe_secret_key",
    "stripe_webhook_secret",
    "challenge_secret_key",
    "mail_url",
    "metrics_token",
)
_MOST_FILE_BYTES = 16 * 1024
_LEAST_LIVE_SECRET = 32
_LEAST_TOKEN = 24
_MOST_BODY_BYTES = 1 << 20


class SettingsError(ClickException):
    """The settings are missing or contradict each other; `problems` names every one at once.

    A ClickException, so that the command line prints the sentence and no traceback.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            "Goalpost can't start, its settings are not right:\n"
            f"{lines}\nSet them in the environment or in .env; README.md lists them all."
        )


def with_driver(database_url: str) -> str:
    """Return a database's address as SQLAlchemy wants it; raise ValueError for all but ours."""
    scheme, separator, rest = database_url.partition("://")
    if not separator:
        raise ValueError("is not a database address; use sqlite:///… or postgresql://…")
    if scheme in {"postgres", "postgresql"}:
        return f"postgresql+psycopg://{rest}"
    if scheme not in {"sqlite", "postgresql+psycopg"}:
        raise ValueError(f"names {scheme}; only sqlite and postgresql are supported")
    return database_url


class Settings(BaseSettings):
    """What an installation decides. Each field is the environment variable of its name.

    A value is changed by changing the environment and starting again: settings are frozen.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        str_strip_whitespace=True,
    )

    database_url: str = Field(
        default=f"sqlite:///{INSTANCE_PATH / 'goalpost.sqlite'}",
        description="Where the books are kept: `sqlite:///…` or `postgresql://…`.",
    )
    secret_key: SecretStr = Field(
        description="Signs cookies and forms. Any long random text, kept secret.",
    )
    site_name: str = Field(
        default="Goalpost",
        max_length=80,
        description="Whose site it is: stands at the top of its pages.",
    )
    base_url: str = Field(
        default="http://localhost:8000",
        description="The public address of this installation, without a slash at the end.",
    )
    stripe_secret_key: SecretStr | None = Field(
        default=None,
        description="Stripe's key: `sk_test_…` makes a test site, `sk_live_…` a live one."
        " Without it, gifts are only recorded by hand.",
    )
    stripe_webhook_secret: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Signs Stripe's events (`whsec_…`); several, comma-separated, while one"
        " is rotated.",
    )
    stripe_publishable_key: str | None = Field(
        default=None,
        description="Stripe's public key (`pk_…`), for `CHECKOUT=embedded` only.",
    )
    checkout: Literal["hosted", "embedded"] = Field(
        default="hosted",
        description="Where donors pay: `hosted` on a page of Stripe's, `embedded` in a frame on a"
        " page of this site.",
    )
    stripe_api_base: str | None = Field(
        default=None,
        description="Another address that speaks Stripe's API: the sandbox.",
    )
    ratelimit_enabled: bool = Field(
        default=True,
        description="Limits how often one network address may start a donation, and guards forms"
        " against card testing; `false` is for tests.",
    )
    ratelimit_storage_uri: str = Field(
        default="memory://",
        description="Where limits are counted: `memory://` for each process by itself, or a Redis"
        " or Valkey that all of them share, as in `redis://localhost:6379/0`.",
    )
    most_unfinished_campaign: int = Field(
        default=60,
        ge=5,
        description="How many payments of one campaign may be begun and not finished within an"
        " hour, beside four for each that was paid, until its form is guarded.",
    )
    most_unfinished_site: int = Field(
        default=90,
        ge=5,
        description="The same, of all campaigns together.",
    )
    challenge: Literal["turnstile", "hcaptcha"] | None = Field(
        default=None,
        description="Who tells people from machines while a form is guarded: `turnstile` or"
        " `hcaptcha`. Without it, a guarded form takes no gifts until it is calm.",
    )
    challenge_site_key: str | None = Field(
        default=None, description="The public key that the challenge gave this site."
    )
    challenge_secret_key: SecretStr | None = Field(
        default=None, description="Its secret key, by which answers are verified."
    )
    challenge_api_base: str | None = Field(
        default=None,
        description="Another address that speaks the challenge's API: the sandbox.",
    )
    second_factor: Literal["optional", "required"] = Field(
        default="optional",
        description="Whether those who sign in to the admin must have more than a password:"
        " `required` has them set up a passkey or codes before anything else.",
    )
    mail_url: SecretStr | None = Field(
        default=None,
        description="Where mail is handed over: `smtp://user:password@host:587` or `smtps://…`."
        " Without it, none is sent.",
    )
    mail_from: str | None = Field(
        default=None,
        description="Who mail comes from, as in `The Courier <support@example.org>`.",
    )
    keep_messages_days: int = Field(
        default=365, ge=1, description="How long donors' messages are kept."
    )
    keep_events_days: int = Field(
        default=90, ge=30, description="How long what Stripe's events said is kept."
    )
    keep_abandoned_days: int = Field(
        default=7, ge=1, description="How long it is kept who went to pay and did not."
    )
    keep_mail_days: int = Field(
        default=30,
        ge=1,
        description="How long the words of mails and notices that were sent are kept.",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=5,
        description="How many reverse proxies stand before Goalpost and set X-Forwarded-For.",
    )
    max_body_bytes: int = Field(
        default=256 * 1024,
        ge=16 * 1024,
        le=_MOST_BODY_BYTES,
        description="The longest request body that is read.",
    )
    snapshot_seconds: float = Field(
        default=1,
        ge=0,
        le=60,
        description="How old, in seconds, the numbers may be that readers get without the books"
        " being asked; `0` asks them each time.",
    )
    web_host: str = Field(
        default="127.0.0.1",
        description="Where `serve` listens: `0.0.0.0` for every interface of the machine.",
    )
    web_port: int = Field(default=8000, ge=1, le=65_535, description="Its port.")
    web_processes: int = Field(
        default=1,
        ge=1,
        le=256,
        description="How many processes serve the site: one on SQLite, a core's each on"
        " PostgreSQL.",
    )
    web_threads: int = Field(
        default=16,
        ge=1,
        le=256,
        description="How many requests each of them works on at once: those of donors wait for"
        " Stripe.",
    )
    scheduler: Literal["apart", "inside"] = Field(
        default="apart",
        description="Where the jobs run: `apart` by `scheduler run`, `inside` the web process.",
    )
    scheduler_stop_seconds: float = Field(
        default=20,
        ge=0,
        le=600,
        description="For how long a scheduler that is stopped waits for its jobs to end.",
    )
    demo: bool = Field(
        default=False,
        description="Serves the demo article at `/demo/article`.",
    )
    clock_file: Path | None = Field(
        default=None,
        description="A file with the seconds by which a demo's clock is ahead: the sandbox's, whose"
        " page moves it.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="What a monitor shows at `/metrics`, as `Authorization: Bearer …`; 24"
        " characters or more. Without it, only this machine may ask.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="How much is logged: DEBUG, INFO, WARNING or ERROR.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How: `text` for people, `json` for programs, one object a line.",
    )

    @field_validator("stripe_webhook_secret", mode="before")
    @classmethod
    def _split_secrets(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, value: str) -> str:
        return with_driver(value)

    @field_validator("ratelimit_storage_uri")
    @classmethod
    def _counting_place(cls, value: str) -> str:
        scheme = value.partition("://")[0]
        if scheme not in {"memory", "redis", "rediss", "redis+unix", "valkey", "valkeys"}:
            raise ValueError("must be memory://, or an address such as redis://localhost:6379/0")
        # The same protocol, and the same library.
        return value.replace("valkey", "redis", 1) if scheme.startswith("valkey") else value

    @field_validator("mail_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
                raise ValueError("must be an address such as smtp://user:password@host:587")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _LEAST_TOKEN:
            raise ValueError(f"must have at least {_LEAST_TOKEN} characters")
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_sender(cls, value: str | None) -> str | None:
        if value is not None:
            address = parseaddr(value)[1]
            if "@" not in address or not value.isprintable():
                raise ValueError("must be an address such as The Courier <support@example.org>")
        return value

    @field_validator("base_url", "stripe_api_base", "challenge_api_base")
    @classmethod
    def _bare_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address such as https://goal.example.org")
        if parts.query or parts.fragment or parts.path.strip("/"):
            raise ValueError("must be an address without a path")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        problems = list(self._contradictions())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _contradictions(self) -> list[str]:
        problems: list[str] = []
        key = self.stripe_secret_key.get_secret_value() if self.stripe_secret_key else ""
        if key and not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            problems.append("STRIPE_SECRET_KEY must begin with sk_test_ or sk_live_")
        if key and not self.stripe_webhook_secret:
            problems.append(
                "STRIPE_WEBHOOK_SECRET is missing: without it paid gifts would never be counted"
            )
        if self.stripe_webhook_secret and not key:
            problems.append("STRIPE_WEBHOOK_SECRET is set, but STRIPE_SECRET_KEY is missing")
        if self.stripe_api_base and not key:
            problems.append("STRIPE_API_BASE is set, but STRIPE_SECRET_KEY is missing")
        if self.checkout == "embedded" and key and not self.stripe_publishable_key:
            problems.append("CHECKOUT=embedded needs STRIPE_PUBLISHABLE_KEY")
        if self.challenge and not (self.challenge_site_key and self.challenge_secret_key):
            problems.append("CHALLENGE needs CHALLENGE_SITE_KEY and CHALLENGE_SECRET_KEY")
        if self.mail_url and not self.mail_from:
            problems.append("MAIL_URL is set, but MAIL_FROM is missing: say who mail comes from")
        if not self.secret_key.get_secret_value():
            problems.append("SECRET_KEY must not be empty")
        if self.livemode:
            problems += self._live_contradictions()
        return problems

    def _live_contradictions(self) -> list[str]:
        problems = []
        if self.stripe_api_base:
            problems.append("STRIPE_API_BASE is for the sandbox and can't go with a live key")
        if self.challenge_api_base:
            problems.append("CHALLENGE_API_BASE is for the sandbox and can't go with a live key")
        if urlsplit(self.base_url).scheme != "https":
            problems.append("BASE_URL must be an https:// address with a live key")
        if len(self.secret_key.get_secret_value()) < _LEAST_LIVE_SECRET:
            problems.append(
                f"SECRET_KEY must have at least {_LEAST_LIVE_SECRET} characters with a live key"
            )
        if self.demo:
            problems.append("DEMO can't be on with a live key")
        if self.clock_file:
            problems.append("CLOCK_FILE is for a demo and can't go with a live key")
        return problems

    @property
    def livemode(self) -> bool:
        """Whether real money is taken: on a live site test money never counts."""
        key = self.stripe_secret_key.get_secret_value() if self.stripe_secret_key else ""
        return key.startswith(("sk_live_", "rk_live_"))

    @property
    def https(self) -> bool:
        """Whether readers reach this installation by TLS."""
        return self.base_url.startswith("https://")

    @property
    def sqlite(self) -> bool:
        """Whether the books are in SQLite."""
        return self.database_url.startswith("sqlite")


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; raise SettingsError that names every problem."""
    from_files, problems = _read_files()
    if problems:
        raise SettingsError(problems)
    try:
        return Settings(**(from_files | overrides))
    except ValidationError as error:
        raise SettingsError(_sentences(error)) from None


def _read_files() -> tuple[dict[str, str], list[str]]:
    """Return the settings that stand in files, and what is wrong with those, in sentences."""
    env_file = Settings.model_config.get("env_file")
    told = {**(dotenv_values(str(env_file)) if env_file else {}), **os.environ}
    found: dict[str, str] = {}
    problems: list[str] = []
    for name in FROM_FILES:
        variable = f"{name.upper()}_FILE"
        path = told.get(variable)
        if not path:
            continue
        if told.get(name.upper()):
            problems.append(f"{name.upper()} and {variable} are both set: take one away")
            continue
        try:
            with Path(path).open("rb") as file:
                content = file.read(_MOST_FILE_BYTES + 1)
            text = content.decode("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            problems.append(f"{variable} names {path}, which can't be read: {why}")
            continue
        if not text or len(content) > _MOST_FILE_BYTES:
            problems.append(f"{variable} names {path}, which is empty or too long")
            continue
        found[name] = text
    return found, problems


def _sentences(error: ValidationError) -> list[str]:
    problems: list[str] = []
    for detail in error.errors(include_url=False, include_input=False):
        name = str(detail["loc"][0]).upper() if detail["loc"] else ""
        text = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "missing":
            problems.append(f"{name} is missing")
        elif name:
            problems.append(f"{name} {text}")
        else:
            problems += text.splitlines()
    return problems
