"""botswain_discord."""
