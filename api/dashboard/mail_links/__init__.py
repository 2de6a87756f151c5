"""Pages that the links in mails lead to: each asks, and its button does it, whoever is signed in."""

from api.dashboard.mail_links.email_change import get_email_change, post_email_change
from api.dashboard.mail_links.mailbox import get_mailbox, post_mailbox
from api.dashboard.mail_links.unsubscribe import get_unsubscribe, post_unsubscribe

__all__ = [
    "get_email_change",
    "get_mailbox",
    "get_unsubscribe",
    "post_email_change",
    "post_mailbox",
    "post_unsubscribe",
]
