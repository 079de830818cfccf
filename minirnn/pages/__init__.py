"""The source as pages to read: prose and equations on the left, on the right the code that carries their numbers."""
