"""HTML pages that minirnn writes about itself: its source to read, and a backward pass to go through line by line."""
