"""A tiny fourth channel, as somebody would add one: these files, and one record (`KIND`)."""

from pingpilot.channels import AddressSource, ChannelKind

KIND = ChannelKind(
    name="pager",
    label="Pager",
    address=AddressSource.ACCOUNT_EMAIL,
    settings="tests.fourth_channel.settings:PagerSettings",
    part="tests.fourth_channel.part:build",
    doctor="tests.fourth_channel.part:check",
)
