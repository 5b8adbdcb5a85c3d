"""Two interpreters with the same packages are the same to a key, wherever they lie and whoever filled them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from scriptstep.engine import environment_identity as identity
from scriptstep.engine.executors.probe import probe_interpreter


def wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> Path:
    """Writes a small wheel, as a build backend would."""
    info = f"{name}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {r}\n" for r in requires)
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {name}:main\n",
    }
    rows = []
    for path, text in content.items():
        digest = urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text.encode())}")
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return target


def python_of(venv: Path) -> str:
    return str(venv / "bin" / "python")


def make_venv(folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return python_of(folder)


def probe(python: str) -> identity.Installed:
    return identity.Installed.from_json(probe_interpreter(python, Path(identity.__file__)))


@pytest.fixture
def wheels(tmp_path: Path) -> list[str]:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return [
        str(wheel(folder, "alpha", "1.0", {"alpha/__init__.py": "def main(): print('alpha')\n"}, ("beta>=1",))),
        str(wheel(folder, "beta", "2.1", {"beta.py": "x = 1\n", "beta_data/table.csv": "a,b\n"})),
    ]


def fill_by_pip(python: str, wheels: list[str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", *wheels],
        check=True,
    )


def fill_by_uv(python: str, wheels: list[str]) -> None:
    uv = Path(sys.executable).parent / "uv"
    subprocess.run(
        [str(uv), "pip", "install", "-q", "--python", python, "--no-deps", "--offline", "--no-index", *wheels],
        check=True,
        env={**os.environ, "UV_NO_CACHE": "1"},
    )


def test_pip_and_uv_at_different_paths_are_told_the_same(tmp_path: Path, wheels: list[str]) -> None:
    by_pip, by_uv = make_venv(tmp_path / "one"), make_venv(tmp_path / "elsewhere" / "two")
    fill_by_pip(by_pip, wheels)
    fill_by_uv(by_uv, wheels)
    assert probe(by_pip) == probe(by_uv)
    assert [d.name for d in probe(by_pip).distributions] == ["alpha", "beta"]


def test_importing_a_package_changes_nothing(tmp_path: Path, wheels: list[str]) -> None:
    python = make_venv(tmp_path / "venv")
    fill_by_pip(python, wheels)
    before = probe(python)
    subprocess.run([python, "-c", "import alpha, beta"], check=True)
    assert probe(python) == before


def test_another_build_of_the_same_version_is_another(tmp_path: Path, wheels: list[str]) -> None:
    one, two = make_venv(tmp_path / "one"), make_venv(tmp_path / "two")
    fill_by_pip(one, wheels)
    fill_by_pip(
        two, [str(wheel(tmp_path, "beta", "2.1", {"beta.py": "x = 2\n", "beta_data/table.csv": "a,b\n"})), wheels[0]]
    )
    assert probe(one).distributions != probe(two).distributions


def test_loose_modules_and_pth_files_count_by_content(tmp_path: Path) -> None:
    python = make_venv(tmp_path / "venv")
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    bare = probe(python)
    (site / "loose.py").write_text("x = 1")
    (site / "extra.pth").write_text("# nothing\n")
    found = probe(python)
    assert [name for name, _ in found.loose if (name, _) not in bare.loose] == ["extra.pth", "loose.py"]
    (site / "loose.py").write_text("x = 2")
    assert probe(python).loose != found.loose


def test_an_editable_distribution_is_known_by_what_it_puts_on_the_path(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    info = site / "gamma-0.1.dist-info"
    info.mkdir(parents=True)
    source = tmp_path / "checkout" / "src"
    source.mkdir(parents=True)
    (info / "METADATA").write_text("Name: gamma\nVersion: 0.1\n\n")
    (info / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {"editable": true}}')
    (info / "RECORD").write_text("_gamma.pth,,\ngamma-0.1.dist-info/METADATA,,\n")
    (site / "_gamma.pth").write_text(f"{source}\n")
    found = identity.installed([str(site)])
    assert found.distributions == (identity.Distribution("gamma", "0.1", "", (), (str(source),)),)
    assert found.loose == ()


def test_the_closure_of_declared_packages_leaves_the_others_out(tmp_path: Path, wheels: list[str]) -> None:
    python = make_venv(tmp_path / "venv")
    other = str(wheel(tmp_path, "other", "9", {"other.py": ""}))
    fill_by_pip(python, [*wheels, other])
    reached, missing = identity.closure(probe(python), ["Alpha", "absent"])
    assert [d.name for d in reached] == ["alpha", "beta"]
    assert missing == ("absent",)


def test_what_is_told_survives_being_written_down() -> None:
    found = identity.installed()
    assert identity.Installed.from_json(found.to_json()) == found


def test_the_packages_that_an_environment_declares_are_found_in_it() -> None:
    from scriptstep import CondaDependencies, RunConfiguration

    config = RunConfiguration()
    assert identity.declared_packages(config._run_spec().environment) == []
    config.environment.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["rich>=13", "pandas[all]==1"], conda_packages=["numpy"]
    )
    assert sorted(identity.declared_packages(config._run_spec().environment)) == ["numpy", "pandas", "rich"]


def test_a_steps_interpreter_may_be_of_another_version() -> None:
    """Its file is run as a script by that interpreter, which may be older than any that scriptstep itself runs on."""
    named = [shutil.which(f"python3.{minor}") for minor in range(9, 15)]
    found = [*filter(None, named), *map(str, Path.home().glob(".pyenv/versions/3.9*/bin/python"))]
    for interpreter in found:
        told = subprocess.run(
            [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if told.returncode == 0:
            assert probe(interpreter).python == f"cpython {told.stdout.strip()}"
