"""How a channel with several bots stands: each for itself, and as the one that is worst off."""

from pingpilot.telemetry.health import Health, State

ONE, TWO = "telegram:1", "telegram:2"


def test_a_channel_shows_the_bot_that_is_worst_off() -> None:
    board = Health()
    one, two = board.of_bot("telegram", ONE), board.of_bot("telegram", TWO)

    one.report("telegram", State.UP)
    seen = [board.parts["telegram"].state]
    for state in (State.STANDBY, State.RETRYING, State.UP):
        two.report("telegram", state, "Why.")
        seen.append(board.parts["telegram"].state)
    one.cannot_send("telegram", "The token is refused.")
    paused = dict(board.parts)
    one.can_send("telegram")

    assert seen == [State.UP, State.UP, State.RETRYING, State.UP]
    assert {name: part.state for name, part in paused.items()} == {
        ONE: State.PAUSED,
        TWO: State.UP,
        "telegram": State.PAUSED,
    }
    assert paused["telegram"].reason == "The token is refused."
    assert board.parts["telegram"].state is State.UP
    assert (one.state_of("telegram"), two.state_of("email")) == (State.UP, None)
