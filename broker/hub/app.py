"""The hub as a Flask application, for gunicorn and for tests.

    app = create_app(settings)

Starts no thread and connects to no queue: envelopes for RabbitMQ wait in the outbox for the
relay process.
"""

from __future__ import annotations

from flask import Flask

from broker.hub.gateway import MAX_REQUEST, gateway
from broker.hub.parts import Hub, open_hub
from broker.hub.queue_users import start_guarding
from broker.hub.settings import HubSettings
from broker.hub.sweeper import start_sweeping
from broker.service.headers import install_security_headers
from broker.service.problems import install_problem_answers


def create_app(settings: HubSettings) -> Flask:
    """The gateway of the hub that `settings` describe; its tables are up to date afterwards."""
    return app_of(open_hub(settings))


def serving_app(settings: HubSettings) -> Flask:
    """`create_app`, and a sweep every minute in this process for as long as it lives."""
    hub = open_hub(settings)
    start_sweeping(hub.sweeper, hub.clock)
    if hub.queue_users is not None:
        # Here too: a freeze must end connections also while the relay is away.
        start_guarding(hub.queue_users, hub.store, hub.clock)
    return app_of(hub)


def app_of(hub: Hub) -> Flask:
    """The gateway of a hub that is open already."""
    app = Flask("broker.hub", static_folder=None, template_folder=None)
    # Werkzeug stops reading there, also where no length was declared.
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    install_problem_answers(app)
    install_security_headers(app, csp="default-src 'none'", cache="no-store")
    app.register_blueprint(gateway(hub))
    return app
