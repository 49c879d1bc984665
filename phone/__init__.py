"""The SIP bridge: signalling (`sip`) and media (`media`) of telephone calls."""
