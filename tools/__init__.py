"""Programs that make what the package ships, run by hand."""
