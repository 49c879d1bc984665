"""The pipecat pipelines: stages, turn-taking, model clients, audio and transports."""
