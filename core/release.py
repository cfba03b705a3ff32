"""Which Goalpost this is: what pyproject.toml says, which is not there where it runs."""

RELEASE = "0.1.0"
