"""Errors that a user reads: one line each, saying which file, what is wrong and what to do."""


class BreastPathError(Exception):
    """Base of every error meant for a user.

    Parameters
    ----------
    subject : object
        What the error is about, most often a file's path.
    cause : str
        What is wrong with it.
    advice : str
        What the user can do now.
    """

    def __init__(self, subject: object, cause: str, advice: str) -> None:
        super().__init__(subject, cause, advice)
        self.subject, self.cause, self.advice = subject, cause, advice

    def __str__(self) -> str:
        return " ".join(f"{self.subject}: {self.cause}; {self.advice}".split())


class SlideError(BreastPathError):
    """A slide cannot be opened, or a part of it cannot be read."""


class PixelSizeError(SlideError):
    """A slide's µm/px is missing, contradictory or implausible for the analysis at hand."""


class ModelError(BreastPathError):
    """A model bundle is missing, malformed or does not fit the slide."""


class InferenceError(BreastPathError):
    """The network could not be run: no memory, no device, only NaN."""


class ResultError(BreastPathError):
    """A result folder is missing, malformed or belongs to another run."""


class AnnotationError(BreastPathError):
    """A file of annotations or labels is malformed, too large, or names what is not known."""


class UsageError(BreastPathError):
    """A request that makes no sense, whatever the files (exit code 2 on the command line)."""


def unexpected(subject: object, error: BaseException) -> BreastPathError:
    """Return what a user is told of an error that nobody foresaw; its cause is kept with it."""
    cause = f"unexpected {type(error).__name__} ({error})"
    told = BreastPathError(subject, cause, "run again with --debug and report what it prints")
    told.__cause__ = error
    return told
