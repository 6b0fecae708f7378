"""Parties of a vCon → roles, the customer's id and the agent's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speechlytics.records import Role
from speechlytics.vcon._document import objects

# Roles of the contact centre extension (draft-ietf-vcon-cc-extension), and what others write.
_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("agent", "supervisor", "sme", "operator", "advisor", "employee"), "agent"),
    **dict.fromkeys(("customer", "client", "caller", "contact", "user"), "customer"),
    **dict.fromkeys(("ivr", "bot", "virtual-agent", "system", "robot", "assistant"), "ivr"),
}
_ADDRESSES = ("tel", "sip", "mailto", "uuid", "did")


@dataclass(frozen=True, slots=True)
class Party:
    """Who took part: role, name and addresses as the vCon states them (without URI scheme)."""

    role: Role
    name: str | None
    dept: str | None
    addresses: Mapping[str, str]

    @property
    def identity(self) -> str | None:
        """What tells this person from others: number, address, id; never only a name."""
        return next(iter(self.addresses.values()), None)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names under which a transcript or a user may speak of this party."""
        named = () if self.name is None else (self.name,)
        return (*named, *self.addresses.values())


def read_parties(
    raw: dict[str, Any], where: str, speakers: Mapping[str, Role]
) -> tuple[Party, ...]:
    """Parties by index.

    Args:
        raw: The vCon.
        where: Its file.
        speakers: Role by name or address, on top of what the vCon says.
    """
    found = [_party(item, speakers) for _, item in objects(raw, "parties", where)]
    roles = [party.role for party in found]
    # Of two who talk, the one that is not the agent is the customer, and the other way round.
    if len(roles) == 2 and roles.count("unknown") == 1:
        other = next(role for role in roles if role != "unknown")
        opposite: Mapping[Role, Role] = {"agent": "customer", "customer": "agent"}
        roles = [opposite.get(other, "unknown") if r == "unknown" else r for r in roles]
    return tuple(
        Party(role, party.name, party.dept, party.addresses)
        for party, role in zip(found, roles, strict=True)
    )


def _party(raw: dict[str, Any], speakers: Mapping[str, Role]) -> Party:
    name = raw.get("name")
    addresses = {
        key: value.removeprefix(f"{key}:").strip()
        for key in _ADDRESSES
        if isinstance(value := raw.get(key), str) and value.strip()
    }
    party = Party("unknown", name if isinstance(name, str) else None, _dept(raw), addresses)
    said = [speakers[label] for label in party.labels if label in speakers]
    stated = [str(raw.get(key, "")).strip().casefold() for key in ("role", "type")]
    said += [_ROLES[word] for word in stated if word in _ROLES]
    role: Role = said[0] if said else "unknown"
    return Party(role, party.name, party.dept, addresses)


def _dept(raw: dict[str, Any]) -> str | None:
    value = raw.get("dept")
    return value if isinstance(value, str) and value else None
