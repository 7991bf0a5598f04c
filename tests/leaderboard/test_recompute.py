"""Fetching weights from a server that nobody knows."""

import socket
import threading
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


@pytest.fixture
def answering():
    """Returns a function that starts a server with one answer, and returns its address."""
    servers = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def once() -> None:
            with server.accept()[0] as asked:
                asked.recv(4096)
                asked.sendall(answer)

        threading.Thread(target=once, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/x"

    yield start
    for one in servers:
        one.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-elsewhere\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 404 \x1b[2J\x07\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_whatever_a_server_says_is_one_printable_sentence(answer, answering):
    with pytest.raises(JobError, match="cannot be had") as caught:
        recompute._downloaded(answering(answer), 5)
    assert str(caught.value).isprintable()
