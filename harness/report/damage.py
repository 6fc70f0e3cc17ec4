"""What a damaged or hostile record can do to whoever computes with it."""

from zoo.errors import UserError

DAMAGE = (UserError, KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError,
          ZeroDivisionError, RecursionError)
