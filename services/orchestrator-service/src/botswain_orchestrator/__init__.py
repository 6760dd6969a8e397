"""botswain_orchestrator."""
