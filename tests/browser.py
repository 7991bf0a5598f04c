"""A headless Chromium, told what to do over a pair of pipes: nothing to install, no port to open."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds to wait for an answer."""


def executable() -> str | None:
    """Returns the browser that is installed, if any."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """One browser with one tab; records what the tab asks for and complains about."""

    def __init__(self, program: str):
        self.profile = tempfile.mkdtemp(prefix="dialbench-browser-")
        ask_read, self.ask = os.pipe()
        self.answer, answer_write = os.pipe()
        # The browser reads descriptor 3 and writes 4; out of their way first.
        inside = [fcntl.fcntl(one, fcntl.F_DUPFD, 20) for one in (ask_read, answer_write)]

        def arrange() -> None:
            os.dup2(inside[0], 3)
            os.dup2(inside[1], 4)

        flags = (
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--remote-debugging-pipe", f"--user-data-dir={self.profile}", "--no-first-run"),
            *("--disable-background-networking", "--disable-extensions", "--hide-scrollbars"),
            *("--disable-component-update", "--disable-sync", "--force-device-scale-factor=1"),
        )
        self.process = subprocess.Popen(
            [program, *flags, "about:blank"],
            close_fds=True,
            pass_fds=(3, 4),
            preexec_fn=arrange,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for one in (ask_read, answer_write, *inside):
            os.close(one)
        self.buffer, self.count, self.session = b"", 0, ""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.loaded = False
        try:
            self._begin()
        except RuntimeError:
            self.close()
            raise

    def _begin(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.ask)
        os.close(self.answer)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and returns its result."""
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.ask, json.dumps(message).encode() + b"\0")
        limit = time.monotonic() + PATIENCE
        while True:
            told = self._message(limit, method)
            if told.get("id") == number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                return told["result"]
            self._note(told)

    def _message(self, limit: float, waiting: str) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.answer], [], [], max(0, limit - time.monotonic()))
            chunk = os.read(self.answer, 1 << 20) if ready else b""
            if not chunk:
                raise RuntimeError(f"the browser gave no answer to {waiting}")
            self.buffer += chunk
        one, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(one)

    def _note(self, told: dict[str, Any]) -> None:
        about = told.get("params", {})
        match told.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(about["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(about["args"]))
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                self.complaints.append(about["entry"]["text"])
            case "Page.loadEventFired":
                self.loaded = True

    def open(
        self, page: Path | str, width: int = 1280, height: int = 900, scheme: str = "light"
    ) -> None:
        """Opens a file or an address, and forgets what was noted before."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.requests, self.complaints, self.loaded = [], [], False
        self.call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        limit = time.monotonic() + PATIENCE
        while not self.loaded:
            self._note(self._message(limit, "Page.navigate"))
        self.settle()

    def settle(self) -> None:
        """Waits until two frames have been drawn."""
        self.run("await new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def run(self, script: str) -> Any:
        """Runs statements inside the page and returns what they return."""
        answer = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {script} }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str, code: int = 0) -> None:
        """Presses a key, like ``"ArrowRight"`` with its code 39."""
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        shared = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **shared, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **shared)
        self.settle()

    def mouse(self, kind: str, x: float, y: float, button: str = "left") -> None:
        """Moves, presses or releases the mouse: ``mouseMoved``, ``mousePressed``, ``mouseReleased``."""
        more = {} if kind == "mouseMoved" else {"button": button, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self.settle()

    def picture(self, path: Path, whole: bool = False) -> None:
        """Saves what the tab shows, or the whole page, as PNG."""
        options: dict[str, Any] = {"format": "png"}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options |= {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))
