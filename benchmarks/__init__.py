"""Programs that measure; each exits 1 below its floor, and its last line is one JSON object."""
