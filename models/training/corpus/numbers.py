"""Numbers as words in the four corpus languages, the way they are said on the telephone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_NUMBER = 9999


@dataclass(frozen=True, slots=True)
class NumberWords:
    """The number words of one language; `style` says how they are put together.

    `slavic` counts thousands as a noun with three forms, `english` says "three hundred twenty",
    `hungarian` writes one word and shortens "kettő" to "két" before száz and ezer.
    """

    style: str
    units: tuple[str, ...]
    feminine: tuple[str, ...]
    tens: tuple[str, ...]
    hundreds: tuple[str, ...]
    thousands: tuple[str, ...]
    currency: tuple[str, ...]
    currency_feminine: bool

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> NumberWords:
        """Builds the words from a `[numbers]` table whose values are words between spaces."""

        def words(key: str) -> tuple[str, ...]:
            return tuple(str(table.get(key, "")).split())

        return cls(
            style=str(table["style"]),
            units=words("units"),
            feminine=words("feminine"),
            tens=words("tens"),
            hundreds=words("hundreds"),
            thousands=words("thousands"),
            currency=words("currency"),
            currency_feminine=bool(table["currency_feminine"]),
        )

    def cardinal(self, value: int, *, feminine: bool = False) -> str:
        """Returns `value` (0 to 9999) as words; raises ValueError beyond that."""
        if not 0 <= value <= MAX_NUMBER:
            raise ValueError(f"no words for {value}: 0 to {MAX_NUMBER} are known")
        if self.style == "hungarian":
            return self._hungarian(value)
        parts: list[str] = []
        thousands, rest = divmod(value, 1000)
        if thousands:
            if thousands > 1 or self.style == "english":
                parts.append(self._below_thousand(thousands, feminine=self.style == "slavic"))
            parts.append(self.plural(thousands, self.thousands))
        if rest or not thousands:
            parts.append(self._below_thousand(rest, feminine=feminine))
        return " ".join(parts)

    def money(self, value: int) -> str:
        """Returns a sum in the language's currency, in the accusative where there is one."""
        amount = self.cardinal(value, feminine=self.currency_feminine)
        if self.style == "hungarian" and value % 10 == 2:
            amount = amount.removesuffix("kettő") + "két"
        return f"{amount} {self.plural(value, self.currency)}"

    def plural(self, value: int, forms: tuple[str, ...]) -> str:
        """Picks the noun form that `value` asks for (one form, one/many, or one/few/many)."""
        if len(forms) == 1:
            return forms[0]
        if len(forms) == 2:
            return forms[0] if value == 1 else forms[1]
        if value % 100 in range(11, 20):
            return forms[2]
        return forms[0] if value % 10 == 1 else forms[1] if value % 10 in (2, 3, 4) else forms[2]

    def _below_thousand(self, value: int, *, feminine: bool) -> str:
        parts: list[str] = []
        hundreds, rest = divmod(value, 100)
        if hundreds:
            parts.append(
                f"{self.units[hundreds]} {self.hundreds[0]}"
                if self.style == "english"
                else self.hundreds[hundreds - 1]
            )
        if rest >= 20:
            parts.append(self.tens[rest // 10 - 2])
            rest %= 10
            if not rest:
                return " ".join(parts)
        if rest or not hundreds:
            gendered = feminine and 1 <= rest <= len(self.feminine)
            parts.append(self.feminine[rest - 1] if gendered else self.units[rest])
        return " ".join(parts)

    def _hungarian(self, value: int) -> str:
        def counted(digit: int) -> str:
            return "" if digit == 1 else "két" if digit == 2 else self.units[digit]

        thousands, rest = divmod(value, 1000)
        hundreds, rest = divmod(rest, 100)
        text = counted(thousands) + self.thousands[0] if thousands else ""
        text += counted(hundreds) + self.hundreds[0] if hundreds else ""
        tens, unit = divmod(rest, 10)
        if tens in (1, 2) and unit:
            return text + ("tizen", "huszon")[tens - 1] + self.units[unit]
        text += self.tens[tens - 1] if tens else ""
        return text + (self.units[unit] if unit or not text else "")
