"""The models that train.py can fit."""

from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor


def ridge(alpha: float) -> Pipeline:
    return make_pipeline(StandardScaler(), Ridge(alpha=alpha))


def tree(depth: int) -> DecisionTreeRegressor:
    return DecisionTreeRegressor(max_depth=depth, random_state=0)
