"""Every still picture of the book, a file per part; the only room that uses matplotlib, on first use."""
