"""From steps to a graph, whatever their number: nothing here calls itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.pipeline_output_dataset import PipelineOutputAbstractDataset
from scriptstep.authoring.ports import producer_of
from scriptstep.authoring.step_sequence import StepSequence
from scriptstep.authoring.steps import PipelineStep
from scriptstep.data.outputs import OutputDatasetConfig
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import Graph
from scriptstep.records import replace

__all__ = ["build_graph"]

_END = object()
_After = dict[PipelineStep, dict[PipelineStep, None]]


def build_graph(
    name: str, steps: Any, default_datastore: Any, context: Any, resolve_closure: bool = True
) -> tuple[Graph, list[PipelineStep]]:
    """Makes the graph of steps and of all that they need.

    Args:
        name: Name of the graph.
        steps: A step, what one writes, a list or a `StepSequence`, nested as you like.
        default_datastore: Where outputs are kept that name no datastore.
        context: What the nodes are made in.
        resolve_closure: Whether steps that are needed and not named are taken in, else they are an error.

    Returns:
        The graph, and its steps.

    Raises:
        ArgumentError: Something cannot be; the message names the step.
    """
    named, after = _named_steps(steps)
    writers: dict[object, PipelineStep] = {}
    members = dict.fromkeys(named)
    for step in named:
        _note_writer(step, writers)
    waiting = list(named)
    for step in waiting:  # It grows while it is walked.
        for other in _needed(step, after, writers):
            if other in members:
                continue
            if not resolve_closure:
                raise step._site.error(
                    f"it needs step '{other.name}', which is not in the pipeline",
                    "name it, or leave out resolve_closure=False",
                )
            members[other] = None
            _note_writer(other, writers)
            waiting.append(other)
    graph = Graph(name, context)
    graph._writers.update(writers)
    for step in waiting:
        node = step.create_node(graph, default_datastore, context)
        if step in after:
            before = dict.fromkeys([*node.spec.run_after, *(graph._id_of(other, other.name) for other in after[step])])
            node._change(replace(node.spec, run_after=tuple(before)))
    return graph, waiting


def _needed(step: PipelineStep, after: _After, writers: dict[object, PipelineStep]) -> Iterator[PipelineStep]:
    """Yields: the steps that a step reads from or waits for."""
    for key in step._needs:
        writer = writers.get(key) or producer_of(key)
        if writer is None:
            port = next(p for p in step._wiring.inputs if p.key is key)
            raise step._site.error(
                f"input '{port.name}' comes from no step: nothing writes it",
                "put it into outputs of the step that writes it",
            )
        yield writer
    yield from step.run_after_steps
    yield from after.get(step, ())


def _note_writer(step: PipelineStep, writers: dict[object, PipelineStep]) -> None:
    for key, port in step._writes.items():
        other = writers.setdefault(key, step)
        if other is not step:
            raise step._site.error(
                f"output '{port}' is written by two steps of the pipeline, '{other.name}' and '{step.name}'\n"
                f"  --> {other._site.where}",
                "give each step a PipelineData or OutputFileDatasetConfig of its own",
            )


class _Group:
    """A list or sequence that is being walked.

    Attributes:
        rest: What of it is still to come.
        in_order: Whether each of its elements waits for the one before.
        first: The steps that nothing of it comes before.
        last: The steps that nothing of it comes after.
    """

    __slots__ = ("first", "in_order", "last", "of", "rest")

    def __init__(self, of: Any) -> None:
        self.of = of
        self.rest = iter(of)
        self.in_order = isinstance(of, StepSequence)
        self.first: list[PipelineStep] = []
        self.last: list[PipelineStep] = []

    def take(self, first: list[PipelineStep], last: list[PipelineStep], after: _After) -> None:
        """Adds an element by its first and last steps."""
        if not first:
            return
        if not self.in_order:
            self.first += first
            self.last += last
            return
        for step in first:
            for before in self.last:
                if before is not step:
                    after.setdefault(step, {})[before] = None
        self.first = self.first or first
        self.last = last


def _named_steps(steps: Any) -> tuple[list[PipelineStep], _After]:
    """Returns: the steps that are named, each once, and what each waits for because of sequences."""
    found: dict[PipelineStep, None] = {}
    after: _After = {}
    top = _Group([steps])
    stack = [top]
    while stack:
        group = stack[-1]
        item = next(group.rest, _END)
        if item is _END:
            stack.pop()
            if stack:
                stack[-1].take(group.first, group.last, after)
            continue
        if isinstance(item, (list, tuple, StepSequence)):
            if any(item is other.of for other in stack):
                raise ArgumentError("steps: a list is in itself")
            stack.append(_Group(item))
            continue
        step = _step(item)
        found[step] = None
        group.take([step], [step], after)
    return list(found), after


def _step(item: Any) -> PipelineStep:
    if isinstance(item, PipelineStep):
        return item
    key: Any = None
    if isinstance(item, PipelineData):
        key = item
    elif isinstance(item, PipelineOutputAbstractDataset):
        key = item._pipeline_data
    elif isinstance(item, OutputDatasetConfig):
        key = item._origin
    if key is None:
        help = "a set has no order: use a list" if isinstance(item, (set, frozenset)) else None
        raise ArgumentTypeError(f"steps must be steps, lists of steps or a StepSequence, not {item!r}", help=help)
    step = producer_of(key)
    if step is None:
        raise ArgumentError(
            f"steps: no step writes '{item.name}'", help="put it into outputs of the step that writes it"
        )
    return step  # type: ignore[no-any-return]
