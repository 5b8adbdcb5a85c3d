"""Fit one model on train.csv and keep it, with the score of its own training data."""

import argparse
from pathlib import Path

import joblib
import pandas as pd
from azureml.core import Run
from models import ridge, tree

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True)
parser.add_argument("--output", type=Path, required=True)
kinds = parser.add_subparsers(dest="kind", required=True)
kinds.add_parser("ridge").add_argument("--alpha", type=float, required=True)
kinds.add_parser("tree").add_argument("--depth", type=int, required=True)
args = parser.parse_args()

run = Run.get_context()
train = pd.read_csv(args.data / "train.csv")
features, target = train.drop(columns="target"), train["target"]

model = ridge(args.alpha) if args.kind == "ridge" else tree(args.depth)
model.fit(features, target)
score = model.score(features, target)

args.output.mkdir(parents=True, exist_ok=True)
joblib.dump(model, args.output / "model.pkl")

run.log("train_r2", score)
run.tag("model", args.kind)
Path("outputs/model.txt").write_text(f"{model}\n")
print(f"{args.kind}: R2 of {score:.3f} on {len(train)} patients that it has seen")
