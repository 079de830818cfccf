"""Python's functions as functions of JavaScript: names, expressions, calls, statements, and the program around them."""
