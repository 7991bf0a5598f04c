"""Fetching weights from a server that nobody knows."""

import urllib.request

import pytest

from benchmark.errors import JobError, UserError
from benchmark.leaderboard import recompute


def test_what_a_server_announces_takes_no_memory():
    with pytest.raises(UserError, match="more than 2147483648 are not fetched"):
        recompute._downloaded("https://nowhere.invalid/x.safetensors", 10**15)


def test_a_server_may_lead_on_to_encrypted_addresses_only(monkeypatch):
    handler = recompute._Encrypted()
    request = urllib.request.Request("https://nowhere.invalid/x.safetensors")
    onward = handler.redirect_request(request, None, 302, "", {}, "https://other.invalid/x")
    assert onward.full_url == "https://other.invalid/x"
    with pytest.raises(urllib.error.URLError, match="not encrypted"):
        handler.redirect_request(request, None, 302, "", {}, "http://169.254.169.254/x")


@pytest.mark.parametrize("size", [0, 5, 100])
def test_no_more_is_read_than_was_announced(size, tmp_path, monkeypatch):
    file = tmp_path / "x.safetensors"
    file.write_bytes(bytes(50))
    monkeypatch.setattr(recompute, "PIECE", 7)
    found = recompute._downloaded(file.as_uri(), size)
    assert len(found) == min(50, size + 1)


def test_an_address_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(JobError, match="cannot be had"):
        recompute._downloaded((tmp_path / "nothing").as_uri(), 5)
