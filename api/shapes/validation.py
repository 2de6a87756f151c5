"""What is wrong with a member, in our words instead of pydantic's."""

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


def invalid(message: str) -> PydanticCustomError:
    """Return the error a validator raises; `message` says what the member must be."""
    return PydanticCustomError("invalid", "{message}", {"message": message})


def always_saying(message: str) -> WrapValidator:
    """Let one sentence of ours stand for whatever pydantic finds wrong with a member."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise invalid(message) from None

    return WrapValidator(check)
