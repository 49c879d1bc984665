"""A bakery's interpreter: French at the counter is heard in English while it is spoken.

`vivavoce interpret examples/interpreter.py --in talk.wav --out dubbed.wav`
"""

from vivavoce.agent import Interpreter

interpreter = Interpreter(
    "fr",
    "en",
    name="bakery",
    glossary={"pain au levain": "sourdough", "Chez Marie": ""},
    style="friendly, in short sentences",
)
