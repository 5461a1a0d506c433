"""The public pages: search, and one page a service, in ten languages.

They show what the database holds of the public listings and nothing else: no cookie, no request
to a third party, no record of what was searched. They work without JavaScript; the one script
only makes leaving faster.
"""

from directory.pages.views import blueprint

__all__ = ["blueprint"]
