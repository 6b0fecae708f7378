"""Pseudonyms: one customer, one key, nobody is nobody."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechlytics.errors import ConfigError
from speechlytics.sources import customer_key, load_or_create_key

KEY = bytes(range(32))


@pytest.mark.parametrize(
    "spelling",
    [
        "+79161234567", "79161234567", "8-916-123-45-67", "8 (916) 123 45 67", "9161234567",
        "tel:+7-916-123-45-67", "sip:+79161234567@pbx.example", " +7 916 123-45-67 ",
        "＋７９１６１２３４５６７",
    ],
)  # fmt: skip
def test_one_number_in_many_spellings_is_one_customer(spelling):
    assert customer_key(spelling, KEY, "RU") == customer_key("+79161234567", KEY, "RU")


def test_region_decides_what_a_local_number_means():
    assert customer_key("06 30 123 4567", KEY, "HU") == customer_key("+36 30 123 4567", KEY, "RU")
    assert customer_key("044 123 45 67", KEY, "UA") == customer_key("+380441234567", KEY, "RU")


def test_other_ids_are_compared_without_case_and_blanks():
    assert customer_key(" CRM-0042 ", KEY, "RU") == customer_key("crm-0042", KEY, "RU")
    assert customer_key(4242, KEY, "RU") == customer_key("4242", KEY, "RU")
    assert len({customer_key(c, KEY, "RU") for c in ("201", "202", "crm-1", "+79161234567")}) == 4


@pytest.mark.parametrize("nobody", ["", "  ", "anonymous", "Unknown", "Скрытый номер", "NULL"])
def test_hidden_callers_are_not_one_customer(nobody):
    assert customer_key(nobody, KEY, "RU") is None


def test_pseudonym_is_keyed_and_short():
    mine, other = (customer_key("+79161234567", key, "RU") for key in (KEY, bytes(32)))
    assert mine is not None
    assert mine != other
    assert len(mine) == 32
    assert int(mine, 16)


def test_undecodable_text_has_a_pseudonym():
    assert customer_key("\udcff\udcfe12345", KEY, "RU")


def test_key_is_made_once_with_mode_0600(tmp_path):
    path = tmp_path / "new" / "store.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path) == key
    assert [entry.name for entry in path.parent.iterdir()] == ["store.key"]


def test_racing_creators_agree(tmp_path):
    path = tmp_path / "store.key"
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: load_or_create_key(path), range(64)))
    assert len(keys) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.key"]


def test_key_without_hard_links(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    path = tmp_path / "store.key"
    assert load_or_create_key(path) == load_or_create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32, "00" * 16])
def test_damaged_key_is_refused_not_replaced(tmp_path, content):
    path = tmp_path / "store.key"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"store\.key: is not a key file .*backup"):
        load_or_create_key(path)
    assert path.read_text() == content


def test_key_in_an_impossible_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"key file cannot be read or written"):
        load_or_create_key(tmp_path / "file" / "store.key")
    (tmp_path / "folder.key").mkdir()
    with pytest.raises(ConfigError, match=r"Is a directory"):
        load_or_create_key(tmp_path / "folder.key")
