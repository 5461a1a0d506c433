"""One step a file, in the order of their numbers; a published step is never changed."""
