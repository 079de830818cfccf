"""`minirnn show`: one file for each picture or page."""

from minirnn.cli.show import (
    attention,
    bidirectional,
    bptt,
    compare,
    continuation,
    gates,
    gradients,
    lengths,
    loss,
    neurons,
    rewards,
)

COMMANDS = (attention, bidirectional, bptt, compare, continuation, gates, gradients, lengths, loss, neurons, rewards)
"""In the order of the help."""
