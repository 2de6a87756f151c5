"""A backup put in the database's place, as docs/operations.md says."""

from pathlib import Path

from tests.support.daemon import a_daemon


async def test_after_a_restore_all_is_as_it_was_at_the_backup(sqlite_url: str, tmp_path: Path) -> None:
    file, backup = Path(sqlite_url.removeprefix("sqlite://")), tmp_path / "before.sqlite3"
    async with a_daemon({}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        key = await daemon.create_account(channels=[])
        kept = (await daemon.post(key, {"category": "sale"})).body["eventId"]
        await daemon.command("backup", str(backup))
        gone = (await daemon.post(key, {"category": "sale"})).body["eventId"]
        await daemon.kill()  # leaves what was committed last in the file beside

        put_in_place(backup, file)
        await daemon.start()

        assert (await daemon.get(f"/api/v1/events/{kept}", key=key)).status == 200
        assert (await daemon.get(f"/api/v1/events/{gone}", key=key)).status == 404
        assert (await daemon.post(key, {"category": "sale"})).status == 200


def put_in_place(backup: Path, file: Path) -> None:
    """Move the file away with those beside it, and the backup there."""
    old = file.parent / "old"
    old.mkdir()
    for each in file.parent.glob(f"{file.name}*"):
        each.rename(old / each.name)
    backup.rename(file)
