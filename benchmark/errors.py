"""The errors a user can meet; each message is one sentence: what is wrong, and what to do."""


class UserError(Exception):
    """Bad usage or bad input. The command line prints the message and exits with 2."""


class JobError(Exception):
    """One job cannot produce its result (for example a NaN loss). It is recorded; other jobs go on."""


class LevelError(UserError, ValueError):
    """A level lies outside the control space, or has the wrong number of axes."""
