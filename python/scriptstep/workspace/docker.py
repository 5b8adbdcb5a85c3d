"""Container settings. Steps run without containers: what is set is kept, and counts as declared."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from scriptstep.errors import ArgumentError
from scriptstep.workspace.element import Element, made, taken
from scriptstep.workspace.images import DEFAULT_CPU_IMAGE

__all__ = [
    "ContainerRegistry",
    "DockerBuildContext",
    "DockerConfiguration",
    "DockerEnvironment",
    "DockerImagePlatform",
    "DockerSection",
]


class ContainerRegistry(Element):
    """Where an image comes from.

    Attributes:
        address: The registry's address.
        username: Who may use it. Never stored.
        password: And how. Never stored.
        registry_identity: An identity in place of those. Never stored.
    """

    address: str | None = None
    username: str | None = None
    password: str | None = None
    registry_identity: object | None = None

    def _to_json(self) -> dict[str, Any]:
        return {"address": self.address}

    def _changed(self) -> dict[str, Any]:
        return {"address": self.address} if self.address is not None else {}


class DockerImagePlatform(Element):
    """What an image runs on."""

    os: str = "Linux"
    architecture: str = "amd64"


class DockerBuildContext(Element):
    """A folder that an image is built from.

    Args:
        location_type: "git" or "storageaccount".
        location: Where it lies.
        dockerfile_path: The Dockerfile in it.
    """

    location_type: str | None = None
    location: str | None = None
    dockerfile_path: str = "Dockerfile"

    def __init__(
        self, location_type: str | None = None, location: str | None = None, dockerfile_path: str = "Dockerfile"
    ) -> None:
        self.location_type, self.location, self.dockerfile_path = location_type, location, dockerfile_path

    @staticmethod
    def from_local_directory(
        workspace: object, path: str | os.PathLike[str], dockerfile_path: str = "Dockerfile"
    ) -> DockerBuildContext:
        """Names a local folder that an image would be built from.

        Args:
            workspace: Accepted; nothing is uploaded.
            path: The folder.
            dockerfile_path: The Dockerfile in it.

        Returns:
            The build context.

        Raises:
            ArgumentError: There is no such Dockerfile.
        """
        if not os.path.isfile(os.path.join(path, dockerfile_path)):
            raise ArgumentError(f"there is no Dockerfile at {os.path.join(path, dockerfile_path)}")
        return DockerBuildContext("local", os.fspath(path), dockerfile_path)


class DockerSection(Element):
    """The image of an environment.

    Attributes:
        enabled: Deprecated in the SDK; means nothing here.
        base_image: The image, or None where there is a Dockerfile.
        base_dockerfile: A Dockerfile's text, or the path of one.
        build_context: A folder that the image is built from.
        base_image_registry: Where the image comes from.
        platform: What it runs on.
        arguments: For `docker run`.
        shared_volumes: For `docker run`.
        shm_size: For `docker run`.
        gpu_support: Deprecated in the SDK; means nothing here.
    """

    _TAKES: ClassVar = {"build_context": taken(DockerBuildContext)}

    enabled: bool = False
    base_image: str | None = DEFAULT_CPU_IMAGE
    platform = made(DockerImagePlatform)
    base_dockerfile: str | None = None
    build_context: DockerBuildContext | None = None
    base_image_registry = made(ContainerRegistry)
    arguments = made(list[str])
    shared_volumes: bool = True
    shm_size: str | None = None
    gpu_support: bool = False

    def __init__(self, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)


class DockerEnvironment(DockerSection):
    """The SDK's older name for `DockerSection`."""

    def __init__(self) -> None:
        super().__init__()


class DockerConfiguration(Element):
    """How a run uses containers; here it does not.

    Args:
        use_docker: Whether to run in a container.
        shared_volumes: For `docker run`.
        arguments: For `docker run`.
        shm_size: For `docker run`.
    """

    use_docker: bool = False
    shared_volumes: bool = True
    arguments = made(list[str])
    shm_size: str | None = "2g"

    def __init__(
        self,
        use_docker: bool = False,
        shared_volumes: bool = True,
        arguments: list[str] = [],  # noqa: B006  (the SDK's signature; it is copied)
        shm_size: str | None = "2g",
    ) -> None:
        self.use_docker, self.shared_volumes, self.shm_size = use_docker, shared_volumes, shm_size
        if arguments:
            self.arguments = list(arguments)
