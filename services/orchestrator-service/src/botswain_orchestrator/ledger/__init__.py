"""The ledger: which events were received, which were answered and how, where each shard stands, and what each
conversation remembers.
"""

from botswain_orchestrator.ledger.database import Database
from botswain_orchestrator.ledger.ledger import Checkpoint, Entry, EventStatus, Ledger, Receipt, Recording, Started

__all__ = ["Checkpoint", "Database", "Entry", "EventStatus", "Ledger", "Receipt", "Recording", "Started"]
