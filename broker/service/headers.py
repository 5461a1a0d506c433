"""Security headers on every answer, written by hand.

The pages of this project load nothing from elsewhere, are never shown inside another page, and
send no address of theirs to anybody. Strict-Transport-Security is the TLS proxy's to send: these
processes speak plain HTTP to it.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response

FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}


def install_security_headers(app: Flask, *, csp: str, cache: str | None = None) -> None:
    """Put `csp` (Content-Security-Policy) and the fixed headers on every answer of `app`.

    `cache` is the Cache-Control of answers whose view set none; None leaves them without. A view
    cannot weaken the others.
    """

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.update(FIXED)
        response.headers["Content-Security-Policy"] = csp
        if cache is not None:
            response.headers.setdefault("Cache-Control", cache)
        return response
