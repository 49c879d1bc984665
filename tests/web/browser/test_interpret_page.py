"""The page of interpreted sessions in a real Chromium: before, during and after."""

from __future__ import annotations

import json
import wave

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe

from tests.web.browser.agents import MARKUP
from tests.web.browser.played import FRENCH, GUESS, Player, carried
from tests.web.browser.test_page import RULES
from tests.web.calls import Browser as Client
from tests.web.calls import serving
from vivavoce.agent import Interpreter
from vivavoce.agent.reason import SESSION_ENDED

pytestmark = pytest.mark.asyncio(loop_scope="session")

WATCH = """
() => {
  window.seen = { live: [], struck: [] };
  const look = () => {
    for (const each of document.querySelectorAll("#dialogue .live .source"))
      window.seen.live.push(each.textContent);
    for (const each of document.querySelectorAll("#dialogue del"))
      window.seen.struck.push(each.parentElement.textContent.replace(/\\s+/g, " "));
  };
  new MutationObserver(look).observe(document.querySelector("#dialogue"),
    { childList: true, subtree: true });
}
"""  # what stands there for a moment only, however slow we are
STATE = "document.querySelector('#dialogue li:nth-child({})')?.dataset.state"


@pytest_asyncio.fixture(loop_scope="session")
async def booth(tmp_path):
    """A server that interprets, deaf and mute: what it tells is played."""
    interpreter = Interpreter("fr", ["es", "en"], name="booth", voice="speaker", latency=2_000)
    async with serving(interpreter, recordings=tmp_path) as server:
        yield server


async def opened(server, **asked):
    """Open a room."""
    url = f"{server.url}/api/rooms"
    async with aiohttp.ClientSession() as http, http.post(url, json=asked) as answer:
        return await answer.json()


async def kept_out(page):
    """What keeps people out, by axe."""
    found = (await Axe().run(page, options=RULES)).response["violations"]
    return [
        (each["id"], [node["html"][:160] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


async def test_a_session_of_one_line(tab, booth):
    one = await tab(permissions=["microphone"])
    page = one.page
    await page.goto(booth.url)  # there is nobody to talk to here: it is the page of interpreters
    await one.until(
        "!document.querySelector('#setup').hidden && document.querySelector('#hears option')"
    )
    assert await one.text("#name") == "French → Spanish · English"
    assert "Wear headphones" in await one.text("#headphones")
    assert not await page.is_checked("#copy")  # one's voice is asked for, never taken
    assert "sample" in await one.text("#copy-why")
    assert "records this call" in await one.text("#kept-server")
    assert not await kept_out(page)
    await page.check("#copy")
    await page.select_option("#hears", "en")
    await page.click("#start")
    await one.stage("call")
    live = await carried(booth)
    assert live.wish.copies
    assert live.conversation.call.language == "en"
    # It may be taken back at any moment.
    await one.until("!document.querySelector('#voice-box').hidden")
    assert await page.is_checked("#copy-now")
    assert "Not copied yet" in await one.text("#voice-state")
    await page.uncheck("#copy-now")
    await one.until("/neutral/.test(document.querySelector('#voice-state').textContent)")
    assert not live.conversation.speakers.copying("A").agreed
    await during(one, Player(live))
    await page.click("#end")
    await one.stage("after")
    await after(one)


async def during(one, player):
    """What is understood, translated, corrected, spoken."""
    page = one.page
    (first, meant), (second, _) = FRENCH[:2]
    await page.evaluate(WATCH)
    player.partial("Bonjour à")
    await one.until("window.seen.live.includes('Bonjour à')")
    segment = player.add(first)
    player.partial(f"{first} au nom de")  # what was cut off is not live any more
    await one.until("window.seen.live.includes('au nom de')")
    player.caption(segment, GUESS)
    await one.until("document.querySelector('#dialogue .meant.interim')?.lang === 'en'")
    player.speak(segment, meant)
    shown = await one.until("window.seen.struck[0]")
    # What was right of it stands unmarked.
    assert shown == "Translation Good morning Corrected, before: to everybody everyone and welcome,"
    assert await page.get_attribute("#dialogue li:first-child", "aria-current") == "true"
    assert await one.text("#phase") == "Speaking"
    assert await page.inner_text("#said") == ""  # it may still change
    player.spoken(segment)
    await one.until("document.querySelector('#said').textContent.length > 0")
    assert await page.inner_text("#said") == meant
    assert "1.6 s" in await one.text("#dialogue li:first-child .lag")
    assert "corrected" in await one.text("#dialogue li:first-child .lag")
    await one.until("!document.querySelector('#dialogue del')")  # it fades

    failed = player.add(second)
    player.fail(failed)
    await one.until(f"{STATE.format(2)} === 'failed'")
    assert "answered nothing" in await one.text("#dialogue li:nth-child(2)")
    third = player.add(*FRENCH[2])
    player.speak(third, FRENCH[2][1], lag=2.4)
    await one.until(f"{STATE.format(3)} === 'speaking'")
    assert await one.text("#lag-figures") == "last\n2.4 s\nmedian\n2.0 s\nlongest\n2.4 s"
    graph = await page.get_attribute("#lag-graph svg", "aria-label")
    assert graph == "Lag of each piece: last 2.4 s, median 2.0 s, longest 2.4 s."
    assert not await kept_out(page)

    await page.keyboard.press("m")
    assert await page.get_attribute("#mute", "aria-pressed") == "true"
    await page.keyboard.press("s")
    assert FRENCH[2][1] in await one.text("#beamer-lines")
    assert not await kept_out(page)
    await page.click("#beamer-both")
    assert FRENCH[2][0] in await one.text("#beamer-lines")
    await page.click("#beamer-both")
    await page.keyboard.press("Escape")
    assert await page.is_hidden("#beamer")
    player.spoken(third)
    await one.until(f"{STATE.format(3)} === 'spoken'")


async def after(one):
    """Both texts with their times, listened to and taken home."""
    page = one.page
    await page.wait_for_selector("#play")
    await page.click("#dialogue li:first-child .at")
    await one.until("document.querySelector('#dialogue li.said-now')")
    await page.click("#play")
    files = {}
    for at in ("said", "heard"):
        await page.select_option("#times", at)
        async with page.expect_download() as loading:
            await page.click("#subtitle-files [data-language=en][data-form=vtt]")
        text = (await (await loading.value).path()).read_text()
        assert text.startswith("WEBVTT\n")
        assert f"{FRENCH[0][1]}\n" in text.replace("everyone\nand", "everyone and")
        files[at] = text
    assert files["said"] != files["heard"]
    async with page.expect_download() as loading:
        await page.click("#subtitle-files [data-language=fr][data-form=srt]")
    french = (await (await loading.value).path()).read_text()
    assert "Bonjour à tous" in french
    assert french.count("-->") == 3  # also what was not translated was said
    async with page.expect_download() as loading:
        await page.click("#save-dubbed")
    with wave.open(str(await (await loading.value).path())) as file:
        assert file.getnchannels() == 1
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert len(sound) > file.getframerate()
    async with page.expect_download() as loading:
        await page.click("#save-json")
    record = json.loads((await (await loading.value).path()).read_text())
    rows = [row for row in record["transcript"] if row["kind"] == "segment"]
    assert [row["state"] for row in rows] == ["spoken", "failed", "spoken"]
    assert not await kept_out(page)


async def test_a_lectures_listener_on_a_phone(tab, booth):
    room = await opened(booth, kind="lecture", title="Le musée, la nuit")
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
    one = await tab(allow=False, locale="fr-FR", **phone)
    page = one.page
    await page.goto(f"{booth.url}/{room['links']['listen']}")
    await one.until("document.querySelectorAll('#hears option').length === 3")
    assert await one.text("#name") == "Le musée, la nuit"
    assert await page.is_hidden("#mic-field")  # who listens needs no microphone
    assert await page.is_hidden("#copy-field")
    assert await one.text("#start") == "Écouter"
    assert not await kept_out(page)
    await page.select_option("#hears", "es")
    await page.click("#start")
    await one.stage("call")
    live = await carried(booth)
    assert await page.is_hidden("#mute")
    await one.until("document.querySelector('#hears-now').value === 'es'")
    Player(live, "Ada", "fr", "es").past(
        [("Bonsoir à tous.", "Buenas noches a todos.")], lags=[1.4]
    )
    await one.until("/Buenas/.test(document.querySelector('#dialogue').textContent)")
    Player(live, "<b>Ben</b>", "fr", "es").past([(MARKUP, MARKUP)], lags=[1.4])
    await one.until("document.querySelectorAll('#dialogue li').length === 2")
    assert await page.evaluate("window.hurt") is None  # text stays text
    assert await page.locator("#dialogue b:text-is('<b>Ben</b>')").count() == 1
    await page.click("#details")
    assert "Espagnol" in (await one.text("#listeners")).capitalize()
    await page.select_option("#hears-now", "en")
    await one.until("document.querySelector('#listeners').textContent.includes('anglais')")
    await page.select_option("#original", "off")
    assert not await kept_out(page)
    await page.click("#side-close")
    # Away for a moment: the page finds its session, and what was said, again.
    await page.reload()
    await one.stage("call")
    await one.until("/Buenas/.test(document.querySelector('#dialogue').textContent)")
    assert await page.is_hidden("#mute")
    await page.click("#end")
    await one.stage("after")
    assert await page.is_hidden("#save-dubbed")
    assert await one.text("#ended") == "Terminé : vous avez quitté"


async def test_the_servers_reasons_are_told_in_the_pages_language(tab, booth):
    """Why one could not begin, why a piece is missing, and why it ended, as others had it end."""
    room = await opened(booth, kind="lecture", title="Le musée")
    one = await tab(locale="fr-FR")
    page = one.page
    async with Client(booth.url) as ada:
        await ada.call(request_data={"room": room["room"], "name": "Ada", "speaks": "fr"})
        await page.goto(f"{booth.url}/{room['links']['speak']}")
        await one.until("document.querySelectorAll('#speaks option').length")
        await page.fill("#name-field", "Ben")
        await page.click("#start")
        await one.until("document.querySelector('.problem')")
        told = await page.get_by_role("alert").inner_text()
        assert "Il n’y a plus de place pour parler" in told
        assert "jeton" not in told  # which a conflict is elsewhere
        await page.goto("about:blank")
        await page.goto(f"{booth.url}/{room['links']['listen']}")
        await one.until("document.querySelectorAll('#hears option').length === 3")
        others = tuple(booth.desk.calls)
        await page.click("#start")
        await one.stage("call")
        player = Player(await carried(booth, others=others), "Ada", "fr", "en")
        failed = player.add("Avez-vous des questions ?", started=1.0)
        player.fail(failed, "broken")
        await one.until("document.querySelector('#dialogue .failed .why')")
        assert (
            await one.text("#dialogue .failed .why") == "Le serveur d’un modèle s’est interrompu."
        )
        await booth.desk.interpreting.room(room["room"]).room.hang_up(SESSION_ENDED)
        await one.stage("after")
    assert await one.text("#ended") == "Terminé : la séance a été close"
    await page.select_option("#tongue", "en")
    await one.until(
        "document.querySelector('#ended').textContent === 'Ended: the session was ended'"
    )


async def test_links_that_lead_nowhere_and_a_name_that_is_missing(tab, booth):
    one = await tab()
    page = one.page
    await page.goto(f"{booth.url}/interpret#room=nothing")
    await one.until("document.querySelector('.problem')")
    assert "There is no such session" in await page.get_by_role("alert").inner_text()
    assert await page.is_hidden("#start")
    room = await opened(booth, kind="room")
    await page.goto(f"{booth.url}/{room['links']['speak']}")
    await page.reload()
    await one.until("document.querySelectorAll('#speaks option').length === 3")
    await page.click("#start")
    assert "Enter a name" in await one.text("#name-why")
    assert await page.evaluate("document.activeElement.id") == "name-field"
    assert await page.get_attribute("body", "data-stage") == "ready"
