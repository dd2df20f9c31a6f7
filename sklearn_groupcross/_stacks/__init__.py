"""Arrays with blocks: how they are read and checked, and their moments. A private room."""
