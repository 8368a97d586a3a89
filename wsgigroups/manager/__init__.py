"""The manager: an asyncio shell around a pure core. Never loads application code."""
