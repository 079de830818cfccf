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
)

COMMANDS = (attention, bidirectional, compare, continuation, gates, gradients, lengths, loss, neurons)
"""In the order of the help."""
