"""Properties of call ids and pseudonyms for any text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from speechlytics.sources import customer_key
from speechlytics.sources._names import masked, safe_id, tells

ANY_TEXT = st.text(st.characters(), max_size=300)


@given(ANY_TEXT)
def test_ids_are_safe_and_stable(text):
    name = safe_id(text)
    assert name == safe_id(name)
    assert 0 < len(name) <= 200
    assert name == unicodedata.normalize("NFC", name)
    assert ".." not in name
    assert not set(name) & set("/\\\0\n\r")
    assert name.encode("utf-8").decode() == name


@given(
    st.integers(9_000_000_000, 9_999_999_999), st.sampled_from(["+7", "8", "7", "", "8-", "+7 "])
)
def test_a_number_is_found_in_any_notation(number, prefix):
    digits = str(number)
    written = f"{prefix}({digits[:3]}) {digits[3:6]}-{digits[6:8]}-{digits[8:]}"
    assert tells(f"call from {digits} at 9", written)
    assert tells(f"call from {written} at 9", digits)
    assert digits not in masked(f"q-500-7{digits}-20261122-093000", written, "X")
    assert not tells("q-500-20261122-093000", written)


@given(ANY_TEXT)
def test_any_text_has_a_pseudonym_or_is_nobody(text):
    key = customer_key(text, bytes(32), "RU")
    assert key is None or len(key) == 32
    assert key == customer_key(text, bytes(32), "RU")
