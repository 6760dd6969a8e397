"""`OrchestratorService`: the parts, and how they are put together, started and ended.

The agent's libraries (LangChain, LangGraph) are imported during start-up, in a thread: `/health` answers meanwhile,
and a wrong setting is reported without waiting for them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar

from botswain_proto.v1 import event_pb2, orchestrator_pb2
from botswain_services import Service, StartupError
from botswain_services.auth import TokenIssuer
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer, connect
from sqlalchemy.exc import SQLAlchemyError

from botswain_orchestrator.coordination.coordinator import Coordinator
from botswain_orchestrator.errors import LedgerError
from botswain_orchestrator.http import add_endpoints
from botswain_orchestrator.intake import Intake
from botswain_orchestrator.lanes import Lanes
from botswain_orchestrator.ledger import Database, Entry, Ledger
from botswain_orchestrator.ledger.notices import CLAIMS, EVENTS, PARTITIONS, Listener
from botswain_orchestrator.ledger.superseding import carried
from botswain_orchestrator.ledger.upkeep import remove_old
from botswain_orchestrator.metrics import LANES, WAITING
from botswain_orchestrator.operations import add_ledger_endpoints
from botswain_orchestrator.ownership import Desk, Owner, SharedOwner, SoleOwner
from botswain_orchestrator.policies import Turnstile
from botswain_orchestrator.retries import Retries
from botswain_orchestrator.rpc import add_servicers
from botswain_orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:
    from botswain_orchestrator.agent.catalog import ToolCatalog
    from botswain_orchestrator.turns import TurnRunner

log = get_logger(__name__)

UPKEEP_INTERVAL = 3600.0
"""Seconds between two looks for what is old."""


class OrchestratorService(Service):
    """Records events and answers them."""

    name: ClassVar[str] = "orchestrator-service"

    def __init__(self, settings: OrchestratorSettings) -> None:
        super().__init__(
            settings=settings,
            host=settings.bind_host,
            port=settings.http_port,
            grpc_port=settings.grpc_port,
            summary="Records events and answers them with an agent.",
        )
        self._settings = settings
        self._database = Database(settings.database_url)
        self.ledger = Ledger(self._database)
        self.coordinator = Coordinator(self._database)
        self._listener: Listener | None = None
        self._lanes: Lanes[Entry] = Lanes(self._run_turn, workers=settings.workers)
        self._turnstile = Turnstile(
            settings.turn_policy, self._database, self._lanes, run=self._answer, finished=self._turn_finished
        )
        self._intake = Intake(
            self.ledger, self._lanes, own=self._own, shared=self._database.shared, admit=self._turnstile.admit
        )
        self._peer: Peer | None = None
        self._catalog: ToolCatalog | None = None
        self._turns: TurnRunner | None = None
        self.health.details["model"] = settings.model
        self.add_readiness_check("database", self._database_problem)
        self.add_readiness_check("execution-service", self._execution_problem)
        add_endpoints(self, self._intake)
        add_ledger_endpoints(self, self._database, self._intake)
        assert self.rpc is not None
        add_servicers(self.rpc, self._intake, self.coordinator)
        LANES.set_function(lambda: len(self._lanes))
        WAITING.set_function(lambda: self._lanes.waiting)

    async def startup(self) -> None:
        """Open the ledger, build the agent, and take up what was left unanswered. execution-service may come later."""
        try:
            await self._database.open()
        except LedgerError as error:
            raise StartupError(str(error)) from error
        await self._build_agent()
        alone = await self._intake.owner.start()
        if alone:
            await self.coordinator.start()
        if self._database.shared:
            self._listener = Listener(self._database.engine, self._hear, self._look_around)
            self._listener.start()

    async def run(self) -> None:
        """Remove what is old, now and then."""
        days = self._settings.retention_days
        if not days:
            await super().run()
        while True:
            try:
                removed = await remove_old(self._database, before=int((time.time() - days * 86_400) * 1000))
            except SQLAlchemyError as error:
                log.error("old_events_not_removed", reason=str(error))  # noqa: TRY400
            else:
                if removed:
                    log.info("old_events_removed", events=removed)
            await asyncio.sleep(UPKEEP_INTERVAL)

    async def drain(self) -> None:
        """End the streams, finish the turns under way; what waits is recorded and runs after the next start."""
        self.coordinator.drain()
        self._intake.drain()
        await self._lanes.drain()

    async def shutdown_cleanup(self) -> None:
        """Let go of everything. A turn that is still under way is ended, and runs again after the next start."""
        await self._lanes.cancel()
        if self._listener is not None:
            await self._listener.close()
        await self._intake.owner.close()
        if self._catalog is not None:
            await self._catalog.close()
        if self._peer is not None:
            await self._peer.close()
        await self._turnstile.close()
        await self.coordinator.close()
        await self._database.close()

    async def _build_agent(self) -> None:
        settings = self._settings

        def load() -> None:
            import botswain_orchestrator.agent.graph
            import botswain_orchestrator.agent.models  # noqa: F401

        await asyncio.to_thread(load)
        from botswain_orchestrator.agent.catalog import ToolCatalog
        from botswain_orchestrator.agent.graph import Agent
        from botswain_orchestrator.agent.memory import LedgerSaver
        from botswain_orchestrator.agent.models import make_model
        from botswain_orchestrator.agent.tools import ToolCaller
        from botswain_orchestrator.delivery import Delivery
        from botswain_orchestrator.turns import TurnRunner

        secret = settings.service_auth_secret.get_secret_value()
        tokens = TokenIssuer(secret, issuer=self.name, audience="execution-service")
        self._peer = connect(settings.execution_service_url, tokens, variable="EXECUTION_SERVICE_URL")
        self._catalog = ToolCatalog(self._peer)
        caller = ToolCaller(
            self._peer, approvers=settings.approver_ids, approval_seconds=settings.approval_timeout_seconds
        )
        memory = LedgerSaver(self.ledger)
        model = await asyncio.to_thread(
            make_model,
            settings.model,
            base_url=settings.model_base_url,
            api_key=settings.model_api_key,
            timeout=settings.model_timeout_seconds,
        )
        agent = Agent(
            model,
            tools=caller,
            deliver=Delivery(caller).deliver,
            memory=memory,
            system_prompt=settings.system_prompt,
            history_limit=settings.history_limit,
            max_steps=settings.max_steps,
            describe_error=self._describe_model_error,
        )
        self._turns = TurnRunner(
            self.ledger,
            agent,
            memory,
            self._catalog,
            finished=self._turn_finished,
            timeout=settings.turn_timeout_seconds,
            carried=self._carried,
            retries=Retries(settings.turn_attempts, settings.turn_retry_seconds),
            approvers=settings.approver_ids,
        )
        self._catalog.start()

    def _own(self, desk: Desk) -> Owner:
        if self._database.shared:
            return SharedOwner(
                self._database, self.ledger, desk, lease=self._settings.lease_seconds, name=self._settings.replica_name
            )
        return SoleOwner(self.ledger, desk)

    def _hear(self, what: str, about: str) -> None:
        """Another orchestrator, or this one, has changed something."""
        owner = self._intake.owner
        if what == CLAIMS:
            self.coordinator.ring(about)
        elif what == PARTITIONS:
            owner.partitions_moved()
        elif what == EVENTS:
            owner.events_came()

    def _look_around(self) -> None:
        """Anything may have changed."""
        self.coordinator.ring_all()
        self._intake.owner.partitions_moved()

    async def _answer(self, entry: Entry) -> float | None:
        assert self._turns is not None
        return await self._turns.run(entry)

    def _turn_finished(self, entry: Entry, result: orchestrator_pb2.ProcessResponse) -> None:
        self._intake.finished(entry, result)

    async def _carried(self, entry: Entry) -> list[event_pb2.InternalEvent]:
        return [] if self._settings.turn_policy in ("enqueue", "reject") else await carried(self._database, entry)

    async def _run_turn(self, entry: Entry) -> float | None:
        pause = await self._turnstile.run(entry)
        owner = self._intake.owner
        if pause is not None and not self._intake.draining.is_set() and owner.keeps(entry):
            return pause
        if pause is not None:
            self._intake.postpone(entry)
        owner.done(entry)
        return None

    def _describe_model_error(self, error: Exception) -> str:
        text = f"{type(error).__name__}: {error}"
        key = self._settings.model_api_key
        return text.replace(key.get_secret_value(), "***") if key is not None and key.get_secret_value() else text

    async def _database_problem(self) -> str | None:
        await self.ledger.ping()
        return self._intake.owner.problem()

    async def _execution_problem(self) -> str | None:
        return await self._catalog.problem() if self._catalog is not None else "not asked yet"
