"""What is wrong with a member, in our words instead of pydantic's."""

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


def fault(message: str) -> PydanticCustomError:
    """Return the error a validator raises; `message` says what the member must be."""
    return PydanticCustomError("fault", "{message}", {"message": message})


def worded(message: str) -> WrapValidator:
    """Let one sentence of ours stand for every fault of a member."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise fault(message) from None

    return WrapValidator(check)
