"""The e-mail channel without a mail server: what is sent through it is kept."""

from pingpilot.channels import EMAIL
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.errors import PermanentFailure


class Mailer:
    """Takes every e-mail, or refuses them with a reason."""

    name = EMAIL.name

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.strangers: list[str] = []
        self.refusal: str | None = None

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        if self.refusal:
            raise PermanentFailure(self.refusal)
        if recipient.is_stranger:
            self.strangers.append(recipient.address)
        self.sent.append((recipient.address, notification.description))
