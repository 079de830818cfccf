"""A browser without a window, and what the tests ask of it."""

import json
import shutil

import pytest

RIGHT, LEFT, HOME, END, BACKSPACE, ENTER, ESCAPE = "\ue014", "\ue012", "\ue011", "\ue010", "\ue003", "\ue007", "\ue00c"
SHIFT = "\ue008"
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1440,900")


def opened():
    """A Chromium; a test that needs one is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser: needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


class Page:
    """A page in the browser."""

    def __init__(self, driver, file):
        self.driver = driver
        driver.get_log("performance")
        driver.get(file.as_uri())

    def ask(self, script, *arguments):
        """The value of a JavaScript expression, in which the arguments are called a, b, …."""
        names = "abcdefgh"[: len(arguments)]
        given = "".join(f"const {name} = arguments[{i}];" for i, name in enumerate(names))
        return self.driver.execute_script(f"{given} return {script}", *arguments)

    def text(self, selector):
        """What stands in the first element that matches."""
        return self.ask("document.querySelector(a).textContent", selector)

    def press(self, *keys, with_shift=False):
        """Type keys where the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        actions = ActionChains(self.driver, duration=0)
        if with_shift:
            actions.key_down(SHIFT)
        actions.send_keys("".join(keys))
        if with_shift:
            actions.key_up(SHIFT)
        actions.perform()

    def change(self, selector, value):
        """Put a value into a field, as typing it and leaving the field does."""
        self.ask(
            "(() => { const field = document.querySelector(a); field.value = b;"
            " field.dispatchEvent(new Event('input', {bubbles: true}));"
            " field.dispatchEvent(new Event('change', {bubbles: true})); })()",
            selector,
            str(value),
        )

    def complaints(self):
        """What the browser wrote to its console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked_for(self):
        """Every address that the page has asked for."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
