"""What people do to a pipeline between two runs, one thing at a time. Those of `HARMLESS` can change no result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.reuse_model.world import Node, Step, Tree, World, content_of
from tests.reuse_model.worlds import (
    PROTECTED,
    Draw,
    chance,
    new_argument,
    new_input,
    new_node,
    new_output,
    new_script,
    new_step,
    one_of,
    text,
)

__all__ = ["EDITS", "HARMLESS", "Edit"]

# Changes a world; `prefix` is what scripts begin with.
Edit = Callable[[World, Draw, bytes], None]
EDITS: dict[str, Edit] = {}
HARMLESS: dict[str, Edit] = {}


def _edit(function: Edit) -> Edit:
    EDITS[function.__name__] = function
    return function


def _harmless(function: Edit) -> Edit:
    HARMLESS[function.__name__] = function
    return function


def _step(world: World, draw: Draw, which: Callable[[Step], object] = lambda step: True) -> Step | None:
    found = [step for step in world.steps if which(step)]
    return one_of(draw, found) if found else None


def _used_source(world: World, draw: Draw) -> Tree:
    return world.sources[one_of(draw, [step.source for step in world.steps])]


def _free(tree: Tree, kinds: tuple[str, ...]) -> list[str]:
    return sorted(path for path, node in tree.items() if path not in PROTECTED and node.kind in kinds)


def _fits(tree: Tree, path: str) -> bool:
    """Returns: whether a new path is no folder of another, nor below a file."""
    return not any(p == path or p.startswith(path + "/") or path.startswith(p + "/") for p in tree)


# --- files


@_edit
def script_changed(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    tree[one_of(draw, sorted(tree.keys() & {"main.py", "other/script.py"}))] = new_script(draw, prefix)


@_edit
def file_added(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    path = one_of(draw, ("new.py", "lib/new.py", "new/new.txt", "\u00fc", "n\udcff", "new.tmp"))
    if _fits(tree, path):
        tree[path] = new_node(draw, links=True)


@_edit
def file_changed(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    free = [*_free(tree, ("file", "executable")), "lib/b.py"]
    path = one_of(draw, free)
    tree[path] = Node(tree[path].kind, tree[path].data + one_of(draw, (b"+", b"\n", b"\0")))


@_edit
def file_renamed(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    if free := _free(tree, ("file", "executable", "link")):
        path = one_of(draw, free)
        new = path + one_of(draw, ("2", ".py", "\udce9"))
        if _fits(tree, new):
            tree[new] = tree.pop(path)


@_edit
def file_mode_changed(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    path = one_of(draw, ["lib/b.py", *_free(tree, ("file", "executable"))])
    tree[path] = Node("file" if tree[path].kind == "executable" else "executable", tree[path].data)


@_edit
def file_deleted(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    if free := _free(tree, ("file", "executable", "link")):
        del tree[one_of(draw, free)]


@_edit
def link_turned(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    free = _free(tree, ("link",))
    path = one_of(draw, free) if free else "a link"
    targets = (b"main.py", b"lib/b.py", b"gone", b"gone too")
    tree[path] = Node("link", one_of(draw, [t for t in targets if path not in tree or t != tree[path].data]))


@_edit
def ignore_file_changed(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    name = one_of(draw, (".gitignore", ".amlignore"))
    if name in tree and chance(draw, 30):
        del tree[name]
    else:
        tree[name] = Node("file", one_of(draw, (b"", b"*.tmp\n", b"skip\n*.tmp\n", b"*.txt\n")))


# --- data


@_edit
def data_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if world.data:
        tree = world.data[one_of(draw, sorted(world.data))]
        path = one_of(draw, sorted(tree))
        if tree[path].kind in ("file", "executable"):
            tree[path] = Node(tree[path].kind, tree[path].data + b"+")


@_edit
def data_mode_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if world.data:
        tree = world.data[one_of(draw, sorted(world.data))]
        path = one_of(draw, sorted(tree))
        if tree[path].kind in ("file", "executable"):
            tree[path] = Node("file" if tree[path].kind == "executable" else "executable", tree[path].data)


@_edit
def data_file_added(world: World, draw: Draw, prefix: bytes) -> None:
    names = [name for name, tree in world.data.items() if "" not in tree]
    if names:
        tree, path = world.data[one_of(draw, names)], one_of(draw, ("n.csv", "below/n.csv", "n.txt"))
        if _fits(tree, path):
            tree[path] = Node("file", one_of(draw, (b"", b"new")))


@_edit
def data_file_renamed(world: World, draw: Draw, prefix: bytes) -> None:
    names = [name for name, tree in world.data.items() if "" not in tree]
    if names:
        tree = world.data[one_of(draw, names)]
        path = one_of(draw, sorted(tree))
        if _fits(tree, path + ".csv"):
            tree[path + ".csv"] = tree.pop(path)


@_edit
def data_file_deleted(world: World, draw: Draw, prefix: bytes) -> None:
    names = [name for name, tree in world.data.items() if len(tree) > 1]
    if names:
        tree = world.data[one_of(draw, names)]
        del tree[one_of(draw, sorted(tree))]


@_edit
def data_link_turned(world: World, draw: Draw, prefix: bytes) -> None:
    if "links" in world.data:
        tree = world.data["links"]
        before = tree.get("to", Node("link")).data
        tree["to"] = Node("link", one_of(draw, [t for t in (b"a.csv", b"b.csv", b"gone") if t != before]))


@_edit
def data_deleted_or_back(world: World, draw: Draw, prefix: bytes) -> None:
    name = one_of(draw, ("i0", "links"))
    if name in world.data:
        del world.data[name]
    else:
        world.data[name] = {"a.csv": Node("file", b"back")}


@_edit
def data_folded(world: World, draw: Draw, prefix: bytes) -> None:
    """A folder that holds one file of its own name becomes that file, and the other way round."""
    tree = world.data.get("i0", {})
    has_pattern = any(i.origin[0] == "dataset" and i.origin[2] for step in world.steps for i in step.inputs)
    if "" in tree:
        world.data["i0"] = {"i0": tree[""]}
    elif tree and not has_pattern:
        world.data["i0"] = {"": tree["i0"]} if set(tree) == {"i0"} else {"i0": Node("file", b"one")}


@_edit
def data_renamed(world: World, draw: Draw, prefix: bytes) -> None:
    names = [name for name in world.data if name not in ("i0", "links")]
    if names:
        old = one_of(draw, names)
        new = "two.txt" if old == "one.csv" else "one.csv"
        world.data[new] = world.data.pop(old)
        for step in world.steps:
            for port in step.inputs:
                if port.origin[:2] in (("dataset", old), ("reference", old)):
                    port.origin = (port.origin[0], new, *port.origin[2:])


# --- steps


@_edit
def argument_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        how = draw(st.integers(0, 3))
        if not step.arguments or how == 0:
            step.arguments.append(new_argument(draw, world, step))
        elif how == 1:
            step.arguments.pop(draw(st.integers(0, len(step.arguments) - 1)))
        elif how == 2:
            step.arguments.reverse()
        else:
            step.arguments[draw(st.integers(0, len(step.arguments) - 1))] = new_argument(draw, world, step)


@_edit
def param_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        if "depth" in step.params and chance(draw, 30):
            del step.params["depth"]
        elif chance(draw, 30):
            step.params["depth"] = ("parameter", one_of(draw, sorted(world.parameters)))
        else:
            step.params["depth"] = ("text", text(draw))


@_edit
def parameter_changed(world: World, draw: Draw, prefix: bytes) -> None:
    values: dict[str, tuple[object, ...]] = {"p0": (1, 2, 3), "p1": ("x", "", "\u00fc", "1"), "p2": (0.5, 1.5)}
    name = one_of(draw, sorted(values))
    world.parameters[name] = one_of(draw, [v for v in values[name] if v != world.parameters[name]])


@_edit
def variable_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        name = one_of(draw, ("MODEL_V0", "MODEL_V1", "MODEL_H0", "TZ"))
        if name in step.variables and chance(draw, 30):
            del step.variables[name]
        else:
            step.variables[name] = text(draw)


@_edit
def inherited_changed(world: World, draw: Draw, prefix: bytes) -> None:
    name = one_of(draw, ("MODEL_H0", "MODEL_H1"))
    if name in world.inherited and chance(draw, 30):
        del world.inherited[name]
    else:
        world.inherited[name] = text(draw)


@_edit
def version_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        step.version = one_of(draw, [v for v in ("1", "2", "3", None) if v != step.version])


@_edit
def image_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        step.image = one_of(draw, [i for i in ("image:1", "image:2", None) if i != step.image])


@_edit
def framework_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        step.framework = one_of(draw, [f for f in ("PyTorch", "Python", "TensorFlow") if f != step.framework])


@_edit
def communicator_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        names = ("Gloo", "Mpi", "ParameterServer", None)
        step.communicator = one_of(draw, [name for name in names if name != step.communicator])


@_edit
def nodes_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        step.nodes = 3 - step.nodes


@_edit
def processes_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        name = one_of(draw, ("per_node", "workers"))
        setattr(step, name, 3 - getattr(step, name))
        if chance(draw, 30):
            step.servers = 1 - step.servers


@_edit
def input_mode_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.inputs):
        port = one_of(draw, step.inputs)
        port.mode = "download" if port.mode == "mount" else "mount"


@_edit
def input_path_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.inputs):
        port = one_of(draw, step.inputs)
        paths = (f"in/{port.name}", f"/abs/{port.name}", f"in/other/{port.name}", None)
        port.path = one_of(draw, [p for p in paths if p != port.path])


@_edit
def input_rewired(world: World, draw: Draw, prefix: bytes) -> None:
    step = _step(world, draw, lambda s: s.inputs)
    if step and world.data:
        number = draw(st.integers(0, len(step.inputs) - 1))
        step.inputs[number] = new_input(draw, world, step, step.inputs[number].name)


@_edit
def ports_reversed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        step.inputs.reverse()
        step.outputs.reverse()


@_edit
def input_added_or_removed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        used = {value for argument in step.arguments for kind, value in argument if kind == "input"}
        spare = [port for port in step.inputs if port.name not in used]
        if spare and chance(draw, 50):
            step.inputs.remove(one_of(draw, spare))
        elif world.data:
            name = next(f"i{n}" for n in range(9) if all(port.name != f"i{n}" for port in step.inputs))
            step.inputs.append(new_input(draw, world, step, name))


@_edit
def output_renamed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.outputs):
        output = one_of(draw, step.outputs)
        old, output.name = output.name, output.name.partition("r")[0] + f"r{draw(st.integers(0, 99))}"
        if sum(o.name == output.name for s in world.steps for o in s.outputs) > 1:
            output.name = old
            return
        step.arguments = [[(k, output.name if (k, v) == ("output", old) else v) for k, v in a] for a in step.arguments]
        for other in world.steps:
            for port in other.inputs:
                if port.origin == ("step", step.id, old):
                    port.origin = ("step", step.id, output.name)


@_edit
def output_kind_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.outputs):
        output = one_of(draw, step.outputs)
        output.kind = one_of(draw, [k for k in ("dataset", "named", "folder", "data") if k != output.kind])
        output.destination = output.registered = None


@_edit
def output_kept_elsewhere(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: any(o.kind == "dataset" for o in s.outputs)):
        output = one_of(draw, [o for o in step.outputs if o.kind == "dataset"])
        output.destination = None if output.destination else f"kept/{output.name}"


@_edit
def output_added(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: len(s.outputs) < 4):
        new = new_output(draw, step, len(step.outputs) + 10)
        if all(new.name != o.name for o in step.outputs):
            step.outputs.append(new)


@_edit
def order_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.after or s is not world.steps[0]):
        above = [s.id for s in world.steps[: world.steps.index(step)]]
        if step.after and chance(draw, 40):
            step.after.pop()
        elif spare := [id for id in above if id not in step.after]:
            step.after.append(one_of(draw, spare))


@_edit
def reuse_allowed_or_not(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        step.allow_reuse = not step.allow_reuse


@_edit
def hash_paths_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.command is None):
        if step.hash_paths and chance(draw, 50):
            step.hash_paths = None
            del step.variables["MODEL_LOOKS_AT"]
        else:
            step.hash_paths = one_of(draw, (["lib"], ["lib/b.py"]))
            step.variables["MODEL_LOOKS_AT"] = step.hash_paths[0]


@_edit
def command_changed(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw, lambda s: s.hash_paths is None):
        takes_parameters = any(kind == "parameter" for argument in step.arguments for kind, _ in argument)
        commands = (None, "words") if takes_parameters else (None, "line", "words")
        step.command = one_of(draw, [c for c in commands if c != step.command])


@_edit
def other_script(world: World, draw: Draw, prefix: bytes) -> None:
    if step := _step(world, draw):
        world.sources[step.source].setdefault("other/script.py", new_script(draw, prefix))
        step.script = "main.py" if step.script != "main.py" else "other/script.py"


@_edit
def step_added(world: World, draw: Draw, prefix: bytes) -> None:
    if len(world.steps) < 6 and world.data:
        world.steps.append(new_step(draw, world, prefix))


@_edit
def step_removed(world: World, draw: Draw, prefix: bytes) -> None:
    needed = {i.origin[1] for s in world.steps for i in s.inputs if i.origin[0] == "step"}
    needed |= {id for s in world.steps for id in s.after}
    spare = [s for s in world.steps if s.id not in needed]
    if len(world.steps) > 1:
        world.steps.remove(one_of(draw, spare))


# --- the machine, and others


def _machine_edit(name: str, values: tuple[Any, ...]) -> None:
    def edit(world: World, draw: Draw, prefix: bytes) -> None:
        setattr(world.machine, name, one_of(draw, [v for v in values if v != getattr(world.machine, name)]))

    EDITS[f"{name}_changed"] = edit


_machine_edit("python", ("cpython 3.11", "cpython 3.12"))
_machine_edit("system", ("linux x86_64", "darwin arm64"))
_machine_edit("packages", ("1.0", "1.1", "2.0"))
_machine_edit("runtime", (2, 3))
_machine_edit("scheme", (1, 2))


@_edit
def notes_registered(world: World, draw: Draw, prefix: bytes) -> None:
    world.notes.append(one_of(draw, ("second", "third", "first")))


# --- what can change no result


@_harmless
def step_renamed(world: World, draw: Draw, prefix: bytes) -> None:
    step = one_of(draw, world.steps)
    stem, _, number = step.name.partition("~")
    step.name = f"{stem}~{int(number or 0) + 1}"


@_harmless
def compute_changed(world: World, draw: Draw, prefix: bytes) -> None:
    step = one_of(draw, world.steps)
    step.compute = one_of(draw, [c for c in ("cpu-cluster", "gpu-cluster", None) if c != step.compute])


@_harmless
def timeout_changed(world: World, draw: Draw, prefix: bytes) -> None:
    step = one_of(draw, world.steps)
    step.timeout = one_of(draw, [t for t in (600.0, 1200.0, None) if t != step.timeout])


@_harmless
def ignored_file_changed(world: World, draw: Draw, prefix: bytes) -> None:
    tree = _used_source(world, draw)
    with_junk = {**tree, "junk.tmp": Node("file", one_of(draw, (b"1", b"2", b"3")))}
    if "junk.tmp" not in content_of(with_junk):
        tree["junk.tmp"] = with_junk["junk.tmp"]


@_harmless
def output_registered(world: World, draw: Draw, prefix: bytes) -> None:
    outputs = [o for s in world.steps for o in s.outputs if o.kind == "dataset"]
    if outputs:
        output = one_of(draw, outputs)
        output.registered = None if output.registered else f"set_{output.name}"
