"""botswain_proto."""
