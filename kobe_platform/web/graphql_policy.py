"""What may be asked of Dagster's GraphQL, by role: operations are parsed here, before Dagster sees them.

Dagster has no notion of people. So: queries and subscriptions for every role that may open Dagster; introspection for
operators; mutations by list; one operation a request, never a batch; a launch takes its parameters as one variable,
into which the person's name is stamped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    parse,
    visit,
)
from graphql.language import Visitor

from kobe_platform.governance.people import Person

MOST_BYTES = 512 * 1024
MOST_TOKENS = 20_000
MOST_DEPTH = 40
MOST_ALIASES = 100
MOST_FIELDS = 20_000
"""Fields within fields, fields by another name, and fields, each with fragments written out."""
STAMP = "kobe/launched_by"
ON_DEMAND = "on_demand_statistics"
LAUNCHES = frozenset(
    {"launchRun", "launchMultipleRuns", "launchPipelineExecution", "launchPartitionBackfill", "launchRunReexecution"}
)
"""Mutations that start something."""
PARAMETERS = {
    "executionParams": ("executionMetadata", "tags"),
    "executionParamsList": ("executionMetadata", "tags"),
    "reexecutionParams": ("", "extraTags"),
    "backfillParams": ("", "tags"),
}
"""Arguments that hold a launch's parameters: the part and the key in which the run's tags stand."""
OPERATOR = frozenset(
    {
        *LAUNCHES,
        "terminateRun",
        "terminateRuns",
        "terminatePipelineExecution",
        "cancelPartitionBackfill",
        "resumePartitionBackfill",
        "startSchedule",
        "stopRunningSchedule",
        "resetSchedule",
        "startSensor",
        "stopSensor",
        "resetSensor",
        "setSensorCursor",
        "setAutoMaterializePaused",
        "reloadRepositoryLocation",
        "reloadWorkspace",
        "scheduleDryRun",
        "sensorDryRun",
        "freeConcurrencySlots",
        "setConcurrencyLimit",
        "logTelemetry",
        "setNuxSeen",
    }
)
"""What operators may change. Runs, assets and their history are never deleted from here, nor servers shut down."""
READERS = frozenset({"logTelemetry", "setNuxSeen"})
ANALYST = frozenset({*READERS, "launchRun"})


class Refused(Exception):
    """An operation that this person may not ask for; the text names the rule, never the query."""


@dataclass(frozen=True)
class Operation:
    """What a request asks for: ``query``, ``mutation`` or ``subscription``; names of mutations; data to send on."""

    kind: str
    mutations: tuple[str, ...]
    payload: Mapping[str, Any]

    @property
    def launches(self) -> bool:
        """Whether it starts a run."""
        return any(name in LAUNCHES for name in self.mutations)


def examined(payload: object, person: Person, *, kinds: tuple[str, ...]) -> Operation:
    """The operation of a request, if the person may ask for it.

    Args:
        payload: the decoded JSON body.
        kinds: operations that this transport carries.

    Raises:
        Refused: with the rule that it breaks.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        raise Refused("one operation a request")
    try:
        document = parse(payload["query"], no_location=True, max_tokens=MOST_TOKENS)
    except (GraphQLError, RecursionError):
        raise Refused("not GraphQL") from None
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        raise Refused("one operation a request")
    if not _is_modest(operations[0], document):
        raise Refused("too large a question")
    kind = operations[0].operation.value
    if kind not in kinds:
        raise Refused("not by this transport")
    if not person.has("operator") and _introspects(document):
        raise Refused("no introspection")
    if operations[0].operation is not OperationType.MUTATION:
        return Operation(kind, (), payload)
    fields = _fields(operations[0], document)
    for field in fields:
        if field.name.value not in _allowed(person):
            raise Refused("not a change that this role may make")
    variables = _stamped(fields, payload, person)
    return Operation(kind, tuple(f.name.value for f in fields), {**payload, "variables": variables})


def _is_modest(operation: OperationDefinitionNode, document: DocumentNode) -> bool:
    """Whether an operation keeps the limits with its fragments written out, which can double at every step."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    known: dict[str, tuple[int, int, int]] = {}

    def measured(selections: SelectionSetNode | None, within: frozenset[str]) -> tuple[int, int, int]:
        depth = aliases = fields = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                below = measured(node.selection_set, within)
                part = (below[0] + 1, below[1] + (node.alias is not None), below[2] + 1)
            elif isinstance(node, FragmentSpreadNode):
                part = spread(node.name.value, within)
            else:
                part = measured(getattr(node, "selection_set", None), within)
            depth, aliases, fields = max(depth, part[0]), aliases + part[1], fields + part[2]
        return depth, aliases, fields

    def spread(name: str, within: frozenset[str]) -> tuple[int, int, int]:
        if name in within:
            raise Refused("a fragment within itself")
        if name not in known:
            fragment = fragments.get(name)
            known[name] = measured(fragment.selection_set, within | {name}) if fragment else (0, 0, 0)
        return known[name]

    try:
        depth, aliases, fields = measured(operation.selection_set, frozenset())
    except RecursionError:
        return False
    return depth <= MOST_DEPTH and aliases <= MOST_ALIASES and fields <= MOST_FIELDS


def _allowed(person: Person) -> frozenset[str]:
    if person.has("operator"):
        return OPERATOR
    return ANALYST if person.has("analyst") else READERS


def _introspects(document: DocumentNode) -> bool:
    class Search(Visitor):
        found = False

        def enter_field(self, node: FieldNode, *_) -> None:
            self.found |= node.name.value in ("__schema", "__type")

    search = Search()
    visit(document, search)
    return search.found


def _fields(operation: OperationDefinitionNode, document: DocumentNode) -> list[FieldNode]:
    """The fields of a mutation's root; fragments there are looked into."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found: list[FieldNode] = []
    waiting, seen = [operation.selection_set], set[str]()
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                if node.name.value != "__typename":
                    found.append(node)
                continue
            if isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments.keys() - seen:
                seen.add(node.name.value)
                waiting.append(fragments[node.name.value].selection_set)
    return found


def _stamped(fields: list[FieldNode], payload: Mapping[str, Any], person: Person) -> dict[str, Any]:
    """The variables with the person's name in every launch, and the analyst's launches looked at."""
    variables = payload.get("variables")
    variables = json.loads(variables) if isinstance(variables, str) else variables
    variables = dict(variables) if isinstance(variables, dict) else {}
    for field in fields:
        if field.name.value not in LAUNCHES:
            continue
        argument, name = _variable(field)
        given = variables.get(name)
        several = given if argument.endswith("List") else [given]
        launches = [one for one in several if isinstance(one, dict)] if isinstance(several, list) else []
        if not isinstance(several, list) or len(launches) < len(several):
            raise Refused("a launch takes its parameters as one variable")
        if not person.has("operator"):
            launches = [_only_a_question(parameters) for parameters in launches]
        stamped = [_with_stamp(parameters, *PARAMETERS[argument], person) for parameters in launches]
        variables[name] = stamped if argument.endswith("List") else stamped[0]
    return variables


def _variable(field: FieldNode) -> tuple[str, str]:
    """The argument of a launch and the variable that it takes."""
    if len(field.arguments) == 1:
        argument = field.arguments[0]
        if argument.name.value in PARAMETERS and isinstance(argument.value, VariableNode):
            return argument.name.value, argument.value.name.value
    raise Refused("a launch takes its parameters as one variable")


def _only_a_question(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """An analyst's launch, made anew of what it may consist of: the job, and its steps' configuration.

    Run configuration may replace every resource of a job (Dagster takes an installation's own for defaults), so it
    could name another governance database, and with it another quota and record. Tags steer Dagster.
    """
    selector = parameters.get("selector")
    selector = {key: value for key, value in selector.items() if value} if isinstance(selector, dict) else {}
    named = [selector.get("jobName"), selector.get("pipelineName")]
    if [name for name in named if name is not None] != [ON_DEMAND]:
        raise Refused("analysts launch the on-demand statistics only")
    if set(selector) - {"repositoryName", "repositoryLocationName", "jobName", "pipelineName"}:
        raise Refused("analysts launch the whole job")
    config = _decoded_config(parameters.get("runConfigData") or {})
    steps = config.get("ops", {}) if isinstance(config, dict) and set(config) <= {"ops"} else None
    if not isinstance(steps, dict) or not all(isinstance(s, dict) and set(s) <= {"config"} for s in steps.values()):
        raise Refused("analysts configure the question only")
    return {"selector": selector, "runConfigData": config, "mode": "default"}


def _decoded_config(given: object) -> object:
    """Run configuration as data; Dagster's own form sends YAML. References in it, which could grow, are refused."""
    if not isinstance(given, str):
        return given
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(given, Loader=yaml.SafeLoader)):
            raise Refused("no references in YAML")
        decoded = yaml.safe_load(given)
        json.dumps(decoded)
    except (yaml.YAMLError, RecursionError, TypeError, ValueError):
        raise Refused("not a run configuration") from None
    return {} if decoded is None else decoded


def _with_stamp(parameters: Mapping[str, Any], part: str, key: str, person: Person) -> dict[str, Any]:
    holder = parameters.get(part) if part else parameters
    holder = dict(holder) if isinstance(holder, dict) else {}
    kept = [tag for tag in holder.get(key) or [] if isinstance(tag, dict) and tag.get("key") != STAMP]
    holder[key] = [*kept, {"key": STAMP, "value": person.login}]
    return {**parameters, part: holder} if part else holder
