"""The orchestrator's exceptions.

OrchestratorError
├── LedgerError              the database can't be opened, or is another program's
│   ├── LedgerUnavailableError   its server can't be reached
│   └── FencedError              another orchestrator answers the lane by now
├── ToolsUnavailableError    execution-service hasn't told its tools in time
├── ModelError               the model gave no answer: what it or its server said
├── DeliveryError            nobody could be asked to deliver the answer
└── DrainingError            the process is ending; what was asked is to be asked again
"""

from botswain_services import ServiceError


class OrchestratorError(ServiceError):
    """Root of everything this package raises on its own."""


class LedgerError(OrchestratorError):
    """The database can't be opened, or its schema isn't one this version knows."""


class LedgerUnavailableError(LedgerError):
    """The database's server can't be reached. What was asked is to be asked again."""


class FencedError(LedgerError):
    """This orchestrator took too long to be heard of, and another one answers the lane by now."""


class ToolsUnavailableError(OrchestratorError):
    """execution-service could not be asked for its tools in time."""


class ModelError(OrchestratorError):
    """The model gave no answer. The message is what it or its server said, without secrets."""


class DeliveryError(OrchestratorError):
    """The answer could not be handed to execution-service, so the turn has to be tried again."""


class DrainingError(OrchestratorError):
    """The process is ending. What was recorded is answered after the next start; the rest is to be sent again."""
