"""A real browser, driven by the WebDriver protocol: what a page shows, what it asks for, what it complains of, and how it prints."""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

#: What Debian calls the two programs' packages; others call them alike.
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
LACKING = (
    "no chromium and chromedriver here: apt-get install chromium chromium-driver" if not (CHROMIUM and DRIVER) else ""
)
#: Longest wait for the browser, in seconds; a busy machine is slow.
WAIT_S = 60.0
_SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "about:blank",
)  # fmt: skip


class Browser:
    """One window of a browser that has never been used before."""

    def __init__(self, http: httpx.Client, session: str) -> None:
        self.http = http
        self.session = f"/session/{session}"

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.request(method, self.session + path, json=body)
        value = answer.json()["value"]
        assert answer.is_success, value
        return value

    def devtools(self, command: str, **parameters: object) -> Any:
        """This will give a command of Chrome's own protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def sized(self, width: int, height: int) -> None:
        """This will show the page on a screen of so many pixels; up to 500 wide, as on a phone."""
        is_phone = width <= 500
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    def open(self, address: str) -> None:
        """This will load a page to its end."""
        self._ask("POST", "/url", {"url": address})

    def run(self, script: str) -> Any:
        """This will give what a script returns; the page's own policy does not hold it up."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def picture(self) -> bytes:
        """This will give the whole page as PNG."""
        found = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def printed(self) -> bytes:
        """This will print the page as PDF, by its own page size and margins."""
        found = self.devtools("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(found["data"])

    def complaints(self) -> list[str]:
        """This will give what the console has said since the last call: errors, and what the policy refused."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """This will give the addresses that were asked for since the last call."""
        said = (
            json.loads(each["message"])["message"] for each in self._ask("POST", "/se/log", {"type": "performance"})
        )
        return [each["params"]["request"]["url"] for each in said if each["method"] == "Network.requestWillBeSent"]


@contextmanager
def browser() -> Iterator[Browser]:
    """This will start a browser with an empty profile, and end it."""
    assert DRIVER is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        subprocess.Popen([DRIVER, f"--port={port}", "--log-level=OFF"], stdout=subprocess.DEVNULL) as driver,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S, trust_env=False) as http,
    ):
        try:
            _ready(http)
            options = {"binary": CHROMIUM, "args": [*_SWITCHES, f"--user-data-dir={Path(profile) / 'profile'}"]}
            logged = {"browser": "ALL", "performance": "ALL"}
            wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logged}
            answer = http.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
            session = answer.get("sessionId")
            assert session, answer
            yield Browser(http, session)
            http.delete(f"/session/{session}")
        finally:
            driver.terminate()
            driver.wait(WAIT_S)


def _ready(http: httpx.Client) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if http.get("/status").json()["value"]["ready"]:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "chromedriver did not start"
            time.sleep(0.05)
