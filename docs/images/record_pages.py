"""Records what pages look like as docs/images/pages/*.png: on a desk and on a phone, light and dark.

A real server is started, and three small models are really scored on measured data; the published numbers are there
from the start. Run from the repository root, after `make test-browser`, with BROCA_DATA_MIRROR and BROCA_MODEL_DIR set:
.venv/bin/python -m docs.images.record_pages
"""

from __future__ import annotations

import base64
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist

from broca import Client, Job
from tests.browser.driving import PHONE, Browser, running_browser
from tests.browser.judging import look_through
from tests.serving import serving

FOLDER = Path(__file__).with_name("pages")
NEEDED = ("BROCA_DATA_MIRROR", "BROCA_MODEL_DIR")
DESK = (1280, 860)
SIZES = {"desk": DESK, "phone": PHONE}
POINTS = {"desk": 1, "phone": 2}
"""For each pixel of the page."""

N_COLOURS = 256

BASE = "local/stories260K"
TUNED = {"local/stories260K-instruct": "instruct", "local/stories260K-noinstruct": "ablation"}
BENCHMARKS = ["futrell2018", "pereira2018-example"]
PUBLISHED = "protocol=published-2312.00575"


def main() -> None:
    """Score the models, and take a picture of each page."""
    missing = [name for name in NEEDED if name not in os.environ]
    if missing:
        raise SystemExit(f"set {' and '.join(missing)}: pictures show real scores")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as served:
        pages = _pages(_scored(served.url))
        with _browser(Path(name)) as browser:
            for theme in ("light", "dark"):
                for size in SIZES:
                    for page, path in pages.items():
                        browser.begin(served.url)
                        (FOLDER / f"{page}-{size}-{theme}.png").write_bytes(_picture(browser, path, size, theme))


def _pages(job: Job) -> Mapping[str, str]:
    """The pages that are shown, by the names of their pictures; with a place where not their beginning is meant."""
    models = ",".join((BASE, *TUNED))
    return {
        "board": f"/?{PUBLISHED}",
        "measured-board": "/",
        "model": f"/models/{BASE}",
        "layers": f"/models/{BASE}#{job.runs[-1].score}",
        "compare": f"/compare?models={models}",
        "pairs": f"/pairs?{PUBLISHED}",
        "scatter": f"/scatter?{PUBLISHED}",
        "findings": f"/findings?{PUBLISHED}",
        "job": f"/jobs/{job.id}",
        "submit": f"/submit?model={BASE}&benchmarks={BENCHMARKS[0]}",
        "data": "/data",
    }


def _scored(url: str) -> Job:
    """The job of the first model, once the three are scored and it is said which was made from which."""
    with Client(url, timeout_s=60) as client:
        jobs = [client.wait(client.submit(model, BENCHMARKS).id) for model in (BASE, *TUNED)]
    for job in jobs:
        if not job.has_succeeded:
            raise SystemExit(f"{job.model.id}: {job.error}")
    for model, tuning in TUNED.items():
        body = {"properties": {"base": BASE, "tuning": tuning}, "source": "who tuned it"}
        httpx.put(f"{url}/v1/models/{model}/properties", json=body).raise_for_status()
    return jobs[0]


@contextmanager
def _browser(folder: Path) -> Iterator[Browser]:
    own = folder / "browser"
    own.mkdir()
    with running_browser(own) as browser:
        yield browser


def _picture(browser: Browser, path: str, size: str, theme: str) -> bytes:
    """What the first screen of a page shows."""
    browser.look(theme=theme, size=SIZES[size], n_points=POINTS[size])
    browser.open(path)
    look_through(browser)
    browser.run("(document.querySelector(':target') ?? document.body).scrollIntoView({behavior: 'instant'})")
    shot = browser.cdp("Page.captureScreenshot", format="png")
    return _packed(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))


def _packed(image: Image.Image) -> bytes:
    """The picture in its own most frequent colours, others as the nearest of them: the file is a third."""
    red, green, blue = np.asarray(image, dtype=np.uint32).reshape(-1, 3).T
    codes, places, counts = np.unique(red << 16 | green << 8 | blue, return_inverse=True, return_counts=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    kept = colours[np.argsort(-counts)[:N_COLOURS]]
    nearest = cdist(colours, kept).argmin(axis=1)
    few = Image.fromarray(nearest[places].reshape(image.height, image.width).astype(np.uint8), "P")
    few.putpalette(kept.tobytes())
    packed = io.BytesIO()
    few.save(packed, "PNG", optimize=True)
    return packed.getvalue()


if __name__ == "__main__":
    main()
