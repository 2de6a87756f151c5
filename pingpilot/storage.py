"""The settings' database, brought up to date; apart from the daemon, so that commands need not load it."""

from models.database import DATABASE_ERRORS, migrate
from pingpilot.config import PREFIX, Settings
from pingpilot.errors import PingPilotError


async def prepare_database(settings: Settings) -> None:
    """Bring the database's schema up to date. Raises `PingPilotError` where it can't be used."""
    try:
        await migrate(settings.database)
    except DATABASE_ERRORS as exc:
        raise PingPilotError(
            f"The database can't be used ({type(exc).__name__}: {exc}): check {PREFIX}DATABASE_URL."
        ) from exc
