"""How any of our processes starts and speaks.

Settings, log set-up, answers to a wrong request, security headers, the choice of language, the
database and the web server stand here, so that directory, hub and desk do them in one way. It
knows nothing of envelopes, listings or cases.
"""
