"""Predict how diabetes progresses: prepare the data, train two models, keep the better one.

    scriptstep run examples/diabetes/pipeline.py
    scriptstep run examples/diabetes/pipeline.py --depth 5

Written against the Azure ML SDK v1; nothing in it knows where it runs.
"""

import argparse
from pathlib import Path

from azureml.core import Environment, Experiment, Workspace
from azureml.core.runconfig import RunConfiguration
from azureml.data import OutputFileDatasetConfig
from azureml.pipeline.core import Pipeline, PipelineData, PipelineParameter
from azureml.pipeline.steps import PythonScriptStep

HERE = Path(__file__).resolve().parent

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=3, help="how deep the tree may grow")
options = parser.parse_args()

ws = Workspace.from_config()
datastore = ws.get_default_datastore()

environment = Environment("diabetes")
environment.python.user_managed_dependencies = True
runconfig = RunConfiguration()
runconfig.environment = environment

depth = PipelineParameter("tree_depth", default_value=3)
prepared = OutputFileDatasetConfig("prepared")
ridge = PipelineData("ridge", datastore=datastore)
tree = PipelineData("tree", datastore=datastore)
chosen = PipelineData("chosen", datastore=datastore, is_directory=True)

prepare = PythonScriptStep(
    name="prepare",
    source_directory=str(HERE / "prepare"),
    script_name="prepare.py",
    arguments=["--output", prepared, "--test-share", 0.25, "--seed", 7],
    runconfig=runconfig,
)
train_ridge = PythonScriptStep(
    name="train-ridge",
    source_directory=str(HERE / "train"),
    script_name="train.py",
    arguments=["--data", prepared.as_input("data"), "--output", ridge, "ridge", "--alpha", 0.5],
    outputs=[ridge],
    runconfig=runconfig,
)
train_tree = PythonScriptStep(
    name="train-tree",
    source_directory=str(HERE / "train"),
    script_name="train.py",
    arguments=["--data", prepared.as_input("data"), "--output", tree, "tree", "--depth", depth],
    outputs=[tree],
    runconfig=runconfig,
)
evaluate = PythonScriptStep(
    name="evaluate",
    source_directory=str(HERE / "evaluate"),
    script_name="evaluate.py",
    arguments=["--data", prepared.as_input("data"), "--models", ridge, tree, "--output", chosen],
    inputs=[ridge, tree],
    outputs=[chosen],
    runconfig=runconfig,
)
register = PythonScriptStep(
    name="register",
    source_directory=str(HERE / "register"),
    script_name="register.py",
    arguments=["--chosen", chosen, "--name", "diabetes"],
    inputs=[chosen],
    runconfig=runconfig,
)

pipeline = Pipeline(workspace=ws, steps=[register])
run = Experiment(ws, "diabetes").submit(pipeline, pipeline_parameters={"tree_depth": options.depth})
run.wait_for_completion(show_output=True)
