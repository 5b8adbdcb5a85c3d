"""Score every model on test.csv, and hand on the best one with all scores."""

import argparse
import json
import shutil
from pathlib import Path

import joblib
import pandas as pd
from azureml.core import Run
from sklearn.metrics import r2_score, root_mean_squared_error

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--models", type=Path, nargs="+", required=True)
parser.add_argument("--output", type=Path, required=True)
args = parser.parse_args()

run = Run.get_context()
test = pd.read_csv(args.data / "test.csv")
features, target = test.drop(columns="target"), test["target"]

scores = {}
for folder in args.models:
    predicted = joblib.load(folder / "model.pkl").predict(features)
    scores[folder.name] = {"rmse": root_mean_squared_error(target, predicted), "r2": r2_score(target, predicted)}
    run.log_row("scores", model=folder.name, **scores[folder.name])
    print(f"{folder.name}: R2 {scores[folder.name]['r2']:.3f}, off by {scores[folder.name]['rmse']:.1f}")

best = min(args.models, key=lambda folder: scores[folder.name]["rmse"])
shutil.copy(best / "model.pkl", args.output / "model.pkl")
(args.output / "scores.json").write_text(json.dumps({"best": best.name, "scores": scores}, indent=2))

run.log("best_r2", scores[best.name]["r2"])
run.parent.log("best_r2", scores[best.name]["r2"])
run.parent.tag("best", best.name)
print(f"best: {best.name}")
