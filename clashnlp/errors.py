"""What can go wrong? Every error that a user can mend derives from ClashNLPError and says how."""


class ClashNLPError(Exception):
    """Base of the library's own errors; its message is one sentence with the value and the remedy."""


class DataError(ClashNLPError, ValueError):
    """A document, an annotation or an input file that cannot be used as it is."""


class ModelError(ClashNLPError, ValueError):
    """A model folder or configuration that cannot be used as it is."""


class MissingDependencyError(ClashNLPError, ImportError):
    """A feature needs an optional package; the message names the extra to install."""
