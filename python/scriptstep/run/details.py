"""All about a run, in the shape that `get_details` has in the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scriptstep.run.run import Run

__all__ = ["details_of"]


def details_of(run: Run) -> dict[str, Any]:
    """Describes a run.

    Args:
        run: The run.

    Returns:
        `runId`, `target`, `status`, `startTimeUtc`, `endTimeUtc`, `properties`, `inputDatasets`,
        `outputDatasets`, `logFiles`; `error` and `exitCode` where there is one; `services` and the like never.
    """
    row, catalog = run._row(), run._catalog
    found: dict[str, Any] = {
        "runId": row.id,
        "target": row.compute or "local",
        "status": run.get_status(),
        "startTimeUtc": row.started,
        "endTimeUtc": row.ended,
        "services": {},
        "properties": catalog.properties(row.id),
        "inputDatasets": [_input(run, given) for given in row.details.get("input_datasets", [])],
        "outputDatasets": [
            _output(run, name, put) for name, put in row.details.get("outputs", {}).items() if put.get("registered")
        ],
        "logFiles": {n: path.as_uri() for n, path in catalog.files(row.id).items() if n.startswith("user_logs/")},
        "submittedBy": row.owner,
    }
    if row.script:
        found["runDefinition"] = {"script": row.script, "target": row.compute or "local"}
    if row.error:
        message = str(row.error.get("message", ""))
        # The SDK nests the error once more; both spellings are read.
        found["error"] = {**row.error, "message": message, "error": {"code": "UserError", "message": message}}
    if row.exit_code is not None:
        found["exitCode"] = row.exit_code
    if row.reused_from:
        found["reusedFrom"] = row.reused_from
    if row.verdict:
        found["verdict"] = row.verdict
    return found


def _input(run: Run, given: dict[str, Any]) -> dict[str, Any]:
    from scriptstep.data.dataset_factory import Dataset

    mechanism = {"direct": "Direct", "mount": "Mount", "download": "Download"}.get(str(given.get("mode")), "Direct")
    return {
        "dataset": Dataset.get_by_id(run._workspace, str(given["id"])),
        "consumptionDetails": {
            "type": "RunInput",
            "inputName": given["name"],
            "mechanism": mechanism,
            "pathOnCompute": given.get("path_on_compute"),
        },
    }


def _output(run: Run, name: str, put: dict[str, Any]) -> dict[str, Any]:
    from scriptstep.data.dataset_factory import Dataset

    registered = put["registered"]
    return {
        "outputType": "RunOutput",
        "outputDetails": {"outputName": name},
        "dataset": Dataset.get_by_name(run._workspace, registered["name"], version=registered["version"]),
    }
