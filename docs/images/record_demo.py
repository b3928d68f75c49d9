"""Records what `make demo` shows as docs/images/demo.svg: `python docs/images/record_demo.py`.

The tables come from the program's own renderer on a really run demonstration; nothing is drawn by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from broca import demo
from broca.commands import board, score

PICTURE = Path(__file__).with_name("demo.svg")
WIDTH = 112


def main() -> None:
    """Run the demonstration and write the picture; fonts that would come over the network are left out."""
    console = Console(record=True, width=WIDTH, highlight=False)
    console.print("$ make demo", style="bold")
    for module in (score, board):
        module.results_console = lambda: console
    demo.say = lambda sentence: console.print(sentence, markup=False, soft_wrap=True)
    if demo.run(is_real=False) != 0:
        raise SystemExit(1)
    picture = console.export_svg(title="broca", unique_id="broca-demo")
    picture = re.sub(r"\s*@font-face\s*\{.*?\}|\s*<!--.*?-->", "", picture, flags=re.DOTALL)
    PICTURE.write_text(picture.replace("Fira Code, monospace", "monospace"), "utf8")


if __name__ == "__main__":
    main()
