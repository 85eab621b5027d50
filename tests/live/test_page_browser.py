"""The page as a browser shows it: it keeps fresh, says when it is not, fits a phone, and a button really sends its word
once it was confirmed. In headless Chromium; skipped where there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from live.page.app import Tokens, app
from live.snapshot import Snapshot
from tests.live import shown
from tests.live.browser import Tab, chromium, served, tab

TOKENS = Tokens("view-3fQz8LmX1wRt6YpK", "act-9cHn2VbD5sJg7EaU")
EVERY_S, PATIENCE_S = 0.05, 0.6


@dataclass
class Session:
    """What the page looks at. ``goes`` False: its clock stands still."""

    picture: Snapshot = field(default_factory=shown.full)
    goes: bool = True
    fault: Exception | None = None
    turns: int = 0
    words: list[str] = field(default_factory=list)

    def look(self) -> Snapshot:
        if self.fault is not None:
            raise self.fault
        self.turns += self.goes
        return replace(self.picture, ts=self.picture.ts + self.turns * 10**9)

    async def press(self, word: str) -> str:
        self.words.append(word)
        return {"flatten?": "2 trades at 5.60 debit <b>", "resume?": ""}.get(word, f"taken: {word}")


@pytest.fixture(scope="module")
def browser(chromium_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    """One browser for all; each test has a tab of its own, and a session on a port of its own."""
    with chromium(chromium_program, tmp_path_factory.mktemp("profile")) as port:
        yield port


def browse(browser: int, use: Callable[[Tab, Session, str], Awaitable[None]]) -> None:
    """Opens the page of a session in a browser as the trader does, and uses it."""

    async def main() -> None:
        session = Session()
        page = app(session.look, session.press, TOKENS, every=EVERY_S, patience=PATIENCE_S)
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(served(page))
            seen = await stack.enter_async_context(tab(browser))
            await seen.size(1400, 1000)
            await seen.open(f"{url}/?token={TOKENS.view}")
            await seen.until("document.querySelector('#pulse').textContent === 'live'")
            await use(seen, session, url)
            assert not seen.said
            assert {address.split("/")[2] for address in seen.requests} == {url.split("/")[2]}

    asyncio.run(main())


def test_the_page_lives_and_says_when_it_does_not(browser: int, tmp_path: Path) -> None:
    async def use(seen: Tab, session: Session, url: str) -> None:
        assert await seen.run("location.href") == f"{url}/"
        assert await seen.run("document.cookie") == ""
        stale = "document.body.classList.contains('stale')"
        told = "getComputedStyle(document.querySelector('#stale')).display !== 'none'"
        await seen.until(f"!{stale} && !({told})")

        paper = "getComputedStyle(document.body).backgroundColor"
        assert await seen.run(paper) == "rgb(244, 246, 248)"
        await seen.size(1400, 1000, dark=True)
        assert await seen.run(paper) == "rgb(14, 19, 24)"
        await seen.size(1400, 1000)

        session.picture = shown.full(nlv=80_123.45, standing="HALTED", name="<img src=x onerror=alert(1)>")
        await seen.until("document.querySelector('#figures').innerText.includes('£80,123.45')")
        assert await seen.text(".badge") == "HALTED"
        assert await seen.run("document.body.dataset.tone") == "bad"
        assert await seen.text("h1") == "<img src=x onerror=alert(1)>"
        assert await seen.run("document.querySelectorAll('#state img').length") == 0
        assert (await seen.run("document.title")).startswith("HALTED +£413")

        session.goes = False
        await seen.until(stale)
        assert await seen.run(told)
        assert "its picture stands still" in await seen.text("#stale")
        assert "14:12:" in await seen.text("#stale")
        assert (await seen.run("document.title")).startswith("OLD · HALTED")
        red = "getComputedStyle(document.querySelector('#stale')).backgroundColor"
        assert await seen.run(red) == "rgb(179, 38, 30)"
        assert float(await seen.run("getComputedStyle(document.querySelector('main')).opacity")) < 0.6

        picture = tmp_path / "page.png"
        await seen.picture(picture)
        assert picture.read_bytes().startswith(b"\x89PNG")

        session.goes, session.fault = True, ValueError("account 5WT12345")
        await seen.until("document.querySelector('#stale').innerText.includes('gives no picture (ValueError)')")
        session.fault = None
        await seen.until(f"!{stale} && !({told})")

    browse(browser, use)


def test_a_page_whose_session_has_gone_says_so_and_comes_back(browser: int) -> None:
    async def main() -> None:
        session = Session()
        page = app(session.look, session.press, TOKENS, every=EVERY_S, patience=PATIENCE_S)
        other = app(session.look, session.press, Tokens("v" * 20, "a" * 20), every=EVERY_S, patience=PATIENCE_S)
        async with tab(browser) as seen:
            async with served(page) as url:
                port = int(url.rsplit(":", 1)[1])
                await seen.open(f"{url}/?token={TOKENS.view}")
                await seen.until("document.querySelector('#pulse').textContent === 'live'")
            await seen.until("document.querySelector('#stale').innerText.includes('Nothing was heard')")
            async with served(page, port):
                await seen.until("!document.body.classList.contains('stale')")
            async with served(other, port):
                await seen.until("document.querySelector('#stale').innerText.includes('open the address')")

    asyncio.run(main())


def test_buttons_ask_and_then_send(browser: int) -> None:
    async def use(seen: Tab, session: Session, _: str) -> None:
        opened = "document.querySelector('#ask').open"
        told = "document.querySelector('#ask-told').textContent"

        def button(word: str) -> str:
            return f'nav button[data-word="{word}"]'

        await seen.click(button("cancel all"))
        await seen.until(opened)
        assert await seen.run("document.activeElement.id") == "no"
        await seen.click("#no")
        await seen.until(f"!{opened}")
        assert not session.words

        for word in ("stop entries", "resume", "cancel all"):
            await seen.click(button(word))
            await seen.click("#yes")
            await seen.until(f"{told} === 'taken: {word}'")
            assert await seen.run("document.querySelector('#yes').hidden")
            await seen.click("#no")
        assert session.words == ["stop entries", "resume?", "resume", "cancel all"]

        session.words.clear()
        await seen.click(button("flatten"))
        # A second click at the very moment of the first answer, as a double click does.
        await seen.run(
            "new MutationObserver((_, it) => { it.disconnect(); window.twice = document.querySelector('#yes').disabled;"
            " document.querySelector('#yes').click() }).observe(document.querySelector('#ask-told'), {childList: true})"
        )
        await seen.click("#yes")
        await seen.until(f"{told} === '2 trades at 5.60 debit <b>'")
        assert await seen.run("window.twice")
        await seen.until("!document.querySelector('#yes').disabled")
        assert session.words == ["flatten?"]
        await seen.click("#yes")
        await seen.until(f"{told} === 'taken: flatten'")
        assert session.words == ["flatten?", "flatten"]
        assert await seen.text("#ask-say") == "The session answers:"

    browse(browser, use)


def test_another_page_of_the_same_browser_can_neither_press_nor_read(browser: int) -> None:
    """The trader is signed in: the cookie is there. A page on another port asks with it."""

    async def hello(_: object, receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<p>another page"})

    async def use(seen: Tab, session: Session, url: str) -> None:
        async with served(hello) as elsewhere:
            await seen.open(elsewhere)
            assert await seen.text("p") == "another page"
            word = '{"word": "stop entries", "confirm": 1}'
            token = f'"X-Tomking-Act": "{TOKENS.act}", "Content-Type": "application/json"'
            for options in (
                f"{{method: 'POST', credentials: 'include', mode: 'no-cors', body: '{word}'}}",
                f"{{method: 'POST', credentials: 'include', headers: {{{token}}}, body: '{word}'}}",
            ):
                await seen.run(f"fetch('{url}/command', {options}).then(() => 0, () => 0)")
            read = f"fetch('{url}/', {{credentials: 'include'}}).then(r => r.text(), () => 'refused')"
            assert await seen.run(read) == "refused"
            await seen.run(
                f"new Promise(done => {{ const f = document.createElement('iframe'); f.src = '{url}/'; "
                "f.onload = done; document.body.append(f); setTimeout(done, 1000); })"
            )
            assert (
                await seen.run("(() => { try { return frames[0].document.body.innerText } catch { return '' } })()")
                == ""
            )
            assert not session.words
            seen.said.clear()
            seen.requests[:] = [address for address in seen.requests if address.startswith(url)]

    browse(browser, use)


def test_the_page_fits_a_phone_and_a_desk(browser: int) -> None:
    async def use(seen: Tab, session: Session, url: str) -> None:
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        cut = (
            "[...document.querySelectorAll('.part, .card, .alarm, button, td, li')].filter(x => x.offsetWidth && "
            "(x.getBoundingClientRect().right > innerWidth + 1 || x.scrollWidth > x.clientWidth + 2 && "
            "getComputedStyle(x).display !== 'inline')).map(x => x.className + ' ' + x.innerText)"
        )
        for picture in (shown.full(), shown.manual(), shown.empty()):
            session.picture = picture
            for width, height in ((390, 844), (360, 640), (768, 1024), (1400, 1000)):
                await seen.size(width, height)
                await seen.open(f"{url}/")
                assert await seen.run(over) <= 0, width
                assert await seen.run(cut) == [], width
                inside = (
                    "[...document.querySelectorAll('nav button')].every(b => { const r = b.getBoundingClientRect(); "
                )
                inside += "return r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth })"
                assert await seen.run(inside), width

    browse(browser, use)
