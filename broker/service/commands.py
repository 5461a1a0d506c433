"""How our commands speak: for people by default, as JSON for programs, with three exit codes.

0 is done, 1 refused or failed (the sentence says who must do what), 2 wrong usage. A command
never shows a traceback: what failed without a sentence of ours is named by its type and the
place in the code, because its text may hold what somebody entrusted to us.

    @click.group(cls=Commands)
    def main() -> None: ...

    @main.command()
    @json_option
    def status(*, as_json: bool) -> None:
        emit(as_json, {"pending": 3}, "3 referrals are waiting to be sent.")
"""

from __future__ import annotations

import json
import traceback
from typing import Any, Final, NoReturn

import click

from broker.service.failures import Failure
from broker.service.logs import logger
from contracts.errors import ContractError

__all__ = ["Commands", "Failure", "emit", "fail", "json_option"]

FAILED: Final = 1

_log = logger(__name__)

_JSON: Final = f"{__name__}.json"


def _remember(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> bool:
    """So that a failure is JSON too: the command's own context is gone by then."""
    ctx.meta[_JSON] = wanted
    return wanted


json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_remember, help="Print JSON for programs."
)


def emit(json_mode: bool, value: object, text: str) -> None:
    """Print the outcome: `text` for people, or `value` as one line of JSON for programs."""
    click.echo(json.dumps(value, ensure_ascii=False) if json_mode else text)


def fail(sentence: str) -> NoReturn:
    """End the command with exit code 1 and `sentence` on stderr."""
    raise Failure(sentence)


class Commands(click.Group):
    """A group of commands whose failures are sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except (Failure, ContractError) as failure:
            self._end(ctx, str(failure))
        except BrokenPipeError:
            # Whoever read our output has gone: `rujukan find | head` is no failure to speak of.
            ctx.exit(FAILED)
        except Exception as error:  # noqa: BLE001 - the last place that can keep it off the screen
            _log.error("command_failed", exc_info=error)
            self._end(ctx, _unexpected(error))

    def _end(self, ctx: click.Context, sentence: str) -> NoReturn:
        if ctx.meta.get(_JSON):
            click.echo(json.dumps({"error": sentence}, ensure_ascii=False))
        click.echo(sentence, err=True)
        ctx.exit(FAILED)


def _unexpected(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f", line {frames[-1].lineno} of {frames[-1].name}" if frames else ""
    return (
        f"Something failed in the program itself ({type(error).__name__}{place}). What was stored"
        " before is still there. Please report this line to the people who maintain Rujukan."
    )
