"""Opening the chat page in the browser, without showing its address to the other users of the machine.

All users can read a browser's command line (`/proc`), and the first to open the address may use the page. So the
browser is given an owner-only file that leads there, as Jupyter does; the file is removed a minute later.
"""

from __future__ import annotations

import html
import os
import threading
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from usernym.cli.terminal import print_err
from usernym.settings import PASSPHRASE_VARIABLES
from usernym.storage.files import make_private_folder, write_private

NAME: Final = "open-page.html"
KEPT_S: Final = 60.0
"""How long the file stays: a browser that is only just starting takes a while to read it."""
_DESKTOP: Final = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without one of these there is no browser that leaves the terminal alone."""


def page_file(address: str, folder: Path) -> Path:
    """Write an owner-only file in `folder` that leads a browser to `address`; make the folder if it is not there."""
    make_private_folder(folder)
    path = folder.resolve() / NAME
    leads = html.escape(address, quote=True)
    write_private(
        path,
        f'<!doctype html><meta charset="utf-8"><title>usernym</title><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={leads}"><p><a href="{leads}">Open the chat page</a>\n'.encode(),
        replace=True,
    )
    return path


def open_pages(pages: Sequence[tuple[str, Path]]) -> threading.Thread | None:
    """Open each address, by a file in its folder, on a thread. None if there is no desktop to open it on."""
    if not any(os.environ.get(name) for name in _DESKTOP):
        print_err("(There is no desktop here to open a browser on: open the address yourself.)")
        return None

    for variable in PASSPHRASE_VARIABLES:
        # They have been read. A browser, and all that it starts, would inherit them.
        os.environ.pop(variable, None)

    def open_all() -> None:
        files = [page_file(address, folder) for address, folder in pages]
        try:
            # One by one: a browser that is only just starting may lose one of two that come at once.
            opened = [webbrowser.open(file.as_uri()) for file in files]
            if not all(opened):
                print_err("(No browser was found: open the address yourself.)")
            time.sleep(KEPT_S)
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    thread = threading.Thread(target=open_all, name="usernym-browser", daemon=True)
    thread.start()
    return thread
