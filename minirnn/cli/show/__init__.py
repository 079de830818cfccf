"""`minirnn show`: one file for each picture."""

from minirnn.cli.show import (
    attention,
    bidirectional,
    compare,
    continuation,
    gates,
    gradients,
    lengths,
    loss,
    neurons,
    rewards,
)

COMMANDS = (attention, bidirectional, compare, continuation, gates, gradients, lengths, loss, neurons, rewards)
"""In the order of the help."""
