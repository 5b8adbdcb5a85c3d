"""Which pip packages an environment declares that an interpreter does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scriptstep.engine.environment_identity import Installed, normalise

__all__ = ["unmet_packages"]


def unmet_packages(environment: Mapping[str, Any], found: Installed) -> list[tuple[str, str]]:
    """Holds what an environment declares against what is installed.

    Args:
        environment: The environment's definition, as it stands in a key.
        found: What is installed.

    Returns:
        (what is declared, the version that is there or "") of each pip package that is not as declared. What names no
        version is there in any; the SDK's own packages (`azureml-*`) are, for scriptstep takes their place; options,
        and packages by URL, are not looked at.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    versions = {distribution.name: distribution.version for distribution in found.distributions}
    unmet: list[tuple[str, str]] = []
    for line in _pip_lines(environment):
        try:
            wanted = Requirement(line.partition(" #")[0].strip())
        except InvalidRequirement:
            continue
        name = normalise(wanted.name)
        if name.startswith("azureml") or wanted.url or (wanted.marker is not None and not wanted.marker.evaluate()):
            continue
        here = versions.get(name)
        if here is None or not wanted.specifier.contains(here, prereleases=True):
            unmet.append((f"{wanted.name}{wanted.specifier}", here or ""))
    return unmet


def _pip_lines(environment: Mapping[str, Any]) -> Iterable[str]:
    conda = environment.get("python", {}).get("conda_dependencies") or {}
    for dependency in conda.get("dependencies") or ():
        if isinstance(dependency, Mapping):
            yield from (line for line in dependency.get("pip") or () if isinstance(line, str))
