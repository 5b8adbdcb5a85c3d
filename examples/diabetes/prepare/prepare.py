"""Write the diabetes data that scikit-learn ships as train.csv and test.csv."""

import argparse
from pathlib import Path

from azureml.core import Run
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, required=True)
parser.add_argument("--test-share", type=float, required=True)
parser.add_argument("--seed", type=int, required=True)
args = parser.parse_args()

run = Run.get_context()
patients = load_diabetes(as_frame=True, scaled=False).frame
train, test = train_test_split(patients, test_size=args.test_share, random_state=args.seed)

args.output.mkdir(parents=True, exist_ok=True)
train.to_csv(args.output / "train.csv", index=False)
test.to_csv(args.output / "test.csv", index=False)

run.log("patients", len(patients))
run.log_list("columns", [str(name) for name in patients.columns])
run.log_table("rows", {"part": ["train", "test"], "rows": [len(train), len(test)]})
print(f"{len(patients)} patients: {len(train)} to train with, {len(test)} to test with")
