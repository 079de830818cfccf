"""`minirnn train`: one file for each task."""

from minirnn.cli.train import classify, cloze, forecast, lm, task, translate

COMMANDS = (lm, translate, task, forecast, classify, cloze)
"""In the order of the help."""
