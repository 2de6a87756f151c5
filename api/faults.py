"""What is wrong with a member, in our words instead of pydantic's."""

from pydantic_core import PydanticCustomError


def fault(message: str) -> PydanticCustomError:
    """Return the error a validator raises; `message` says what the member must be."""
    return PydanticCustomError("fault", "{message}", {"message": message})
