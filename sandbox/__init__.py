"""The embedded default: a local server that speaks the Voxtral wire protocols."""
