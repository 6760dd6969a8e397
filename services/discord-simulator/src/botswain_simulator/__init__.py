"""botswain_simulator."""
