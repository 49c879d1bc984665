"""How many calls a core carries: ours beside peers, with pipe audio and with WebRTC."""
