"""What PingPilot stores: one Tortoise model a module, each with its atomic state changes.

Importing this package brings in no platform and opens no connection; `models.database` does that.
"""

from models.account import Account, Plan
from models.activity import CategoryActivity, DeliveryActivity, NumberTotals
from models.api_key import ApiKey, KeyScope
from models.bot import Bot
from models.category import Category
from models.category_usage import CategoryUsage
from models.delivery import OPEN_STATUSES, Delivery, DeliveryStatus
from models.delivery_attempt import AttemptOutcome, DeliveryAttempt
from models.destination import Destination, DestinationKind
from models.event import Event
from models.fact import Fact
from models.failure_count import FailureCount
from models.idempotency_key import IdempotencyKey
from models.incoming_update import IncomingUpdate
from models.leader import Leader
from models.link_code import LinkCode
from models.link_guess import LinkGuess
from models.member import Member
from models.monthly_usage import MonthlyUsage
from models.session import Session
from models.sign_in_link import SignInLink
from models.sign_up_link import SignUpLink

__all__ = [
    "OPEN_STATUSES",
    "Account",
    "ApiKey",
    "AttemptOutcome",
    "Bot",
    "Category",
    "CategoryActivity",
    "CategoryUsage",
    "Delivery",
    "DeliveryActivity",
    "DeliveryAttempt",
    "DeliveryStatus",
    "Destination",
    "DestinationKind",
    "Event",
    "Fact",
    "FailureCount",
    "IdempotencyKey",
    "IncomingUpdate",
    "KeyScope",
    "Leader",
    "LinkCode",
    "LinkGuess",
    "Member",
    "MonthlyUsage",
    "NumberTotals",
    "Plan",
    "Session",
    "SignInLink",
    "SignUpLink",
]
