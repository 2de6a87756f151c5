"""Where webhooks may lead, for `pingpilot doctor`. Nobody is asked: each receiver is its owner's."""

from pingpilot.accounts.webhooks import ALLOW
from pingpilot.channels import WEBHOOK
from pingpilot.telemetry.findings import Finding, Level, Visit
from pingpilot.webhook.settings import WebhookSettings


async def check(settings: WebhookSettings, _visit: Visit) -> Finding:
    """Tell what is opened, and warn of a network that is everything."""
    if any(network.prefixlen == 0 for network in settings.allowed):
        return Finding(
            WEBHOOK.name,
            Level.WARNING,
            "Webhooks may lead anywhere in this server's own network.",
            f"Name in {ALLOW} only the networks that receivers are in.",
        )
    opened = f", and to {', '.join(settings.allow)}" if settings.allow else ""
    return Finding(WEBHOOK.name, Level.OK, f"Webhooks go to addresses of the internet{opened}.")
