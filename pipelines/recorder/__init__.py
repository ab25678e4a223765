"""The recorder of order books: raw frames first, rows second, every loss told."""
