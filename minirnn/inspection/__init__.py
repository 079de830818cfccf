"""Looking inside networks: measurements, without the pictures of them."""
