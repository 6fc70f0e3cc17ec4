"""The one exception that a user can mend.

    UserError                a sentence: what is wrong, where, what to do (exit code 2)

Anything else that escapes a command is a bug and keeps its traceback.
"""


class UserError(Exception):
    """What a user can mend. The message says what is wrong, where, and what to do."""
