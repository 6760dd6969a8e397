"""Generated from proto/botswain/v1 by `make proto`; the .proto files are the documentation."""
