"""How many machines for how many calls: a simulation from what was measured."""
