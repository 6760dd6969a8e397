"""Who may hold which shard, and who may IDENTIFY when: decided here for all processes of a bot."""
