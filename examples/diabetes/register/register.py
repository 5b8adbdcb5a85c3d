"""Register the chosen model and write a report about it."""

import argparse
import json
from pathlib import Path

from azureml.core import Model, Run

parser = argparse.ArgumentParser()
parser.add_argument("--chosen", type=Path, required=True)
parser.add_argument("--name", required=True)
args = parser.parse_args()

run = Run.get_context()
found = json.loads((args.chosen / "scores.json").read_text())
best = found["best"]

model = Model.register(
    workspace=run.experiment.workspace,
    model_path=str(args.chosen / "model.pkl"),
    model_name=args.name,
    tags={"kind": best, "r2": f"{found['scores'][best]['r2']:.3f}"},
    description="Progression of diabetes after one year",
)

rows = "\n".join(f"| {name} | {score['r2']:.3f} | {score['rmse']:.1f} |" for name, score in found["scores"].items())
Path("outputs/report.md").write_text(
    f"# {args.name}\n\nThe {best} model is the better one.\n\n| model | R2 | off by |\n|---|---|---|\n{rows}\n"
)
run.log("models", len(found["scores"]))
print(f"registered: {model.name} {model.version}, a {best} model")
