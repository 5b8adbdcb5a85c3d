"""Every error that scriptstep raises on purpose.

A handler can catch by what it wants to do: `UserErrorException` is the user's to mend, `ContentError` is about
files, `ActivityFailedException` is a run that did not succeed.

    AzureMLException                      the SDK's root: every error here is one
    |-- UserErrorException                the user can mend it
    |   |-- ArgumentError                 also ValueError: a value that cannot be
    |   |   |-- ArgumentTypeError         also TypeError: a value of the wrong type
    |   |   `-- ArgumentAttributeError    also AttributeError: a member that the object has not
    |   |-- NotRegisteredError            also KeyError: no data, model or environment of that name
    |   |   `-- EndpointNotFound          also the SDK's ErrorResponseException: no such pipeline endpoint
    |   |-- SettingsError                 scriptstep.toml or a configuration file is wrong
    |   |-- ModelNotFoundException
    |   |-- ModelPathNotFoundException
    |   `-- DatasetTimestampMissingError
    |-- ComputeTargetException
    |-- RunConfigurationException
    |-- WorkspaceException
    |   `-- HistoryDamaged                the history database cannot be read
    |-- ProjectSystemException
    |-- SnapshotException
    |   `-- ContentError                  also OSError: a directory or a stored tree
    |       |-- SourceChanged             it changed while it was read
    |       |-- UnreadableContent         parts of it cannot be read
    |       |-- RuleFileError             an ignore file cannot be used
    |       |-- TreeDamaged               a stored tree is not what its manifest lists
    |       `-- TreeMissing               no such tree in the store
    |-- RunEnvironmentException
    |-- ExperimentExecutionException
    |-- TrainingException
    |-- ActivityFailedException           a run failed or was cancelled
    |-- AuthenticationException
    |-- WebserviceException
    `-- AzureMLAggregatedException
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ActivityFailedException",
    "ArgumentAttributeError",
    "ArgumentError",
    "ArgumentTypeError",
    "AuthenticationException",
    "AzureMLAggregatedException",
    "AzureMLException",
    "ComputeTargetException",
    "ContentError",
    "DatasetTimestampMissingError",
    "EndpointNotFound",
    "ErrorResponseException",
    "ExperimentExecutionException",
    "HistoryDamaged",
    "ModelNotFoundException",
    "ModelPathNotFoundException",
    "NotRegisteredError",
    "ProjectSystemException",
    "RuleFileError",
    "RunConfigurationException",
    "RunEnvironmentException",
    "SettingsError",
    "SnapshotException",
    "SourceChanged",
    "TrainingException",
    "TreeDamaged",
    "TreeMissing",
    "UnreadableContent",
    "UserErrorException",
    "WebserviceException",
    "WorkspaceException",
    "nearest",
]


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Returns: of the names that there are the one most like a name that is not, to be asked for; None where none is.

    Args:
        name: What somebody wrote.
        known: What could have been meant.
        likeness: How like it has to be, 0 to 1.
    """
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), 1, likeness)), None)


class AzureMLException(Exception):
    """The root of the SDK's exceptions, and of ours.

    Args:
        exception_message: What is wrong, where, and what to do.
        help: What to do, where it is a sentence of its own; shown after the message.
        inner_exception: What caused it, where there is a cause.

    Attributes:
        message: The message, without the help.
        help: The help, or None.
        inner_exception: The cause, or None.
    """

    def __init__(
        self,
        exception_message: str = "",
        *,
        help: str | None = None,
        inner_exception: BaseException | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(exception_message)
        self.message = exception_message
        self.help = help
        self.inner_exception = inner_exception

    def __str__(self) -> str:
        return f"{self.message}\nhelp: {self.help}" if self.help else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.help))


def _rebuild(kind: type[AzureMLException], message: str, help: str | None) -> AzureMLException:
    return kind(message, help=help)


class UserErrorException(AzureMLException):
    """Something that the user can mend."""


class ArgumentError(UserErrorException, ValueError):
    """A value that cannot be; both `except ValueError` and `except UserErrorException` catch it."""


class ArgumentTypeError(ArgumentError, TypeError):
    """A value of the wrong type, where the SDK raises TypeError."""


class ArgumentAttributeError(ArgumentError, AttributeError):
    """A member that the object has not, where the SDK raises AttributeError."""


class NotRegisteredError(UserErrorException, KeyError):
    """Nothing is registered under that name."""

    __str__ = AzureMLException.__str__


class ErrorResponseException(Exception):
    """In the SDK: the pipeline service answered with an error. Here: what code catches it for, `EndpointNotFound`."""


class EndpointNotFound(NotRegisteredError, ErrorResponseException):
    """There is no pipeline endpoint of that name or id."""


class SettingsError(UserErrorException):
    """A settings or configuration file says something that cannot be."""


class ModelNotFoundException(UserErrorException):
    """No model of that name or version is registered."""


class ModelPathNotFoundException(UserErrorException):
    """The file or folder of a model is not there."""


class DatasetTimestampMissingError(UserErrorException):
    """A dataset has no timestamp column where one is needed."""


class ComputeTargetException(AzureMLException):
    """A compute target is not there, or cannot be made."""


class RunConfigurationException(AzureMLException):
    """A run configuration holds a value that cannot be."""


class WorkspaceException(AzureMLException):
    """A workspace cannot be opened or made."""


class HistoryDamaged(WorkspaceException):
    """The history database cannot be read; it was set aside, not emptied."""


class ProjectSystemException(AzureMLException):
    """A project folder is not what it must be."""


class SnapshotException(AzureMLException):
    """A source directory cannot be kept."""


class ContentError(SnapshotException, OSError):
    """A directory or a stored tree cannot be read, kept or trusted."""

    __str__ = AzureMLException.__str__


class SourceChanged(ContentError):
    """A file or folder went on changing while it was read."""


class UnreadableContent(ContentError):
    """Files or folders that cannot be read; the message lists them all."""


class RuleFileError(ContentError):
    """An ignore file that cannot be read, or is too large."""


class TreeDamaged(ContentError):
    """A stored tree is not what its manifest lists; the message names the file."""


class TreeMissing(ContentError):
    """No such tree in the content store."""


class RunEnvironmentException(AzureMLException):
    """Not inside a run, where only a run would do."""


class ExperimentExecutionException(AzureMLException):
    """An experiment cannot be run."""


class TrainingException(AzureMLException):
    """A training run cannot be set up."""


class ActivityFailedException(AzureMLException):
    """A run that was waited for failed or was cancelled."""


class AuthenticationException(AzureMLException):
    """An identity is not accepted."""


class WebserviceException(AzureMLException):
    """A web service cannot be used here."""


class AzureMLAggregatedException(AzureMLException):
    """Several errors at once."""
