"""Telephone media: what is said and heard on a call, as RTP packets.

`session.MediaSession` is one call's media and pure: packets and the time in, packets and audio
out. `endpoint.MediaEndpoint` puts it on a UDP port; `thread.MediaThread` gives many of them a
thread of their own.

Times are seconds on one monotonic clock. Audio is mono int16 at the codec's rate. Unless a
docstring says otherwise nothing here is thread-safe, and nothing here does I/O but `endpoint` and
`thread`.
"""
