"""The shortest agent: it says hello, and talks about anything."""

from vivavoce.agent import Agent

agent = Agent("You are a friendly voice. Keep answers short.", greeting="Hello! How are you?")
