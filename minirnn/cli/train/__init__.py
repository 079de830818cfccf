"""`minirnn train`: one file for each task."""

from minirnn.cli.train import caption, classify, cloze, draw, forecast, lm, task, translate

COMMANDS = (lm, translate, task, forecast, classify, caption, draw, cloze)
"""In the order of the help."""
