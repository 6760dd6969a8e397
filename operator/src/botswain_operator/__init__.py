"""The operator of `DiscordBot` resources (botswain.dev/v1alpha1): everything a bot runs on, made and kept in Kubernetes.

The core is pure: `spec` reads a resource, `observed` holds what was seen of the cluster and of Discord, `sharding` and
`rollout` decide, `resources.build_resources` makes manifests, `status` says how it stands. `reconciler` does the I/O around
it, one bot at a time, whatever set it off; `handlers` and `kube` bring the triggers.
"""

__version__ = "0.1.0"
