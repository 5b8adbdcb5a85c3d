"""Images of environments: there are none, and nothing is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["EnvironmentImages", "ImageBuildDetails"]


class ImageBuildDetails:
    """A build of an image: done, for there is none.

    Attributes:
        status: "Succeeded".
        log_url: None.
    """

    status = "Succeeded"
    log_url: str | None = None

    def wait_for_completion(self, show_output: bool = True) -> None:
        """Returns at once."""


class EnvironmentImages:
    """Members of the SDK's environments that concern images: they are done at once, or say what to do instead."""

    def build(self, workspace: Workspace, image_build_compute: str | None = None) -> ImageBuildDetails:
        """Has nothing to build: steps run with what is installed.

        Args:
            workspace: Accepted.
            image_build_compute: Accepted.

        Returns:
            A build that is done.
        """
        from scriptstep.console import notice

        notice("environments are not built here: steps run with the packages that are installed")
        return ImageBuildDetails()

    def build_local(self, workspace: Workspace, platform: object = None, **kwargs: Any) -> ImageBuildDetails:
        """Has nothing to build, as `build`."""
        return self.build(workspace)

    def get_image_details(self, workspace: Workspace) -> object:
        """Cannot be answered: there is no image.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("environments have no image here: steps run with the packages that are installed")

    @staticmethod
    def label(workspace: Workspace, name: str, version: str, labels: object) -> None:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("environments have no labels here: name the version, or register under another name")

    @staticmethod
    def add_private_pip_wheel(workspace: Workspace, file_path: str, exist_ok: bool = False) -> str:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"nothing is installed from an environment here: pip install {file_path} beside scriptstep"
        )
