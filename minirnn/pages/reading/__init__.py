"""The source as pages to read: docstrings and equations on the left, and on the right the lines with their numbers."""
