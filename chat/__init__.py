"""The chat page: a person's client in the browser, on loopback.

An adapter over `usernym.Client`: it knows no actor, no store and no transport. `serve` starts it, `person` holds the
client for all windows, `guard` keeps other users and other web pages out, `page` and the modules that it imports draw.
The browser's part is in `static/`: components that render by functions, so that the page's content security policy
needs no `eval`.
"""
