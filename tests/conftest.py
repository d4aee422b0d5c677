"""For all tests: they may be started in the background, and processes that they start must hear Ctrl-C all the same."""

from __future__ import annotations

import signal

# A shell starts background jobs with SIGINT ignored, and what is ignored is handed on to children; a handler is not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
