"""Worlds drawn at random: pipelines of one to six steps, with all that steps can be given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from tests.reuse_model.world import Input, Node, Output, Step, Tree, World

__all__ = [
    "PROTECTED",
    "TEXTS",
    "Draw",
    "chance",
    "new_argument",
    "new_input",
    "new_node",
    "new_output",
    "new_script",
    "new_source",
    "new_step",
    "new_world",
    "one_of",
    "text",
]

Draw = Callable[[st.SearchStrategy[Any]], Any]
T = TypeVar("T")

# Bytes that are no UTF-8 stand as surrogates.
TEXTS = (
    "",
    "x",
    "two words",
    "y",
    "-x",
    "--flag",
    "a=b",
    "a,b",
    "it's",
    'say "hi"',
    "\u00fc",
    "\u65e5\u672c",
    "input:i0",
)
TEXTS += ("0", "*", "line\nline", "caf\udce9", "~", "\\", "#")
# What steps rely on: edits leave it where it is.
PROTECTED = frozenset({"main.py", "other/script.py", "lib/b.py", ".gitignore", ".amlignore"})
_FILES = ("a.py", "lib/c.txt", "lib/deep/d.py", "caf\udce9", "\u65e5.txt", "x.tmp", "skip/this", "skip.py", "A.py")
_DATA_FILES = ("a.csv", "b.csv", "c.txt", "below/a.csv", "\u00e9.csv", "i0")
_BEHAVIOURS = ("tells",) * 5 + ("tree", "tree", "coarse", "coarse", "constant", "moody", "nothing")
_SHAPES: tuple[dict[str, Any], ...] = (
    {"communicator": "Mpi"},
    {"communicator": "Gloo"},
    {"framework": "PyTorch", "nodes": 2},
    {"framework": "PyTorch", "per_node": 2},
    {"framework": "Python", "per_node": 2},
    {"framework": "TensorFlow", "communicator": "ParameterServer"},
    {"framework": "TensorFlow", "communicator": "ParameterServer", "workers": 2, "servers": 0},
)


def one_of(draw: Draw, values: Sequence[T]) -> T:
    """Returns: one of some values; the first is the simplest."""
    chosen: T = values[draw(st.integers(0, len(values) - 1))] if len(values) > 1 else values[0]
    return chosen


def chance(draw: Draw, percent: int) -> bool:
    """Returns: yes, in so many cases of a hundred."""
    return bool(draw(st.integers(0, 99)) >= 100 - percent)


def text(draw: Draw) -> str:
    """Returns: a text such as arguments, parameters and variables hold."""
    return one_of(draw, TEXTS)


def new_node(draw: Draw, links: bool) -> Node:
    """Returns: a file, or a link to what may be there."""
    if links and chance(draw, 20):
        return Node("link", one_of(draw, (b"main.py", b"a.py", b"gone", b"caf\xe9", b"lib")))
    data = one_of(draw, (b"1", b"2", b"", b"1\n", bytes(range(256))))
    return Node(one_of(draw, ("file", "file", "file", "executable")), data)


def new_script(draw: Draw, prefix: bytes) -> Node:
    """Returns: a script that behaves in some way."""
    reads = " reads" if chance(draw, 15) else ""
    line = f"# behaviour: {one_of(draw, _BEHAVIOURS)}{reads} {draw(st.integers(0, 9))}\n"
    return Node("file", prefix + line.encode())


def new_source(draw: Draw, prefix: bytes) -> Tree:
    """Returns: a source directory; scripts begin with `prefix`."""
    tree = {"main.py": new_script(draw, prefix), "lib/b.py": Node("file", b"b")}
    if chance(draw, 30):
        tree["other/script.py"] = new_script(draw, prefix)
    for _ in range(draw(st.integers(0, 2))):
        tree[one_of(draw, _FILES)] = new_node(draw, links=True)
    if chance(draw, 30):
        tree[one_of(draw, (".gitignore", ".amlignore"))] = Node("file", b"*.tmp\nskip\n")
    return tree


def _new_data(draw: Draw, links: bool) -> Tree:
    tree = {one_of(draw, _DATA_FILES): Node("file", b"data")}
    for _ in range(draw(st.integers(0, 2))):
        name = one_of(draw, _DATA_FILES)
        node = new_node(draw, links=False)
        tree[name] = Node("link", b"a.csv") if links and chance(draw, 40) else node
    if links and chance(draw, 30):
        tree["empty"] = Node("directory")
    return tree


def new_input(draw: Draw, world: World, step: Step, name: str) -> Input:
    """Returns: an input of a step, from a step above or of the user's."""
    above = world.steps[: next((n for n, s in enumerate(world.steps) if s.id == step.id), len(world.steps))]
    written = [(s.id, o.name) for s in above for o in s.outputs]
    data = list(world.data)
    if written and (not data or chance(draw, 65)):
        origin: tuple[str, ...] = ("step", *one_of(draw, written))
    else:
        chosen = one_of(draw, data)
        as_dataset = not chosen.startswith("links") and chance(draw, 60)
        pattern = "*.csv" if chance(draw, 35) and "" not in world.data[chosen] else ""
        origin = ("dataset", chosen, pattern) if as_dataset else ("reference", chosen)
    path = one_of(draw, (None, None, None, f"in/{name}", f"/abs/{name}"))
    return Input(name, origin, one_of(draw, ("mount", "download")), path)


def new_output(draw: Draw, step: Step, number: int) -> Output:
    """Returns: an output of a step."""
    name = f"o{step.id}_{number}"
    kind = one_of(draw, ("data", "folder", "dataset", "named"))
    is_kept = kind == "dataset" and chance(draw, 30)
    return Output(
        name,
        kind,
        destination=f"kept/{name}" if is_kept else None,
        registered=f"set_{name}" if kind == "dataset" and chance(draw, 25) else None,
    )


def new_argument(draw: Draw, world: World, step: Step) -> list[tuple[str, str]]:
    """Returns: an argument, in parts."""
    # A line of shell takes no parameters.
    kinds = ["text", "text", "number", "parameter"] if step.command != "line" else ["text"]
    kinds += ["input"] * bool(step.inputs) + ["output"] * bool(step.outputs)
    kind = one_of(draw, kinds)
    if kind == "text":
        return [("text", text(draw))]
    if kind == "number":
        return [("number", one_of(draw, ("0.5", "1.0", "-2.0")))]
    if kind == "parameter":
        return [("parameter", one_of(draw, list(world.parameters)))]
    ports = step.inputs if kind == "input" else step.outputs
    port = (kind, one_of(draw, [p.name for p in ports]))
    return [("text", "--in="), port] if chance(draw, 30) else [port]


def new_step(draw: Draw, world: World, prefix: bytes) -> Step:
    """Returns: a step that comes last in a world; it may bring a source directory of its own."""
    id = chr(ord("a") + len(world.steps))
    while any(s.id == id for s in world.steps):
        id += "x"
    if not world.sources or chance(draw, 60):
        source = f"src{len(world.sources)}"
        world.sources[source] = new_source(draw, prefix)
    else:
        source = one_of(draw, list(world.sources))
    step = Step(id, f"step {id}", source)
    if "other/script.py" in world.sources[source] and chance(draw, 50):
        step.script = "other/script.py"
    step.command = one_of(draw, (None, None, None, "line", "words"))
    for number in range(draw(st.integers(0, 2))):
        step.inputs.append(new_input(draw, world, step, f"i{number}"))
    for number in range(draw(st.integers(0, 2))):
        step.outputs.append(new_output(draw, step, number))
    for _ in range(draw(st.integers(0, 3))):
        step.arguments.append(new_argument(draw, world, step))
    if chance(draw, 30):
        step.params["depth"] = ("text", text(draw))
    if chance(draw, 20):
        step.params["rate"] = ("parameter", one_of(draw, list(world.parameters)))
    if chance(draw, 25):
        step.variables[one_of(draw, ("MODEL_V0", "MODEL_H0", "TZ"))] = text(draw)
    if world.steps and chance(draw, 25):
        step.after.append(one_of(draw, [s.id for s in world.steps]))
    if step.command is None and chance(draw, 15):
        step.hash_paths, step.variables["MODEL_LOOKS_AT"] = ["lib"], "lib"
    if not prefix and chance(draw, 15):  # real ranks would all write
        for field, value in one_of(draw, _SHAPES).items():
            setattr(step, field, value)
    step.allow_reuse = not chance(draw, 8)
    return step


def new_world(draw: Draw, prefix: bytes) -> World:
    """Returns: a world."""
    world = World(
        data={"i0": _new_data(draw, links=False), "links": _new_data(draw, links=True)},
        parameters={"p0": one_of(draw, (1, 2)), "p1": text(draw), "p2": 0.5},
        notes=["first"],
    )
    if chance(draw, 50):
        world.data["one.csv"] = {"": Node("file", b"one")}
    for _ in range(draw(st.integers(1, 6))):
        world.steps.append(new_step(draw, world, prefix))
    return world
