"""The door to Dagster: every one of its routes and every mutation of its schema, for every role."""

from __future__ import annotations

import json

import anyio
import pytest
from dagster_graphql.schema import create_schema
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect

from kobe_platform.governance.people import Person, remove_person
from kobe_platform.governance.trail import events
from kobe_platform.web.dagster_gate import NOBODY, PREFIX, RULES, routes_of, rule_of
from kobe_platform.web.graphql_policy import ANALYST, LAUNCHES, ON_DEMAND, OPERATOR, STAMP, Refused, examined
from kobe_platform.web.templates import menu_of
from tests.unit.web.conftest import KINDS, ORIGIN, registered, visitor

DENIED = {
    "addDynamicPartition", "deleteAppManagedComponent", "deleteConcurrencyLimit", "deleteDynamicPartitions",
    "deletePipelineRun", "deleteRun", "freeConcurrencySlotsForRun", "launchPipelineReexecution",
    "reexecutePartitionBackfill", "refreshComponentState", "reportAssetCheckEvaluations", "reportRunlessAssetEvents",
    "setAppManagedComponent", "shutdownRepositoryLocation", "wipeAssets",
}  # fmt: skip
INSIDE = {"operator", "analyst", "auditor"}
QUERY = "query Version { version }"
LAUNCH = "mutation Launch($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"


@pytest.fixture
def app(build, dagster):
    return registered(build(dagster=dagster))


def ask(browser, query: str = QUERY, variables: dict | None = None, **headers):
    body = {"query": query, "variables": variables or {}}
    return browser.post(f"{PREFIX}/graphql", json=body, headers={"origin": ORIGIN, **headers})


def person(*roles: str) -> Person:
    return Person("someone", "名", "課", True, frozenset(roles), frozenset({"staff"}))


def parameters(job: str, **more) -> dict:
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "small_graph.py", "jobName": job}
    return {"p": {"selector": selector, "runConfigData": {}, "mode": "default", **more}}


# -- routes --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_route_of_dagster_that_takes_a_parameter_has_a_rule(dagster):
    patterns = [getattr(route, "path", "") for route in routes_of(dagster)]
    assert {"/graphql", "/logs/{path:path}", "/notebook"} <= set(patterns)
    for route in routes_of(dagster):
        if isinstance(route, Route) and "{" in route.path:
            assert route.path in RULES, route.path
        if getattr(route, "methods", None) and "POST" in route.methods:
            assert route.path in RULES, route.path


def test_a_route_that_is_not_known_is_nobodys():
    assert rule_of(Route("/new/{id}", lambda request: None)) == NOBODY
    assert rule_of(Route("/new", lambda request: None, methods=["POST"])) == NOBODY


PLACES = {
    "/": INSIDE,
    "/runs": INSIDE,
    "/server_info": INSIDE,
    "/logs/a/b/c": {"operator"},
    "/download_debug/00000000-0000-0000-0000-000000000000": {"operator"},
    "/notebook": set(),
    "/dagit/notebook": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("who", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_dagsters_pages_open_to_whom_they_should(place, who, app):
    browser = visitor(app, who)
    browser.headers["accept"] = "text/html"
    try:
        answer = browser.get(f"{PREFIX}{place}")
        status = answer.status_code
    except Exception as error:  # Dagster's own failure, behind the gate
        status, answer = f"let in: {type(error).__name__}", None
    refused = status in (303, 401, 403)
    assert refused != (who in PLACES[place]), status
    if who in ("nobody", "removed"):
        assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.slow
@pytest.mark.parametrize("who", KINDS)
@pytest.mark.parametrize("place", ["materialization", "check", "observation"])
def test_nobody_reports_events_from_outside(place, who, app):
    answer = visitor(app, who).post(f"{PREFIX}/report_asset_{place}/x", json={}, headers={"origin": ORIGIN})
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize(
    "place", ["//logs/x", "/./logs/x", "/LOGS/x", "/x/../logs/x", "/%6cogs/x", "/logs%2fx", "/graphql/../logs/x"]
)
def test_disguised_paths_lead_an_auditor_nowhere(place, app):
    answer = visitor(app, "auditor").get(f"{PREFIX}{place}")
    assert (
        answer.status_code in (400, 403, 404)
        or "<!DOCTYPE html>" in answer.text[:200]
        or "<!doctype html>" in answer.text[:200]
    )


MUTATION = 'mutation { deleteRun(runId: "x") { __typename } }'
DISGUISES = (
    "//graphql%0A",
    "/graphql%0A",
    "/%0Agraphql",
    "//graphql",
    "/graphql%00",
    "/%5Cgraphql",
    "/graphql%0D",
    "/graphql%09",
)


@pytest.mark.slow
@pytest.mark.parametrize("place", DISGUISES)
@pytest.mark.parametrize("who", ["operator", "auditor"])
def test_addresses_that_routers_differ_about_are_refused_at_the_door(place, who, app):
    answer = visitor(app, who).get(f"{PREFIX}{place}", params={"query": MUTATION})
    assert answer.status_code == 400
    assert "__typename" not in answer.text and "DeletePipelineRun" not in answer.text


@pytest.mark.parametrize(
    "place", ["//graphql\n", "/graphql\n", "/graphql/", "/graphql", "/logs/x\n", "//logs/x", "/x\n"]
)
def test_the_gate_finds_the_very_route_that_dagster_takes(place, app, dagster, monkeypatch):
    """Without the door before it: whatever Starlette makes of an odd path, both read it alike."""
    taken = []
    for route in routes_of(dagster):
        if isinstance(route, Route):
            monkeypatch.setattr(route, "handle", _noted(taken, route))
    scope = {
        "type": "http", "method": "GET", "path": f"{PREFIX}{place}", "raw_path": b"", "root_path": "",
        "query_string": b"", "headers": [], "app": dagster,
    }  # fmt: skip
    anyio.run(dagster.router, dict(scope), None, _ignored)
    found = app.state.gate.route(scope)
    assert taken == [found] or (not taken and not isinstance(found, Route))


def _noted(taken, route):
    async def handle(scope, receive, send):
        taken.append(route)

    return handle


async def _ignored(message):
    """Nobody reads the answer."""


def test_the_way_that_the_navigation_takes_leads_to_dagster(app):
    config = app.state.portal.config
    offered = config.model_copy(update={"dagster": config.dagster.model_copy(update={"enabled": True})})
    assert ("Dagster", "/dagster/") in menu_of(person("operator"), offered)
    assert "Dagster" not in dict(menu_of(person("clerk"), offered))
    answer = visitor(app, "operator").get("/dagster")
    assert (answer.status_code, answer.headers["location"]) == (307, "/dagster/")
    assert visitor(app, "clerk").get("/dagster").status_code == 403


def test_who_signs_in_comes_to_the_run_that_was_asked_for(app):
    answer = visitor(app).get("/dagster/runs/abc?tab=logs", headers={"accept": "text/html"})
    assert answer.headers["location"] == "/sign-in?next=%2Fdagster%2Fruns%2Fabc%3Ftab%3Dlogs"


def test_without_a_daemon_a_launch_says_so_and_nothing_is_queued(app):
    runs = "query { runsOrError(limit: 1) { ... on Runs { results { runId } } } }"
    before = ask(visitor(app, "operator"), runs).json()
    app.state.portal.daemon_alive = lambda: False
    answer = ask(visitor(app, "operator"), LAUNCH, parameters("everything_else"))
    assert answer.status_code == 503 and "デーモンが動いていない" in answer.text
    assert ask(visitor(app, "operator"), runs).json() == before


# -- GraphQL -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", KINDS)
def test_queries_are_answered_to_whom_they_should_be(who, app):
    answer = ask(visitor(app, who))
    assert answer.status_code == (200 if who in INSIDE else 401 if who in ("nobody", "removed") else 403)
    assert ("version" in answer.text) == (who in INSIDE)


def test_every_mutation_of_the_schema_is_decided_on():
    names = set(create_schema().graphql_schema.mutation_type.fields)
    assert names - OPERATOR == DENIED, "a new mutation of Dagster: decide who may ask for it"
    assert OPERATOR - names == set() and ANALYST < OPERATOR


@pytest.mark.parametrize("name", sorted(create_schema().graphql_schema.mutation_type.fields))
@pytest.mark.parametrize("role", sorted(INSIDE))
def test_mutations_by_role(name, role):
    harmless = name in ("logTelemetry", "setNuxSeen")
    query = {"query": f"mutation {{ {name} {{ __typename }} }}"}
    if harmless or (role == "operator" and name in OPERATOR and name not in LAUNCHES):
        assert examined(query, person(role), kinds=("mutation",)).mutations == (name,)
    else:
        with pytest.raises(Refused):
            examined(query, person(role), kinds=("mutation",))


@pytest.mark.slow
@pytest.mark.parametrize("who", sorted(INSIDE))
@pytest.mark.parametrize("job", [ON_DEMAND, "everything_else"])
def test_launches_by_role_and_the_run_carries_who_launched_it(who, job, app, dagster):
    forged = {"executionMetadata": {"tags": [{"key": STAMP, "value": "somebody-else"}]}}
    answer = ask(visitor(app, who), LAUNCH, parameters(job, **forged))
    allowed = who == "operator" or (who == "analyst" and job == ON_DEMAND)
    assert (answer.status_code, "LaunchRunSuccess" in answer.text) == ((200, True) if allowed else (403, False)), (
        answer.text
    )
    if allowed:
        runs = "query { runsOrError(limit: 1) { ... on Runs { results { jobName tags { key value } } } } }"
        run = ask(visitor(app, "auditor"), runs).json()["data"]["runsOrError"]["results"][0]
        tags = [tag["value"] for tag in run["tags"] if tag["key"] == STAMP]
        assert (run["jobName"], tags) == (job, [who])


def test_launches_and_refusals_are_in_the_trail(app):
    from datetime import UTC, datetime, timedelta

    ask(visitor(app, "operator"), LAUNCH, parameters("everything_else"))
    ask(visitor(app, "auditor"), LAUNCH, parameters("everything_else"))
    now = datetime.now(UTC)
    told = [e for e in events(app.state.portal.database, now - timedelta(hours=1), now + timedelta(hours=1))]
    assert ("operator", "launchRun", "done") in [(e.who, e.object, e.outcome) for e in told if e.action == "dagster"]
    assert "auditor" in [e.who for e in told if e.action == "dagster" and e.outcome == "refused"]


@pytest.mark.parametrize("who", sorted(INSIDE))
def test_nothing_is_asked_by_get(who, app):
    browser = visitor(app, who)
    for accept in ("application/json", "text/html"):
        answer = browser.get(f"{PREFIX}/graphql", params={"query": QUERY}, headers={"accept": accept, "origin": ORIGIN})
        assert answer.status_code == 405 and "version" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_nothing_is_asked_from_other_sites(headers, app):
    assert ask(visitor(app, "operator"), **headers).status_code == 403


@pytest.mark.parametrize(
    "kind", ["application/graphql", "text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"]
)
def test_only_json_is_read(kind, app):
    body = json.dumps({"query": QUERY})
    headers = {"origin": ORIGIN, "content-type": kind}
    assert (
        visitor(app, "operator").post(f"{PREFIX}/graphql?query={QUERY}", content=body, headers=headers).status_code
        == 405
    )


FRAGMENTS = "fragment F on Mutation { ...G } fragment G on Mutation { deleteRun { __typename } }"
IN_TEXT = f'launchRun(executionParams: {{selector: {{jobName: "{ON_DEMAND}"}}}})'
BY_DEFAULT = LAUNCH.replace("!)", ' = {selector: {jobName: "everything_else"}})')
OLD_NAME = {"p": {"selector": {"pipelineName": "everything_else", "jobName": ON_DEMAND}}}
HOSTILE = {
    "a batch": [{"query": QUERY}, {"query": LAUNCH}],
    "two operations": {"query": f"{QUERY} mutation M {{ wipeAssets {{ __typename }} }}", "operationName": "M"},
    "no query": {"variables": {}},
    "a list as query": {"query": [LAUNCH]},
    "an alias": {"query": "mutation { setNuxSeen: wipeAssets { __typename } }"},
    "a second field": {"query": "mutation { setNuxSeen { __typename } wipeAssets { __typename } }"},
    "an inline fragment": {"query": "mutation { ... { wipeAssets { __typename } } }"},
    "a typed fragment": {"query": f"mutation {{ ...F }} {FRAGMENTS}"},
    "a circle": {"query": "mutation { ...F } fragment F on Mutation { ...F deleteRun { __typename } }"},
    "introspection": {"query": "query { __schema { types { name } } }"},
    "introspection in a fragment": {"query": 'query { ...F } fragment F on Query { __type(name: "Run") { name } }'},
    "parameters in the text": {"query": f"mutation {{ {IN_TEXT} {{ __typename }} }}"},
    "no parameters": {"query": LAUNCH, "variables": {}},
    "parameters as text": {"query": LAUNCH, "variables": {"p": "x"}},
    "another job by its old name": {"query": LAUNCH, "variables": OLD_NAME},
    "a default in the text": {"query": BY_DEFAULT},
    "many": {"query": "query {" + " ".join(f"a{i}: version" for i in range(30_000)) + "}"},
    "deep": {"query": "query " + "{ a " * 3000 + "}" * 3000},
    "a subscription": {"query": 'subscription { pipelineRunLogs(runId: "x") { __typename } }'},
}


@pytest.mark.slow
@pytest.mark.parametrize("case", HOSTILE)
def test_an_analyst_gets_nothing_by_tricks(case, app):
    answer = visitor(app, "analyst").post(f"{PREFIX}/graphql", json=HOSTILE[case], headers={"origin": ORIGIN})
    assert answer.status_code == 403, answer.text[:200]
    assert "data" not in answer.json() or answer.json()["data"] is None


def test_what_is_examined_is_what_dagster_reads(app):
    """Two keys of one name: the last one counts for both, here and there."""
    text = f'{{"query": {json.dumps(LAUNCH)}, "query": {json.dumps(QUERY)}}}'
    headers = {"origin": ORIGIN, "content-type": "application/json"}
    answer = visitor(app, "auditor").post(f"{PREFIX}/graphql", content=text, headers=headers)
    assert answer.status_code == 200 and "version" in answer.json()["data"]


def test_a_flood_is_refused(app):
    answer = ask(visitor(app, "operator"), QUERY + " #" + "x" * 600_000)
    assert answer.status_code == 413


# -- websockets ----------------------------------------------------------------------------------------------------

SUBSCRIPTION = "subscription { locationStateChangeEvents { event { message } } }"


def talk(browser, message: dict | None = None, **headers):
    with browser.websocket_connect(
        f"ws://lounge.test{PREFIX}/graphql", ["graphql-ws"], headers={"origin": ORIGIN, **headers}
    ) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json()["type"] == "connection_ack"
        if message is not None:
            socket.send_json({"id": "1", "type": "start", "payload": message})
            socket.send_json({"type": "connection_init"})
            return socket.receive_json()


@pytest.mark.parametrize("who", KINDS)
def test_subscriptions_open_to_whom_they_should(who, app):
    browser = visitor(app, who)
    if who in INSIDE:
        assert talk(browser, {"query": SUBSCRIPTION})["type"] == "connection_ack"
    else:
        with pytest.raises(WebSocketDisconnect):
            talk(browser)


@pytest.mark.parametrize("query", [LAUNCH, QUERY, "mutation { wipeAssets { __typename } }", "x", None])
def test_only_subscriptions_go_by_websocket(query, app):
    with pytest.raises(WebSocketDisconnect):
        talk(visitor(app, "operator"), {"query": query})


def test_websockets_from_other_sites_and_for_other_paths_are_closed(app):
    with pytest.raises(WebSocketDisconnect):
        talk(visitor(app, "operator"), origin="http://evil.test")
    for path in ("/dagster/logs/x", "/people.html", "/applications"):
        browser = visitor(app, "operator")
        with (
            pytest.raises(WebSocketDisconnect),
            browser.websocket_connect(f"ws://lounge.test{path}", headers={"origin": ORIGIN}),
        ):
            pass


def test_who_is_removed_loses_the_open_websocket(app):
    browser = visitor(app, "auditor")
    with browser.websocket_connect(
        f"ws://lounge.test{PREFIX}/graphql", ["graphql-ws"], headers={"origin": ORIGIN}
    ) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json()["type"] == "connection_ack"
        remove_person(app.state.portal.database, "auditor", by="test")
        socket.send_json({"type": "connection_init"})
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


CONFIG = {"ops": {"answer_question": {"config": {"month": "2025-12", "dimensions": ["ward"]}}}}
SPOOFS = {
    "another governance database": {"resources": {"governance": {"config": {"url": "sqlite:///elsewhere"}}}, **CONFIG},
    "another lake": {"resources": {"lake": {"config": {"root": "/elsewhere"}}}},
    "an executor": {"execution": {"config": {}}},
    "loggers": {"loggers": {"console": {"config": {"log_level": "DEBUG"}}}},
    "inputs of a step": {"ops": {"answer_question": {"inputs": {"x": {"value": 1}}}}},
    "resources in YAML": "resources:\n  lake:\n    config: {root: /elsewhere}\n",
    "references in YAML": "ops:\n  a: &x {config: {}}\n  b: *x\n",
    "no YAML": "ops: [",
    "a day that is no text": "ops: {a: {config: {month: 2025-12-01}}}",
    "a list": [1],
}


@pytest.mark.parametrize("case", SPOOFS)
def test_an_analyst_configures_nothing_but_the_question(case):
    payload = {"query": LAUNCH, "variables": parameters(ON_DEMAND, runConfigData=SPOOFS[case])}
    with pytest.raises(Refused):
        examined(payload, person("analyst"), kinds=("mutation",))
    examined(payload, person("operator"), kinds=("mutation",))


@pytest.mark.parametrize(
    "given", [CONFIG, "ops:\n  answer_question:\n    config: {month: 2025-12, dimensions: [ward]}\n"]
)
def test_an_analysts_question_arrives_as_it_was_looked_at(given):
    metadata = {
        "parentRunId": "x",
        "tags": [{"key": "dagster/priority", "value": "9"}, {"key": STAMP, "value": "boss"}],
    }
    payload = {"query": LAUNCH, "variables": parameters(ON_DEMAND, runConfigData=given, executionMetadata=metadata)}
    sent = examined(payload, person("analyst"), kinds=("mutation",)).payload["variables"]["p"]
    assert sent["runConfigData"] == CONFIG
    assert sent["executionMetadata"] == {"tags": [{"key": STAMP, "value": "someone"}]}


def test_an_analyst_launches_the_whole_job():
    given = parameters(ON_DEMAND)
    given["p"]["selector"]["solidSelection"] = ["answer_question"]
    with pytest.raises(Refused):
        examined({"query": LAUNCH, "variables": given}, person("analyst"), kinds=("mutation",))
