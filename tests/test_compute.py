"""Compute targets, made or found as public code does it, and where a step runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scriptstep.authoring.runconfig import RunConfiguration
from scriptstep.errors import ArgumentError, ComputeTargetException, NotRegisteredError
from scriptstep.workspace.catalog import close_catalogs
from scriptstep.workspace.compute import (
    AdlaCompute,
    AmlCompute,
    ComputeInstance,
    ComputeTarget,
    DatabricksCompute,
    DataFactoryCompute,
    DsvmCompute,
    HDInsightCompute,
    KubernetesCompute,
    LocalTarget,
    RemoteCompute,
    resolve_compute,
)
from scriptstep.workspace.workspace import Workspace

Said = list[str]
TABLE = '[compute.gpu]\nmax_nodes = 4\n[compute.vm]\ntype = "VirtualMachine"\n[compute.bricks]\ntype = "Kubernetes"\n'


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    told: Said = []

    def notice(text: str, help: str | None = None, level: str = "note", once: bool = True) -> None:
        if text not in told:
            told.append(text)

    monkeypatch.setattr("scriptstep.console.notice", notice)
    return told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRIPTSTEP_HOME", raising=False)
    yield tmp_path
    close_catalogs()


@pytest.fixture
def ws(folder: Path, said: Said) -> Workspace:
    workspace = Workspace.from_config()
    said.clear()
    return workspace


@pytest.fixture
def with_table(folder: Path) -> Workspace:
    (folder / "scriptstep.toml").write_text(TABLE)
    return Workspace.from_config()


def create_or_get(ws: Workspace, name: str) -> tuple[Any, bool]:
    """As nearly every notebook has it."""
    found = True
    try:
        target = ComputeTarget(workspace=ws, name=name)
    except ComputeTargetException:
        found = False
        config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", min_nodes=0, max_nodes=4)
        target = ComputeTarget.create(ws, name, config)
        target.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)
    return target, found


def look_or_create(ws: Workspace, name: str) -> tuple[Any, bool]:
    """As the others have it."""
    if name in ws.compute_targets:
        target = ws.compute_targets[name]
        if target and type(target) is AmlCompute:
            return target, True
    config = AmlCompute.provisioning_configuration(vm_size="STANDARD_NC6", max_nodes=2)
    target = ComputeTarget.create(ws, name, config)
    target.wait_for_completion(show_output=True)
    return target, False


# --- without a table


def test_without_a_table_every_name_is_this_machine_and_said_once(ws: Workspace, said: Said) -> None:
    for _ in range(2):
        target, found = create_or_get(ws, "cpu-cluster")
        assert found and type(target) is AmlCompute
        assert (target.name, target.type, target.provisioning_state) == ("cpu-cluster", "AmlCompute", "Succeeded")
    assert said == ["compute target 'cpu-cluster' is this machine"]
    assert type(AmlCompute(ws, "b")) is AmlCompute
    assert type(ComputeInstance(ws, "c")) is ComputeInstance
    assert type(RemoteCompute(workspace=ws, name="d")) is RemoteCompute
    assert type(ws.compute_targets["e"]) is AmlCompute


def test_without_a_table_only_what_was_made_is_listed(ws: Workspace) -> None:
    assert type(ws.compute_targets["asked"]) is AmlCompute
    assert "asked" not in ws.compute_targets and list(ws.compute_targets) == []
    assert ws.compute_targets.get("asked") is None
    target, found = look_or_create(ws, "made")
    assert not found and type(target) is AmlCompute
    target, found = look_or_create(ws, "made")
    assert found
    assert next(iter(ws.compute_targets.items()))[0] == "made"
    assert [t.name for t in ComputeTarget.list(ws)] == ["made"]
    assert Workspace.from_config().compute_targets["made"].vm_size == "STANDARD_NC6", "other processes see it"


# --- with a table


def test_with_a_table_an_unknown_name_is_the_sdks_error(with_table: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match=r"ComputeTargetNotFound.*cpu.*names gpu, vm, bricks"):
        ComputeTarget(with_table, "cpu")
    with pytest.raises(KeyError, match="names gpu, vm, bricks"):
        with_table.compute_targets["cpu"]
    with pytest.raises(NotRegisteredError):
        with_table.compute_targets["cpu"]
    assert list(with_table.compute_targets) == ["gpu", "vm", "bricks"]


def test_with_a_table_the_idiom_makes_what_is_missing(with_table: Workspace) -> None:
    assert create_or_get(with_table, "gpu")[1] is True
    target, found = create_or_get(with_table, "cpu")
    assert not found and type(target) is AmlCompute
    assert create_or_get(with_table, "cpu")[1] is True
    assert "cpu" in with_table.compute_targets


def test_a_target_of_the_table_has_the_class_of_its_type(with_table: Workspace) -> None:
    assert type(ComputeTarget(with_table, "gpu")) is AmlCompute
    assert ComputeTarget(with_table, "gpu").get_status().scale_settings["max_nodes"] == 4
    assert type(ComputeTarget(with_table, "vm")) is RemoteCompute
    assert type(with_table.compute_targets["bricks"]) is KubernetesCompute
    with pytest.raises(ComputeTargetException, match="'vm' is a VirtualMachine, not a AmlCompute"):
        AmlCompute(with_table, "vm")


def test_a_target_of_the_table_is_not_deleted_by_code(with_table: Workspace) -> None:
    ComputeTarget(with_table, "gpu").delete()
    assert "gpu" in with_table.compute_targets


# --- making


def test_a_cluster_says_what_it_was_asked_for(ws: Workspace) -> None:
    config = AmlCompute.provisioning_configuration(
        vm_size="STANDARD_D2_V2",
        vm_priority="lowpriority",
        min_nodes=1,
        max_nodes=4,
        idle_seconds_before_scaledown=2400,
        admin_user_password="canary",
        tags={"team": "a"},
        description="for tests",
    )
    assert config.vm_size == "STANDARD_D2_V2" and config.max_nodes == 4
    target = ComputeTarget.create(workspace=ws, name="c", provisioning_configuration=config)
    assert (target.tags, target.description) == ({"team": "a"}, "for tests")
    status = target.get_status().serialize()
    assert (status["vmSize"], status["vmPriority"], status["currentNodeCount"]) == ("STANDARD_D2_V2", "lowpriority", 1)
    assert target.status.allocation_state == "Steady"
    assert "canary" not in str(target.serialize())
    target.update(max_nodes=8)
    target.refresh_state()
    assert ComputeTarget(ws, "c").serialize()["properties"]["max_nodes"] == 8
    target.delete()
    assert "c" not in ws.compute_targets


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "max_nodes"),
        ({"max_nodes": 0}, "max_nodes.*at least 1, not 0"),
        ({"max_nodes": "4"}, "max_nodes.*not '4'"),
        ({"max_nodes": 2, "min_nodes": 3}, "3 > 2"),
        ({"max_nodes": 2, "min_nodes": -1}, "min_nodes"),
    ],
)
def test_a_cluster_that_cannot_be_is_the_sdks_error(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ComputeTargetException, match=told):
        AmlCompute.provisioning_configuration(vm_size="x", **given)


def test_a_target_is_made_with_a_configuration_and_a_name(ws: Workspace) -> None:
    with pytest.raises(ComputeTargetException, match="provisioning_configuration"):
        ComputeTarget.create(ws, "c", {"vm_size": "x"})  # type: ignore[arg-type]
    config = AmlCompute.provisioning_configuration(max_nodes=1)
    for name in ("", None, 3):
        with pytest.raises(ComputeTargetException, match="named by a string"):
            ComputeTarget.create(ws, name, config)  # type: ignore[arg-type]
        with pytest.raises(ComputeTargetException, match="named by a string"):
            ComputeTarget(ws, name)  # type: ignore[arg-type]


def test_every_kind_is_made_as_its_class(ws: Workspace) -> None:
    made = [
        ComputeInstance.create(ws, "i", ComputeInstance.provisioning_configuration(vm_size="x")),
        ComputeTarget.create(ws, "d", DsvmCompute.provisioning_configuration(vm_size="x")),
        ComputeTarget.attach(ws, "r", RemoteCompute.attach_configuration("u", address="1.2.3.4", password="canary")),
        RemoteCompute.attach(ws, "r2", username="u", address="1.2.3.4", password="canary"),
        HDInsightCompute.attach(ws, "h", "u", "address", private_key_file="canary"),
        ComputeTarget.attach(ws, "b", DatabricksCompute.attach_configuration("g", "w", access_token="canary")),
        AdlaCompute.attach(ws, "l", "/subscriptions/x"),
        ComputeTarget.create(ws, "f", DataFactoryCompute.provisioning_configuration()),
    ]
    kinds = [
        ComputeInstance,
        DsvmCompute,
        RemoteCompute,
        RemoteCompute,
        HDInsightCompute,
        DatabricksCompute,
        AdlaCompute,
    ]
    for target, kind in zip(made, [*kinds, DataFactoryCompute], strict=True):
        assert type(target) is kind
        assert type(ComputeTarget(ws, target.name)) is kind
        assert "canary" not in str(target.serialize())
        assert type(ComputeTarget.deserialize(ws, target.serialize())) is kind
    with pytest.raises(NotImplementedError, match="not kept"):
        made[2].get_credentials()


def test_a_copied_target_is_that_target(ws: Workspace) -> None:
    target = ComputeTarget(ws, "c")
    assert copy.deepcopy({"target": target})["target"] is target


# --- where a step runs


def with_target(target: Any) -> RunConfiguration:
    config = RunConfiguration()
    config.target = target
    return config


def test_without_any_choice_a_step_runs_on_this_machine(ws: Workspace) -> None:
    assert resolve_compute(ws, None, None, "step 'a'") is None
    assert resolve_compute(ws, None, RunConfiguration(), "step 'a'") is None, "'local' of the runconfig is no choice"
    assert resolve_compute(ws, "local", None, "step 'a'") is None
    assert resolve_compute(ws, LocalTarget(), None, "step 'a'") is None
    assert resolve_compute(ws, ("x", "local"), None, "step 'a'") is None


def test_the_default_of_the_settings_counts_where_nothing_else_does(folder: Path) -> None:
    (folder / "scriptstep.toml").write_text(TABLE + "[compute.main]\ndefault = true\n")
    ws = Workspace.from_config()
    assert resolve_compute(ws, None, RunConfiguration(), "step 'a'") == ("main", "AmlCompute")
    assert resolve_compute(ws, None, with_target("gpu"), "step 'a'") == ("gpu", "AmlCompute")
    assert resolve_compute(ws, "vm", with_target("gpu"), "step 'a'") == ("vm", "VirtualMachine")
    assert resolve_compute(ws, "local", None, "step 'a'") is None, "a step may say that it wants this machine"
    assert ws.get_default_compute_target("CPU").name == "main"


def test_a_target_is_an_object_a_name_or_a_pair(ws: Workspace) -> None:
    instance = ComputeInstance(ws, "i")
    assert resolve_compute(ws, instance, None, "step 'a'") == ("i", "ComputeInstance")
    assert resolve_compute(ws, "cluster", None, "step 'a'") == ("cluster", "AmlCompute")
    assert resolve_compute(ws, ("cpu", "AmlCompute"), None, "step 'a'") == ("cpu", "AmlCompute")
    assert resolve_compute(ws, None, with_target(instance), "step 'a'") == ("i", "AmlCompute"), (
        "a runconfig keeps a name"
    )


def test_a_pair_spares_the_look_up(with_table: Workspace) -> None:
    assert resolve_compute(with_table, ("elsewhere", "AmlCompute"), None, "step 'a'") == ("elsewhere", "AmlCompute")


def test_an_unknown_name_is_told_with_those_that_there_are(with_table: Workspace) -> None:
    with pytest.raises(
        ArgumentError, match=r"step 'a': there is no compute target 'gpv'; there are gpu, vm, bricks\n.*'gpu'"
    ):
        resolve_compute(with_table, "gpv", None, "step 'a'")
    with pytest.raises(ValueError, match=r"'zebra'.*\n.*\[compute\]"):
        resolve_compute(with_table, None, with_target("zebra"), "step 'a'")


@pytest.mark.parametrize(
    ("target", "kind", "told"),
    [
        (("a",), ValueError, r"\(name, type\), and this is \('a',\)"),
        (("a", "b", "c"), ValueError, "name, type"),
        (("a", 3), ValueError, "name, type"),
        (("a", "batchai"), ValueError, "no script runs on compute target 'a' of type 'batchai'"),
        (("a", "Foo"), ValueError, "type 'Foo'"),
        (3, AttributeError, "must be a compute target, the name of one"),
        (["a"], AttributeError, "must be a compute target"),
        (SimpleNamespace(name="x"), AttributeError, "must be a compute target"),
    ],
)
def test_what_is_no_target_is_one_clear_error(ws: Workspace, target: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told) as caught:
        resolve_compute(ws, target, None, "step 'train'")
    assert isinstance(caught.value, ArgumentError)
    assert "step 'train'" in str(caught.value)


def test_a_target_that_runs_no_scripts_is_an_error(ws: Workspace) -> None:
    bricks = ComputeTarget.attach(ws, "b", DatabricksCompute.attach_configuration("g", "w"))
    with pytest.raises(ArgumentError, match="no script runs on compute target 'b' of type 'Databricks'"):
        resolve_compute(ws, bricks, None, "step 'a'")
