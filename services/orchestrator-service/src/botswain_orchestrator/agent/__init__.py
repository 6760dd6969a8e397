"""The agent: a LangGraph graph, the models it may think with, the tools it may use, and what it remembers."""
