"""What modules, ports and data sources of a graph are defined to be, under the SDK's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

__all__ = [
    "DataSource",
    "DataSourceDef",
    "DataType",
    "InputPortDef",
    "Module",
    "ModuleDef",
    "OutputPortDef",
    "Param",
    "ParamDef",
]


@dataclass
class ParamDef:
    """What a parameter of a module is.

    Attributes:
        name: Its name.
        default_value: Its value where none is set.
        is_metadata_param: Whether it is about the module, not for it.
        is_optional: Whether it may have no value.
        set_env_var: Whether the script gets it as an environment variable.
        calculate_hash: Whether it counts for reuse.
        env_var_override: Name of that variable.
    """

    name: str
    default_value: Any = None
    is_metadata_param: bool = False
    is_optional: bool = False
    set_env_var: bool = False
    calculate_hash: bool = True
    env_var_override: str | None = None


class Param:
    """A parameter of a node, and its value.

    Args:
        param_def: What it is.

    Attributes:
        param_def: What it is.
        name: Its name.
        value: Its value.
    """

    def __init__(self, param_def: ParamDef) -> None:
        self.param_def = param_def
        self.name = param_def.name
        self.value: Any = param_def.default_value

    def get_value(self) -> Any:
        """Returns: the value."""
        return self.value

    def set_value(self, param_value: Any) -> None:
        """Sets the value that is shown here; what runs is what the step says."""
        self.value = param_value


@dataclass
class InputPortDef:
    """What an input port is.

    Attributes:
        name: Its name.
        data_types: What may be read there.
        default_datastore_mode: How the script gets it.
        default_path_on_compute: Where it lies.
        is_optional: Whether it may be left open.
        default_overwrite: Whether what is there is replaced.
        default_data_reference_name: Name of what is read.
        is_resource: Whether it is put beside the script.
        label: What it is shown as.
        additional_transformations: What is done to it when it is read as a table.
    """

    name: str
    data_types: Sequence[str] | None = None
    default_datastore_mode: str | None = None
    default_path_on_compute: str | None = None
    is_optional: bool = False
    default_overwrite: bool | None = None
    default_data_reference_name: str | None = None
    is_resource: bool = False
    label: str | None = None
    additional_transformations: Any = None


@dataclass
class OutputPortDef:
    """What an output port is.

    Attributes:
        name: Its name.
        default_datastore_name: Where it is kept.
        default_datastore_mode: How it gets there.
        default_path_on_compute: Where the script writes it.
        is_directory: Whether it is a folder.
        data_type: What is written there.
        default_overwrite: Whether what is there is replaced.
        training_output: For AutoML steps only.
        label: What it is shown as.
    """

    name: str
    default_datastore_name: str | None = None
    default_datastore_mode: str | None = None
    default_path_on_compute: str | None = None
    is_directory: bool | None = False
    data_type: str | None = None
    default_overwrite: bool | None = None
    training_output: Any = None
    label: str | None = None


@dataclass
class ModuleDef:
    """What a node runs.

    Attributes:
        name: Its name.
        description: In words.
        input_port_defs: Its inputs.
        output_port_defs: Its outputs.
        param_defs: Its parameters.
        module_execution_type: Where it is run from.
        create_sequencing_ports: Whether `run_after` has ports.
        allow_reuse: Whether an earlier result may stand for it.
        version: The user's own mark of a change.
        module_type: Kept, not read.
        step_type: Class of the step.
        arguments: Of the script.
        runconfig: Kept, not read.
        cloud_settings: Kept, not read.
    """

    name: str
    description: str | None = None
    input_port_defs: list[InputPortDef] = field(default_factory=list)
    output_port_defs: list[OutputPortDef] = field(default_factory=list)
    param_defs: list[ParamDef] = field(default_factory=list)
    module_execution_type: str | None = None
    create_sequencing_ports: bool = True
    allow_reuse: bool = True
    version: str | None = None
    module_type: str | None = None
    step_type: str | None = None
    arguments: Any = None
    runconfig: Any = None
    cloud_settings: Any = None


@dataclass
class Module:
    """What a node runs, by id.

    Attributes:
        module_id: Its id.
        module_def: What it is.
        module_version: Kept, not read.
        default_version: Kept, not read.
    """

    module_id: str
    module_def: ModuleDef | None = None
    module_version: Any = None
    default_version: Any = None


@dataclass
class DataSourceDef:
    """Data that comes from outside the graph.

    Attributes:
        name: Its name.
        description: In words.
        data_type_id: What it is.
        datastore_name: Where it lies.
        path_on_datastore: Its path there.
        sql_table: Kept, not read.
        sql_query: Kept, not read.
        sql_stored_procedure: Kept, not read.
        sql_stored_procedure_params: Kept, not read.
        pipeline_dataset: The dataset, where it is one.
    """

    name: str
    description: str | None = None
    data_type_id: str | None = None
    datastore_name: str | None = None
    path_on_datastore: str | None = None
    sql_table: str | None = None
    sql_query: str | None = None
    sql_stored_procedure: str | None = None
    sql_stored_procedure_params: Any = None
    pipeline_dataset: Any = None

    @property
    def output_port_def(self) -> OutputPortDef:
        """Returns: the one port that it has."""
        return OutputPortDef("data", self.datastore_name, data_type=self.data_type_id)

    @staticmethod
    def create_from_data_reference(data_reference: Any) -> DataSourceDef:
        """Defines the data that a reference points at.

        Args:
            data_reference: A `DataReference`.

        Returns:
            Its definition.
        """
        return DataSourceDef(
            data_reference.data_reference_name,
            datastore_name=data_reference.datastore.name,
            path_on_datastore=data_reference.path_on_datastore,
        )


@dataclass
class DataSource:
    """Data that comes from outside the graph, by id.

    Attributes:
        datasource_id: Its id.
        datasource_def: What it is.
    """

    datasource_id: str
    datasource_def: DataSourceDef


@dataclass
class DataType:
    """A kind of data; ports here take any file or folder, whatever its kind is called.

    Attributes:
        workspace: Kept, not read.
        id: Its id.
        name: Its name.
        description: In words.
        is_directory: Whether it is a folder.
        parent_datatype_ids: What it is a kind of.
    """

    workspace: Any
    id: str
    name: str
    description: str
    is_directory: bool
    parent_datatype_ids: list[str]

    @staticmethod
    def create_data_type(
        workspace: Any, name: str, description: str, is_directory: bool, parent_datatypes: Any = None
    ) -> NoReturn:
        """Data types are registered with a service that does not exist here.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("data types cannot be registered here: a port takes any file or folder")

    @staticmethod
    def list_data_types(workspace: Any) -> list[DataType]:
        """Returns: the two kinds of data that there are."""
        return [
            DataType(workspace, name, name, told, directory, [])
            for name, told, directory in (("AnyFile", "any file", False), ("AnyDirectory", "any folder", True))
        ]
