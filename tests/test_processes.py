"""Steps in several processes: what each finds in its environment, what is kept of it, and what the counts do to reuse.

The contract is tested by scripts that need nothing; beside them stand tests with the real thing, where it is there: mpirun,
mpi4py and torch in the interpreter that SCRIPTSTEP_TEST_PYTHON names (this one, where it names none).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import (
    CommandStep,
    Experiment,
    MpiConfiguration,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineParameter,
    PyTorchConfiguration,
    RunConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
)
from scriptstep.console import set_console

Make = Callable[..., Any]
Start = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

PYTHON = os.environ.get("SCRIPTSTEP_TEST_PYTHON", sys.executable)
SEEN = """
    import json, os, sys, time
    names = "MASTER_ADDR MASTER_PORT WORLD_SIZE NODE_RANK LOCAL_RANK RANK TF_CONFIG AZ_BATCH_MASTER_NODE"
    found = {n: os.environ[n] for n in names.split() if n in os.environ}
    found |= {n: v for n, v in os.environ.items() if n.startswith("OMPI_COMM_WORLD_")}
    print(json.dumps([sys.argv[1:], found]), flush=True)
    if "TF_CONFIG" in found:  # a parameter server is ended with the workers: they wait for it to have spoken
        open(f"spoke{os.getpid()}", "w").close()
        cluster = json.loads(found["TF_CONFIG"])["cluster"]
        while sum(n.startswith("spoke") for n in os.listdir()) < sum(map(len, cluster.values())):
            time.sleep(0.01)
"""


def distributed(job: Any, **given: Any) -> RunConfiguration:
    config = RunConfiguration()
    config._distribute(job)
    for name, value in given.items():
        setattr(config, name, value)
    return config


def logs(step: Any) -> dict[str, str]:
    found: dict[str, str] = step.get_details_with_logs()["logFiles"]
    return found


def seen(run: Any, name: str) -> list[tuple[list[str], dict[str, str]]]:
    """What each rank of a step of SEEN found: its arguments and variables."""
    (step,) = run.find_step_run(name)
    assert step.get_status() == "Finished", logs(step)
    texts = {n: t for n, t in logs(step).items() if "/std_log" in n}
    return [tuple(json.loads(texts[n])) for n in sorted(texts)]


def has(module: str) -> bool:
    return subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


# --- what each process finds


def test_pytorch_each_process_is_told_of_all_and_of_itself(make_step: Make, run: Start) -> None:
    config = distributed(PyTorchConfiguration("Gloo", process_count=4, node_count=2))
    arguments = ["--local_rank", "$LOCAL_RANK", "--of=${WORLD_SIZE}", "$RANKS", "$HOME"]
    found = seen(run(make_step("torch", SEEN, runconfig=config, arguments=arguments)), "torch")
    assert len(found) == 4
    for rank, (arguments, env) in enumerate(found):
        assert arguments == ["--local_rank", str(rank % 2), "--of=4", "$RANKS", "$HOME"]
        assert (env["RANK"], env["LOCAL_RANK"], env["NODE_RANK"]) == (str(rank), str(rank % 2), str(rank // 2))
        assert (env["WORLD_SIZE"], env["MASTER_ADDR"]) == ("4", "127.0.0.1")
    (port,) = {int(env["MASTER_PORT"]) for _, env in found}
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))


def test_pytorch_in_one_process_finds_the_same_variables(make_step: Make, run: Start) -> None:
    ((_, env),) = seen(run(make_step("one", SEEN, runconfig=distributed(PyTorchConfiguration()))), "one")
    assert (env["RANK"], env["WORLD_SIZE"], env["MASTER_ADDR"]) == ("0", "1", "127.0.0.1")


def test_tensorflow_each_process_has_its_task_in_one_cluster(make_step: Make, run: Start) -> None:
    config = distributed(TensorflowConfiguration(worker_count=2, parameter_server_count=1))
    found = [json.loads(env["TF_CONFIG"]) for _, env in seen(run(make_step("tf", SEEN, runconfig=config)), "tf")]
    assert [f["task"] for f in found] == [
        {"type": "worker", "index": 0},
        {"type": "worker", "index": 1},
        {"type": "ps", "index": 0},
    ]
    assert found[0]["cluster"] == found[1]["cluster"] == found[2]["cluster"]
    cluster = found[0]["cluster"]
    assert (len(cluster["worker"]), len(cluster["ps"])) == (2, 1)
    places = cluster["worker"] + cluster["ps"]
    assert len(set(places)) == 3
    assert all(place.startswith("127.0.0.1:") for place in places)
    assert {f["environment"] for f in found} == {"cloud"}


def test_tensorflow_parameter_servers_end_with_the_workers(make_step: Make, run: Start, verdicts: Tell) -> None:
    code = """
        import json, os, time
        task = json.loads(os.environ["TF_CONFIG"])["task"]["type"]
        if task == "ps":
            time.sleep(600)
    """
    config = distributed(TensorflowConfiguration(worker_count=2, parameter_server_count=2))
    begin = time.monotonic()
    assert verdicts(run(make_step("ps", code, runconfig=config))) == {"ps": "ran"}
    assert time.monotonic() - begin < 30


def test_tensorflow_without_parameter_servers_has_workers_alone(make_step: Make, run: Start) -> None:
    config = distributed(TensorflowConfiguration(worker_count=2, parameter_server_count=0))
    found = [json.loads(env["TF_CONFIG"]) for _, env in seen(run(make_step("tf", SEEN, runconfig=config)), "tf")]
    assert [list(f["cluster"]) for f in found] == [["worker"], ["worker"]]


@pytest.mark.usefixtures("fake_mpirun")
def test_mpi_ranks_are_started_by_mpirun_and_spread_over_nodes(make_step: Make, run: Start) -> None:
    config = distributed(MpiConfiguration(process_count_per_node=2, node_count=2))
    finished = run(make_step("mpi", SEEN, runconfig=config, arguments=["two words", "$HOME"]))
    found = seen(finished, "mpi")
    assert [arguments for arguments, _ in found] == [["two words", "$HOME"]] * 4
    ranks = [(e["OMPI_COMM_WORLD_RANK"], e["OMPI_COMM_WORLD_LOCAL_RANK"], e["OMPI_COMM_WORLD_SIZE"]) for _, e in found]
    assert ranks == [("0", "0", "4"), ("1", "1", "4"), ("2", "0", "4"), ("3", "1", "4")]
    assert {e["OMPI_COMM_WORLD_LOCAL_SIZE"] for _, e in found} == {"2"}
    assert all(e["AZ_BATCH_MASTER_NODE"].startswith("127.0.0.1:") for _, e in found)
    assert logs(finished.find_step_run("mpi")[0])["user_logs/mpi_log.txt"] == "codes [0, 0, 0, 0]\n"


@pytest.mark.usefixtures("fake_mpirun")
def test_mpi_a_rank_that_fails_is_named_with_its_last_lines(make_step: Make, run: Start) -> None:
    code = "import os; assert os.environ['OMPI_COMM_WORLD_RANK'] != '1', 'not this one'"
    finished = run(make_step("mpi", code, runconfig=distributed(MpiConfiguration(3))))
    assert finished.find_step_run("mpi")[0].get_details()["error"]["message"] == "process of rank 1: exit code 1"
    with pytest.raises(Exception, match="AssertionError: not this one"):
        finished.wait_for_completion()


def test_mpirun_that_starts_none_has_the_last_word(
    make_step: Make, run: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mpirun").write_text("#!/bin/sh\necho no slots\nexit 3\n")
    (tmp_path / "bin" / "mpirun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    finished = run(make_step("mpi", SEEN, runconfig=distributed(MpiConfiguration(2))))
    with pytest.raises(Exception, match="(?s)exit code 3.*no slots"):
        finished.wait_for_completion()


def test_a_framework_without_a_communicator_is_one_plain_process(make_step: Make, run: Start) -> None:
    config = RunConfiguration(framework="PyTorch")
    ((_, env),) = seen(run(make_step("plain", SEEN, runconfig=config)), "plain")
    assert env == {}


def test_mpi_without_mpirun_names_the_package(
    make_step: Make, run: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    finished = run(make_step("mpi", SEEN, runconfig=distributed(MpiConfiguration(2))))
    message = finished.find_step_run("mpi")[0].get_details()["error"]["message"]
    assert "step 'mpi' runs in 2 processes of MPI, and there is no mpirun" in message
    assert "openmpi-bin" in message


def test_mpi_in_one_process_needs_no_mpirun(
    make_step: Make, run: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    ((_, env),) = seen(run(make_step("mpi", SEEN, runconfig=distributed(MpiConfiguration()))), "mpi")
    assert (env["OMPI_COMM_WORLD_RANK"], env["OMPI_COMM_WORLD_SIZE"]) == ("0", "1")


def test_nodes_alone_are_one_process_each_and_said_once(
    make_step: Make, run: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    set_console(None)  # what other tests made it say counts no more
    config = RunConfiguration()
    config.node_count = 2
    finished = run(make_step("a", SEEN, runconfig=config), make_step("b", SEEN, runconfig=config))
    assert [env["NODE_RANK"] for _, env in seen(finished, "a")] == ["0", "1"]
    assert [env["RANK"] for _, env in seen(finished, "b")] == ["0", "1"]
    assert capsys.readouterr().err.count("nodes are simulated") == 1


def test_a_command_finds_the_variables_of_its_process(run: Start, project: Path) -> None:
    (project / "src").mkdir()
    config = distributed(PyTorchConfiguration(node_count=2))
    for command in ("echo $NODE_RANK of $WORLD_SIZE", ["echo", "$NODE_RANK", "of", "$WORLD_SIZE"]):
        finished = run(CommandStep(command=command, name="c", runconfig=config, source_directory=project / "src"))
        told = logs(finished.find_step_run("c")[0])
        assert told == {f"user_logs/std_log_process_0{rank}.txt": f"{rank} of 2\n" for rank in range(2)}


# --- what comes of it


def test_what_all_ranks_log_and_write_arrives(make_step: Make, run: Start) -> None:
    code = """
        import os, sys
        from azureml.core import Run
        run, rank = Run.get_context(), int(os.environ["RANK"])
        run.log(f"rank {rank}", rank)
        for value in range(50):
            run.log("all", value)
        open(os.path.join(sys.argv[1], f"part{rank}"), "w").write(str(rank))
        open(f"outputs/{rank}.txt", "w").write("kept")
        run.parent.log("of the parent", 1)
    """
    parts = OutputFileDatasetConfig(name="parts")
    config = distributed(PyTorchConfiguration("Gloo", process_count=3))
    write = make_step("write", code, arguments=[parts], runconfig=config)
    read = make_step("read", "import os, sys; print(sorted(os.listdir(sys.argv[1])))", arguments=[parts.as_input("in")])
    finished = run(write, read)
    (step,) = finished.find_step_run("write")
    metrics = step.get_metrics()
    assert {name: metrics[name] for name in ("rank 0", "rank 1", "rank 2")} == {"rank 0": 0, "rank 1": 1, "rank 2": 2}
    assert sorted(metrics["all"]) == sorted([*range(50)] * 3)
    assert finished.get_metrics()["of the parent"] == [1, 1, 1]
    assert finished.find_step_run("read")[0].get_job_log() == "['part0', 'part1', 'part2']\n"
    assert {"outputs/0.txt", "outputs/1.txt", "outputs/2.txt"} <= set(step.get_file_names())


def test_one_process_that_fails_ends_the_step_and_is_named(make_step: Make, run: Start, home: Path) -> None:
    code = """
        import os, time
        print("rank", os.environ["RANK"], flush=True)
        open("up" + os.environ["RANK"], "w").close()
        if os.environ["RANK"] == "1":
            while not (os.path.exists("up0") and os.path.exists("up2")):
                time.sleep(0.01)
            raise ValueError("this one")
        time.sleep(600)
    """
    config = distributed(PyTorchConfiguration("Gloo", process_count=3))
    finished = run(make_step("falls", code, runconfig=config))
    (step,) = finished.find_step_run("falls")
    assert step.get_details()["error"]["message"] == "process of rank 1: exit code 1"
    with pytest.raises(Exception, match="(?s)process of rank 1.*ValueError: this one"):
        finished.wait_for_completion()

    def told(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "SCRIPTSTEP_HOME": str(home)}
        command = [sys.executable, "-m", "scriptstep", "logs", finished.id, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert told("falls", "--rank", "2").stdout == "rank 2\n"
    assert "ValueError: this one" in told("--rank", "1").stdout
    every = told().stdout
    assert [line for line in every.splitlines() if line.startswith("==")] == [
        f"== falls (failed, rank {rank})" for rank in range(3)
    ]
    assert "the highest is 2" in told("--rank", "7").stderr
    assert told("--rank", "-1").returncode == 2


@pytest.mark.parametrize("job", ["PyTorch", "MPI"])
def test_cancelling_ends_every_process(job: str, make_step: Make, ws: Any, request: pytest.FixtureRequest) -> None:
    if job == "MPI" and shutil.which("mpirun") is None:
        request.getfixturevalue("fake_mpirun")
    config = distributed(PyTorchConfiguration("Gloo", process_count=3) if job == "PyTorch" else MpiConfiguration(3))
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    step = make_step("long", code, runconfig=config)
    run = Experiment(ws, "test").submit(Pipeline(ws, steps=[step]))
    pids: list[int] = []
    while len(pids) < 3:
        time.sleep(0.05)
        found = run.find_step_run("long")
        pids = [int(text) for name, text in logs(found[0]).items() if text.endswith("\n")] if found else []
    run.cancel()
    run.wait_for_completion()
    assert run.get_status() == "Canceled"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


# --- the counts and reuse


def test_counts_framework_and_communicator_are_in_the_key(make_step: Make, run: Start, verdicts: Tell) -> None:
    def told(job: Any) -> str:
        return verdicts(run(make_step("k", "print(1)", runconfig=distributed(job) if job else None)))["k"]

    assert told(None) == "ran"
    assert told(PyTorchConfiguration("Gloo", process_count=2)) == "ran"
    assert told(PyTorchConfiguration("Gloo", process_count=2)) == "reused"
    assert told(PyTorchConfiguration("Gloo", process_count=2, node_count=2)) == "ran"
    assert told(PyTorchConfiguration("Nccl", process_count=2)) == "ran"
    assert told(TensorflowConfiguration(1, 1)) == "ran"
    assert told(TensorflowConfiguration(2, 1)) == "ran"
    assert told(TensorflowConfiguration(2, 0)) == "ran"
    assert told(PyTorchConfiguration("Gloo", process_count=2)) == "reused"


@pytest.mark.usefixtures("fake_mpirun")
@pytest.mark.parametrize(
    ("key", "job", "processes"),
    [
        ("NodeCount", PyTorchConfiguration("Gloo", node_count=2), 3),
        ("MpiProcessCountPerNode", MpiConfiguration(2), 3),
        ("TensorflowWorkerCount", TensorflowConfiguration(2, 1), 4),
        ("TensorflowParameterServerCount", TensorflowConfiguration(1, 1), 4),
    ],
)
def test_a_count_given_at_submit_counts_for_key_and_processes(
    make_step: Make, run: Start, verdicts: Tell, key: str, job: Any, processes: int
) -> None:
    count = PipelineParameter("count", 2)
    step = make_step("n", SEEN, runconfig=distributed(job), runconfig_pipeline_params={key: count})
    first = run(step)
    assert len(seen(first, "n")) == processes - 1
    assert verdicts(run(step)) == {"n": "reused"}
    second = run(step, pipeline_parameters={"count": 3})
    assert verdicts(second) == {"n": "ran"}
    assert len(seen(second, "n")) == processes
    assert verdicts(run(step, pipeline_parameters={"count": 3})) == {"n": "reused"}


def test_a_reused_step_shows_the_log_of_each_rank(make_step: Make, run: Start, verdicts: Tell) -> None:
    step = make_step("r", SEEN, runconfig=distributed(PyTorchConfiguration("Gloo", process_count=2)))
    first = seen(run(step), "r")
    again = run(step)
    assert verdicts(again) == {"r": "reused"}
    assert seen(again, "r") == first


# --- with the real thing


@pytest.mark.skipif(shutil.which("mpirun") is None, reason="there is no mpirun here (Debian: openmpi-bin)")
def test_real_mpirun_starts_all_ranks_and_ends_all_with_one(make_step: Make, run: Start) -> None:
    config = distributed(MpiConfiguration(process_count_per_node=2, node_count=2))
    found = seen(run(make_step("mpi", SEEN, runconfig=config)), "mpi")
    assert [env["OMPI_COMM_WORLD_RANK"] for _, env in found] == ["0", "1", "2", "3"]
    assert [env["OMPI_COMM_WORLD_LOCAL_RANK"] for _, env in found] == ["0", "1", "0", "1"]
    code = "import os, sys, time; sys.exit(7) if os.environ['OMPI_COMM_WORLD_RANK'] == '2' else time.sleep(600)"
    finished = run(make_step("falls", code, runconfig=config))
    assert finished.find_step_run("falls")[0].get_details()["error"]["message"] == "process of rank 2: exit code 7"


@pytest.mark.skipif(
    shutil.which("mpirun") is None or not has("mpi4py"), reason=f"mpirun is not here, or mpi4py not in {PYTHON}"
)
def test_real_mpi4py_ranks_talk_to_each_other(make_step: Make, run: Start) -> None:
    code = """
        from mpi4py import MPI
        world = MPI.COMM_WORLD
        print(world.rank, world.size, world.allreduce(world.rank + 1))
    """
    config = distributed(MpiConfiguration(process_count_per_node=2, node_count=2))
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = PYTHON
    (step,) = run(make_step("mpi4py", code, runconfig=config)).find_step_run("mpi4py")
    told = logs(step)
    assert [told[f"user_logs/std_log_process_0{rank}.txt"] for rank in range(4)] == [f"{r} 4 10\n" for r in range(4)]


@pytest.mark.skipif(not has("torch.distributed"), reason=f"torch is not in {PYTHON}")
def test_real_torch_ranks_talk_to_each_other_by_gloo(ws: Any, project: Path) -> None:
    (project / "src").mkdir()
    (project / "src" / "train.py").write_text(
        dedent("""
        import argparse, torch, torch.distributed as dist
        from azureml.core import Run
        parser = argparse.ArgumentParser()
        parser.add_argument("--local_rank", type=int)
        local_rank = parser.parse_args().local_rank
        dist.init_process_group("gloo")
        total = torch.tensor([dist.get_rank() + 1.0])
        dist.all_reduce(total)
        Run.get_context().log(f"total {dist.get_rank()} {local_rank}", total.item())
        dist.destroy_process_group()
        """)
    )
    config = ScriptRunConfig(
        str(project / "src"),
        script="train.py",
        arguments=["--local_rank", "$LOCAL_RANK"],
        distributed_job_config=PyTorchConfiguration("Gloo", process_count=4, node_count=2),
    )
    config.run_config.environment.python.user_managed_dependencies = True
    config.run_config.environment.python.interpreter_path = PYTHON
    run = Experiment(ws, "torch").submit(config)
    run.wait_for_completion()
    assert run.get_metrics() == {f"total {rank} {rank % 2}": 10.0 for rank in range(4)}
