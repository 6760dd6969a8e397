"""The operator's side of the Kubernetes API: a small client, informers, the lease, events."""
