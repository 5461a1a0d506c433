"""Finding a service in ten languages: how text is folded, the index, and the search itself."""
