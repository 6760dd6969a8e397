"""botswain_operator."""
