"""botswain_cli."""
