"""What a bench came to, as a quiet machine of two cores might have it, for tests of its page."""

from __future__ import annotations

from typing import Any

import numpy as np

from vivavoce.agent.ledger import STAGES
from vivavoce.pipelines.benching.spread import summary

MEANS = {"endpointing": 205, "transcription": 3, "thinking": 118, "clause": 24, "speech": 92,
         "output": 17}  # fmt: skip
HIDDEN = {"transcription": 61, "thinking": 88}


def result(seed: int = 1, *, turns: int = 40, slower: float = 0.0) -> dict[str, Any]:
    """Make one; `slower` milliseconds are added to each turn."""
    dice = np.random.default_rng(seed)
    ledgers = []
    for _ in range(turns):
        stages = dict.fromkeys(STAGES, 0)
        for stage, mean in MEANS.items():
            stages[stage] = round(max(0.0, dice.normal(mean, mean * 0.12)) * 1000)
        stages["speech"] += round(slower * 1000)
        hidden = {stage: round(dice.normal(mean, 4) * 1000) for stage, mean in HIDDEN.items()}
        ledgers.append({"total_us": sum(stages.values()), "stages_us": stages, "hidden_us": hidden})
    v2v = [round(each["total_us"] / 1000 + dice.normal(42, 6), 1) for each in ledgers]
    rows = []
    for calls in (1, 5, 10, 15, 20, 30, 40, 35):
        late = 3.1 + (calls / 24) ** 4 + dice.normal(0, 0.3)
        waits = dice.normal(505 + max(0, calls - 25) * 1.8, 22, 3 * calls + 3).round(1).tolist()
        rows.append(
            {
                "calls": calls,
                "turns": 3 * calls,
                "cpu": round(0.035 + 0.0191 * calls + dice.normal(0, 0.004), 4),
                "cpu_per_call": round((0.035 + 0.0191 * calls) / calls, 4),
                "cpu_samples": (0.035 + 0.0191 * calls + dice.normal(0, 0.01, 20)).tolist(),
                "memory_mb": round(181 + 1.37 * calls, 1),
                "late_ms": {"p50": 0.1, "p90": 1.0, "p95": 2.0, "p99": round(max(1.0, late * (3 if calls == 40 else 1)), 1), "max": 31.0, "mean": 0.6, "n": 900},
                "v2v_ms": summary(waits),
                "v2v": waits,
                "lag_ms": {"p50": 0.6, "p95": 1.9, "p99": round(late, 1), "max": 22.0},
                "lost": 0,
                "premature": 0,
                "caller_late_ms": 4.0,
                "why": "a packet in a hundred came 25 ms late" if calls == 40 else "",
                "callers": False,
            }
        )  # fmt: skip
    rows.sort(key=lambda row: row["calls"])
    return {
        "kind": "vivavoce bench",
        "version": 1,
        "live": False,
        "quick": False,
        "agent": "",
        "command": "vivavoce bench --turns 40",
        "seconds": 312.4,
        "machine": {
            "at": "2026-11-21T20:47:51+00:00",
            "cpu": "AMD EPYC 7763",
            "cores": 2,
            "usable_cores": 2,
            "memory_gb": 25.3,
            "system": "Linux-6.18.44-x86_64-with-glibc2.36",
            "python": "3.11.7",
            "versions": {"vivavoce": "0.1.0", "pipecat-ai": "1.14.0", "onnxruntime": "1.31.1"},
            "load_average": [0.1, 0.2, 0.3],
        },
        "rest": {"used": 0.31, "stolen": 0.004, "lag_ms": {"p50": 0.2, "p99": 1.1, "max": 2.4},
                 "governor": ""},
        "warnings": [
            ("The machine was busy before the run (31% of its cores): latencies are too high and the"
            " knee is too low. End what runs beside, and measure again.")
        ],
        "backends": {
            "fixed": {"hear_delay_ms": 240, "hear_final_ms": 60, "hear_idle_s": 100_000,
                      "think_first_token_ms": 200, "think_tokens_per_s": 60,
                      "speak_first_audio_ms": 90},
            "alone_ms": {"hear": [63.8, 71.4, 62.9, 61.8, 66.6],
                         "think": [203.7, 220.0, 205.1, 203.9, 202.1],
                         "speak": [97.1, 93.0, 98.5, 98.3, 99.9]},
            "models": {"hearing": "voxtral-mini-transcribe-realtime-2602 at http://127.0.0.1:1"},
        },
        "latency": {
            "turns": turns,
            "v2v_ms": v2v,
            "v2v": summary(v2v),
            "lost": 0,
            "premature": 0,
            "again": 1,
            "caller_late_ms": 9.1,
            "ledger_ms": summary([each["total_us"] / 1000 for each in ledgers]),
            "stages_ms": {
                stage: {
                    "mean": round(float(np.mean([e["stages_us"][stage] for e in ledgers])) / 1e3, 1),
                    "hidden": round(
                        float(np.mean([e["hidden_us"].get(stage, 0) for e in ledgers])) / 1e3, 1
                    ),
                }
                for stage in STAGES
            },
            "ledgers": ledgers,
            "speculation": {"guesses": 44, "hits": 41, "requests": 46, "tokens": 1200,
                            "wasted_tokens": 61},
            "usage": {},
            "cost_usd": None,
            "lag_ms": {"p50": 0.6, "p99": 3.1, "max": 6.0},
        },
        "capacity": {
            "core": [1],
            "rows": rows,
            "carries": 35,
            "why": "a packet in a hundred came 25 ms late",
            "callers": False,
            "cpu": {"alone": 0.035, "each": 0.0191, "worst": 0.0062},
            "memory": {"alone": 181.0, "each": 1.37, "worst": 0.1},
            "complete": True,
        },
    }  # fmt: skip
