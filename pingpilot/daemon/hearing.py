"""What a daemon does with the news of others."""

from collections.abc import Callable, Mapping

from pingpilot.cluster.news import Bulletin
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.settlement import Settlements
from pingpilot.events.live import Live


class DaemonHearer:
    """Has the daemon's dispatchers, open pages and waiting requests look again at what others changed.

    The dispatchers go by their parts' names. `on_incoming` is told a part for which another daemon took
    something that its platform posted, `on_let_go` called when one leads its bots no more.
    """

    def __init__(
        self,
        dispatchers: Mapping[str, Dispatcher],
        *,
        settlements: Settlements,
        live: Live,
        on_incoming: Callable[[str], None] = lambda _: None,
        on_let_go: Callable[[], None] = lambda: None,
    ) -> None:
        self._dispatchers = dispatchers
        self._on_incoming = on_incoming
        self._on_let_go = on_let_go
        self._settlements = settlements
        self._live = live

    def hear(self, bulletin: Bulletin) -> None:
        """Look again at what a bulletin names, as far as there is any of it here."""
        for dispatcher in self._dispatchers.values():
            if dispatcher.channel in bulletin.channels:
                dispatcher.wake()
        for name in bulletin.incoming & self._dispatchers.keys():
            self._on_incoming(name)
        if bulletin.let_go:
            self._on_let_go()
        if bulletin.every_account:
            self._live.catch_up()
        self._live.hear(bulletin.accounts)
        self._settlements.hear(bulletin.events)

    def catch_up(self) -> None:
        """Look at everything: something may have been missed."""
        for name, dispatcher in self._dispatchers.items():
            dispatcher.wake()
            self._on_incoming(name)
        self._on_let_go()
        self._live.catch_up()
        self._settlements.catch_up()
