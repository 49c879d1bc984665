"""Samples: files, formats, rates, voice activity, end of turn. numpy and onnxruntime only.

Modules: `wav` (WAV files), `convert` (int16, float32, μ-law, A-law, levels), `resample`,
`ring` (the last seconds of a call), `vad` (detectors), `silero` (the network of one of them),
`activity` (their starts and stops), `smart_turn` (has the caller finished?).
"""
