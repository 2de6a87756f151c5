"""The queue of faults, by itself."""

from pingpilot.sandbox.faults import Fault, FaultQueue

DOWN = Fault.status(503)


def test_a_fault_strikes_as_often_as_it_was_added_for() -> None:
    queue = FaultQueue()
    queue.add(DOWN, times=2)

    taken = [queue.take("sendMessage") for _ in range(3)]

    assert taken == [DOWN, DOWN, None]
    assert (queue.taken, len(queue)) == (2, 0)


def test_a_fault_without_end_strikes_until_it_is_cleared() -> None:
    queue = FaultQueue()
    queue.add(DOWN, times=None)

    before = [queue.take("sendMessage") for _ in range(3)]
    queue.clear()

    assert before == [DOWN] * 3
    assert queue.take("sendMessage") is None


def test_a_fault_waits_for_the_route_it_names() -> None:
    queue = FaultQueue()
    queue.add(DOWN, route="messages")

    assert queue.take("GET users/@me") is None
    assert queue.take("POST channels/1/messages") is DOWN


def test_an_smtp_fault_waits_for_its_stage() -> None:
    queue = FaultQueue()
    refusal = Fault.reply("rcpt", 451, "4.7.1 Greylisted")
    queue.add(refusal)

    assert queue.take("mail") is None
    assert queue.take("rcpt") is refusal


def test_a_fault_after_accepting_waits_for_a_message() -> None:
    queue = FaultQueue()
    lost = Fault.drop(after_accepting=True)
    queue.add(lost)

    assert queue.take("getUpdates", accepts_message=False) is None
    assert queue.take("sendMessage", accepts_message=True) is lost


def test_the_first_that_fits_strikes_first() -> None:
    queue = FaultQueue()
    queue.add(Fault.status(500), route="getMe")
    queue.add(Fault.status(502))
    queue.add(Fault.status(504))

    taken = [queue.take("sendMessage") for _ in range(2)]

    assert [fault.code for fault in taken if fault] == [502, 504]
