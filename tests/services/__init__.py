"""Real services for tests, started by the tests themselves and gone with them.

A private RabbitMQ node, a private PostgreSQL cluster, Debian's Chromium: on free loopback ports,
in folders of their own, as children that die with the test run. Nothing here uses or disturbs a
service that is already on the machine. The fixtures in `tests/conftest.py` hand them out.
"""

from tests.services.ports import free_port, wait_for_port
from tests.services.processes import Child, start, wait_until

__all__ = ["Child", "free_port", "start", "wait_for_port", "wait_until"]
