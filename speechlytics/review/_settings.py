"""What an operator decides about the review page."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from speechlytics.config import AudioConfig
from speechlytics.errors import ConfigError
from speechlytics.store import Store

EVERYONE = "*"
MIN_PASSWORD_LENGTH = 8


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """Settings of one running page.

    Attributes:
        store: The store, or its folder.
        host, port: Address to listen on; anything but loopback needs ``password`` or
            ``user_header``.
        reviewer: Who gives the verdicts, where nobody signs in.
        user_header: Header in which a reverse proxy states the signed-in user. Whoever reaches
            the port past the proxy can write it: let only the proxy reach it.
        password: Shared password; who signs in says a name.
        public_hosts: Names under which browsers reach the page, beside ``host`` itself.
        unmasked: Users who see digit runs, phone numbers and e-mail addresses; ``*`` everyone.
        sql_box: Whether the SQL page is offered.
        secure_cookies: Send cookies over HTTPS only (behind a proxy that speaks it).
        audio: Limits for decoding recordings.
        cache_bytes: Most that transcoded recordings may take up.
        secret: Signs cookies; new with every start unless given.
    """

    store: Path | Store
    host: str = "127.0.0.1"
    port: int = 8765
    reviewer: str = "reviewer"
    user_header: str | None = None
    password: str | None = None
    public_hosts: tuple[str, ...] = ()
    unmasked: tuple[str, ...] = ()
    sql_box: bool = True
    secure_cookies: bool = False
    audio: AudioConfig = field(default_factory=AudioConfig)
    cache_bytes: int = 2 << 30
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def check(self) -> None:
        """Refuse settings that would open recordings to a network.

        Raises:
            ConfigError: the address is reachable from elsewhere and nobody has to sign in, or
                the password is too short.
        """
        if self.password is not None and len(self.password) < MIN_PASSWORD_LENGTH:
            raise ConfigError(f"the password is shorter than {MIN_PASSWORD_LENGTH} characters")
        if not is_loopback(self.host) and not (self.password or self.user_header):
            raise ConfigError(
                f"--host {self.host} can be reached from other machines: give --password-file, "
                "or --user-header NAME when a reverse proxy signs people in"
            )

    def may_see(self, user: str) -> bool:
        """Whether this user sees numbers and addresses as they were said."""
        return EVERYONE in self.unmasked or user in self.unmasked


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
