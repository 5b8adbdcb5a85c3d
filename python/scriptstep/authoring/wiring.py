"""The ports of a step and its arguments, joined: which element stands for which port, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scriptstep.authoring.literals import flag_name, has_placeholder, literal_text, split_literal
from scriptstep.authoring.ports import InputDraft, OutputDraft, read_input, read_output, refusal
from scriptstep.authoring.site import Site
from scriptstep.data.consumption import DatasetConsumptionConfig, is_needed
from scriptstep.data.outputs import OutputDatasetConfig
from scriptstep.errors import ArgumentError, ArgumentTypeError, AzureMLException
from scriptstep.graph import Argument, DataLocation, InputRef, OutputRef, ParameterRef, Part, PipelineParameter
from scriptstep.graph.graph import same_default

__all__ = ["Wiring", "listed"]


def listed(value: Any, what: str, site: Site) -> list[Any]:
    """Copies a list that the user gave.

    Args:
        value: A list, a tuple, or None for none.
        what: Name of the parameter.
        site: The step.

    Returns:
        A list of its own.

    Raises:
        ArgumentTypeError: It is something else.
    """
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, str):
        help = "one element for each argument: ['--depth', '3']; shlex.split makes such a list of a command line"
        raise site.error(
            f"{what} is one text, and must be a list: {value!r}",
            help if what == "arguments" else None,
            ArgumentTypeError,
        )
    shown = repr(value)
    raise site.error(
        f"{what} must be a list, not {shown if len(shown) < 80 else type(value).__name__}",
        f"put it in brackets: {what}=[...]" if not isinstance(value, (dict, set)) else None,
        ArgumentTypeError,
    )


class Wiring:
    """What a step reads and writes, and its arguments.

    Args:
        site: The step.
        inputs: What the user gave.
        outputs: What the user gave.
        arguments: What the user gave.
        params: What the user gave; their values may be used in arguments.
        called: What the arguments are called in messages.

    Attributes:
        inputs: Input ports, each with its name.
        outputs: Output ports, each with its name.
        arguments: The arguments, in parts.
        parameters: Parameters of the pipeline that are used, by name.

    Raises:
        ArgumentError: Something cannot be; the message says what, where and what to do.
    """

    __slots__ = ("_by_key", "_by_object", "_called", "_inputs", "_site", "arguments", "inputs", "outputs", "parameters")

    def __init__(
        self,
        site: Site,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        arguments: Sequence[Any],
        params: Mapping[str, Any],
        called: str = "arguments",
    ) -> None:
        self._site = site
        self._called = called
        self._inputs = inputs
        self.inputs: list[InputDraft] = []
        self.outputs: list[OutputDraft] = []
        self.parameters: dict[str, PipelineParameter] = {}
        self._by_object: dict[int, InputDraft | OutputDraft] = {}
        self._by_key: dict[Any, OutputDraft] = {}
        for n, item in enumerate(outputs):
            self._declare_output(item, n)
        for n, item in enumerate(inputs):
            self._declare_input(item, n)
        meant = [self._meant(item, n) for n, item in enumerate(arguments)]
        for value in params.values():
            if isinstance(value, PipelineParameter):
                self.use(value)
        self._name_ports(arguments, meant)
        self._check_names()
        self.arguments = self._parts(arguments, meant, params)

    def use(self, parameter: PipelineParameter) -> None:
        """Takes note of a parameter.

        Args:
            parameter: The parameter.

        Raises:
            ArgumentError: Another one of that name has another default.
        """
        before = self.parameters.setdefault(parameter.name, parameter)
        if before is not parameter and not same_default(before, parameter):
            raise self._site.error(
                f"two parameters are named '{parameter.name}', with the defaults {before.default_value!r} and "
                f"{parameter.default_value!r}",
                "use one PipelineParameter object, or two names",
            )

    # --- what is declared

    def _declare_output(self, item: Any, n: int) -> None:
        try:
            draft = read_output(item)
        except AzureMLException as error:
            raise self._site.locate(error) from None
        if draft is None:
            known = read_input(item) if not isinstance(item, tuple) else None
            help = "what a step writes is a PipelineData or an OutputFileDatasetConfig" if known else refusal(item)
            raise self._site.error(f"outputs[{n}] cannot be written by a step: {item!r}", help, ArgumentTypeError)
        self._add_output(draft)

    def _add_output(self, draft: OutputDraft) -> None:
        if draft.key in self._by_key:
            raise self._site.error(f"output '{draft.name or _shown(draft.object)}' stands in outputs twice")
        self.outputs.append(draft)
        self._by_object[id(draft.object)] = draft
        self._by_key[draft.key] = draft

    def _declare_input(self, item: Any, n: int) -> None:
        draft = self._read(item, f"inputs[{n}]")
        if draft is None:
            raise self._site.error(f"inputs[{n}] cannot be read by a step: {item!r}", refusal(item), ArgumentTypeError)
        self._add_input(draft)

    def _read(self, item: Any, where: str) -> InputDraft | None:
        try:
            return read_input(item)
        except ArgumentError as error:
            error.message = f"{where}: {error.message}"
            raise self._site.locate(error) from None

    def _add_input(self, draft: InputDraft) -> None:
        if draft.written and draft.key in self._by_key:
            raise self._site.error(
                f"'{draft.name or _shown(draft.object)}' stands in inputs and outputs: the step would wait for itself",
                "a step that changes data reads one PipelineData and writes another",
            )
        self.inputs.append(draft)
        self._by_object[id(draft.object)] = draft
        if draft.parameter is not None:
            self.use(draft.parameter)

    # --- what the arguments mean

    def _meant(self, item: Any, n: int) -> Any:
        """Returns: what an argument stands for: a text, a port or a parameter."""
        if type(item) is str:
            if "\0" in item:
                literal_text(item, self._site, f"{self._called}[{n}]")
            return item
        declared = self._by_object.get(id(item))
        if declared is not None:
            return declared
        where = f"{self._called}[{n}]"
        if isinstance(item, PipelineParameter):
            return self._meant_parameter(item, where)
        if isinstance(item, tuple) and not _is_pair(item):
            return literal_text(item, self._site, where)
        draft = self._read(item, where)
        if draft is not None:
            return self._meant_port(item, draft, where)
        if (help := refusal(item)) is not None:
            raise self._site.error(f"{where} cannot be an argument: {item!r}", help, ArgumentTypeError)
        return literal_text(item, self._site, where)

    def _meant_parameter(self, item: PipelineParameter, where: str) -> Any:
        if isinstance(item.spec_value(), (bool, int, float, str)):
            self.use(item)
            return item
        for draft in self.inputs:
            if draft.key == ("parameter", item.name):
                return draft
        pair = isinstance(item.spec_value(), DataLocation)
        raise self._site.error(
            f"{where} is parameter '{item.name}', whose value is data, and does not say how the script gets it",
            "put (parameter, DataPathComputeBinding()) into inputs and arguments"
            if pair
            else "use DatasetConsumptionConfig(name, parameter)",
        )

    def _meant_port(self, item: Any, draft: InputDraft, where: str) -> InputDraft | OutputDraft:
        found = self._same(draft)
        if found is not None:
            return found
        written = self._by_key.get(draft.key) if draft.written else None
        if isinstance(item, OutputDatasetConfig):
            if written is None:
                written = read_output(item)
                assert written is not None
                try:
                    self._add_output(written)
                except AzureMLException as error:
                    raise self._site.locate(error) from None
            return written
        if isinstance(item, DatasetConsumptionConfig):
            self._add_input(draft)
            return draft
        if written is not None and not (draft.mode_given or draft.name_given):
            return written
        if written is not None:
            raise self._site.error(
                f"{where} reads '{_shown(item)}', which the step writes",
                "pass what stands in outputs: arguments=[..., data]",
            )
        lists = "inputs" if not draft.written else "inputs or outputs"
        raise self._site.error(
            f"{where} is '{draft.name or _shown(item)}', which is in neither inputs nor outputs of the step",
            f"put it into {lists} as well",
        )

    def _same(self, draft: InputDraft) -> InputDraft | None:
        """Returns: the declared input that an argument means, though it is another object, taking over its mode."""
        exact = draft.key[0] == "dataset" if isinstance(draft.key, tuple) else False
        for n, port in enumerate(self.inputs):
            if port.key != draft.key or (port.name != draft.name and (exact or draft.name_given)):
                continue
            if n >= len(self._inputs) and (port.name, port.mode, port.path) != (draft.name, draft.mode, draft.path):
                # Declared by standing in the arguments: each way in which it arrives there is a port of its own.
                continue
            if draft.mode_given and port.mode_given and port.mode != draft.mode:
                shown = port.name or _shown(port.object)
                raise self._site.error(
                    f"'{shown}' is to arrive by {port.mode} in inputs and by {draft.mode} in arguments",
                    "say it once, or the same",
                )
            if draft.mode_given and not port.mode_given:
                port.mode, port.mode_given = draft.mode, True
                port.path = draft.path if draft.path is not None else port.path
                port.overwrite = draft.overwrite if draft.overwrite is not None else port.overwrite
            port.tokens = (*port.tokens, *draft.tokens)
            self._by_object[id(draft.object)] = port
            return port
        return None

    # --- what ports are called

    def _name_ports(self, arguments: Sequence[Any], meant: Sequence[Any]) -> None:
        """Names what has no name by its place: the option before it, else its number; the same from run to run."""
        ports: list[InputDraft | OutputDraft] = [*self.inputs, *self.outputs]
        if all(port.name is not None for port in ports):
            return
        taken = {port.name for port in ports if port.name is not None}
        for n, item in enumerate(meant):
            if isinstance(item, (InputDraft, OutputDraft)):
                name = flag_name(arguments[n - 1]) if n else None
                if item.name is None and name is not None:
                    item.name = _free(name, taken)
            elif type(item) is str and has_placeholder(item):
                for port in ports:
                    at = next((item.find(token) for token in port.tokens if token in item), -1)
                    if port.name is None and at > 0 and (name := flag_name(item[:at])) and item[at - 1] == "=":
                        port.name = _free(name, taken)
        for kind, made in (("input", self.inputs), ("output", self.outputs)):
            for n, port in enumerate(made, 1):  # type: ignore[assignment]
                if port.name is None:
                    port.name = _free(f"{kind}_{n}", taken)

    def _check_names(self) -> None:
        written: dict[str, OutputDraft] = {}
        for output in self.outputs:
            name = str(output.name)
            if name in written:
                raise self._site.error(f"two outputs are named '{name}'", "give one of them another name")
            written[name] = output
        read: set[str] = set()
        for port in self.inputs:
            name = str(port.name)
            if name in written:
                name = self._renamed(port, name)
            if name in read:
                raise self._site.error(
                    f"two inputs are named '{name}'", "give one of them another: as_input(name), as_named_input(name)"
                )
            if port.as_dataset and is_needed(name):
                raise self._site.error(
                    f"no input can be named '{name}': the script needs the variable of that name",
                    "use as_named_input(name)",
                )
            read.add(name)

    def _renamed(self, port: InputDraft, name: str) -> str:
        """Returns: another name for an input that is named like an output."""
        if port.as_dataset:
            raise self._site.error(
                f"an input and an output are both named '{name}', and the script finds either under its name",
                "give the input another: as_input(name), as_named_input(name)",
            )
        port.name = f"INPUT_{name}"
        return port.name

    # --- the arguments, in parts

    def _parts(self, arguments: Sequence[Any], meant: Sequence[Any], params: Mapping[str, Any]) -> tuple[Argument, ...]:
        made: list[Argument] = []
        tokens: dict[str, Part | None] | None = None
        for n, item in enumerate(meant):
            if type(item) is str:
                # Text that was made of a value is plain; only what the user wrote as text may hold a placeholder.
                if not isinstance(arguments[n], str) or not has_placeholder(item):
                    made.append((item,))
                    continue
                if tokens is None:
                    tokens = self._tokens()
                where = f"{self._called}[{n}]"
                made.append(split_literal(item, tokens, {**self.parameters, **params}, self._site, where))
            elif isinstance(item, InputDraft):
                made.append((InputRef(str(item.name)),))
            elif isinstance(item, OutputDraft):
                made.append((OutputRef(str(item.name)),))
            else:
                made.append((ParameterRef(item.name),))
        return tuple(made)

    def _tokens(self) -> dict[str, Part | None]:
        tokens: dict[str, Part | None] = {}
        for ports, made in ((self.inputs, InputRef), (self.outputs, OutputRef)):
            for port in ports:
                reference = made(str(port.name))
                for token in port.tokens:
                    tokens[token] = reference if tokens.get(token, reference) == reference else None
        return tokens


def _is_pair(item: tuple[Any, ...]) -> bool:
    from scriptstep.data.paths import DataPathComputeBinding

    return any(isinstance(part, (DataPathComputeBinding, PipelineParameter)) for part in item)


def _free(name: str, taken: set[str]) -> str:
    free, count = f"input_{name}" if is_needed(name) else name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def _shown(item: Any) -> str:
    return str(getattr(item, "name", None) or getattr(item, "data_reference_name", None) or item)
