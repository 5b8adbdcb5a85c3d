"""Prints, as JSON, what scriptstep recorded of a step run: for the comparison with the same script run by hand."""

import json
import sys
from pathlib import Path
from typing import Any

from scriptstep import Dataset, Model, Workspace
from scriptstep.data.materialize import found_files


def files_of(dataset: Any) -> list[Any]:
    """How a dataset is read, and its files."""
    files = [file for _, file in found_files(dataset._definition, dataset._resolve)]
    return [dataset._definition["format"], files]


def main() -> None:
    """Reads what the arguments name: the run, its parent, and the step's variables."""
    run_id, parent_id, variables = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    named = {"name": "WORKSPACE_NAME", "subscription_id": "SUBSCRIPTION", "resource_group": "RESOURCEGROUP"}
    workspace = Workspace.get(**{key: variables[f"AZUREML_ARM_{name}"] for key, name in named.items()})
    tables = {}
    for entry in filter(None, variables.get("AZUREML_DATASET_ENVIRONMENT_VARS", "").split(",")):
        name, _, mode = entry.rpartition(":")
        if mode == "direct":
            tables[name] = files_of(Dataset.get_by_id(workspace, variables[name]))
    own: dict[str, str] = {}
    others: dict[str, str] = {}
    for model in Model.list(workspace):
        found = own if model.run_id == run_id else others
        if model.run_id in (run_id, parent_id, None):
            found.setdefault(model.name, str(Path(model.get_model_path(model.name, model.version, workspace))))
    told = {
        "tables": tables,
        "registered": {name: files_of(dataset) for name, dataset in Dataset.get_all(workspace).items()},
        "metrics": workspace.get_run(run_id).get_metrics(),
        "parent_metrics": workspace.get_run(parent_id).get_metrics() if parent_id else {},
        "models": own,
        "other_models": others,
    }
    print(json.dumps(told, default=str))


main()
