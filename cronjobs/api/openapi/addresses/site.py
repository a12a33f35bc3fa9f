"""The state of everything, queues, nodes, definitions, probes, and this description."""

from __future__ import annotations

from cronjobs.alerts import AlertKind
from cronjobs.api.errors import ErrorCode
from cronjobs.api.jobs.definitions import DefinitionsView
from cronjobs.api.openapi.documents.alerts import Alerts
from cronjobs.api.openapi.documents.site import (
    Definitions,
    Everything,
    NodeAnswer,
    Nodes,
    QueueAnswer,
    QueueChanges,
    Queues,
    Status,
    Workers,
    Yes,
)
from cronjobs.api.openapi.examples import site as examples
from cronjobs.api.openapi.operations import Answer, Link, Operation, Operations
from cronjobs.api.openapi.parameters import BEFORE, NODE, QUEUE, SOME_NAME, limit, query
from cronjobs.api.site.alerts import DEFAULT_LIMIT, MOST, AlertsView
from cronjobs.api.site.description import DocsView, SchemaView
from cronjobs.api.site.nodes import DrainNodeView, NodesView, UndrainNodeView
from cronjobs.api.site.probes import LiveView, ReadyView
from cronjobs.api.site.queues import (
    PauseEverythingView,
    PauseQueueView,
    QueuesView,
    QueueView,
    ResumeEverythingView,
    ResumeQueueView,
)
from cronjobs.api.site.status import StatusView
from cronjobs.api.site.workers import WorkersView

_STATE, _QUEUES, _PROBES, _DESCRIPTION = "State", "Queues", "Probes", "Description"

_QUEUE_LINKS = [
    Link(operation=each, parameters={"name": "$response.body#/queues/0/name"})
    for each in ("changeQueue", "pauseQueue", "resumeQueue")
]
_QUEUE = Answer(meaning="The queue.", document=QueueAnswer, example=examples.QUEUE_ANSWER)
_NODE_LINKS = [
    Link(operation=each, parameters={"name": "$response.body#/nodes/0/name"}) for each in ("drainNode", "undrainNode")
]
_NODE = Answer(meaning="The node.", document=NodeAnswer, example=examples.NODE_ANSWER)
_NODE_ERRORS = (ErrorCode.NODE_NOT_FOUND, ErrorCode.NODE_NOT_ALIVE)
_EVERYTHING = Answer(meaning="Whether everything is paused.", document=Everything, example=examples.EVERYTHING)
_YES = Answer(meaning="It does.", document=Yes, example=examples.YES)
_OBJECT = {"type": "object"}

OPERATIONS: Operations = {
    (StatusView, "GET"): Operation(
        id="getStatus",
        tag=_STATE,
        summary="What every job and every node is doing",
        answers={200: Answer(meaning="The state of everything.", document=Status, example=examples.STATUS)},
    ),
    (AlertsView, "GET"): Operation(
        id="listAlerts",
        tag=_STATE,
        summary="What is wrong now, and what people were told of",
        parameters=(
            query("kind", {"type": "string", "enum": AlertKind.values}, "Of one kind."),
            query("job", SOME_NAME, "About one job."),
            BEFORE,
            limit(MOST, DEFAULT_LIMIT),
        ),
        answers={200: Answer(meaning="Newest first.", document=Alerts, example=examples.ALERTS)},
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (NodesView, "GET"): Operation(
        id="listNodes",
        tag=_STATE,
        summary="Every node that is known, also those that have stopped",
        answers={200: Answer(meaning="The nodes.", document=Nodes, example=examples.NODES, links=_NODE_LINKS)},
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (WorkersView, "GET"): Operation(
        id="listWorkers",
        tag=_STATE,
        summary="Which Celery workers there are, and what they can do",
        answers={200: Answer(meaning="The workers.", document=Workers, example=examples.WORKERS)},
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (DrainNodeView, "POST"): Operation(
        id="drainNode",
        tag=_STATE,
        summary="Let a node claim nothing more, and end when what it runs has ended",
        parameters=(NODE,),
        answers={200: _NODE},
        errors=_NODE_ERRORS,
    ),
    (UndrainNodeView, "POST"): Operation(
        id="undrainNode",
        tag=_STATE,
        summary="Let a node that drains keep working",
        parameters=(NODE,),
        answers={200: _NODE},
        errors=_NODE_ERRORS,
    ),
    (DefinitionsView, "GET"): Operation(
        id="listDefinitions",
        tag=_STATE,
        summary="What the code defines, and what its parameters may be",
        answers={200: Answer(meaning="The definitions.", document=Definitions, example=examples.DEFINITIONS)},
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (QueuesView, "GET"): Operation(
        id="listQueues",
        tag=_QUEUES,
        summary="All queues, and whether everything is paused",
        answers={200: Answer(meaning="The queues.", document=Queues, example=examples.QUEUES, links=_QUEUE_LINKS)},
    ),
    (QueueView, "PATCH"): Operation(
        id="changeQueue",
        tag=_QUEUES,
        summary="Limit a queue, or describe it",
        parameters=(QUEUE,),
        body=QueueChanges,
        examples={"limit": {"limit": 2}, "no limit": {"limit": None}},
        answers={200: _QUEUE},
        errors=(ErrorCode.INVALID, ErrorCode.QUEUE_NOT_FOUND),
    ),
    (PauseQueueView, "POST"): Operation(
        id="pauseQueue",
        tag=_QUEUES,
        summary="Start nothing more of a queue",
        parameters=(QUEUE,),
        answers={200: _QUEUE},
        errors=(ErrorCode.QUEUE_NOT_FOUND,),
    ),
    (ResumeQueueView, "POST"): Operation(
        id="resumeQueue",
        tag=_QUEUES,
        summary="Start again what waits in a queue",
        parameters=(QUEUE,),
        answers={200: _QUEUE},
        errors=(ErrorCode.QUEUE_NOT_FOUND,),
    ),
    (PauseEverythingView, "POST"): Operation(
        id="pauseEverything",
        tag=_QUEUES,
        summary="Schedule and start nothing more",
        answers={200: _EVERYTHING},
    ),
    (ResumeEverythingView, "POST"): Operation(
        id="resumeEverything",
        tag=_QUEUES,
        summary="Schedule and start again, from now on",
        answers={200: _EVERYTHING},
    ),
    (LiveView, "GET"): Operation(id="isLive", tag=_PROBES, summary="Whether the process answers", answers={200: _YES}),
    (ReadyView, "GET"): Operation(
        id="isReady",
        tag=_PROBES,
        summary="Whether the SQL database answers as well, and has the tables",
        answers={200: _YES},
        errors=(ErrorCode.NOT_READY,),
    ),
    (SchemaView, "GET"): Operation(
        id="getSchema",
        tag=_DESCRIPTION,
        summary="This description",
        parameters=(query("format", {"type": "string", "enum": ["json", "yaml"]}, "Before what `Accept` says."),),
        answers={
            200: Answer(
                meaning="OpenAPI 3.1.",
                others={
                    "application/json": _OBJECT,
                    "application/yaml": _OBJECT,
                    "application/vnd.oai.openapi+json": _OBJECT,
                    "application/vnd.oai.openapi": _OBJECT,
                },
            )
        },
        errors=(ErrorCode.INVALID_PARAMETERS,),
    ),
    (DocsView, "GET"): Operation(
        id="getDocs",
        tag=_DESCRIPTION,
        summary="This description as a page, from which requests can be sent",
        answers={200: Answer(meaning="A page.", others={"text/html": {"type": "string"}})},
        errors=(ErrorCode.NOT_INSTALLED,),
    ),
}
