"""What core itself adds to commands and consumers, a file each."""
