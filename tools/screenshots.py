"""Pictures of a report for the docs, at the widths of a desk and of a phone.

    python tools/screenshots.py results/RUN

writes docs/images/report-1280.png and docs/images/report-360.png. It needs playwright and a Chromium that is installed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZES = {1280: 1500, 360: 1500}
"""Pixels: by width the height, which is that of the recommendation, the cards, the table and the first plots."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    """Open the report of a run at each width, and keep what is seen first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--out", type=Path, default=IMAGES, help="where the pictures go (default: docs/images)")
    options = parser.parse_args()
    page_file = options.run.resolve() / "report.html"
    browser_file = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not page_file.exists() or browser_file is None:
        sys.exit(f"{page_file} is not there." if browser_file else "No Chromium is installed.")
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_file, args=ARGUMENTS)
        for width, height in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            page.goto(page_file.as_uri())
            page.locator("#flips-count:not(:empty)").wait_for()
            picture = options.out / f"report-{width}.png"
            page.screenshot(path=picture)
            print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    main()
