"""The database goes away, or its disk fills up, under load: nothing accepted is lost, nothing is repeated."""

from pathlib import Path

import pytest

from pingpilot.channels import direct_channels
from tests.support.databases import PostgresCopies
from tests.support.load import post_meanwhile
from tests.support.outages import Outage, crashed, full_disk
from tests.support.report import Report, report_on

EVENTS = 150
AWAY, FULL = 10.0, 3.0  # seconds; an outcome that can't be stored is tried again each second

pytestmark = pytest.mark.timeout(120)


async def test_a_postgres_that_goes_away_costs_nothing_that_was_accepted(
    own_postgres: PostgresCopies, tmp_path: Path
) -> None:
    url = own_postgres.new(tmp_path)
    outage = Outage(lambda _: crashed(own_postgres), after=EVENTS // 3, seconds=AWAY)

    load = await post_meanwhile(outage, database_url=url, folder=tmp_path, events=EVENTS)

    assert_everything_arrived_once(await report_on(load, url))
    assert_it_was_noticed(outage)


async def test_a_full_disk_costs_nothing_that_was_accepted(sqlite_url: str, tmp_path: Path) -> None:
    file = Path(sqlite_url.removeprefix("sqlite://"))
    outage = Outage(lambda daemon: full_disk(daemon, file), after=EVENTS // 3, seconds=FULL)

    load = await post_meanwhile(outage, database_url=sqlite_url, folder=tmp_path, events=EVENTS)

    assert_everything_arrived_once(await report_on(load, sqlite_url))
    assert_it_was_noticed(outage)


def assert_everything_arrived_once(report: Report) -> None:
    print(report)  # noqa: T201
    assert len(report.accepted) == EVENTS
    assert report.stored == dict.fromkeys(report.accepted, 1)
    assert not report.open
    assert report.refused.keys() == {(500, "processing_failed")}
    for channel in direct_channels():
        assert report.lost(channel) == set()
        assert not report.doubled(channel)


def assert_it_was_noticed(outage: Outage) -> None:
    at_the_begin, at_the_end = outage.accepted
    assert at_the_begin == at_the_end
    assert outage.ready == [503, 503]
    assert outage.log.count("The database is away or full") == 1
    assert outage.log.count("The database is back") == 1
    assert "Traceback" not in outage.log
