"""What an environment declares and the interpreter has not is said, once; what cannot matter is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scriptstep import CondaDependencies, RunConfiguration
from scriptstep.engine.environment_identity import Distribution, Installed
from scriptstep.engine.unmet import unmet_packages

Make = Callable[..., Any]


def found(**versions: str) -> Installed:
    distributions = tuple(Distribution(name, version, "") for name, version in versions.items())
    return Installed("CPython 3.11", "Linux x86_64", distributions, (), ())


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("pandas", None),
        ("pandas==2.1.0", None),
        ("Pandas >=2, <3", None),
        ("pandas[performance]~=2.1", None),
        ("pandas==2.0", ("pandas==2.0", "2.1.0")),
        ("pandas<2  # of its time", ("pandas<2", "2.1.0")),
        ("lightgbm", ("lightgbm", "")),
        ("lightgbm; python_version < '3'", None),
        ("azureml-defaults==1.30", None),
        ("azureml_core", None),
        ("--extra-index-url https://example.com/simple", None),
        ("-r requirements.txt", None),
        ("git+https://example.com/x.git", None),
        ("other @ https://example.com/other.whl", None),
    ],
)
def test_what_is_declared_is_held_against_what_is_there(declared: str, told: tuple[str, str] | None) -> None:
    environment = {"python": {"conda_dependencies": {"dependencies": ["python=3.8", {"pip": [declared]}]}}}
    assert unmet_packages(environment, found(pandas="2.1.0")) == ([told] if told else [])


def test_it_is_said_once_a_run_and_not_of_the_default_environment(
    make_step: Make, run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfiguration()
    packages = ["pytest==0.1", "no-such-package", "azureml-sdk"]
    config.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=packages)
    run(make_step("a", "print(1)", runconfig=config), make_step("b", "print(2)", runconfig=config), make_step("c"))
    said = capsys.readouterr().err
    assert said.count("does not have what its environment declares") == 1
    assert f"pytest==0.1 ({pytest.__version__} is there), no-such-package (not installed)" in said
    assert "azureml" not in said.partition("declares:")[2].splitlines()[0]


def test_a_run_that_reuses_all_says_nothing(make_step: Make, run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    config = RunConfiguration()
    config.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["no-such-package"])
    run(make_step("a", "print(1)", runconfig=config))
    capsys.readouterr()
    run(make_step("a", "print(1)", runconfig=config))
    assert "declares" not in capsys.readouterr().err
