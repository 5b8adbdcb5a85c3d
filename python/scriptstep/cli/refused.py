"""What of the classes that are here refuses to be used: names that say by themselves what they belong to.

A test holds the texts against what the methods themselves say when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KEYWORDS", "METHODS", "OF_CLASSES"]

_NO_IMAGE = "environments have no image here: steps run with the packages that are installed"
_NO_SERVICE = "there are no web services here: load the model with Model.get_model_path, and serve it yourself"
_NO_KEYS = "a workspace has no keys here: its datastores are local folders"
_NO_QUOTA = "there are no quotas here: steps run on this machine"
_NO_IDENTITY = "compute targets have no identity here: steps run as you"
_NO_NETWORK = "a workspace has no network to be diagnosed here"
_DESCRIBE = "use to_pandas_dataframe().describe()"
_MOUNT = "use as_mount(): what is read is kept by the system"

METHODS: Mapping[str, str] = {
    "add_identity": _NO_IDENTITY,
    "add_private_endpoint": _NO_NETWORK,
    "add_private_pip_wheel": "nothing is installed from an environment here",
    "add_type_provider": "make the object from the run: MyRun(run.experiment, run.id)",
    "as_cache": _MOUNT,
    "delete_private_endpoint_connection": _NO_NETWORK,
    "diagnose_workspace": _NO_NETWORK,
    "get_image_details": _NO_IMAGE,
    "get_profile_runs": _DESCRIBE,
    "get_sas_urls": "models have no addresses here: Model.download copies one, Model.get_model_path gives a path",
    "list_by_compute": "list the runs of an experiment: Experiment.get_runs()",
    "list_quotas": _NO_QUOTA,
    "list_usages": _NO_QUOTA,
    "print_configuration": "there are no web services here, and so nothing to print",
    "remove_identity": _NO_IDENTITY,
    "sdk_origin_url": "pip's own configuration says where packages come from (pip config list)",
    "submit_profile_run": _DESCRIBE,
    "sync_keys": _NO_KEYS,
    "take_snapshot": "use upload_folder(name, path)",
    "to_csv_files": "use to_pandas_dataframe().to_csv(...)",
    "to_dask_dataframe": "use to_pandas_dataframe()",
    "to_parquet_files": "use to_pandas_dataframe().to_parquet(...)",
    "update_dependencies": _NO_KEYS,
    "update_quotas": _NO_QUOTA,
}

# Names that others use too: only where the class stands before them.
OF_CLASSES: Mapping[tuple[str, str], str] = {
    ("DataType", "to_stream"): "read the column as text and open the files",
    ("Experiment", "from_directory"): "Experiment(Workspace.from_config(), name)",
    ("Model", "deploy"): _NO_SERVICE,
    ("Model", "package"): _NO_SERVICE,
    ("Model", "profile"): _NO_SERVICE,
}

KEYWORDS: Mapping[str, str] = {
    "enable_email_notification": "wait_for_completion, then send it",
    "training_output": "it is for AutoML steps: write the model as a PipelineData of the step",
}
