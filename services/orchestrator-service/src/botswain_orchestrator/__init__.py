"""The orchestrator: records events, answers each conversation's events in order with an agent, and sees the answer
delivered.

The way of an event: `intake` checks and records it (`ledger`), `lanes` gives it its turn, `turns` runs the agent
(`agent`) and `delivery` makes sure that the answer reaches the user.
"""
