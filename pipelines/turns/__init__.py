"""Who has the floor: pure state machines that take events and the time."""
