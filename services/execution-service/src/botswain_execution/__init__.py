"""botswain_execution."""
