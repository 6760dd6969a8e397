"""Small services to start from."""
