"""An event as its channels are given it, to be looked at instead of sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from models import Account, Category, Delivery, Destination, DestinationKind, Event
from pingpilot.channels import CHANNELS
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.due import color_of


async def messages_of(event: Event, account: Account) -> Mapping[str, tuple[Notification, Recipient]]:
    """Return what each channel is given of an event, as its first delivery there carries it.

    The category's looks and the account's choices are those of now. No recipient has its secrets.
    """
    category = await Category.get_or_none(account_id=account.id, name=event.category)
    deliveries = await Delivery.filter(event_id=event.id).order_by("id")
    destinations = await Destination.filter(account_id=account.id).order_by("id")
    notification = Notification(
        event_id=event.id,
        delivery_id=0,
        category=event.category,
        emoji=category.emoji if category else None,
        color=color_of(category.color if category else None),
        description=event.description,
        fields=tuple(json.loads(event.fields_json).items()),
        created_at=event.created_at,
        time_zone=account.time_zone,
        headline=event.title,
        url=event.url,
    )
    messages = {}
    for name in CHANNELS:
        delivery = next((each for each in deliveries if each.channel == name), None)
        places = [each for each in destinations if each.channel == name]
        recipient = _recipient(account, name, delivery, places)
        messages[name] = replace(notification, delivery_id=delivery.id if delivery else 0), recipient
    return messages


def _recipient(
    account: Account, channel: str, delivery: Delivery | None, places: Sequence[Destination]
) -> Recipient:
    if delivery:
        places = [each for each in places if each.name == (delivery.destination or channel)]
    place = next((each for each in places if each.enabled), None)
    if place is None:
        return Recipient(account.id, account.email, destination=channel)
    return Recipient(
        account.id,
        place.address or account.email,
        destination=place.name,
        kind=DestinationKind(place.kind),
        topic=place.topic,
        mention=place.mention,
    )
