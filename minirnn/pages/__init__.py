"""HTML pages that minirnn writes about itself."""
