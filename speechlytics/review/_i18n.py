"""The page's languages: gettext catalogues, and names for what the tables hold.

Texts in code and templates are English. ``locale/<language>/LC_MESSAGES/review.po`` translates
them; the ``.mo`` beside it is compiled (``pybabel compile``) and a test keeps the two equal.
"""

from __future__ import annotations

import gettext
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

LANGUAGES = {"en": "English", "ru": "Русский"}
DEFAULT = "en"
DOMAIN = "review"


def N_(message: str) -> str:  # noqa: N802 - gettext's own name
    """Mark a text for translation elsewhere."""
    return message


NAMES = {
    # reasons: phrase categories
    "cannot_help": N_("Agent cannot help"),
    "callback_promise": N_("Callback promised"),
    "ticket_opened": N_("Ticket opened"),
    "technician_visit": N_("Technician visit"),
    "issue_persists": N_("Problem persists"),
    "repeat_contact_mention": N_("Has called before"),
    "cancel_threat": N_("Wants to leave"),
    "complaint_threat": N_("Threatens to complain"),
    "supervisor_request": N_("Asks for a supervisor"),
    "profanity": N_("Swearing"),
    "sentiment_negative": N_("Sounds unhappy"),
    "thanks_resolved": N_("Thanks: it works"),
    "resolution_confirmed": N_("Resolution confirmed"),
    "sentiment_positive": N_("Sounds content"),
    "refund_promise": N_("Refund promised"),
    "closing_question": N_("Closing question asked"),
    "hold_announcement": N_("Hold announced"),
    "hold_return": N_("Back from hold"),
    "harmless_wait": N_("Asked to wait"),
    "problem_statement": N_("Problem stated"),
    "transfer_announcement": N_("Transfer announced"),
    "greeting": N_("Greeting"),
    "identification": N_("Identification"),
    # reasons: circumstances
    "hanging_question": N_("Question left hanging"),
    "dead_air": N_("Dead air"),
    "long_hold": N_("Long hold"),
    "repeat_contact": N_("Repeat contact"),
    "broken_off": N_("Call broken off"),
    "bad_ending": N_("Ends on a complaint"),
    "no_closing": N_("No closing question"),
    "low_csat": N_("Low rating"),
    "transferred": N_("Transferred"),
    "nothing_left": N_("Nothing left to ask"),
    "high_csat": N_("High rating"),
    # topics
    "connection_problem": N_("Connection problem"),
    "billing_error": N_("Billing"),
    "tariff_service": N_("Tariffs and services"),
    "account_access": N_("Account access"),
    "ad_unsubscribe": N_("Unwanted advertising"),
    "roaming": N_("Roaming"),
    "sim_loss": N_("Lost SIM"),
    "equipment": N_("Equipment"),
    "contract": N_("Contract"),
    # roles
    "agent": N_("Agent"),
    "customer": N_("Customer"),
    "ivr": N_("IVR"),
    "unknown": N_("Unknown speaker"),
    "system": N_("System"),
    # silences
    "silence": N_("Silence"),
    "hold_music": N_("Hold music"),
    "hold": N_("Hold"),
    "overtalk": N_("Overtalk"),
    "warn": N_("Warning"),
    "alert": N_("Alert"),
    "critical": N_("Critical"),
    "leading": N_("at the start"),
    "trailing": N_("at the end"),
    # verdicts
    "unresolved": N_("Unresolved"),
    "resolved": N_("Resolved"),
    "unclear": N_("Unclear"),
    # doubts
    "loop": N_("The recogniser repeats itself"),
    "low_confidence": N_("The recogniser is unsure"),
    "over_non_talk": N_("Words over silence or music"),
    # directions, chains, kinds of samples, states
    "inbound": N_("Inbound"),
    "outbound": N_("Outbound"),
    "internal": N_("Internal"),
    "single": N_("single contact"),
    "trigger": N_("first of a chain"),
    "repeat": N_("repeat"),
    "targeted": N_("targeted"),
    "random": N_("random"),
    "ok": N_("OK"),
    "no_speech": N_("No speech"),
    "no_recording": N_("No recording"),
    "failed": N_("Failed"),
    # languages of calls
    "ru": N_("Russian"),
    "en": N_("English"),
    "uk": N_("Ukrainian"),
    "be": N_("Belarusian"),
    "hu": N_("Hungarian"),
}
"""Names for values of the tables; a value without one is shown with spaces for underscores."""


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Catalogue of a language; English needs none."""
    if language == DEFAULT or language not in LANGUAGES:
        return gettext.NullTranslations()
    with as_file(files("speechlytics.review") / "locale") as folder:
        return gettext.translation(DOMAIN, Path(folder), [language])


def name_of(value: str | None, language: str) -> str:
    """A value of the tables in words."""
    if not value:
        return "–"
    known = NAMES.get(value)
    return value.replace("_", " ") if known is None else translations(language).gettext(known)


def choose(cookie: str | None, accepted: str) -> str:
    """Language of a request: as chosen, else the first known of ``Accept-Language``."""
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.split(",")[:20]:
        code = part.split(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return DEFAULT
