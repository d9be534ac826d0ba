"""Door 2: the same verification over JSON, for programs of the institution."""
